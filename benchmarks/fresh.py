"""A provider that echoes no token, over TLS: each submit gets a connection of its own, as by hand."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks._clients import KEY, Generate
from benchmarks._contest import DidNotFinishError, Turn, compete
from benchmarks._report import Cell, Figure, Report
from benchmarks._server import Server
from benchmarks._work import timed

CLAIM = "no echo, TLS, a fresh connection a submit: CPU per job over a floor that does the same"


@asynccontextmanager
async def floor(url: str) -> AsyncIterator[Generate]:
    """By hand: submits through a connector that keeps nothing, look-ups through one that does."""
    import aiohttp

    submits = aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0, force_close=True))
    looks = aiohttp.ClientSession(
        url, connector=aiohttp.TCPConnector(limit=100), headers={"authorization": KEY}
    )
    async with submits, looks:

        async def generate(prompt: str) -> str:
            body = {
                "key": KEY,
                "prompt": prompt,
                "ratio": "16:9",
                "callback_url": "https://callback.invalid/",
            }
            async with submits.post("/api/video/pika/pro/generate", json=body) as answer:
                answer.raise_for_status()
                task = (await answer.json())["data"]["task_id"]
            while True:
                async with looks.get("/api/video/pika/feed", params={"task_id": task}) as answer:
                    answer.raise_for_status()
                    told = (await answer.json())["data"]
                if told["state"] == "succeeded":
                    return str(told["task_id"])
                await asyncio.sleep(1.0)

        yield generate


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Generate]:
    """This library, without a budget."""
    from pika_async import Pika

    limits = {"poll_rate": None, "poll_interval": 0.02, "max_concurrency": 1_000}
    async with Pika("duomi", api_key=KEY, base_url=url, **limits) as pika:

        async def generate(prompt: str) -> str:
            return (await pika.generate(prompt)).id

        yield generate


async def buy(url: str, *, client: str, jobs: int, width: int) -> dict[str, Any]:
    """Buy *jobs* videos, *width* at a time."""
    numbers = iter(range(jobs))
    told: dict[str, Any] = {}
    async with (ours if client == "ours" else floor)(url) as generate:

        async def caller() -> None:
            for number in numbers:
                assert await generate(f"A cat surfing at sunset, number {number}")

        with timed(told):
            await asyncio.gather(*(caller() for _ in range(width)))
    return told


@contextmanager
def trusted_certificate() -> Iterator[str]:
    """Make a certificate of this machine that every process started meanwhile trusts; yields its file."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ModuleNotFoundError as error:
        raise DidNotFinishError(f"not installed ({error.name})") from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    before = os.environ.get("SSL_CERT_FILE")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "certificate.pem"
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
        os.environ["SSL_CERT_FILE"] = str(file)
        try:
            yield str(file)
        finally:
            del os.environ["SSL_CERT_FILE"]
            if before is not None:
                os.environ["SSL_CERT_FILE"] = before


def measure(*, full: bool) -> Report:
    """Renders are done at once; 5 rounds of 1,000 jobs, 32 at a time, in quick form 3 of 200."""
    jobs, rounds = (1_000, 5) if full else (200, 3)
    turns = {
        client: Turn(
            call="benchmarks.fresh:buy",
            arguments={"client": client, "jobs": jobs, "width": 32},
            warm_up={"jobs": 50},
        )
        for client in ("floor", "ours")
    }
    with trusted_certificate() as certificate, Server(certificate) as server:
        outcome = compete(server, turns, rounds=rounds)
    costs = {name: outcome.median(name, "cpu") / jobs for name in outcome.samples}
    rows: list[dict[str, Cell]] = [
        {
            "client": name,
            "jobs/s": jobs / outcome.median(name, "wall"),
            "CPU us/job": cost * 1e6,
            "requests/job": outcome.median(name, "requests") / jobs,
            "over floor": cost / costs["floor"],
        }
        for name, cost in costs.items()
    ]
    figures = [Figure(name="CPU per job over the floor's", value=costs["ours"] / costs["floor"], goal=1.25)]
    return Report(
        name="fresh", claim=CLAIM, quick=not full, rows=rows, figures=figures, remarks=outcome.remarks
    )
