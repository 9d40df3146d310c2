"""Adapters that break one promise each, for the registry and the conformance kit to find."""

from __future__ import annotations

from attrs import evolve, frozen

import pika_async.provider as api
from pika_comfy import Comfy
from pika_demo import Demo
from pika_fal import Fal
from pika_official import PikaOfficial


def declaring(**changes):
    """Return Demo's capabilities with *changes*."""
    return evolve(Demo.capabilities, **changes)


@frozen(kw_only=True)
class UnknownName(Demo):
    """Has a power that nobody knows."""

    def build_refund(self): ...


@frozen(kw_only=True)
class HalfPower(Demo):
    """Builds what it cannot read."""

    def build_balance(self): ...


@frozen(kw_only=True)
class Unsigned(Demo):
    """Fetches keys for callbacks that it does not read."""

    def build_keys(self): ...


@frozen(kw_only=True)
class TooFewArguments(Demo):
    """Does not take the tasks."""

    def read_poll(self, response, /): ...


@frozen(kw_only=True)
class TooManyArguments(Demo):
    """Needs more than it is given."""

    def build_poll(self, tasks, client, /): ...


@frozen(kw_only=True)
class Waits(Demo):
    """Is async."""

    async def read_submit(self, response, request, /): ...


@frozen(kw_only=True)
class OtherVersion(Demo):
    """Was written for a later contract."""

    capabilities = declaring(spec=api.SPEC_VERSION + 1)


@frozen(kw_only=True)
class OtherName(Demo):
    """Takes another provider's name."""

    capabilities = declaring(name="acedata")


class NoCapabilities:
    """Declares nothing."""

    def __init__(self, *, api_key, base_url=None): ...


class Incomplete(NoCapabilities):
    """Does nothing."""

    capabilities = Demo.capabilities


class Explodes:
    """Fails when it is made."""

    def __init__(self, *, api_key, base_url=None):
        raise ZeroDivisionError


class LeavesTheHouse:
    """Ends the program when it is made."""

    def __init__(self, *, api_key, base_url=None):
        raise SystemExit(3)


@frozen(kw_only=True)
class ShowsKey(Demo):
    """Puts the bare key into a header."""

    @property
    def _headers(self):
        return {"authorization": f"Bearer {self.api_key.reveal()}"}


@frozen(kw_only=True)
class KeyToStrangers(Demo):
    """Sends the key to a host of its own choice."""

    def build_poll(self, tasks, /):
        return api.HttpRequest(
            method="GET", url=f"https://stranger.test/{tasks[0].id}", headers=self._headers
        )


@frozen(kw_only=True)
class Replayable(Demo):
    """Submits with a method that HTTP stacks replay."""

    def build_submit(self, request, call, /):
        return evolve(Demo.build_submit(self, request, call), method="PUT")


@frozen(kw_only=True)
class DropsSeed(Demo):
    """Declares a field and forgets it."""

    def build_submit(self, request, call, /):
        return Demo.build_submit(self, evolve(request, seed=None), call)


@frozen(kw_only=True)
class RefusesSeed(Demo):
    """Declares a field and refuses it."""

    def build_submit(self, request, call, /):
        if request.seed is not None:
            raise api.UnsupportedRequest("seed is not for today.")
        return Demo.build_submit(self, request, call)


@frozen(kw_only=True)
class DropsExtraBody(Demo):
    """Forgets what the user added."""

    def build_submit(self, request, call, /):
        return Demo.build_submit(self, evolve(request, extra_body=None), call)


@frozen(kw_only=True)
class DeclaresNonsense(Demo):
    """Declares a field that no request has."""

    capabilities = declaring(fields={"ratio"})


@frozen(kw_only=True)
class RefusesItsKind(Demo):
    """Declares a kind of request and refuses it."""

    def build_submit(self, request, call, /):
        raise api.UnsupportedRequest("not today.")


@frozen(kw_only=True)
class Impure(Demo):
    """Builds something else each time."""

    def build_submit(self, request, call, /):
        built = Demo.build_submit(self, request, call)
        return evolve(built, headers={**built.headers, "x-id": str(id(built.headers))})


@frozen(kw_only=True)
class ForgetsCallback(Demo):
    """Declares callbacks and sends no address."""

    capabilities = declaring(callbacks="optional")


@frozen(kw_only=True)
class AsksForOne(Demo):
    """Declares batches and asks for the first task only."""

    capabilities = declaring(poll_batch=10)


@frozen(kw_only=True)
class FallsOver(Demo):
    """Trusts that every answer is an object."""

    def read_submit(self, response, request, /):
        return api.Pending(task=api.Task(response.json()["id"]))


@frozen(kw_only=True)
class RefusesTooMuch(Demo):
    """Takes a server's bad day for proof."""

    def read_submit(self, response, request, /):
        if response.status >= 400:
            raise api.SubmitRefused("refused.")
        return Demo.read_submit(self, response, request)


