"""What a batch would send is shown without secrets, and the rows that it would order are counted."""

import json

import pytest

from pika_async import Generate, UnsupportedRequest
from pika_async._secret import Secret
from pika_async.batch import Listed
from pika_async.batch.preview import adapters, check, preview, unbought

pytestmark = pytest.mark.anyio


@pytest.fixture
def able():
    """Return the two adapters, with a key that is none."""
    return adapters(["duomi", "acedata"], key=Secret("unset"))


async def test_the_first_provider_that_can_is_shown(able):
    """As the client would choose it; keys are hidden, callback addresses too."""
    shown = await preview(
        Listed(number=3, line=7, request=Generate("A cat", image=b"\x89PNG\r\n\x1a\n")), able
    )
    assert (shown["row"], shown["line"], shown["provider"]) == (3, 7, "acedata")
    assert "unset" not in json.dumps(shown)
    assert "callback.invalid" not in json.dumps(shown)


@pytest.mark.parametrize("provider", ["acedata", "duomi"])
async def test_no_value_of_extra_body_is_shown(provider):
    """Not where it is merged, and not where an adapter may have moved it."""
    extra = {"options": {"secret": "canary-1"}, "who": ["canary-2"], "prompt": "canary-3"}
    row = Listed(number=1, line=1, request=Generate("A cat", aspect_ratio="16:9", extra_body=extra))
    shown = await preview(row, adapters([provider], key=Secret("unset")))
    assert "canary" not in json.dumps(shown)


async def test_media_are_shown_by_their_size(able):
    """Base64 is nothing to read."""
    row = Listed(number=1, line=1, request=Generate("A cat", image=b"\x89PNG\r\n\x1a\n" + b"\0" * 9000))
    assert len(json.dumps(await preview(row, able))) < 1000


def test_what_none_can_is_refused_with_each_reason(able):
    """The names of all that were asked are in the error."""
    with pytest.raises(UnsupportedRequest, match=r"duomi: .*; acedata: "):
        check(Generate("A cat", image=b"\x89PNG", motion=3), able)


async def test_rows_that_are_bought_are_left_out(shop):
    """The ledger is only looked at, and none is made."""
    rows = [Listed(number=n, line=n, request=Generate(prompt)) for n, prompt in enumerate("AB", 1)]
    assert await unbought(rows, shop.folder, shop.ledger) == rows
    assert not shop.ledger.exists()
    await shop.bring("A")
    assert await unbought(rows, shop.folder, shop.ledger) == rows[1:]
    shop.lose_ledger()
    assert await unbought(rows, shop.folder, shop.ledger) == rows[1:]
