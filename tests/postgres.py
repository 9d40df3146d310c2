"""A throw-away Postgres on loopback, where its programs are installed; it dies with the tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from attrs import frozen

_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
# Nothing here claims that a commit survives a power cut.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "60", "shared_buffers": "32MB"}


def programs() -> Path | None:
    """Return the folder of initdb and pg_ctl; None where there is none."""
    found = shutil.which("initdb")
    places = [*_PLACES, *([Path(found).parent] if found else [])]
    return next((place for place in places if (place / "pg_ctl").exists()), None)


POOLER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
MISSING = None if programs() else "Postgres is not installed here: no initdb"


@frozen
class Cluster:
    """A running Postgres."""

    folder: Path
    port: int

    def dsn(self, database: str = "postgres", **options: object) -> str:
        """Return the address of a database."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"postgresql://pika@127.0.0.1:{self.port}/{database}{'?' * bool(query)}{query}"

    def sql(self, *statements: str, database: str = "postgres") -> list[tuple]:
        """Run statements, and return the rows of the last."""
        import psycopg

        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def control(self, *words: str) -> None:
        """Run pg_ctl on it."""
        _run("pg_ctl", "-D", str(self.folder), "-w", "-s", *words)

    def start(self, **settings: object) -> None:
        """Start it."""
        every = {
            **_SETTINGS,
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            **settings,
        }
        options = " ".join(
            f"-c {name}={value!s}" if value != "" else f"-c {name}=" for name, value in every.items()
        )
        self.control("-o", options, "-l", str(self.folder / "log"), "start")

    def restart(self) -> None:
        """End it at once, and start it again as it was."""
        self.kill()
        self.start()

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        pid = int((self.folder / "postmaster.pid").read_text().split()[0])
        self.control("-m", "immediate", "stop")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def copied(self, port: int) -> Cluster:
        """Copy it as it is now, to be started as a standby that hears of nothing more."""
        copy = Cluster(self.folder.with_name(f"copy-{port}"), port)
        words = (
            "-D",
            str(copy.folder),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "pika",
            "-c",
            "fast",
            "-N",
        )
        _run("pg_basebackup", *words)
        (copy.folder / "standby.signal").touch()
        (copy.folder / "postmaster.opts").unlink(missing_ok=True)
        return copy


@contextmanager
def pooled(cluster: Cluster, **settings: object) -> Iterator[Cluster]:
    """Put pgbouncer before it, in transaction mode."""
    port = free_port()
    folder = Path(mkdtemp(prefix="pika-pgbouncer-"))
    if os.geteuid() == 0:
        shutil.chown(folder, _user())
    every = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": "transaction",
        "default_pool_size": 5,
        "ignore_startup_parameters": "extra_float_digits",
        **settings,
    }
    lines = [f"{name} = {value}" for name, value in every.items()]
    databases = f"[databases]\n* = host=127.0.0.1 port={cluster.port} user=pika\n"
    (folder / "ini").write_text(databases + "[pgbouncer]\n" + "\n".join(lines))
    process = subprocess.Popen(
        [*_become(), POOLER or "", "-q", str(folder / "ini")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield Cluster(folder, port)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(**settings: object) -> Iterator[Cluster]:
    """Make a cluster, start it, and take it away at the end."""
    folder = Path(mkdtemp(prefix="pika-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, _user())
    cluster = Cluster(folder / "data", free_port())
    try:
        _run(
            "initdb", "-D", str(cluster.folder), "-U", "pika", "-A", "trust", "-E", "UTF8", "--no-sync", "-N"
        )
        cluster.start(**settings)
        yield cluster
    finally:
        if (cluster.folder / "postmaster.pid").exists():
            cluster.control("-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _user() -> str:
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _become() -> list[str]:
    # Neither runs as root.
    return ["setpriv", "--reuid", _user(), "--clear-groups", "--"] if os.geteuid() == 0 else []


def _wait_for(port: int) -> None:
    give_up = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < give_up, "pgbouncer does not answer"
            time.sleep(0.02)
        else:
            return


def _run(program: str, *words: str) -> None:
    place = programs()
    assert place is not None
    # Postgres refuses to run as root.
    become = ["runuser", "-u", _user(), "--"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*become, str(place / program), *words], capture_output=True, text=True, cwd="/", check=False
    )
    assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
