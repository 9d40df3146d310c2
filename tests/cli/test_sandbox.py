"""The sandbox as a command."""

import asyncio
import re
import socket

import aiohttp
import pytest

from pika_async import Pika
from pika_async.emulator import Outcome


def test_the_sandbox_serves_whoever_sets_its_variables(process, run, impatient, monkeypatch, tmp_path):
    """What it prints to be set is all that another terminal needs; Ctrl-C ends it well."""
    with process("sandbox", "--port", "0", "--render-time", "0.01") as serving:
        introduction = serving.await_stdout(Outcome.DROPPED.value)
        for name, value in re.findall(r"export (\w+)=(\S+)", introduction):
            monkeypatch.setenv(name, value)
        result = run("generate", "A cat", "--provider", "duomi", "-o", tmp_path / "cat.mp4")
        for provider in ("acedata", "duomi"):
            asyncio.run(_in_python(provider, tmp_path / f"{provider}.mp4"))
        serving.interrupt()
        code, _, err = serving.end()
    assert result.exit_code == 0
    assert len({path.read_bytes() for path in tmp_path.glob("*.mp4")}) == 1
    assert (code, err) == (0, "The sandbox has ended.\n")
    assert all(outcome.value in introduction for outcome in Outcome)
    assert max(map(len, introduction.splitlines())) <= 80


async def _in_python(provider, path):
    """Order and download as a program does, with nothing but the environment."""
    async with Pika(provider, poll_interval=0.02) as pika:
        await pika.download(await pika.generate("A cat"), path)


@pytest.mark.parametrize(
    ("words", "last"),
    [
        ("listen", "No callbacks are received any more.\n"),
        ("gallery videos --serve", "The gallery is not served any more.\n"),
    ],
)
def test_servers_end_well_when_they_are_told_to(process, words, last, tmp_path, monkeypatch):
    """SIGTERM, as a service manager sends it, closes a server; that is no failure."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "manifest.jsonl").touch()
    with process(*words.split(), "--port", "0") as serving:
        serving.await_stdout("http://127.0.0.1:")
        serving.terminate()
        code, _, err = serving.end()
    assert (code, err) == (0, last)


def test_a_host_can_be_allowed(process):
    """Under its name the sandbox answers; under another it does not, and says how it would."""
    with process("sandbox", "--port", "0", "--allow-host", "app.test") as serving:
        introduction = serving.await_stdout(Outcome.DROPPED.value)
        url = re.search(r"http://\S+", introduction)[0]
        answers = [asyncio.run(_get(url, host)) for host in ("app.test", "other.test")]
        serving.terminate()
        code, _, err = serving.end()
    assert (code, err) == (0, "The sandbox has ended.\n")
    assert [status for status, _ in answers] == [404, 403]
    assert "--allow-host" in answers[1][1]


async def _get(url, host):
    async with aiohttp.ClientSession() as client, client.get(url, headers={"host": host}) as answer:
        return answer.status, await answer.text()


def test_a_wrong_host_is_refused(run):
    """What names no host is told before anything listens."""
    result = run("sandbox", "--port", "0", "--allow-host", "http://app.test")
    assert result.exit_code == 1
    assert "write each without scheme" in result.stderr


def test_a_taken_port_is_named(run):
    """A port that someone else has is one plain sentence."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("sandbox", "--port", port)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: Port {port} cannot be used (")
    assert result.stderr.endswith("choose another with --port.\n")
