"""A TCP proxy that records every byte in both directions."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

_PIECE: Final = 1 << 16


class Tap:
    """Listens on a port of 127.0.0.1, and forwards to a URL's.

    Args:
        target: URL of the service.
        port: Port to listen on; 0 takes a free one.

    Attributes:
        url: URL of the proxy.
        recorded: Bytes of each connection and direction, in order.
    """

    def __init__(self, target: str, port: int = 0) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.recorded: list[bytearray] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Tap:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    service = socket.create_connection(self._target)
                except OSError:
                    client.close()
                    continue
                for source, sink in ((client, service), (service, client)):
                    record = bytearray()
                    self.recorded.append(record)
                    threading.Thread(
                        target=_forward, args=(source, sink, record), daemon=True
                    ).start()


def _forward(source: socket.socket, sink: socket.socket, record: bytearray) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            record += piece
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
