"""One law for arguments: whatever is given is refused by its name before there is a job, or works."""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
import typing
from collections import deque
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest

import pika_async
from pika_async import (
    ConfigError,
    DownloadError,
    Edit,
    Generate,
    Ingredients,
    Job,
    JobTimeout,
    Pika,
    PikaError,
    State,
    Style,
    UnsupportedRequest,
    VideoResult,
    types,
)
from pika_async import _arguments as check
from pika_async.batch import Batch
from pika_async.requests import MEDIA_FIELDS, CommonFields, MediaFields
from pika_async.sandbox import Sandbox
from tests.engine.scripted import Scripted, capable, scene

pytestmark = pytest.mark.anyio

LINK = "https://media.test/cat.png"
NAN, INFINITY = float("nan"), float("inf")


class Foreign:
    """Belongs to nothing of ours, and is in no mood."""

    def __repr__(self):
        raise RuntimeError("a foreign object need not have a repr")

    def __eq__(self, other):
        raise RuntimeError("nor be comparable")

    __hash__ = None


def endless_tree():
    tree = {}
    tree["again"] = tree
    return tree


VALUES = {
    "text": "text",
    "empty": "",
    "blank": " \n",
    "60": "60",
    "nul": "a\0b",
    "surrogate": "\ud800",
    "link": LINK,
    "broken link": "https://media.test/\ncat.png",
    "password": "https://me:word-canary@media.test/",
    "none": None,
    "zero": 0,
    "one": 1,
    "minus one": -1,
    "1.5": 1.5,
    "huge": 10**5000,
    "large": 10**300,
    "2**63": 2**63,
    "largest": sys.float_info.max,
    "smallest": 5e-324,
    "minus zero": -0.0,
    "data": "data:image/png;base64,iVBORw0KGgo=",
    "nan": NAN,
    "inf": INFINITY,
    "-inf": -INFINITY,
    "true": True,
    "false": False,
    "bytes": b"bytes",
    "no bytes": b"",
    "bytearray": bytearray(b"bytes"),
    "list": [],
    "list of one": [1],
    "list of none": [None],
    "tuple": ("a", 2),
    "dict": {},
    "deep dict": endless_tree(),
    "set": {1},
    "deque": deque([1]),
    "range": range(2),
    "timedelta": timedelta(seconds=60),
    "decimal": Decimal(60),
    "fraction": Fraction(1, 3),
    "complex": 1j,
    "path": Path("cat.png"),
    "object": Foreign(),
    "type": Foreign,
    "function": len,
    "not implemented": NotImplemented,
    "ellipsis": ...,
}


class Client:
    """Can what a batch needs of a client."""

    submit = stats = len


SOUND = {
    "folder": "videos",
    "pika": Client(),
    "rows": [Generate("A cat")],
    "data": b"\x89PNG",
    "image": LINK,
    "images": [LINK],
    "path": "cat.mp4",
    "prompt": "A cat",
    "public_url": "https://app.example.com/pika",
    "request": Generate("A cat"),
    "requests": [],
    "style": "Inflate",
    "token": "pika1.",
    "video": VideoResult("t1", None, None, None, State.SUCCEEDED),
}
"""What is given for a parameter without a default, by its name."""

RETURNED = {Job, VideoResult, State}
"""Made by the library, from what providers say."""

CONSTRUCTORS = [
    thing
    for name in pika_async.__all__
    if isinstance(thing := getattr(pika_async, name), type)
    and not issubclass(thing, PikaError)
    and thing not in {*RETURNED, Pika}
] + [Batch, Sandbox]
METHODS = [
    method
    for kind in (Pika, Job)
    for name, method in vars(kind).items()
    # Those two are for a ledger that other processes share: see tests/engine/test_processing.py.
    if inspect.isfunction(method) and not name.startswith("_") and name not in {"enqueue", "process"}
]


def parameters(function):
    """Return the names of all parameters, those of a `**fields` one by one, and those that must be given."""
    names, required = [], []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            made_by = function.__init__ if isinstance(function, type) else function
            known = {name: getattr(types, name) for name in types.__all__}
            hints = typing.get_type_hints(made_by, known | vars(sys.modules[function.__module__]))
            (fields,) = typing.get_args(hints[parameter.name])
            names += typing.get_type_hints(fields)
        elif parameter.kind is not parameter.VAR_POSITIONAL and parameter.name != "self":
            names.append(parameter.name)
            if parameter.default is parameter.empty:
                required.append(parameter.name)
    # Without media, which nothing here gives, there is no request without words.
    required += [name for name in ("prompt", "style") if name in names and name not in required]
    return names, required


def sound(function, name):
    """Return what is given for a required parameter."""
    if name == "video" and function in {Edit, Pika.edit}:
        return "https://media.test/cat.mp4"
    return SOUND[name]


def cases(functions):
    return [
        pytest.param(function, name, required, id=f"{function.__qualname__}-{name}")
        for function in functions
        for names, required in [parameters(function)]
        for name in names
    ]


def check_refusal(error, name):
    """Hold that *error* names the parameter, or what it is made of, and quotes no password."""
    assert isinstance(error, ConfigError | UnsupportedRequest | TypeError), repr(error)
    assert re.search(rf"\b{name}\b", str(error)), f"{error!r} does not name {name}"
    assert "canary" not in str(error)


