"""A callback as it will be sent, and what each fault makes of it. Pure."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final, Self, TypeAlias
from urllib.parse import urlencode

from attrs import evolve, field, frozen

from pika_async.results import JSON

_OVERSIZE: Final = 2 * 1024 * 1024
"""Bytes added to an oversized callback: twice what aiohttp's server takes by default."""


class CallbackFault(StrEnum):
    """What may happen to one callback.

    >>> CallbackFault.LOST.meaning
    'never sent'
    """

    LOST = "lost", "never sent"
    LATE = "late", "sent when the render is over three times as long as it took"
    TWICE = "twice", "sent twice, one after the other"
    TEN_TIMES = "ten_times", "sent ten times, one after the other"
    REORDERED = "reordered", "sent after the callbacks that should follow it"
    BEFORE_ANSWER = "before_answer", "delivered first; the submit's own answer waits for it"
    WRONG_TASK = "wrong_task", "its task_id names a task that does not exist"
    WRONG_TOKEN = "wrong_token", "sent to the address with its last eight characters replaced"
    OVERSIZED = "oversized", "carries 2 MiB of padding"
    SLOW = "slow", "its body takes ten render times (at most ten seconds) to arrive"
    FORM_ENCODED = "form_encoded", "urlencoded instead of JSON, nested values as JSON text"
    ENVELOPED = "enveloped", "wrapped in the envelope that Duomi's answers have"

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Self:
        """Make a member whose value is *word*."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member


ChoosesFault: TypeAlias = Callable[[Mapping[str, JSON]], CallbackFault | None]
"""Chooses for one callback by its body, when it is asked for (not when it is due)."""


def chooser(faults: CallbackFault | Iterable[CallbackFault | None] | ChoosesFault | None) -> ChoosesFault:
    """Make a chooser: one fault is for every callback, several are taken in turn, again and again.

    >>> choose = chooser([CallbackFault.LOST, None])
    >>> [choose({}), choose({}), choose({})]
    [<CallbackFault.LOST: 'lost'>, None, <CallbackFault.LOST: 'lost'>]
    """
    if faults is None or isinstance(faults, CallbackFault):
        return lambda _: faults
    if callable(faults):
        return faults
    turns = itertools.cycle(faults)
    return lambda _: next(turns)


@frozen(kw_only=True)
class Callback:
    """One callback as it will be sent: when (world time), where, what, how often, and how encoded.

    A *body* of bytes is sent as it is, with the *headers* that perhaps sign it.
    """

    url: str
    body: Mapping[str, JSON] | bytes
    at: float
    headers: Mapping[str, str] = field(factory=dict)
    times: int = 1
    as_form: bool = False
    pause: float = 0.0

    @property
    def fields(self) -> Mapping[str, JSON]:
        """Return what the body says, to be chosen by or changed; a changed body bears its old signature."""
        if not isinstance(self.body, bytes):
            return self.body
        try:
            told = json.loads(self.body)
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}


def spoil(callback: Callback, fault: CallbackFault, *, last: float, now: float, other: str) -> Callback:
    """Return *callback* as *fault* makes it; a lost one is sent zero times.

    *last* is when the last callback of the same render is due, *other* the id of no task.
    """
    match fault:
        case CallbackFault.LOST:
            return evolve(callback, times=0)
        case CallbackFault.LATE:
            return evolve(callback, at=callback.at + 3 * (last - now))
        case CallbackFault.TWICE:
            return evolve(callback, times=2)
        case CallbackFault.TEN_TIMES:
            return evolve(callback, times=10)
        case CallbackFault.REORDERED:
            return evolve(callback, at=2 * last - callback.at)
        case CallbackFault.BEFORE_ANSWER:
            return callback
        case CallbackFault.WRONG_TASK:
            return evolve(callback, body={**callback.fields, "task_id": other})
        case CallbackFault.WRONG_TOKEN:
            return evolve(callback, url=callback.url[:-8] + ("B" if callback.url.endswith("A") else "A") * 8)
        case CallbackFault.OVERSIZED:
            return evolve(callback, body={**callback.fields, "padding": "x" * _OVERSIZE})
        case CallbackFault.SLOW:
            return evolve(callback, pause=min(last - now, 1.0))
        case CallbackFault.FORM_ENCODED:
            return evolve(callback, as_form=True)
        case CallbackFault.ENVELOPED:
            envelope: dict[str, JSON] = {"code": 200, "msg": "成功", "data": callback.fields}
            return evolve(callback, body={**envelope, "exec_time": 0.02, "ip": "203.0.113.7"})


def encode(callback: Callback) -> tuple[str, bytes]:
    """Return content type and bytes of a callback's body.

    >>> body = {"status": "3", "data": [1], "msg": None}
    >>> encode(Callback(url="http://h.test", body=body, at=0, as_form=True))
    ('application/x-www-form-urlencoded', b'status=3&data=%5B1%5D&msg=')
    """
    if isinstance(callback.body, bytes) and not callback.as_form:
        return "application/json", callback.body
    if not callback.as_form:
        return "application/json", json.dumps(callback.body, ensure_ascii=False).encode()
    fields = {
        name: value if isinstance(value, str) else "" if value is None else json.dumps(value)
        for name, value in callback.fields.items()
    }
    return "application/x-www-form-urlencoded", urlencode(fields).encode()
