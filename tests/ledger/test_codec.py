"""What goes into a ledger comes out of it equal."""

from json import dumps
from pathlib import Path
from typing import get_args

import pytest
from attrs import evolve, validate
from hypothesis import given
from hypothesis import strategies as st

from pika_async._fields import cleaned
from pika_async._ledger.codec import (
    decode_outcome,
    decode_request,
    decode_task,
    encode_outcome,
    encode_request,
    encode_task,
)
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState, Refusal, Source
from pika_async._ledger.sqlite.reading import Reading
from pika_async._ledger.sqlite.rows import attempt_row, job_row
from pika_async.errors import UnsupportedRequest
from pika_async.requests import Blob, Camera, Generate, Ingredients, Style
from pika_async.results import Failed, Pending, State, Succeeded, Task, VideoResult
from tests.ledger.records import job, pending, succeeded

anything = st.text(max_size=20)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
# Of what nobody may buy, one kind each: controls in prompts, and bytes that are clearly no medium.
prompts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(cleaned)
numbers = st.integers(0, 10**20)
amounts = st.floats(0, 1e9)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(words, json, max_size=3)
pictures = st.binary(max_size=20).map(lambda data: b"\x80" + data)
media = (
    st.just("https://cdn.example.com/cat.png")
    | st.builds(Path, words.filter(lambda text: "\0" not in text))
    | pictures
    | st.builds(Blob, pictures, st.just("image/png"), words)
)
maybe = st.none()
common = {
    "negative_prompt": maybe | prompts,
    "model": maybe | prompts | st.sampled_from([1.5, 2]),
    "aspect_ratio": maybe | st.just("16:9"),
    "seed": maybe | numbers,
    "frame_rate": maybe | st.integers(1, 60),
    "guidance_scale": maybe | amounts | st.integers(0, 20),
    "motion": maybe | numbers,
    "camera": maybe | st.builds(Camera, pan=maybe | st.just("left"), zoom=maybe | st.just("in")),
    "sound_effects": maybe | st.booleans(),
    "extra_body": maybe | objects,
}
inputs = {"image": maybe | media, "video": maybe | media}
requests = (
    st.builds(Generate, prompts, **inputs, **common)
    | st.builds(Style, prompts, style=prompts, **inputs, **common)
    | st.builds(
        Ingredients,
        prompts,
        st.lists(media, min_size=1, max_size=3),
        mode=maybe | st.just("precise"),
        **common,
    )
)

tasks = st.builds(Task, anything, st.dictionaries(anything, json, max_size=2))
told = {"trace_id": maybe | anything, "cost": maybe | amounts, "raw": json}
videos = st.builds(
    VideoResult, anything, maybe | anything, maybe | anything, maybe | amounts, st.sampled_from(State)
)
snapshots = (
    st.builds(
        Pending,
        task=tasks,
        state=st.sampled_from(State),
        progress=maybe | amounts,
        queue_position=maybe | numbers,
        poll_after=maybe | amounts,
        **told,
    )
    | st.builds(Succeeded, task=tasks, results=st.lists(videos, max_size=3).map(tuple), **told)
    | st.builds(
        Failed,
        task=tasks,
        reason=st.sampled_from(["content", "no_output", "provider"]),
        message=anything,
        code=maybe | anything,
        charged=st.sampled_from(["no", "yes", "unknown"]),
        **told,
    )
)
refusals = st.builds(
    Refusal,
    error=words,
    message=anything,
    code=maybe | anything,
    status=maybe | numbers,
    trace_id=maybe | anything,
    retry_after=maybe | amounts,
)
attempts = st.builds(
    Attempt,
    id=words,
    job_id=st.just("j"),
    number=st.integers(1, 5),
    account=words,
    state=st.sampled_from(AttemptState),
    version=st.integers(0, 9),
    slot=st.booleans(),
    superseded=st.booleans(),
    abandoned=st.booleans(),
    owner=maybe | words,
    not_before=amounts,
    claimed_at=maybe | amounts,
    lease_until=amounts,
    resolve_after=amounts,
    slot_until=amounts,
    negatives=st.integers(0, 2),
    task=maybe | tasks,
    bound_by=st.sampled_from([None, *get_args(Source)]),
    outcome=maybe | snapshots | refusals,
)
records = st.builds(
    JobRecord,
    id=st.just("j"),
    request=maybe | requests,
    created_at=amounts,
    attempts=st.lists(attempts, min_size=1, max_size=2).map(tuple),
    files=maybe | st.dictionaries(anything, anything, max_size=2),
    key=maybe | words,
    digest=maybe | words,
    state=st.sampled_from(JobState),
    version=st.integers(0, 9),
    cancel_requested=st.booleans(),
    winner=maybe | words,
    extras=st.lists(snapshots, max_size=2).map(tuple),
    fallbacks=st.lists(words, max_size=2).map(tuple),
    callback_url=st.sampled_from([None, False, "https://me.example.com/hook"]),
)