@pytest.mark.parametrize(("kind", "name", "required"), cases(CONSTRUCTORS))
def test_a_value_takes_an_argument_or_refuses_it_by_name(kind, name, required):
    """Each parameter of every class that users make, with everything one can think of."""
    for value in VALUES.values():
        try:
            kind(**{**{one: sound(kind, one) for one in required}, name: value})
        except Exception as error:  # noqa: BLE001 - any other kind of error is what this test looks for
            check_refusal(error, name)


@pytest.mark.parametrize("name", ["providers", *parameters(Pika.__init__)[0]])
def test_a_client_takes_an_option_or_refuses_it_by_name(name):
    """When it is made, and not when it hangs."""
    named = name in {"api_key", "base_url"}
    for value in VALUES.values():
        providers = [value] if name == "providers" else ["acedata"] if named else [Scripted()]
        options = {"api_key": "sandbox-key"} if named else {}
        try:
            Pika(*providers, **(options if name == "providers" else {**options, name: value}))
        except Exception as error:  # noqa: BLE001 - any other kind of error is what this test looks for
            check_refusal(error, "provider" if name == "providers" and "No provider" in str(error) else name)


ABLE = capable(
    kinds={Edit, Generate, Ingredients, Style},
    fields=set(CommonFields.__annotations__) | set(MediaFields.__annotations__) | {"mask", "mode", "region"},
)


async def outcome(call, arguments_):
    """Return what becomes of one call: nothing, or its error."""
    try:
        made = call(**arguments_)
        if inspect.isawaitable(made):
            await made
        elif hasattr(made, "__aenter__") and not hasattr(made, "__anext__"):
            async with made:
                pass
        elif hasattr(made, "__aiter__"):
            async for _ in made:
                pass
    except Exception as error:  # noqa: BLE001 - any other kind of error is what this test looks for
        return error
    return None


@pytest.mark.parametrize(("method", "name", "required"), cases(METHODS))
async def test_a_call_takes_an_argument_or_refuses_it_by_name(method, name, required):
    """Before there is a job: for what is refused, nothing is sent and no slot is taken."""
    async with scene(Scripted(capabilities=ABLE), max_concurrency=100) as s:
        target = s.pika
        if method.__qualname__.startswith("Job."):
            target = await s.pika.submit(Generate("A job"))
        calls = {}
        for label, value in VALUES.items():
            if name in MEDIA_FIELDS and isinstance(value, Path):
                continue  # read by a thread, when the job's turn comes
            given = {one: sound(method, one) for one in required}
            prompt = f"A cat and {label}"
            given |= {"prompt": prompt} if "prompt" in given else {}
            given |= {"request": Generate(prompt)} if "request" in given else {}
            given[name] = value
            calls[prompt] = s.begin(outcome(getattr(target, method.__name__), given))
        await s.clock.advance(60)
        await asyncio.wait(calls.values(), timeout=5)  # names of files are looked at by threads
        for prompt, call in calls.items():
            assert call.done(), f"{name}: {prompt} still waits"
            error = call.result()
            if error is not None and not isinstance(error, JobTimeout | DownloadError):
                check_refusal(error, name)
                assert not s.host.billed[prompt]
        assert next(iter(s.pika.stats().values())).in_flight == 0


async def test_every_refused_time_out_leaves_the_client_whole():
    """It once was a defect that kept its slot for good, and whose key then hung."""
    wrong = ["60", timedelta(seconds=60), NAN, INFINITY, -1, True]
    async with scene(max_concurrency=1) as s:
        for value, name in product(wrong, ["timeout", "queue_timeout"]):
            with pytest.raises(ConfigError, match=rf"^{name} must be a finite number of seconds"):
                await s.pika.generate("A cat", idempotency_key="k", **{name: value})
            with pytest.raises(ConfigError, match=r"^queue_timeout must be"):
                await s.pika.submit(Generate("A cat"), idempotency_key="k", queue_timeout=value)
        assert not s.wire.submits
        await s.after(60, s.pika.generate("A cat", idempotency_key="k"))
        assert s.host.billed == {"A cat": 1}


@pytest.mark.parametrize("hosts", [b"media.lan", 5, [5], [""], ["a b"], ["a/b"], ["me:word@a"], {"a": 1}])
def test_hosts_are_a_list_of_hosts(hosts):
    """Bytes and mappings fall into numbers and keys, and none of them is a host."""
    with pytest.raises(ConfigError, match=r"^media_hosts must be a list of hosts such as"):
        Pika(Scripted(), media_hosts=hosts)


def test_hosts_have_a_scheme_or_port_if_they_like():
    """As a media session reads them."""
    assert check.hosts("media_hosts", []) == ()
    hosts = ("media.lan", "127.0.0.1:8123", "http://media.lan:80", "http://[::1]:8123")
    assert check.hosts("media_hosts", list(hosts)) == hosts


@pytest.mark.parametrize(
    "url", ["not a url", "app.example.com", "", True, 5, "https://me:word-canary@app.test"]
)
async def test_a_callback_address_is_checked_where_it_is_given(url):
    """By the client, and by each call."""
    async with scene() as s:
        for give in (
            lambda: Pika(Scripted(), callback_url=url),
            lambda: s.pika.generate("A cat", callback_url=url),
            lambda: s.pika.submit(Generate("A cat"), callback_url=url),
        ):
            with pytest.raises(ConfigError, match=r"^callback_url must be an http") as refused:
                await give()
            assert "canary" not in str(refused.value)
        assert not s.wire.submits


def test_a_callback_address_is_cleaned():
    """The line break of the file it was read from is not part of it."""
    assert check.callback_url("callback_url", "https://app.test/hook\n") == "https://app.test/hook"
