"""Which hosts a link may lead to."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from pika_async._download import addresses
from pika_async._download.failures import LinkRefusedError
from pika_async._download.media import MediaSession
from tests.download.media_host import Reply, hosting
from tests.download.test_media import Names, text_of

pytestmark = pytest.mark.anyio

OK = Reply(200, {"Content-Length": "2"}, b"ok")


@pytest.fixture
def fake_range(monkeypatch):
    """Let loopback stand for the range from which proxy programs answer."""
    monkeypatch.setattr(addresses, "_FAKE", ip_network("127.0.0.0/8"))


@pytest.mark.usefixtures("fake_range")
async def test_a_made_up_answer_of_dns_is_connected_to():
    """Behind Clash, Surge and the like every name has such an address, and downloads work."""
    async with hosting(lambda _: OK) as host, MediaSession(resolver=Names("127.0.0.1")) as session:
        assert await text_of(session, f"http://media.test:{host.port}/cat.mp4") == b"ok"


@pytest.mark.usefixtures("fake_range")
@pytest.mark.parametrize(
    "spelling", ["127.0.0.1", "127.1", "2130706433", "127。0。0。1", "[::ffff:127.0.0.1]"]
)
async def test_a_made_up_address_in_a_link_is_refused(spelling):
    """No link of a provider names such an address, in no spelling."""
    async with hosting(lambda _: OK) as host, MediaSession() as session:
        with pytest.raises(LinkRefusedError):
            await text_of(session, f"http://{spelling}:{host.port}/cat.mp4")
        assert host.connections == 0


@pytest.mark.usefixtures("fake_range")
async def test_a_redirect_to_a_made_up_address_is_refused():
    """Every hop is judged as a link of its own."""
    async with hosting(lambda _: OK) as internal:

        def script(asked):
            return Reply(302, {"Location": internal.link(), "Content-Length": "0"})

        async with hosting(script) as host, MediaSession(resolver=Names("127.0.0.1")) as session:
            with pytest.raises(LinkRefusedError):
                await text_of(session, f"http://media.test:{host.port}/cat.mp4")
        assert internal.connections == 0


@pytest.mark.parametrize("address", ["198.18.0.1", "198.19.255.254", "::ffff:198.18.0.1"])
def test_the_range_is_that_of_the_programs(address):
    """It is made-up there, and public nowhere."""
    assert addresses.is_fake(address)
    assert not addresses.is_public(address)


@pytest.mark.parametrize("address", ["198.17.0.1", "198.20.0.1", "10.0.0.1", "fd00::1", "198.18.0", "x"])
def test_no_other_range_is(address):
    """What may be a real host inside is never taken for made-up."""
    assert not addresses.is_fake(address)


async def test_another_internal_answer_says_what_to_set():
    """The name is given as it has to be written, for Python and for the environment."""
    async with MediaSession(resolver=Names("10.0.0.7")) as session:
        with pytest.raises(LinkRefusedError) as refused:
            await text_of(session, "http://cdn.example/cat.mp4")
    assert "media_hosts=['cdn.example']" in str(refused.value)
    assert "PIKA_ASYNC_MEDIA_HOST=cdn.example" in str(refused.value)


class Both(Names):
    """A name server that answers each question with all of its addresses."""

    async def resolve(self, host, port=0, family=0):
        found = []
        while self.answers:
            found += await super().resolve(host, port, family)
        return found


@pytest.mark.usefixtures("fake_range")
async def test_a_made_up_answer_counts_beside_another_of_ipv6():
    """Such programs make up IPv6 addresses as well, of ranges that are real networks elsewhere."""
    async with hosting(lambda _: OK) as host, MediaSession(resolver=Both("fd00::1", "127.0.0.1")) as session:
        assert await text_of(session, f"http://media.test:{host.port}/cat.mp4") == b"ok"
