"""How a class without `await` is made of an asynchronous one: each public method, property and protocol."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial, wraps
from types import TracebackType
from typing import Any, ClassVar, Final

from attrs import fields

from pika_async._crossing import process_bound
from pika_async._item import Item as AsyncItem
from pika_async._plain import plain
from pika_async.errors import PikaError
from pika_async.sync._background import Background, Errands

NAMES: Final[Mapping[str, str]] = {
    "aclose": "close",
    "__aexit__": "__exit__",
    "__anext__": "__next__",
    "__repr__": "__repr__",
    "_repr_html_": "_repr_html_",
}
"""Members that keep no leading `a`, and the special methods that are derived as well."""


def worded(text: str | None) -> str | None:
    """Return a docstring of the asynchronous class for the derived one.

    >>> worded("`async with pika.open(video) as chunks`; `await job` returns the video.")
    '`with pika.open(video) as chunks`; `job.wait(None)` returns the video.'
    """
    if text is None:
        return None
    text = re.sub(r"\bawait (\w+)`", r"\1.wait(None)`", text)
    return re.sub(r"\b(async|await) (?=with|for|\w+\.)", "", text).replace("aclose", "close")


class Derived:
    """An object of a client that lives in the client's background thread, and how to reach it there."""

    __slots__ = ("__weakref__", "_background", "_errands", "_inner")
    _classes: ClassVar[dict[type, type[Derived]]] = {}

    def __init__(self, inner: Any, background: Background, errands: Errands) -> None:
        self._inner = inner
        self._background = background
        self._errands = errands

    def __init_subclass__(cls, *, of: type | None = None) -> None:
        if of is None:
            return  # a class of the user's, which inherits all of it
        process_bound("hand over the tokens of jobs, and call pika.job(token) in the other process")(cls)
        cls._classes[of] = cls
        cls.__doc__ = cls.__doc__ or worded(of.__doc__)
        for name, member in _members(of):
            if name not in vars(cls):
                setattr(cls, name, _derived(name, member))
        for asynchronous, plainly in (("__anext__", "__iter__"), ("__aexit__", "__enter__")):
            if hasattr(of, asynchronous) and plainly not in vars(cls):
                setattr(cls, plainly, lambda self: self)

    def _reach(self) -> Background:
        """Return the thread in which the object lives."""
        return self._background

    def _call(self, member: Callable[..., Any], *args: Any, errands: Errands, **named: Any) -> Any:
        background = self._reach()

        async def work() -> Any:
            answer = member(self._inner, *args, **named)
            if inspect.isawaitable(answer) and type(answer) not in self._classes:
                answer = await answer
            return answer

        try:
            return self._translated(background.call(work, errands), errands)
        except PikaError as error:
            self._translated(error, errands)
            raise
        except StopAsyncIteration:
            raise StopIteration from None

    def _read(self, member: Callable[[Any], Any]) -> Any:
        # A token must be there after the client was closed as well; no other thread changes it then.
        if not self._background.reachable:
            return self._translated(member(self._inner), self._errands)
        return self._call(member, errands=self._errands)

    def _translated(self, value: Any, errands: Errands) -> Any:
        """Return *value* with the derived classes in the place of the asynchronous ones."""
        if (derived := self._classes.get(type(value))) is not None:
            return derived(value, self._background, errands)
        match value:
            case AsyncItem(job=job, error=error):
                self._translated(error, errands)
                known: dict[str, Any] = {a.name: getattr(value, a.name) for a in fields(AsyncItem) if a.init}
                return Item(**known | {"job": self._translated(job, errands)})
            case PikaError():
                if not isinstance(value.job, Derived):
                    value.job = self._translated(value.job, errands)
                return value
            case list():
                return [self._translated(one, errands) for one in value]
            case AsyncIterator():
                return _Iterating(value, self._background, errands)
            case AbstractAsyncContextManager():
                return _Opening(value, self._background, errands)
            case _:
                return value


class Item(AsyncItem):
    """An item of a `map`, whose *job* is waited for without `await`."""

    __slots__ = ()


class _Rows(AsyncIterator[Any]):
    """An iterable of the caller's, pulled in the caller's thread."""

    def __init__(self, rows: Iterable[Any], errands: Errands) -> None:
        self._rows = iter(rows)
        self._errands = errands

    async def __anext__(self) -> Any:
        row = await self._errands.ask(next, self._rows, self, pull=True)
        if row is self:
            raise StopAsyncIteration
        return row


def _members(of: type) -> Iterator[tuple[str, Any]]:
    """Yield what is derived, under its new name."""
    for owner in of.__mro__:
        for name, member in vars(owner).items() if owner.__module__.startswith("pika_async.") else ():
            if name in NAMES or not name.startswith("_"):
                yield NAMES.get(name, name), member


def _derived(name: str, member: Any) -> Any:
    if isinstance(member, property):
        get: Any = member.fget
        return property(lambda self: self._read(get), doc=worded(member.__doc__))
    if name in {"__repr__", "_repr_html_"}:
        return lambda self: self._read(member)
    parameters = list(inspect.signature(member).parameters.values())[1:]

    @wraps(member)
    def method(self: Derived, *args: Any, **named: Any) -> Any:
        errands = self._errands if name == "__next__" else Errands()
        given = [
            _given(value, str(parameter.annotation), errands)
            for value, parameter in zip(args, parameters, strict=False)
        ]
        given += args[len(given) :]
        kinds = {parameter.name: str(parameter.annotation) for parameter in parameters}
        named = {name: _given(value, kinds.get(name, ""), errands) for name, value in named.items()}
        return self._call(member, *given, errands=errands, **named)

    method.__name__, method.__doc__ = name, worded(member.__doc__)
    return method


def _given(value: Any, annotation: str, errands: Errands) -> Any:
    """Return what the asynchronous method takes in the place of *value*."""
    if isinstance(value, Derived):
        return value._inner  # noqa: SLF001 - its own class
    if "AsyncIterable" in annotation and _is_lazy(value):
        return _Rows(value, errands)
    if "Callable" in annotation and callable(value):
        if inspect.iscoroutinefunction(value):
            raise TypeError("A client without await takes plain functions, not `async def`.")
        return partial(errands.ask, value)
    return value


def _is_lazy(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(
        value, str | bytes | bytearray | list | tuple | Mapping | AsyncIterable
    )


@plain.register
def _plain_derived(value: Derived) -> Any:
    return plain(value._inner)  # noqa: SLF001 - its own class


class _Iterating(Derived, of=AsyncIterator):
    def __next__(self) -> Any:
        return self._call(anext, errands=self._errands)


class _Opening(Derived, of=AbstractAsyncContextManager):
    def __enter__(self) -> Any:
        return self._call(lambda opening: opening.__aenter__(), errands=self._errands)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return bool(self._call(lambda opening: opening.__aexit__(kind, error, trace), errands=self._errands))
