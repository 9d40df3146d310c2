"""Who may use the sandbox: programs of this machine, no web page, nobody under a foreign name."""

import pytest

from pika_acedata._emulator import AceDataEmulator
from pika_async import ConfigError, Pika
from pika_async.sandbox import Sandbox
from pika_async.sandbox._guard import cross_site, host_names, refusal
from pika_duomi._emulator import DuomiEmulator

pytestmark = pytest.mark.anyio

EMULATORS = (AceDataEmulator(), DuomiEmulator())
DUO = {
    "key": "sandbox",
    "callback_url": "https://callback.invalid/t",
    "prompt": "x",
    "ratio": "1:1",
    "frameRate": "8",
    "options": "",
}
EVIL = "http://evil.example"


def sandbox_with(**options):
    return Sandbox(render_time=0.03, emulators=EMULATORS, **options)


async def submit(client, sandbox, headers=None, **payload):
    """Order a video as any program may, unless *headers* or the *payload* say otherwise."""
    order = {"action": "generate", "prompt": "a cat", "model": "2.0", "callback_url": DUO["callback_url"]}
    headers = {"authorization": "Bearer sandbox", **(headers or {})}
    async with client.post(
        f"{sandbox.url}/pika/videos", headers=headers, **(payload or {"json": order})
    ) as answer:
        return answer.status


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "203.0.113.7"])
@pytest.mark.parametrize("path", ["/pika/videos", "/media/t/video.mp4", "/"])
async def test_a_foreign_name_gets_nothing(client, host, path):
    """A page that points its own name at this machine neither orders nor reads."""
    async with sandbox_with() as sandbox:
        headers = {"host": host, "authorization": "Bearer sandbox"}
        async with client.post(sandbox.url + path, json={"prompt": "x"}, headers=headers) as answer:
            assert (answer.status, "allowed_hosts" in await answer.text()) == (403, True)
    assert sandbox.billed == {}


@pytest.mark.parametrize(
    ("host", "listens_at", "allowed", "fine"),
    [
        ("127.0.0.1:8765", "127.0.0.1", (), True),
        ("LOCALHOST:1", "127.0.0.1", (), True),
        ("[::1]:8765", "127.0.0.1", (), True),
        ("127.0.0.2", "127.0.0.1", (), True),
        ("app.local:8765", "127.0.0.1", ("app.local",), True),
        ("app.local:8765", "app.local", (), True),
        ("192.168.1.5:8765", "0.0.0.0", (), True),
        ("192.168.1.5:8765", "127.0.0.1", (), False),
        ("evil.example", "0.0.0.0", (), False),
        ("localhost.evil.example", "127.0.0.1", (), False),
        ("127.0.0.1@evil.example", "127.0.0.1", (), False),
        ("evil.example#127.0.0.1", "127.0.0.1", (), False),
        ("127.0.0.1:80:evil.example", "127.0.0.1", (), False),
        ("", "127.0.0.1", (), False),
        ("", "", (), False),
    ],
)
def test_hosts_that_are_answered(host, listens_at, allowed, fine):
    """Loopback, the address it listens at, and what was named; addresses where it listens to others."""
    assert (refusal({"host": host}, listens_at, allowed) is None) == fine


def test_a_request_that_names_no_host_is_refused():
    """HTTP/1.0 allows that, and no client of ours does it."""
    assert refusal({}, "127.0.0.1", ())


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"referer": f"{EVIL}/page"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_a_page_of_another_site_orders_nothing(client, headers):
    """Not as JSON, and not as a form, which a browser sends without asking first."""
    async with sandbox_with() as sandbox:
        assert await submit(client, sandbox, headers) == 403
        url = f"{sandbox.url}/api/video/pika/pro/generate"
        async with client.post(url, data=DUO, headers=headers) as answer:
            assert answer.status == 403
    assert sandbox.billed == {}


@pytest.mark.parametrize("content_type", ["text/plain", "text/plain; charset=utf-8", "multipart/form-data"])
async def test_a_form_that_looks_like_json_orders_nothing(client, content_type):
    """No provider reads the two other content types of a form."""
    async with sandbox_with() as sandbox:
        data = b'{"action": "generate", "prompt": "a cat", "model": "2.0"}'
        assert await submit(client, sandbox, {"content-type": content_type}, data=data) == 403
    assert sandbox.billed == {}


async def test_programs_are_served(client):
    """A client without browser headers, or one that names the sandbox as its own site."""
    async with sandbox_with() as sandbox:
        for headers in ({}, {"origin": sandbox.url, "sec-fetch-site": "same-origin"}):
            assert await submit(client, sandbox, headers) == 200
    assert sandbox.billed == {"a cat": 2}


async def test_a_page_may_show_the_videos(client):
    """Somebody's own web page embeds a link; that changes nothing."""
    headers = {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "cross-site"}
    async with sandbox_with() as sandbox:
        answer = await client.get(f"{sandbox.url}/media/t/video.mp4", headers=headers)
    assert answer.status == 200


def test_cross_site_reads_any_text():
    """Hostile headers are a refusal, not a crash."""
    for text in ("http://[", "\x00", "http://a\u2100b", "//" * 1000):
        assert cross_site({"host": "127.0.0.1", "origin": text}, "application/json")


@pytest.mark.parametrize("given", ["app.local", [""], ["http://app.local"], ["app.local:80"], [None]])
def test_what_names_no_host_is_refused(given):
    """One text instead of a list, too, which would be read letter by letter."""
    with pytest.raises(ConfigError, match="allowed_hosts"):
        Sandbox(allowed_hosts=given)


def test_host_names_are_compared_in_lower_case():
    """DNS knows no case."""
    assert host_names(["App.Local"]) == {"app.local"}


async def test_what_it_prints_is_enough_for_a_client(tmp_path):
    """Address, key and media host of a sandbox make a client that orders and downloads."""
    async with Sandbox(render_time=0.01) as sandbox:
        options = {"base_url": sandbox.url, "media_hosts": [sandbox.media_host], "poll_interval": 0.02}
        async with Pika("acedata", api_key="sandbox", **options) as pika:
            video = await pika.generate("a cat")
            await pika.download(video, tmp_path / "cat.mp4")
    assert (tmp_path / "cat.mp4").read_bytes()[4:8] == b"ftyp"
