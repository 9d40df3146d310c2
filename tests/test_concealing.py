"""A key that a provider echoes is hidden, whatever the adapter's author copies from the answer."""

import doctest
import json
import math

import pytest
from attrs import field, frozen

from pika_async import AuthError, Generate, JobFailed, Pika, _concealing, _registry, asdict
from pika_async._concealing import secrets_of
from pika_async._ledger.memory import MemoryLedger
from pika_async.provider import (
    Balance,
    Capabilities,
    Failed,
    Found,
    HttpRequest,
    HttpResponse,
    Page,
    Pending,
    Raw,
    Secret,
    Task,
)
from pika_async.testing import ScriptedTransport

KEY = "sk-4711"
"""Too short for the watch of `tests.canary`, which would see the careless adapter before it is corrected."""


@frozen(kw_only=True)
class Careless:
    """An adapter that copies whatever the provider says into every field that takes it."""

    api_key: Secret = field(converter=Secret)
    capabilities = Capabilities(kinds={Generate}, fields=())

    def build_submit(self, request, call, /):
        return HttpRequest(method="POST", url="https://api.test/", headers={"authorization": self.api_key})

    def read_submit(self, response, request, /):
        told = response.json()
        if response.status == 401:
            raise AuthError(told["why"], trace_id=told["why"], code=told["why"])
        return Pending(task=Task("t1"), trace_id=told["why"], raw=told)

    def build_poll(self, tasks, /):
        return HttpRequest(method="GET", url="https://api.test/", headers={"authorization": self.api_key})

    def read_poll(self, response, tasks, /):
        told = response.json()
        return {
            "t1": Failed(
                task=tasks[0],
                message=told["why"],
                code=told["why"],
                trace_id=told["why"],
                charged="no",
                raw=Raw(told),
            )
        }

    def build_find(self, since, until, cursor, /):
        return self.build_poll(())

    def read_find(self, response, /):
        seen = Pending(task=Task("t1"), raw=response.json())
        return Page(found=(Found(snapshot=seen, callback_url=None),), next_cursor=None)

    def build_balance(self):
        return self.build_poll(())

    def read_balance(self, response, /):
        return Balance(5.0, "points")


def echo(status=200):
    return HttpResponse(status=status, body=json.dumps({"why": f"key {KEY}", "at": [KEY]}).encode())


@pytest.fixture
def provider():
    return _registry.load("careless", Careless(api_key=KEY)).provider


def test_an_accepted_task_shows_no_key(provider):
    """What the caller reads at `job.raw` and `job.trace_id`."""
    told = provider.read_submit(echo(), Generate("A cat"))
    assert (told.trace_id, told.raw) == ("key ***", {"why": "key ***", "at": ["***"]})


def test_a_refusal_shows_no_key(provider):
    """Nor does anything that is shown of the error."""
    with pytest.raises(AuthError) as refused:
        provider.read_submit(echo(401), Generate("A cat"))
    assert KEY not in repr(refused.value) + json.dumps(asdict(refused.value))
    assert (refused.value.trace_id, refused.value.code) == ("key ***", "key ***")


def test_a_look_up_shows_no_key(provider):
    """Also where the author cleans the raw item himself and forgot the key."""
    told = provider.read_poll(echo(), [Task("t1")])["t1"]
    assert KEY not in repr(told)
    assert told.raw == {"why": "key ***", "at": ["***"]}


def test_a_page_of_history_shows_no_key(provider):
    """What a lost answer is found by becomes a job's record like any other."""
    assert provider.read_find(echo()).found[0].snapshot.raw == {"why": "key ***", "at": ["***"]}


def test_everything_else_is_passed_on(provider):
    """Requests bear the key, and a balance is a number."""
    assert provider.build_poll([]).headers["authorization"].reveal() == KEY
    assert provider.read_balance(echo()) == Balance(5.0, "points")
    assert provider.capabilities is Careless.capabilities


class Old:
    """An adapter with attributes of its own, one of them a bare key."""

    def __init__(self):
        self.api_key = "bare-4711"
        self.signing = Secret("sign-4711")
        self.region = "eu"


def test_secrets_are_found_where_adapters_keep_them():
    """In slots and in instances, wrapped or not."""
    assert secrets_of(Careless(api_key=KEY)) == (Secret(KEY),)
    assert set(secrets_of(Old())) == {Secret("bare-4711"), Secret("sign-4711")}


@pytest.mark.anyio
async def test_a_job_that_failed_shows_no_key_to_its_caller():
    """From the transport to the error, the ledger's record and what the job tells of itself."""
    ledger = MemoryLedger()
    client = Pika(
        Careless(api_key=KEY),
        transport=ScriptedTransport(lambda request: echo()),
        ledger=ledger,
        poll_rate=None,
        poll_interval=0.01,
    )
    async with client as pika:
        job = await pika.submit(Generate("A cat"))
        with pytest.raises(JobFailed) as failed:
            await job
        assert KEY not in f"{failed.value!r} {asdict(failed.value)} {job.raw} {job.trace_id}"
        assert "key ***" in failed.value.message
        assert KEY not in repr(await ledger.get(job.id))


@pytest.mark.parametrize(
    ("told", "seen"),
    [(None, None), (0.25, 0.25), (1, 1), (45, 1), (-0.5, 0), (math.inf, 1), (math.nan, None), ("45 %", None)],
)
def test_no_user_sees_a_progress_beyond_0_to_1(told, seen):
    """It is clipped where every answer passes, so that the kit still sees what the author did."""

    class Percent(Careless):
        def read_poll(self, response, tasks, /):
            return {"t1": Pending(task=tasks[0], progress=told, trace_id="tr")}

        def read_callback(self, body, headers, received_at, keys, /):
            return Pending(task=Task("t1"), progress=told)

    engines = _concealing.Concealing(Percent(api_key=KEY))
    assert engines.read_poll(None, [Task("t1")]) == {
        "t1": Pending(task=Task("t1"), progress=seen, trace_id="tr")
    }
    assert engines.read_callback(b"", {}, 0.0, None).progress == seen


def test_the_examples_are_true():
    """The examples in the docstrings hold."""
    assert doctest.testmod(_concealing).failed == 0
