"""What other processes changed: told once, without reading everything again."""

from __future__ import annotations

import pytest

from pika_async._ledger.events import Cancel
from pika_async._ledger.records import AttemptState
from pika_async._ledger.sqlite import news
from tests.ledger.records import attempt, claim, job, pending, told

pytestmark = pytest.mark.anyio


@pytest.fixture
async def both(path, ledgers):
    """Return two ledgers on one file that have heard the news."""
    one, two = await ledgers(path), await ledgers(path)
    assert list(await one.news()) == list(await two.news()) == []
    return one, two


async def test_each_change_of_another_process_is_told_once(both):
    """Created, claimed, cancelled: a job is named once, whatever happened to it."""
    one, two = both
    await two.create(job(name="a"), claim(1, "a"))
    await two.create(job(name="b"))
    await two.apply("b", Cancel())
    await one.create(job(name="c"))
    assert sorted(await one.news()) == ["a", "b"]
    assert list(await one.news()) == []
    assert list(await two.news()) == ["c"]


async def test_the_first_call_tells_nothing(path, ledgers):
    """Whoever has just come reads what is there."""
    one = await ledgers(path)
    await one.create(job(name="a"))
    two = await ledgers(path)
    await one.create(job(name="b"))
    assert list(await two.news()) == []
    await one.apply("b", Cancel())
    assert list(await two.news()) == ["b"]


async def test_what_changes_no_job_is_no_news(both):
    """Leases, callbacks, what pollers learned, and events that moved nothing."""
    one, two = both
    await two.create(job(name="a"))
    assert list(await one.news()) == ["a"]
    await two.lease("poll", "two", 5)
    await two.learned("acedata:default", "90 s")
    await two.inbox_put("a-1", b"", {})
    await two.apply("a", told(1, pending(), "callback", job_id="a"))
    assert list(await one.news()) == []


async def test_a_job_that_lost_its_task_to_another_is_news(both):
    """Evidence about one job may change two."""
    one, two = both
    for name in "ab":
        await one.create(job(attempt(job_id=name, state=AttemptState.AMBIGUOUS), name=name))
    await one.apply("a", told(1, pending(), "callback", job_id="a"))
    await two.news()
    await one.apply("b", told(1, pending(), "echo", job_id="b"))
    assert sorted(await two.news()) == ["a", "b"]


async def test_whoever_comes_too_late_is_told_so(both, monkeypatch):
    """Rows are kept for so many changes; behind a gap nobody knows what is missing."""
    monkeypatch.setattr(news, "KEPT", 3)
    monkeypatch.setattr(news, "_TRIM_EVERY", 2)
    one, two = both
    for name in "abcdefgh":
        await two.create(job(name=name))
    assert await one.news() is None
    assert list(await one.news()) == []
    await two.create(job(name="i"))
    assert list(await one.news()) == ["i"]

    def rows(batch) -> int:
        return batch.connection.execute("SELECT count(*) FROM news").fetchone()[0]

    assert await one._writer.read(rows) <= 5


async def test_a_reader_that_keeps_up_misses_nothing(both, monkeypatch):
    """Trimming touches only what is far behind."""
    monkeypatch.setattr(news, "KEPT", 3)
    monkeypatch.setattr(news, "_TRIM_EVERY", 2)
    one, two = both
    told_of = []
    for name in "abcdefgh":
        await two.create(job(name=name))
        told_of += await one.news()
    assert told_of == list("abcdefgh")


async def test_no_news_cost_one_number(both):
    """Asked twenty times a second, it reads no table while nobody else writes."""
    one, two = both
    await two.create(job(name="a"))
    await one.news()
    statements: list[str] = []
    await one._writer.read(lambda batch: batch.connection.set_trace_callback(statements.append))
    assert list(await one.news()) == []
    assert statements
    assert not [text for text in statements if "news" in text]
