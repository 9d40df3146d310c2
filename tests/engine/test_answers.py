"""What became of a POST: accepted, provably refused, or unknown. Values in, values out."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pika_async.provider as api
from pika_async import _registry
from pika_async._engine.answers import (
    Posted,
    complete,
    held_back,
    proves_nothing,
    read_answer,
    refused,
    retry_after,
    too_late,
    unknown,
    unsent,
)
from pika_async._ledger.events import Evidence, Refused, Unknown
from pika_async.errors import (
    AuthError,
    BadReply,
    ContentBlocked,
    InsufficientBalance,
    LedgerError,
    ProviderUnavailable,
    RateLimited,
    SubmitRefused,
    SubmitUnknown,
)
from pika_async.results import Failed, Pending
from tests.engine.scripted import Historian, Scripted, capable
from tests.ledger.records import ACCOUNT, OWNER, attempt

REQUEST = api.Generate("a cat")


def posted(adapter=None, **more):
    """Make a POST on its way."""
    loaded = _registry.load("scripted", adapter or Scripted())
    more = {"held": False, "fresh_connection": False, "next_id": "j-2", **more}
    return Posted(attempt=attempt(), owner=OWNER, loaded=loaded, **more)


def read(told, status=200, adapter=None, **more):
    """Read an answer of the scripted host."""
    response = api.HttpResponse(status=status, headers={}, body=json.dumps(told).encode())
    return read_answer(posted(adapter, **more), REQUEST, response, 1000.0)


def test_a_task_is_evidence():
    """The provider has the job."""
    event = read({"id": "t1", "state": "running"})
    assert isinstance(event, Evidence)
    assert (event.source, event.snapshot.task.id, event.doubted) == ("answer", "t1", False)


def test_an_end_in_the_answer_counts_where_nothing_better_is_echoed():
    """And where the answer was waited for on its own connection."""
    done = {"id": "t1", "state": "done", "url": "https://media.test/t1.mp4"}
    assert not isinstance(read(done).snapshot, Pending)
    assert isinstance(read(done, adapter=Historian()).snapshot, Pending)
    assert not isinstance(read(done, adapter=Historian(), held=True).snapshot, Pending)


def test_a_success_without_a_link_is_doubted():
    """A look-up must say it again."""
    event = read({"id": "t1", "state": "failed", "reason": "no_output"})
    assert isinstance(event.snapshot, Pending)
    assert event.doubted
    assert isinstance(read({"id": "t1", "state": "failed"}).snapshot, Failed)


def test_a_refusal_is_proof():
    """What follows it is the next provider, or nothing."""
    event = read({"error": "SubmitRefused"}, 422)
    assert isinstance(event, Refused)
    assert event.next is None
    assert read({"error": "SubmitRefused"}, 422, fallback="other:default").next.account == "other:default"


@pytest.mark.parametrize("status", [302, 408, 409, 500, 502, 503])
def test_statuses_that_prove_nothing(status):
    """The job may have been accepted before they were sent."""
    event = read({"error": "SubmitRefused"}, status)
    assert isinstance(event, Unknown)
    assert isinstance(event.error, SubmitUnknown)
    assert proves_nothing(api.HttpResponse(status=status, headers={}, body=b""))


@pytest.mark.parametrize("status", [200, 299, 400, 422, 429, 499])
def test_statuses_that_prove_a_refusal(status):
    """Of an answer that the adapter took for one."""
    assert isinstance(read({"error": "SubmitRefused"}, status), Refused)


def test_a_refusal_in_the_body_is_believed_where_the_provider_says_so():
    """Whatever the status of its answer."""
    adapter = Scripted(capabilities=capable(refuses_by_body=True))
    assert isinstance(read({"error": "SubmitRefused"}, 500, adapter), Refused)


@pytest.mark.parametrize("told", [{}, {"error": "BadReply"}, []])
def test_what_cannot_be_read_is_unknown(told):
    """Whatever a stranger's adapter makes of it."""
    assert isinstance(read(told), Unknown)


