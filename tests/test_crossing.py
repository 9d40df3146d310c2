"""Every public value and error crosses a process boundary; what holds a key, loop or socket refuses."""

import asyncio
import collections.abc
import copy
import enum
import importlib
import inspect
import json
import pickle
import pkgutil
import re
import subprocess
import sys
import threading
import types
import typing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import attrs
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter, ValidationError, create_model

import pika_async
from pika_acedata import AceData
from pika_async import AuthError, Callbacks, Generate, JobTimeout, PikaError, State, VideoResult, asdict
from pika_async._crossing import Value
from pika_async._job import Job
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.sqlite import SqliteLedger
from pika_async._secret import Secret
from pika_async.errors import RateLimited
from pika_async.provider import HttpRequest, Raw, Refusals
from pika_async.pytest_plugin import PikaSandbox
from pika_async.testing import ProviderTests
from pika_async.types import Item

NAMES = [found.name for found in pkgutil.iter_modules(pika_async.__path__)]
MODULES = [name for name in NAMES if not name.startswith("_") and name != "cli"]


def public_classes():
    """Return every class that a public module shows and that is ours, sorted by name."""
    found = {MemoryLedger, SqliteLedger}
    for module in (pika_async, *(importlib.import_module(f"pika_async.{name}") for name in MODULES)):
        own = [n for n, thing in vars(module).items() if getattr(thing, "__module__", "") == module.__name__]
        names = getattr(module, "__all__", [name for name in own if not name.startswith("_")])
        things = (getattr(module, name) for name in names)
        found |= {t for t in things if inspect.isclass(t) and t.__module__.startswith("pika_async")}
    return sorted(found, key=lambda kind: kind.__qualname__)


def is_fact(kind):
    return issubclass(kind, PikaError | Value | enum.Enum)


def is_shape(kind):
    return getattr(kind, "_is_protocol", False) or typing.is_typeddict(kind)


FACTS = [kind for kind in public_classes() if is_fact(kind)]
BOUND = [kind for kind in public_classes() if not is_fact(kind) and not is_shape(kind)]
BOUND = [kind for kind in BOUND if kind not in {PikaSandbox, ProviderTests, Raw, Secret}]  # for tests; below
WORDS = {"aspect_ratio": "16:9", "model": "2.0", "resolution": "720p"}

EXCLUSIVE = {"frames", "last_image", "region"}
"""Fields that cannot go beside others of their request."""


class Locked:
    """Stands for a job: it has a token, and like a real one it cannot be pickled."""

    token = "pika1.token"

    def __init__(self):
        self.lock = threading.Lock()


def sample(kind):
    """Return an instance of *kind* with every field set to something."""
    if issubclass(kind, enum.Enum):
        return next(iter(kind))
    if issubclass(kind, PikaError):
        error = kind(
            "The provider is busy; call again.",
            provider="acedata",
            job=Locked(),
            phase="poll",
            charged="unknown",
            retryable=True,
            trace_id="trace",
            status=429,
            code="too_many",
        )
        error.add_note("a note of the caller's")
        if isinstance(error, RateLimited):
            error.retry_after = 2.5
        return error
    if kind is Refusals:  # made from other types than it holds
        return Refusals(provider="acedata", codes={AuthError: "no_key bad_key"}, open_codes=("late",))
    attrs.resolve_types(kind, localns=vars(pika_async.provider))  # for what is imported for checkers only
    names = {a.alias: a for a in attrs.fields(kind) if a.init and a.alias not in EXCLUSIVE}
    return kind(**{name: example(a.type, name) for name, a in names.items()})


def example(annotation, name):
    """Return something that fits *annotation*."""
    args = typing.get_args(annotation)
    match typing.get_origin(annotation):
        case typing.Literal:
            return args[0]
        case typing.Union | types.UnionType:
            return example(next((a for a in args if a not in {Secret, Job}), args[-1]), name)
        case origin if origin is tuple:
            return tuple(example(arg, name) for arg in args if arg not in {..., Secret})
        case origin if origin is frozenset:
            return frozenset({example(args[0], name)})
        case origin if origin is type:
            return args[0] if inspect.isclass(args[0]) else Generate
        case origin if origin is collections.abc.Callable:
            return json.dumps
        case None:
            pass
        case _ if len(args) == 1:
            return (example(args[0], name),)
        case _:
            return {"a": example(args[1], name)}
    if annotation in SIMPLE:
        return SIMPLE[annotation]
    if annotation is str:
        return (
            "https://media.test/a.png" if re.search("url|image|video|mask", name) else WORDS.get(name, name)
        )
    return sample(annotation)


SIMPLE = {
    bool: True,
    int: 7,
    float: 1.5,
    bytes: b"\x00\xff",
    Path: Path("a/ü.mp4"),
    type(None): None,
    typing.Any: {"deep": [1, None, "x"]},
}


