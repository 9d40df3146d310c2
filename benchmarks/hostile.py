"""Bodies of no document: every reader of every adapter makes a value or a `PikaError` of them, in time.

A body is a documented sample that was changed, cut, spliced or nested, or JSON of the samples' names with
values of any kind. Time is CPU of the thread, in proportion to the length of the body.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from benchmarks._campaign import Campaign, Tally
from pika_async.errors import PikaError
from pika_async.provider import HttpResponse
from tests.readers import adapter_readers

CLAIM = "every reader makes a value or a PikaError of any body, in time that grows with its length"
EACH = 1_000
"""Bodies of one seed, for each reader."""
_ENOUGH, _PER_BYTE = 0.02, 2e-6
"""Seconds of CPU that a reading may take, and what each byte adds."""
_SAMPLES = Path(__file__).parents[1] / "tests" / "providers" / "samples"
_STATUSES = (200,) * 8 + (
    201,
    202,
    204,
    301,
    400,
    401,
    402,
    403,
    404,
    408,
    409,
    422,
    429,
    500,
    502,
    503,
    504,
    599,
)
_MOST = 262_144

Tree: TypeAlias = Any
Reader: TypeAlias = Callable[[HttpResponse], object]


def values(chance: Random) -> Tree:
    """Make one value that is no document's."""
    match chance.randrange(12):
        case 0:
            return chance.choice((None, True, False, "", [], {}, 0, -1, -0.0))
        case 1:
            return chance.choice((10**400, -(10**19), 2**63, 1e308, math.inf, -math.inf, math.nan, 5e-324))
        case 2:
            return "".join(
                chance.choices(
                    "\x00\x7f\ud800\u202e\u00e9\u732b\U0001f408 \\\"'<&%\n\t", k=chance.randrange(40)
                )
            )
        case 3:
            return chance.choice(
                (
                    "javascript:alert(1)",
                    "file:///etc/passwd",
                    "//host/x",
                    "http://[::1",
                    "data:,x",
                    "https://h/" + "a" * 3000,
                )
            )
        case 4:
            return chance.choice(
                ("2026-13-45T99:99:99Z", "0000-00-00", "9" * 400, "1e999", "-1", "0x10", "NaN", " 5 ")
            )
        case 5:
            return _nested(chance.choice((3, 40, 70, 900)), chance)
        case 6:
            return [values(chance) for _ in range(chance.randrange(4))]
        case 7:
            return chance.choice(("a", "://", "[", "\\", "表", "a@", "..")) * chance.choice(
                (10, 1_000, 20_000)
            )
        case 8:
            return {
                chance.choice(("id", "task_id", "message", "", "error", "data", "__class__")): values(chance)
            }
        case _:
            return chance.choice(
                (
                    "succeeded",
                    "failed",
                    "completed",
                    "IN_PROGRESS",
                    "error",
                    "cancelled",
                    "unknown",
                    200,
                    3,
                    "t",
                )
            )


def _nested(depth: int, chance: Random) -> Tree:
    value: Tree = "x"
    name = chance.choice(("message", "error", "data", ""))
    for _ in range(depth):
        value = {name: value} if name else [value]
    return value


class Bodies:
    """Makes the bodies of one provider, from its samples."""

    def __init__(self, samples: Sequence[bytes]) -> None:
        self._samples = samples
        trees = [json.loads(sample) for sample in samples]
        self._names = sorted({name for tree in trees for name in _names(tree)})

    def one(self, chance: Random) -> bytes:
        """Make one body."""
        sample = chance.choice(self._samples)
        match chance.randrange(10):
            case 0:
                return self._damaged(sample, chance)
            case 1:
                other = chance.choice(self._samples)
                return (sample[: chance.randrange(len(sample))] + other[chance.randrange(len(other)) :])[
                    :_MOST
                ]
            case 2:
                return chance.randbytes(chance.choice((0, 1, 2, 7, 200)))
            case 3 | 4:
                return _encoded(self._made(chance, 4), chance)
            case _:
                tree = json.loads(sample)
                for _ in range(chance.choice((1, 1, 2, 5))):
                    tree = self._changed(tree, chance)
                return _encoded(tree, chance)

    def _damaged(self, sample: bytes, chance: Random) -> bytes:
        data = bytearray(sample)
        for _ in range(chance.choice((1, 3, 20))):
            at = chance.randrange(len(data) + 1)
            match chance.randrange(4):
                case 0:
                    del data[at:]
                case 1:
                    data[at:at] = chance.choice(
                        (b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b'"', b"}", b"[" * 500)
                    )
                case 2:
                    data[at : at + 1] = chance.randbytes(1)
                case 3:
                    data[at : at + chance.randrange(9)] = b""
        return bytes(data)

    def _changed(self, tree: Tree, chance: Random) -> Tree:
        """Change one place of *tree*, each as likely at every depth."""
        if isinstance(tree, dict) and tree and chance.random() < 0.8:
            name = chance.choice(list(tree))
            match chance.randrange(6):
                case 0:
                    del tree[name]
                case 1:
                    tree[chance.choice(self._names)] = tree[name]
                case _:
                    tree[name] = self._changed(tree[name], chance)
            return tree
        if isinstance(tree, list) and tree and chance.random() < 0.8:
            at = chance.randrange(len(tree))
            if chance.random() < 0.1:
                return tree * chance.choice((2, 50))
            tree[at] = self._changed(tree[at], chance)
            return tree
        return values(chance)

    def _made(self, chance: Random, depth: int) -> Tree:
        if depth == 0 or chance.random() < 0.2:
            return values(chance)
        if chance.random() < 0.3:
            return [self._made(chance, depth - 1) for _ in range(chance.randrange(4))]
        return {chance.choice(self._names): self._made(chance, depth - 1) for _ in range(chance.randrange(6))}


