"""The history of a job, in words."""

from typing import get_args

import pytest

from pika_async._history import line_of
from pika_async._ledger.change import described
from pika_async._ledger.events import Event, NextAttempt, PassedOver
from pika_async._ledger.records import Move, Refusal
from tests.ledger.records import job


def said(note):
    """Return the words for what the ledger has noted."""
    return line_of(job(), Move(subject="j-1", at=1.0, before="queued", after="refused", note=note)).note


@pytest.mark.parametrize("event", [kind.__name__ for kind in get_args(Event)])
def test_every_event_has_words(event):
    """A line that is empty, or shows the name of a class, leaves a person alone."""
    note = f"{event} answer" if event == "Evidence" else event
    assert said(note)
    assert event not in said(note)


def test_an_order_that_went_on_to_the_next_provider_says_why():
    """The first one could not take its media: its words are in the line."""
    refusal = Refusal(error="ProviderUnavailable", message="The upload failed.", code="media")
    event = PassedOver(attempt="j-1", refusal=refusal, next=NextAttempt(id="j-2", account="b:default"))
    assert said(described(event)) == "not sent there: The upload failed."


@pytest.mark.parametrize("note", ["its task belongs to j9", "its key went to j9"])
def test_what_another_job_took_is_said_in_the_ledgers_words(note):
    """No event of this job did it, so the ledger noted words; a name that is not known here is not shown."""
    assert said(note) == note
    assert not said("Teleported dv9b")