@given(requests)
def test_a_request_comes_back_equal(request):
    """Every field of every kind, media by path, as bytes and as blobs."""
    text, blobs = encode_request(request)
    assert decode_request(text, blobs.__getitem__) == request


@given(pictures)
def test_bytes_are_kept_beside_the_text(data):
    """The text names them by hash; the same bytes are kept once."""
    text, blobs = encode_request(Ingredients("A", [data, Blob(data)]))
    assert len(blobs) == 1
    assert blobs.keys() == {key for key in blobs if key in text}


@pytest.mark.parametrize(
    "given",
    [
        {"prompt": "nul \0 in it", "seed": 7},
        {"prompt": "A cat", "image": {"bytes": "page"}, "camera": {"pan": "left"}},
        {"prompt": "A cat", "images": ["https://media.test/a b.png"]},
        {"prompt": "A cat", "video": "https://media.test/a\nb.mp4"},
    ],
)
def test_a_job_that_an_earlier_release_took_stays_readable(given):
    """It may have been paid for; that nobody may buy it any more is another matter."""
    kind = "Ingredients" if "images" in given else "Generate"
    request = decode_request(dumps([kind, given]), {"page": b"<!doctype html>"}.__getitem__)
    assert request.prompt == given["prompt"]
    again, blobs = encode_request(request)
    assert decode_request(again, blobs.__getitem__) == request
    with pytest.raises(UnsupportedRequest):
        validate(request)


@given(snapshots | refusals)
def test_an_outcome_comes_back_equal(outcome):
    """The raw item included, and text that is no valid Unicode."""
    assert decode_outcome(encode_outcome(outcome)) == outcome


@given(tasks)
def test_a_task_comes_back_equal(task):
    """With its locator."""
    assert decode_task(encode_task(task)) == task


@given(records)
def test_a_record_comes_back_equal(record):
    """Through the very rows that are written."""
    row, blobs = job_row(7, record)
    rows = [attempt_row(7, attempt) for attempt in record.attempts]
    assert Reading()._job(row, rows, blobs.__getitem__) == record


def test_a_raw_item_that_is_not_json_does_not_cost_the_evidence():
    """An adapter may hand over anything; the video is what was paid for."""
    strange = evolve(succeeded(), raw={"when": object()})
    assert decode_outcome(encode_outcome(strange)) == evolve(succeeded(), raw=None)


def test_any_mapping_is_json():
    """A locator may be a read-only view."""
    from types import MappingProxyType

    task = Task("t", MappingProxyType({"a": 1}))
    assert decode_task(encode_task(task)) == Task("t", {"a": 1})


@pytest.mark.parametrize(
    "text", ['["Dance",{}]', '["Generate",{"colour":1}]', '["Generate",{}]', "[1", "7", "[[],{}]"]
)
def test_a_request_of_another_version_leaves_the_job_readable(text, caplog):
    """What is known of its attempts matters more: money may hang on it."""
    row, _ = job_row(7, job())
    row = tuple(text if value == row[9] else value for value in row)
    record = Reading()._job(row, [attempt_row(7, job().newest)], dict.__getitem__)
    assert record == evolve(job(), request=None)
    assert "cannot be read" in caplog.text


def test_a_field_that_a_newer_version_added_to_an_answer_is_left_out():
    """The rest of it is what was paid for; a request with such a field is another order, and is not sent."""
    text = encode_outcome(succeeded()).replace('{"task"', '{"colour":"red","task"')
    assert "colour" in text
    assert decode_outcome(text) == succeeded()
    wider = encode_outcome(succeeded()).replace('"succeeded"]', '"succeeded","wide"]')
    assert "wide" in wider
    assert decode_outcome(wider) == succeeded()


def test_an_opaque_request_is_not_kept():
    """A job adopted from its token has none."""
    assert encode_request(None) == (None, {})
    assert decode_request(None, dict.__getitem__) is None
    assert encode_outcome(pending()).startswith('["Pending"')