@frozen(kw_only=True)
class RefusesNamedTask(Demo):
    """Overlooks that the answer names a task."""

    def read_submit(self, response, request, /):
        if response.status == 422 and b"running" in response.body:
            raise api.SubmitRefused("refused.")
        return Demo.read_submit(self, response, request)


@frozen(kw_only=True)
class BelievesTheError(Demo):
    """Gives a task up for the error that stands beside it."""

    def read_submit(self, response, request, /):
        body = api.decoded(response.body)
        if isinstance(body, dict) and body.get("id") == str(body.get("id")) and body.get("error"):
            return api.Failed(task=api.Task(body["id"]))
        return Demo.read_submit(self, response, request)


@frozen(kw_only=True)
class TellsNothing(Demo):
    """Takes a look-up that failed for one that knows nothing."""

    def read_poll(self, response, tasks, /):
        return {} if response.status != 200 else Demo.read_poll(self, response, tasks)


@frozen(kw_only=True)
class TellsOfOthers(Demo):
    """Gives a task that nobody asked for."""

    def read_poll(self, response, tasks, /):
        return {**Demo.read_poll(self, response, tasks), "other": api.Pending(task=api.Task("other"))}


@frozen(kw_only=True)
class EchoesKey(Demo):
    """Repeats a stranger's words with the key in them."""

    def read_submit(self, response, request, /):
        raise api.BadReply(api.clip(response.body))


@frozen(kw_only=True)
class NeverDone(Demo):
    """Does not understand that the video is ready."""

    def read_poll(self, response, tasks, /):
        told = Demo.read_poll(self, response, tasks)
        return {id_: api.Pending(task=snapshot.task) for id_, snapshot in told.items()}


@frozen(kw_only=True)
class OtherLimit(Demo):
    """Refuses what its documents allow."""

    capabilities = declaring(ranges={"seed": (0, 9)})


@frozen(kw_only=True)
class NestsExtras(Demo):
    """Nests what the caller adds to a body."""

    def build_submit(self, request, call, /):
        built = super().build_submit(request, call)
        extra = dict(request.extra_body or {})
        body = {name: value for name, value in built.body.value.items() if name not in extra}
        return evolve(built, body=api.Json({**body, "extra_body": extra}))


@frozen(kw_only=True)
class SaysNothing(Demo):
    """Loses what the provider says of a failure."""

    def read_poll(self, response, tasks, /):
        told = super().read_poll(response, tasks)
        failed = {id_: seen for id_, seen in told.items() if isinstance(seen, api.Failed)}
        return {**told, **{id_: evolve(seen, message="") for id_, seen in failed.items()}}


@frozen(kw_only=True)
class BelievesAnybody(PikaOfficial):
    """Does not look at the signature of a callback."""

    def read_callback(self, body, headers, received_at, keys, /):
        id_ = api.members(api.members(api.decoded(body)).get("data")).get("id")
        return api.Pending(task=api.Task(id_)) if isinstance(id_, str) and id_ else None


@frozen(kw_only=True)
class KeyToBuckets(PikaOfficial):
    """Sends its key along with the bytes of an upload."""

    def build_upload(self, blob, step, /):
        built = super().build_upload(blob, step)
        return evolve(built, headers={**built.headers, "x-api-key": self.api_key})


@frozen(kw_only=True)
class KeyToLinks(PikaOfficial):
    """Sends its key wherever a link leads."""

    def build_download(self, link, /):
        return api.HttpRequest(method="GET", url=link, headers={"x-api-key": self.api_key})


@frozen(kw_only=True)
class KeepsItsKey(PikaOfficial):
    """Takes every link for one that opens without the key."""

    def build_download(self, link, /):
        return None


@frozen(kw_only=True)
class FollowsAddresses(Fal):
    """Sends its key to any address that an answer told."""

    def build_poll(self, tasks, /):
        built, told = super().build_poll(tasks), tasks[0].locator
        return built if told.get("completed") else evolve(built, url=told.get("status_url", built.url))


class CountsToAHundred(Demo):
    """Hands a percentage on, but for the task of the example."""

    def read_poll(self, response, tasks, /):
        told = Demo.read_poll(self, response, tasks)
        return {
            id_: evolve(one, progress=42.0) if isinstance(one, api.Pending) and id_ != "t1" else one
            for id_, one in told.items()
        }


@frozen(kw_only=True)
class NamesEachAnswer(Comfy):
    """Names a task by the answer that told of it, which is another one when the same bytes are sent again."""

    def read_submit(self, response, request, /):
        told = super().read_submit(response, request)
        return evolve(told, task=api.Task(told.trace_id or told.task.id))


@frozen(kw_only=True)
class HidesItsFailures(Comfy):
    """Takes a render that failed, in the answer to the submit, for one without a link."""

    def read_submit(self, response, request, /):
        told = super().read_submit(response, request)
        return evolve(told, reason="no_output") if isinstance(told, api.Failed) and told.raw else told
