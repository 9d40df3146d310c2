"""The campaign of hostile bodies: a few of them, and that it finds what it looks for."""

from __future__ import annotations

from random import Random

from benchmarks import hostile
from pika_async.errors import BadReply
from pika_async.provider import HttpResponse
from tests.readers import adapter_readers


def raising(error: Exception):
    def read(response: HttpResponse) -> object:
        raise error

    return read


def test_every_reader_makes_something_of_any_body(monkeypatch):
    """Twenty bodies for each; `python -m benchmarks.hostile` has a million."""
    monkeypatch.setattr(hostile, "EACH", 20)
    tally = hostile.one(0)
    assert tally.broken == []
    assert tally.counts["bodies"] == 20 * len(list(adapter_readers())) > 400


def test_what_is_no_pika_error_is_a_finding(monkeypatch):
    """With the reader, the number of the body, and its start, so that it can be looked at."""
    monkeypatch.setattr(hostile, "EACH", 3)
    readers = [("fal", "read_poll", raising(KeyError("id"))), ("fal", "read_find", raising(BadReply("no")))]
    monkeypatch.setattr(hostile, "adapter_readers", lambda: readers)
    tally = hostile.one(0)
    assert tally.counts["raised something else"] == 3
    assert tally.broken[0].startswith("fal.read_poll, body 0: KeyError('id'), of HTTP ")


def test_a_reader_that_takes_the_square_is_found():
    """Time is held to the length of the body."""

    def read(response: HttpResponse) -> object:
        return [response.body[at:].count(b"z") for at in range(len(response.body))]

    response = HttpResponse(status=200, body=b"a" * 20_000)
    assert hostile.slow(read, response, hostile.tried(read, response)[1])


def test_a_seed_makes_the_same_bodies():
    """A finding can be seen again."""
    bodies = hostile._bodies("fal")
    one, other = ([bodies.one(Random(7)) for _ in range(9)] for _ in range(2))
    assert one == other
    assert {body for seed in range(30) if (body := bodies.one(Random(seed)))} > {one[0]}
