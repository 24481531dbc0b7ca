"""A PostgreSQL server of the tests' own, on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

_STARTS_IN_S = 30.0
_ACCOUNT = "registry"
_DEBIAN = Path("/usr/lib/postgresql")


def find_programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``, or None."""
    debian = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which("initdb")
    folders = [*debian, *([Path(found).resolve().parent] if found else [])]
    return next((path for path in folders if (path / "postgres").exists()), None)


class Postgres:
    """A running server with one account, which may create databases.

    Args:
        programs: Folder of ``initdb`` and ``postgres``.
        durable: Whether it waits for the disk, as in use.

    Attributes:
        password: The account's password.
        port: The server's port.
    """

    def __init__(self, programs: Path, *, durable: bool = False) -> None:
        self.password = secrets.token_hex(16)
        self._folder = Path(tempfile.mkdtemp(prefix="oepnode-postgres-"))
        self._programs = programs
        # The server does not run as root.
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        self._initialise()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._process = self._start("on" if durable else "off")

    def url(self, database: str) -> str:
        """The URL of a database, without the password."""
        return f"postgresql+psycopg://{_ACCOUNT}@127.0.0.1:{self.port}/{database}"

    def create(self) -> str:
        """Create an empty database, and return its name."""
        name = f"registry_{secrets.token_hex(6)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return name

    def connect(self, database: str) -> psycopg.Connection:
        """A connection outside of transactions."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=_ACCOUNT,
            password=self.password,
            dbname=database,
            autocommit=True,
        )

    def cpu_seconds(self) -> float:
        """Processor time of all connections that have been closed."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[13:15]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """Stop the server, and delete its data."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _initialise(self) -> None:
        secret = self._folder / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)  # in a folder of mode 0700
        words = ["-D", str(self._folder / "data"), "-U", _ACCOUNT, "-A", "scram-sha-256"]
        words += ["--pwfile", str(secret), "-N", "-E", "UTF8", "--locale=C"]
        subprocess.run(
            [str(self._programs / "initdb"), *words],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self._user,
            group=self._user,
            cwd=self._folder,
        )
        secret.unlink()

    def _start(self, fsync: str) -> subprocess.Popen[bytes]:
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": fsync,
            "max_connections": "40",
        }
        words = ["-D", str(self._folder / "data"), "-p", str(self.port)]
        for name, value in options.items():
            words += ["-c", f"{name}={value}"]
        with (self._folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(self._programs / "postgres"), *words],
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._user,
                cwd=self._folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + _STARTS_IN_S
        while True:
            try:
                self.connect("postgres").close()
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    text = (self._folder / "log").read_text()
                    raise RuntimeError(f"PostgreSQL did not start: {text}") from None
                time.sleep(0.05)
            else:
                return process