def same(one, other):
    """Return whether *other* is *one* again; errors, which equal only themselves, by all that they say."""
    errors = isinstance(one, PikaError) or isinstance(getattr(one, "error", None), PikaError)
    return type(one) is type(other) and (asdict(one) == asdict(other) if errors else one == other)


def by_pickle(value):
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert same(value, pickle.loads(pickle.dumps(value, protocol)))


def by_copy(value):
    assert same(value, copy.deepcopy(value))
    assert same(value, copy.copy(value))


def plain(value):
    return str(value) if isinstance(value, enum.Enum) else asdict(value)


def by_json(value):
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == plain(value)


def by_pydantic(value):
    model = create_model("Model", it=(type(value), ...))
    assert model(it=value).it is value
    assert json.loads(model(it=value).model_dump_json()) == {"it": plain(value)}
    assert model.model_json_schema(mode="serialization")["properties"]["it"]
    assert model.model_json_schema(mode="validation")["properties"]["it"]


def by_fastapi(value):
    app = FastAPI()
    app.get("/typed", response_model=type(value))(lambda: value)
    app.get("/listed", response_model=list[type(value)])(lambda: [value])
    app.get("/untyped")(lambda: asdict(value) if isinstance(value, PikaError) else value)
    assert asked(app, "/typed") == plain(value)
    assert asked(app, "/listed") == [plain(value)]
    assert asked(app, "/untyped") == plain(value)
    assert asked(app, "/openapi.json")["paths"]


def asked(app, path):
    """Return the JSON that *app* answers with, without a socket."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 200
    return json.loads(b"".join(message.get("body", b"") for message in sent))


@pytest.mark.parametrize("way", [by_pickle, by_copy, by_json, by_pydantic, by_fastapi])
@pytest.mark.parametrize("kind", FACTS)
def test_every_public_value_and_error_crosses(kind, way):
    """A process pool, a task queue and a web framework take it as it is."""
    way(sample(kind))


@pytest.mark.parametrize("kind", BOUND)
def test_what_holds_a_key_a_loop_or_a_socket_refuses_in_words(kind):
    """The message names the class, and the token or the call that the other process needs."""
    # Without `__init__`, which wants an engine, and without the `__del__` that wants what `__init__` makes.
    bare = type(kind.__name__, (kind,), {"__del__": lambda self: None})
    thing = object.__new__(bare)
    with pytest.raises(TypeError, match=rf"{kind.__name__} cannot be pickled or copied; \w+ ") as refused:
        pickle.dumps(thing)
    assert re.search(r"token|\w\(", str(refused.value))
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        copy.deepcopy(thing)


def test_the_walk_finds_what_it_should():
    """A walk that finds nothing proves nothing."""
    names = {kind.__name__ for kind in FACTS}
    assert {"VideoResult", "Generate", "Item", "JobTimeout", "Downloaded", "Capabilities", "State"} <= names
    assert {"Pika", "Job", "Map", "JobEvents", "Receiver", "SqliteLedger"} <= {
        kind.__name__ for kind in BOUND
    }


def test_a_secret_is_not_pickled_alone_or_in_a_value():
    """A request that bears a key stays where it is, and a copy inside its process is harmless."""
    request = HttpRequest(method="GET", url="https://api.test/", headers={"a": Secret("sk-123456")})
    for thing in (request, Secret("sk-123456"), AceData(api_key="sk-123456")):
        with pytest.raises(TypeError, match=r"Secret cannot be pickled.*Secret\(text\)"):
            pickle.dumps(thing)
    assert copy.deepcopy(request) == request
    assert asdict(request)["headers"] == {"a": "***"}


def test_callbacks_cross_only_without_a_secret():
    """With one, the other process makes its own from its environment."""
    bare = Callbacks(public_url="https://app.test/pika")
    assert pickle.loads(pickle.dumps(bare)) == bare
    for keys in ({"secret": 16 * "s"}, {"old_secrets": [16 * "s"]}):
        with pytest.raises(TypeError, match=r"call Callbacks\(public_url=\.\.\., secret=\.\.\.\)"):
            copy.deepcopy(Callbacks(public_url="https://app.test/pika", **keys))


def fail_with_a_job():
    """Raise, in a worker, an error that holds what cannot be pickled."""
    raise sample(JobTimeout)


def test_a_process_pool_gets_the_error_with_its_token():
    """The caller goes on by the token; before, it got an AttributeError and lost the paid job."""
    with ProcessPoolExecutor(1) as pool:
        error = pool.submit(fail_with_a_job).exception(timeout=30)
    assert isinstance(error, JobTimeout)
    assert (error.token, error.job, error.charged) == ("pika1.token", None, "unknown")
    assert error.__notes__ == ["a note of the caller's"]


def test_a_shallow_copy_of_an_error_keeps_its_job():
    """Only what leaves the process, or is copied through and through, loses the handle."""
    error = sample(JobTimeout)
    assert copy.copy(error).job is error.job
    assert copy.deepcopy(error).job is None


class Elsewhere(PikaError):
    """An error of a stranger's adapter, made from other arguments than its root."""

    def __init__(self, where, *, depth):
        super().__init__(f"It broke in {where}.")
        self.depth = depth


