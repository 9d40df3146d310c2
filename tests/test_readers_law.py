"""One law for all that reads foreign text or bytes: eight times as much takes sixteen times as long at most.

Readers are found, not listed: every `read_*` of every installed adapter, and every function of one text or
of bytes in a module whose docstring says that it is pure. Only those that need more arguments stand in
`MORE`. Nothing else in this suite is a timed test.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import inspect
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

import pika_async
from pika_async._download.signature import Tally
from pika_async._secret import Secret, conceal_text
from pika_async._token import JobToken
from pika_async.batch.entry import Entry
from pika_async.batch.lists import Source, lines_of
from pika_async.callbacks.handler import Handler, joined
from pika_async.callbacks.token import make_token, read_token
from pika_async.gallery.row import Row
from pika_async.provider import HttpResponse, decoded, first_text, shown
from pika_demo import Demo
from tests.readers import KEY, adapter_readers

Reader = Callable[[bytes], object]

LARGEST = 1024 * 1024
ENOUGH = 0.002
"""Seconds of CPU that a reading must take to be compared; a fast reader gets more text, up to `LARGEST`."""
NOISE = 0.0001
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
NOT_READERS = {"pika_async._reading.key", "pika_async._reading.base_url"}
"""Functions that only declare a field."""


@frozen
class OfText:
    """A reader of text; the bytes are decoded before the clock runs."""

    read: Callable[[str], object]

    def __call__(self, data: Any) -> object:
        return self.read(data)


def text(read: Callable[[str], object]) -> Reader:
    return OfText(read)


def of_adapters() -> Iterator[tuple[str, Reader]]:
    """Have each adapter's readers read an answer; submits and look-ups also one on which errors are read."""
    for name, method, read in adapter_readers({"demo": Demo}):
        both = method in {"read_submit", "read_poll"}
        for status in (200, 403) if both else (200,):
            of_status = "" if "," in method or method == "read_callback" else f", HTTP {status}"
            yield (
                f"{name}.{method}{of_status}",
                lambda data, read=read, status=status: read(HttpResponse(status=status, body=data)),
            )


def modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages(pika_async.__path__, "pika_async."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def of_pure_modules() -> Iterator[tuple[str, Reader]]:
    """Find the functions that need one text, or bytes, and nothing else."""
    for module in modules():
        if not re.search(r"\b(Pure|No I/O)\b", module.__doc__ or ""):
            continue
        for name, thing in vars(module).items():
            if not inspect.isfunction(thing) or thing.__module__ != module.__name__:
                continue
            parameters = inspect.signature(thing).parameters.values()
            needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
            if len(needed) != 1 or f"{module.__name__}.{name}" in NOT_READERS:
                continue
            if needed[0].annotation == "bytes":
                yield f"{module.__name__}.{name}", thing
            elif needed[0].annotation in {"str", "str | None"}:
                yield f"{module.__name__}.{name}", text(thing)


def named(function: str) -> Callable[..., Any]:
    """Return the function of that name, wherever it is at home."""
    found = [vars(m)[function] for m in modules() if function in vars(m)]
    return next(f for f in found if inspect.isfunction(f))


def read_entry(data: bytes) -> None:
    entry = Entry.parse(data)
    if entry is not None:
        Row.of(entry)


def read_callback(data: bytes) -> None:
    handler = Handler((b"secret",), LARGEST)
    token, value = make_token(b"secret", "a1-1-9f"), data.decode("latin-1")
    handler.handle("POST", f"/hook/{token}", joined([("content-type", value), ("x", value)]), data)
    handler.handle("POST", f"/hook/{value}", {"content-length": value, "content-encoding": value}, data)


MORE: dict[str, Reader] = {
    "callbacks.handler": read_callback,
    "callbacks.token.read_token": text(lambda token: read_token([b"secret"], token)),
    "JobToken.decode": text(JobToken.decode),
    "batch.entry.Entry.parse, gallery.Row.of": read_entry,
    "batch.lists.lines_of, text": lambda data: [*lines_of(Source("a.txt", data, Path()))],
    "batch.lists.lines_of, CSV": lambda data: [*lines_of(Source("a.csv", b"prompt\n" + data, Path()))],
    "batch.lists.lines_of, JSON": lambda data: [*lines_of(Source("a.jsonl", data, Path()))],
    "_ledger.codec.decode_outcome": text(named("decode_outcome")),
    "_ledger.codec.decode_task": text(named("decode_task")),
    "_ledger.codec.decode_request": text(lambda row: named("decode_request")(row, lambda _: b"")),
    "Retry-After": text(lambda header: named("retry_after")(header, 0.0)),
    "_download.Tally": lambda data: Tally().add(data),
    "_secret.conceal_text": text(lambda told: conceal_text(told, [Secret(KEY)])),
    "provider.shown": text(lambda told: shown(told, Secret(KEY))),
    "provider.first_text": lambda data: first_text(decoded(data)),
}

READERS = {**dict(of_adapters()), **dict(of_pure_modules()), **MORE}

MEMBERS = (
    "task_id",
    "id",
    "error",
    "message",
    "msg",
    "code",
    "data",
    "state",
    "status",
    "video_url",
    "items",
)


def made(shape: str, seed: str, size: int) -> bytes:
    """Make about *size* bytes of *seed*, repeated or nested as *shape* says."""
    times = max(1, size // max(1, len(seed.encode(errors="replace"))))
    quoted = re.sub(r'["\\\x00-\x1f]', "_", seed)
    match shape:
        case "repeated":
            return (seed * times).encode(errors="replace")
        case "members":
            whole = quoted * (times // len(MEMBERS))
            return ("{" + ",".join(f'"{name}":"{whole}"' for name in MEMBERS) + "}").encode(errors="replace")
        case "error":
            return ('{"code":400,"error":{"message":"' + quoted * times + '"}}').encode(errors="replace")
        case "records":
            record = f'{{"id":"t","task_id":"{quoted}","data":[{{"state":"{quoted}"}}]}},'
            items = record * max(1, size // 2 // len(record.encode(errors="replace")))
            return ('{"code":200,"items":[' + items + '{}],"data":[' + items + "{}]}").encode(
                errors="replace"
            )
        case "lists":
            return b"[" * (size // 2) + b"]" * (size // 2)
        case "messages":
            return b'{"message":' * (size // 12) + b'"x"' + b"}" * (size // 12)
        case "broad messages":
            inner = '[{"message":{"message":[]}},"",{}],'
            return ('{"error":{"message":[' + inner * (size // len(inner)) + "[]]}}").encode()
        case "form":
            return "&".join(f"{name}={seed * (times // 6)}" for name in MEMBERS[:6]).encode(errors="replace")
    raise AssertionError(shape)


SEEDS = st.text(st.characters(max_codepoint=0x17F) | st.sampled_from("表\u0301"), min_size=1, max_size=6)
"""Letters of two bytes at most in memory: with wider ones a mebibyte is four, and its pages cost more."""
SHAPES = ("repeated", "members", "error", "records", "lists", "messages", "broad messages", "form")


@pytest.fixture(scope="module", autouse=True)
def steady_memory() -> Iterator[None]:
    """Let the process keep what it frees: pages that are taken anew each time cost more than the reading."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's; another library may have no such steps

    def set_thresholds(size: int) -> None:
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, size)
            mallopt(_TRIM_THRESHOLD, size)

    set_thresholds(1 << 30)
    yield
    set_thresholds(128 * 1024)


def cpu(read: Reader, data: bytes) -> float:
    """Measure one reading, without the collection of garbage, whose moments are others' affair."""
    given: Any = data.decode(errors="replace") if isinstance(read, OfText) else data
    gc.disable()
    start = time.thread_time()
    try:
        with contextlib.suppress(Exception):
            read(given)
        return time.thread_time() - start
    finally:
        gc.enable()


def keeps_the_law(read: Reader, shape: str, seed: str) -> bool:
    """Compare a text with its eighth, as large as takes time enough; busy neighbours get three chances."""
    size = 4096
    while cpu(read, made(shape, seed, size)) < ENOUGH and size < LARGEST:
        size *= 2
    few, many = made(shape, seed, size // 8), made(shape, seed, size)
    return any(grows_evenly(read, few, many, rounds=3) for _ in range(3))


def keeps_it_to_the_end(read: Reader, seed: str, largest: int = LARGEST) -> bool:
    """Compare the largest text with its eighth: there a square shows that is cheap in small texts."""
    few, many = made("repeated", seed, largest // 8), made("repeated", seed, largest)
    return any(grows_evenly(read, few, many, rounds) for rounds in (1, 3, 3))


def grows_evenly(read: Reader, few: bytes, many: bytes, rounds: int) -> bool:
    least = [min(cpu(read, data) for _ in range(rounds)) for data in (few, many)]
    return least[1] <= 16 * max(least[0], NOISE)


@pytest.mark.parametrize("name", READERS)
@settings(
    max_examples=2,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(shape=st.sampled_from(SHAPES), seed=SEEDS)
@example(shape="repeated", seed="a")
@example(shape="error", seed="a")
@example(shape="messages", seed="x")
def test_reading_takes_time_in_proportion(name, shape, seed):
    """Thread CPU time, least of three: so a stranger's text cannot stop the loop."""
    assert keeps_the_law(READERS[name], shape, seed)


@pytest.mark.parametrize("name", READERS)
def test_a_mebibyte_takes_eight_times_its_eighth(name):
    """The same at the largest size that a stranger can send."""
    assert keeps_it_to_the_end(READERS[name], "a")


def test_the_law_is_broken_by_a_square():
    """The law is not blind: this is what the first release did to a message, and what slicing does."""
    assert not keeps_the_law(text(lambda told: re.sub(r"\w+://\S+", "", told)), "repeated", "a")
    cheap = text(lambda told: [told[at:].count("z") for at in range(len(told))])
    assert not keeps_it_to_the_end(cheap, "a", largest=LARGEST // 64)


def test_the_law_sees_every_reader():
    """Those that broke it once, and each adapter's, are among those that were found."""
    assert {
        "demo.read_submit, HTTP 200",
        "acedata.read_find, HTTP 200",
        "duomi.read_callback",
    } <= READERS.keys()
    assert {"pika_async.callbacks.token.token_in", "pika_async._reading.decoded"} <= READERS.keys()
    assert len(READERS) > 40
