"""A network between a process and its database: `python -m benchmarks._network PORT SECONDS`.

Every answer of the database comes later by so many seconds. It prints the port at which it listens, and ends
with its stdin. Threads, because a timer of asyncio is a millisecond late itself.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import Thread


@contextmanager
def network(port: int, seconds: float) -> Iterator[int]:
    """Return the port at which the server at *port* is *seconds* away."""
    words = (sys.executable, "-m", "benchmarks._network", str(port), str(seconds))
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def _carry(port: int, seconds: float, client: socket.socket) -> None:
    server = socket.create_connection(("127.0.0.1", port))
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answers: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
    for work in (_sent_on, _received, _delivered):
        Thread(target=work, args=(client, server, answers, seconds), daemon=True).start()


def _sent_on(client: socket.socket, server: socket.socket, *_: object) -> None:
    with suppress(OSError):
        while data := client.recv(65536):
            server.sendall(data)
    with suppress(OSError):
        server.shutdown(socket.SHUT_WR)


def _received(
    _: socket.socket, server: socket.socket, answers: SimpleQueue[tuple[float, bytes]], seconds: float
) -> None:
    data = b""
    with suppress(OSError):
        while data := server.recv(65536):
            answers.put((time.perf_counter() + seconds, data))
    answers.put((0.0, b""))


def _delivered(
    client: socket.socket, _: socket.socket, answers: SimpleQueue[tuple[float, bytes]], __: float
) -> None:
    with suppress(OSError):
        while (due := answers.get())[1]:
            time.sleep(max(0.0, due[0] - time.perf_counter()))
            client.sendall(due[1])
    client.close()


def main() -> None:
    """Carry connections until stdin ends."""
    port, seconds = int(sys.argv[1]), float(sys.argv[2])

    def accept(listening: socket.socket) -> None:
        while True:
            _carry(port, seconds, listening.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        Thread(target=accept, args=(listening,), daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main()