def test_an_error_of_a_stranger_crosses_whatever_it_is_made_from():
    """Nothing is called again with arguments that were guessed."""
    error = pickle.loads(pickle.dumps(Elsewhere("Oslo", depth=3)))
    assert (str(error), error.depth) == ("It broke in Oslo.", 3)


def test_an_item_shows_its_job_as_its_token():
    """`asdict` of what a `map` yields goes into a log or a queue as it is."""
    job = object.__new__(Job)
    item = Item(request=Generate("A cat"), job=job, error=PikaError("It broke."))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Job, "token", "pika1.token")
        told = asdict(item)
    assert told["job"] == "pika1.token"
    assert told["error"]["message"] == "It broke."


def test_an_item_that_is_pickled_keeps_the_token_of_its_job():
    """What a `map` yielded goes through a process pool, and the job can be found again."""
    item = Item(request=Generate("A cat"), job=object.__new__(Job))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Job, "token", "pika1.token")
        text, again = pickle.dumps(item), copy.deepcopy(item)
        assert copy.copy(item).job is item.job
    for twin in (pickle.loads(text), again, pickle.loads(pickle.dumps(again))):
        assert (twin.job, twin.token, twin.request) == (None, "pika1.token", item.request)


def test_asdict_takes_nothing_else():
    """A mistake is told at once, and not by an empty object."""
    for thing in (5, "text", {"a": 1}, VideoResult, None, object(), object.__new__(Job)):
        with pytest.raises((TypeError, AttributeError)):
            asdict(thing)


def test_a_number_that_json_has_no_word_for_is_none():
    """`json.dumps` would write `NaN`, which no other language reads."""
    video = VideoResult("v", None, None, float("nan"), State.SUCCEEDED)
    assert asdict(video)["duration"] is None


def test_a_video_is_read_back_from_json():
    """What one service writes with pydantic another one reads."""
    video = VideoResult("v1", "https://media.test/v1.mp4", None, 5.0, State.SUCCEEDED)
    adapter = TypeAdapter(VideoResult)
    assert adapter.validate_json(adapter.dump_json(video)) == video
    assert adapter.validate_python(asdict(video)) == video
    for wrong in ({**asdict(video), "state": "lost"}, {**asdict(video), "colour": "red"}, {"id": "v1"}, 5):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


@pytest.mark.parametrize("kind", [kind for kind in FACTS if issubclass(kind, PikaError)])
def test_an_error_is_read_back_from_json(kind):
    """Its kind, what it says and its token; another kind than the field's is refused."""
    error = sample(kind)
    adapter = TypeAdapter(PikaError)
    assert same(error, adapter.validate_json(adapter.dump_json(error)))
    with pytest.raises(ValidationError):
        adapter.validate_python({**asdict(error), "type": "SystemExit"})


def test_what_pydantic_leaves_out_on_demand_is_left_out():
    """`response_model_exclude_none` of FastAPI works as for anything else."""
    video = VideoResult("v1", "https://media.test/v1.mp4", None, None, State.SUCCEEDED)
    shown = TypeAdapter(list[VideoResult]).dump_python([video], exclude_none=True)
    assert shown == [{"id": "v1", "video_url": "https://media.test/v1.mp4", "state": "succeeded"}]


def test_the_documented_shape_names_the_class_and_its_fields():
    """What a generated client of an application is made from."""
    shape = TypeAdapter(VideoResult).json_schema(mode="serialization")
    assert shape["title"] == "VideoResult"
    assert list(shape["properties"]) == ["id", "video_url", "image_url", "duration", "state"]
    assert shape["properties"]["duration"]["anyOf"] == [{"type": "number"}, {"type": "null"}]


def test_a_wrong_request_is_refused_by_pydantic_in_our_words():
    """The rules of the class hold, whoever makes the instance."""
    with pytest.raises(ValidationError, match="aspect_ratio must be a ratio W:H"):
        TypeAdapter(Generate).validate_python({"prompt": "A cat", "aspect_ratio": "wide"})
    with pytest.raises(ValidationError, match="sead"):
        TypeAdapter(Generate).validate_python({"prompt": "A cat", "sead": 7})
    assert TypeAdapter(Generate).validate_python({"prompt": "A cat"}) == Generate("A cat")


def test_a_video_that_was_pickled_is_equal_and_hashes_alike():
    """It may be a key of a mapping on both sides."""
    video = VideoResult("v1", "https://media.test/v1.mp4", None, 5.0, State.SUCCEEDED)
    again = pickle.loads(pickle.dumps(video))
    assert {video: 1}[again] == 1


def test_pydantic_is_not_imported_for_those_who_have_none():
    """Only pydantic calls the hook that imports it."""
    program = "import pika_async, sys; print('pydantic' in sys.modules or 'pydantic_core' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