@pytest.mark.parametrize("error", [AuthError("no"), InsufficientBalance("no")])
def test_trouble_of_the_account_leaves_a_kept_order_queued(error):
    """A ledger that remembers holds it for later; with another provider it goes on."""
    kept = refused(posted(keeps=True), error)
    assert (kept.next.account, kept.later) == (ACCOUNT, True)
    assert refused(posted(), error).next is None
    goes_on = refused(posted(keeps=True, fallback="other:default"), error)
    assert (goes_on.next.account, goes_on.later) == ("other:default", False)


def test_what_never_left_is_refused():
    """It may be tried on the next provider; what the fence held back on the same one."""
    assert unsent(posted(), "no connection").error.charged == "no"
    assert held_back(posted()).next is None
    assert held_back(posted(again=True)).next.account == ACCOUNT
    assert too_late(posted()).next is None
    late = too_late(posted(keeps=True))
    assert (late.later, late.next.account) == (True, ACCOUNT)


def test_a_ledger_that_fails_at_the_fence_does_not_end_a_kept_order():
    """Another failure of that kind does, at the third time."""
    assert held_back(posted(keeps=True), LedgerError("gone")).next.account == ACCOUNT
    assert held_back(posted(), LedgerError("gone")).next is None
    assert held_back(posted(keeps=True)).next is None
    assert held_back(posted(kept=True)).next.account == ACCOUNT


@pytest.mark.parametrize("error", [RateLimited("slowly"), ProviderUnavailable("down")])
def test_an_order_that_a_queue_brings_again_outlives_a_full_provider(error):
    """Any other order ends with it."""
    kept = refused(posted(kept=True), error)
    assert (kept.next.account, kept.later) == (ACCOUNT, True)
    assert refused(posted(keeps=True), error).next is None


def test_a_refusal_of_old_links_is_tried_again_with_new_ones():
    """Only where links that were made before were sent, and only for a plain refusal."""
    assert refused(posted(old_links=True), SubmitRefused("no")).next.account == ACCOUNT
    assert refused(posted(old_links=True), ContentBlocked("no")).next is None
    assert refused(posted(), SubmitRefused("no")).next is None


def test_an_error_is_completed_from_its_answer():
    """Provider, phase, status and the provider's wish; the adapter's frames go."""
    error = RateLimited("slowly")
    error.__cause__ = ValueError("the body as it came")
    headers = {"retry-after": "7"}
    complete(error, "scripted", "submit", api.HttpResponse(status=429, headers=headers, body=b""), 0.0)
    assert (error.provider, error.phase, error.status, error.retry_after) == ("scripted", "submit", 429, 7.0)
    assert error.__cause__ is None


def test_an_error_loses_the_frames_that_hold_the_answer():
    """Their locals are the body as it came, and a provider may echo a key."""
    error = RateLimited("slowly")
    error.retry_after = 3.0
    with suppress(RateLimited):
        raise error from ValueError("the body as it came")
    headers = {"retry-after": "7"}
    complete(error, "scripted", "submit", api.HttpResponse(status=429, headers=headers, body=b""), 0.0)
    assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)
    assert error.retry_after == 3.0


def test_what_is_unknown_says_what_to_do_once():
    """An adapter that knows better says it in its own words."""
    ours = unknown(posted(), "The line was cut.", BadReply("cut", status=500, code="c", trace_id="trace"))
    assert "do not submit it again" in ours.error.message
    assert (ours.error.status, ours.error.code, ours.error.trace_id) == (500, "c", "trace")
    theirs = unknown(posted(), "Look at your console.", SubmitUnknown("Look at your console."))
    assert theirs.error.message == "Look at your console."


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        (" 7 ", 7.0),
        ("99999", 3600.0),
        ("9" * 60, 3600.0),
        (formatdate(1010, usegmt=True), 10.0),
        (formatdate(10, usegmt=True), 0.0),
        ("soon", None),
        ("-3", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read(header, seconds):
    """Seconds or a date; an hour at most."""
    assert retry_after(header, 1000.0) == seconds


@given(st.text())
def test_retry_after_never_fails(header):
    """Whatever a stranger sends."""
    seconds = retry_after(header, time.time())
    assert seconds is None or 0.0 <= seconds <= 3600.0


def test_an_unreadable_answer_keeps_its_cause():
    """Whoever looks finds what the adapter said."""
    event = read({"error": "BadReply"})
    assert isinstance(event.error.__cause__, BadReply)
