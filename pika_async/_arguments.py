"""Checks of arguments: each returns the value, or raises `ConfigError` with the argument's name. Pure.

No message quotes a value: it may be a key, or an address with a password in it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterable, Callable, Collection, Iterable, Mapping
from typing import Any, Literal, TypeVar

from pika_async import _links
from pika_async._money import Money
from pika_async.errors import ConfigError

T = TypeVar("T")
_LARGEST = sys.float_info.max


def refuse(name: str, rule: str, value: object = None) -> ConfigError:
    """Make the error for an argument; of *value* it says the type alone.

    >>> from datetime import timedelta
    >>> refuse("timeout", "a number of seconds", timedelta(1)).message
    'timeout must be a number of seconds, not a value of type timedelta; correct it and call again.'
    """
    kind = "" if value is None else f", not a value of type {type(value).__name__}"
    return ConfigError(f"{name} must be {rule}{kind}; correct it and call again.")


def number(name: str, value: object, *, above: float | None = None, least: float = 0) -> float:
    """Check a finite number: of at least *least*, or above *above*."""
    rule = f"a number of at least {least:g}" if above is None else f"a number above {above:g}"
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise refuse(name, rule, value)
    # NaN compares as false, and so do infinities with the largest number.
    if not -_LARGEST <= value <= _LARGEST or value < least or (above is not None and value <= above):
        raise refuse(name, rule)
    return value


def seconds(name: str, value: object) -> float | None:
    """Check a time-out in seconds; None means no limit.

    >>> seconds("timeout", 900), seconds("timeout", None)
    (900, None)
    """
    if value is None:
        return None
    try:
        return number(name, value)
    except ConfigError:
        rule = "a finite number of seconds of at least 0, or None for no limit"
        raise refuse(name, rule, None if isinstance(value, int | float) else value) from None


def count(name: str, value: object, *, least: int = 1) -> int:
    """Check a whole number of at least *least*."""
    rule = f"a whole number of at least {least}"
    if not isinstance(value, int) or isinstance(value, bool):
        raise refuse(name, rule, value)
    if not least <= value <= sys.maxsize:
        raise refuse(name, rule)
    return value


def flag(name: str, value: object) -> bool:
    """Check True or False."""
    if not isinstance(value, bool):
        raise refuse(name, "True or False", value)
    return value


def money(name: str, value: object) -> Money | None:
    """Check an amount of money: a number of US dollars, or a text such as `500 credits`.

    >>> str(money("max_cost", 2.5)), str(money("max_cost", "500 credits"))
    ('2.5 USD', '500 credits')
    """
    if value is None:
        return None
    from decimal import Decimal

    rule = "an amount of at least 0: a number of US dollars, or a text such as '500 credits'"
    if not isinstance(value, int | float | Decimal | str) or isinstance(value, bool):
        raise refuse(name, rule, value)
    try:
        return Money.read(value) if isinstance(value, str) else Money.of(value, "USD")
    except ValueError:
        raise refuse(name, rule) from None


def text(name: str, value: object) -> str:
    """Check text that can be kept and sent: not blank, without NUL and half surrogate pairs."""
    rule = "text that is not blank, without NUL and half surrogate pairs"
    if not isinstance(value, str):
        raise refuse(name, rule, value)
    if not value.strip() or re.search("[\0\ud800-\udfff]", value):
        raise refuse(name, rule)
    return value


def label(name: str, value: object) -> str:
    """Check a short text for people and tokens, without a colon, line breaks and the like."""
    rule = "a label without a colon, line breaks or invisible characters"
    if not isinstance(value, str):
        raise refuse(name, rule, value)
    if not value.strip() or not value.isprintable() or ":" in value:
        raise refuse(name, rule)
    return value


def word(name: str, value: object, words: Collection[str]) -> str:
    """Check one of some *words*."""
    if not isinstance(value, str):
        raise refuse(name, f"one of {', '.join(words)}", value)
    if value not in words:
        raise refuse(name, f"one of {', '.join(words)}")
    return value


def name(parameter: str, value: object) -> str:
    """Check the name of a thing that is installed; it may be quoted in an error."""
    if not isinstance(value, str) or not re.fullmatch(r"[\w.-]{1,64}", value):
        raise refuse(parameter, "names such as acedata", None if isinstance(value, str) else value)
    return value


def address(name: str, value: object) -> str:
    """Check an http(s) address, and return it without blanks around it."""
    if not isinstance(value, str):
        raise refuse(name, "an http(s) address", value)
    link = _links.cleaned(value)
    if wrong := _links.fault(link):
        raise refuse(name, f"an http(s) address such as https://app.example.com, without {wrong}")
    return link


def base_url(name: str, value: object) -> str:
    """Check an address to which paths are added, which a query or a fragment would spoil."""
    link = address(name, value)
    if "?" in link or "#" in link:
        raise refuse(name, "an http(s) address such as https://api.example.com, without query or fragment")
    return link


def callback_url(name: str, value: object) -> str | Literal[False] | None:
    """Check the address of the user's own receiver; False means none, None the usual one."""
    if value is None or value is False:
        return None if value is None else False
    try:
        return address(name, value)
    except ConfigError as error:
        raise ConfigError(f"{error.message.rstrip('.')} (False for no callbacks).") from None


def hosts(name: str, value: object) -> tuple[str, ...]:
    """Check a list of hosts, with or without scheme and port, but without a path."""
    rule = 'a list of hosts such as ["media.lan", "127.0.0.1:8123"]'
    # Text is a list of letters to Python: none of them is the host that was meant.
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise refuse(name, rule, value)
    found = tuple(value)
    for host in found:
        if not isinstance(host, str):
            raise refuse(name, rule, host)
        origin = host if "://" in host else f"http://{host}"
        if _links.fault(origin) or set("/?#") & set(origin.partition("://")[2].rstrip("/")):
            raise refuse(name, rule)
    return found


def stream(name: str, value: Iterable[T] | AsyncIterable[T]) -> Iterable[T] | AsyncIterable[T]:
    """Check requests that are taken one by one."""
    return value if isinstance(value, AsyncIterable) else series(name, value)


def series(name: str, value: Iterable[T], what: str = "requests") -> Iterable[T]:
    """Check a list of *what*; text and mappings would fall into letters and keys."""
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Iterable):
        raise refuse(name, f"a list of {what}, or another iterable of them", value)
    return value


def function(name: str, value: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """Check a function, or None for none."""
    if value is not None and not callable(value):
        raise refuse(name, "a function, or None", value)
    return value


def path(name: str, value: object) -> str | os.PathLike[str]:
    """Check the name of a file, as text or as a path."""
    rule = "the name of a file, as text or pathlib.Path"
    if not isinstance(value, str | os.PathLike):
        raise refuse(name, rule, value)
    named = os.fspath(value)
    if not isinstance(named, str):
        raise refuse(name, rule, named)
    if not named.strip() or "\0" in named:
        raise refuse(name, f"{rule}, not blank and without NUL")
    return value


def instance(name: str, value: T, *kinds: type[Any]) -> T:
    """Check that *value* is one of *kinds*."""
    if not isinstance(value, kinds):
        raise refuse(name, " or ".join(f"a {kind.__name__}" for kind in kinds), value)
    return value


def able(name: str, value: T, *methods: str) -> T:
    """Check that *value*, an object of the user's own, has *methods*."""
    if isinstance(value, type) or not all(callable(getattr(value, method, None)) for method in methods):
        raise refuse(name, f"an object with {' and '.join(f'{method}()' for method in methods)}", value)
    return value