def _names(tree: Tree) -> set[str]:
    if isinstance(tree, dict):
        return set(tree).union(*map(_names, tree.values()))
    return set().union(*map(_names, tree)) if isinstance(tree, list) else set()


def _encoded(tree: Tree, chance: Random) -> bytes:
    try:
        text = json.dumps(tree, ensure_ascii=chance.random() < 0.5)
    except (RecursionError, ValueError):
        return b"[" * 5000
    return text.encode(errors="surrogatepass")[:_MOST]


def _headers(chance: Random) -> Mapping[str, str]:
    if chance.random() < 0.7:
        return {}
    return {
        "content-type": chance.choice(
            ("application/json", "text/html", "application/json; charset=x", "\x00", "")
        ),
        "retry-after": chance.choice(
            ("1", "-5", "1e999", "Wed, 21 Oct 2099 07:28:00 GMT", "x" * 5000, "NaN")
        ),
        "x-request-id": chance.choice(("", "a", "\u732b", "z" * 5000)),
    }


@cache
def _bodies(provider: str) -> Bodies:
    files = sorted((_SAMPLES / provider).glob("*.json"))
    return Bodies([file.read_bytes() for file in files])


def slow(read: Reader, response: HttpResponse, seconds: float) -> bool:
    """Say whether a reading takes longer than its length allows, the fastest of three more counted."""
    allowed = _ENOUGH + _PER_BYTE * len(response.body)
    return seconds > allowed and min(tried(read, response)[1] for _ in range(3)) > allowed


def tried(read: Reader, response: HttpResponse) -> tuple[Exception | None, float]:
    """Read *response*; returns what it must not raise, and the CPU seconds it took."""
    started = time.thread_time()
    wrong = None
    try:
        read(response)
    except PikaError:
        pass
    except Exception as error:  # noqa: BLE001 - that is the finding
        wrong = error
    return wrong, time.thread_time() - started


def one(seed: int) -> Tally:
    """Have each reader read its bodies of *seed*."""
    tally = Tally()
    for provider, method, read in adapter_readers():
        name, bodies = f"{provider}.{method}", _bodies(provider)
        chance = Random(f"{seed} {name}")
        for number in range(EACH):
            body = bodies.one(chance)
            response = HttpResponse(status=chance.choice(_STATUSES), headers=_headers(chance), body=body)
            wrong, seconds = tried(read, response)
            if wrong is not None:
                tally.counts["raised something else"] += 1
                tally.broken.append(
                    f"{name}, body {number}: {wrong!r}, of HTTP {response.status} {body[:200]!r}"
                )
            elif slow(read, response, seconds):
                tally.counts["too slow"] += 1
                tally.broken.append(
                    f"{name}, body {number}: {seconds:.3f} s for {len(body)} bytes {body[:200]!r}"
                )
        tally.counts["bodies"] += EACH
    tally.counts["bodies for each reader"] += EACH
    return tally


CAMPAIGN = Campaign(
    name="hostile",
    claim=CLAIM,
    one=one,
    quick=2,
    full=1_000,
    none=("raised something else", "too slow"),
    least={"bodies for each reader": 1_000_000},
)
measure = CAMPAIGN.measure

if __name__ == "__main__":
    CAMPAIGN.main()
