"""Where requests may go, and with which secrets."""

from __future__ import annotations

import pytest

from pika_async import _hosts, _registry
from pika_async.provider import HttpRequest, Secret
from tests.engine.scripted import KEY, Scripted, capable

HOSTS = {"rest.fal.ai": {"api_key"}, "*.fal.media": (), "v3.fal.media": {"api_key"}}


def loaded(**changes):
    return _registry.load("scripted", Scripted(capabilities=capable(**changes)))


def request(url, secret=KEY):
    return HttpRequest(method="GET", url=url, headers={"authorization": Secret(f"Bearer {secret}")})


@pytest.mark.parametrize(
    ("url", "strays"),
    [
        ("https://scripted.test/x", False),
        ("https://rest.fal.ai/x", False),
        ("https://v3.fal.media/x", False),
        ("http://rest.fal.ai/x", True),
        ("https://v2.fal.media/x", True),
        ("https://rest.fal.ai.evil.test/x", True),
        ("https://evil.test/x", True),
    ],
)
def test_the_key_goes_where_it_may_be_seen(url, strays):
    """To the host of base_url, and to hosts that the adapter lists with it, over https."""
    assert loaded(hosts=HOSTS).stray(request(url)) is strays


def test_a_ticket_of_an_answer_goes_to_listed_hosts_alone():
    """It is no secret of the adapter, and yet no secret of ours goes to whoever an answer names."""
    assert not loaded(hosts=HOSTS).stray(request("https://v2.fal.media/x", "ticket"))
    assert loaded(hosts=HOSTS).stray(request("https://evil.test/x", "ticket"))
    assert not loaded(hosts={"*": ()}).stray(request("https://bucket.test/x", "ticket"))
    assert loaded(hosts={"*": {"api_key"}}).stray(request("https://bucket.test/x"))


def test_an_address_is_named_by_what_it_reaches():
    """Case, the usual port and a slash at the end are no difference; path, port and scheme are."""
    one = _hosts.fingerprint("https://gw.test/pika")
    assert one == _hosts.fingerprint("https://GW.test:443/pika/")
    others = ("http://gw.test/pika", "https://gw.test", "https://gw.test:444/pika", "https://gw.test/PIKA")
    assert one not in {_hosts.fingerprint(other) for other in others}
