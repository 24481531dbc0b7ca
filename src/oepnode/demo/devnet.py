"""Finds, starts and stops a local Anvil chain on a free port.

Anvil comes from ``hardhat-free-devnet/`` of the project's checkout, or from the PATH.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any, Final

import msgspec
from eth_account import Account
from eth_account.signers.local import LocalAccount

from oepnode.adapters.http.probe import post_json
from oepnode.demo.processes import Child, starting
from oepnode.errors import ConfigError, TransportError

CHAIN_ID: Final = 31337
_MNEMONIC: Final = "test test test test test test test test test test test junk"
_START_S: Final = 30.0


def account(index: int) -> LocalAccount:
    """One of Anvil's well-known, funded test accounts."""
    Account.enable_unaudited_hdwallet_features()
    one: LocalAccount = Account.from_mnemonic(_MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return one


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def launcher() -> list[str]:
    """The command that starts Anvil.

    Raises:
        ConfigError: If Anvil is neither in the project's devnet nor on the PATH.
    """
    starts = [Path(os.environ["OEPNODE_DEVNET"])] if "OEPNODE_DEVNET" in os.environ else []
    starts += [parent / "hardhat-free-devnet" for parent in (Path.cwd(), *Path(__file__).parents)]
    for folder in starts:
        if (folder / "start").is_file() and (folder / "node_modules").is_dir():
            return [str(folder / "start")]
    anvil = shutil.which("anvil")
    if anvil is None:
        raise ConfigError(
            "Anvil not found: run scripts/demo or scripts/test once in the project's checkout to "
            "install it, or put anvil on the PATH"
        )
    return [anvil, "--chain-id", str(CHAIN_ID), "--mixed-mining", "--block-time", "1"]


class Devnet:
    """A running Anvil.

    Args:
        log: File for Anvil's output.
        accounts: Number of funded accounts.
    """

    def __init__(self, log: Path, accounts: int = 10) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [*launcher(), "--port", str(port), "--accounts", str(accounts), "--silent"]
        self._child: Child | None = None
        try:
            with starting():
                self._child = Child("anvil", command, log, reads_output=False)
            self._await_response(self._child)
        except BaseException:
            self.stop()
            raise

    def rpc(self, method: str, *params: object) -> Any:  # noqa: ANN401 - any JSON value
        """Call a method of the node, such as ``anvil_reorg``."""
        body = msgspec.json.encode(
            {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        )
        response = msgspec.json.decode(post_json(self.url, body, timeout_s=10))
        if "error" in response:
            raise TransportError(f"{method}: {response['error'].get('message')}")
        return response["result"]

    def stop(self) -> None:
        """Stop it; may be called again."""
        if self._child is not None:
            self._child.stop()

    def _await_response(self, child: Child) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            if not child.is_running:
                raise TransportError(f"anvil ended early: {child.last_message()}")
            try:
                self.rpc("eth_chainId")
            except TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return
