"""The rows of a list of prompts, checked: refused whole if anything in them is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import click
from attrs import frozen

from pika_async import ConfigError, Generate, Ingredients, PikaError, Style
from pika_async.cli._fields import media
from pika_async.cli._source import MEDIA, Content, Source, WrongRowError, lines_of
from pika_async.requests import Media, VideoRequest

KINDS: Final[Mapping[str, type[VideoRequest]]] = {
    "generate": Generate,
    "ingredients": Ingredients,
    "style": Style,
}
_KNOWN: Final = {attribute.name for kind in KINDS.values() for attribute in attrs.fields(kind)}


@frozen(kw_only=True)
class Listed:
    """A request and where it stands: *number* counts requests, *line* the lines of the list, both from 1."""

    number: int
    line: int
    request: VideoRequest


def read_requests(source: Source, check: Callable[[VideoRequest], None]) -> list[Listed]:
    """Read every request of *source*; *check* raises `PikaError` for one that cannot be bought.

    Raises `ConfigError`, whose notes name everything that is wrong, with file and line.
    """
    listed: list[Listed] = []
    problems: list[str] = []
    for line, content in lines_of(source):
        try:
            request = _request(content, source.folder)
            check(request)
        except WrongRowError as wrong:
            problems += [f"{source.name} line {line}: {reason}" for reason in wrong.reasons]
        except PikaError as error:
            problems.append(f"{source.name} line {line}: {error.message}")
        else:
            listed.append(Listed(number=len(listed) + 1, line=line, request=request))
    if problems:
        count = "1 thing is" if len(problems) == 1 else f"{len(problems)} things are"
        refused = ConfigError(f"{count} wrong in {source.name}; nothing was bought. Correct and run again.")
        for problem in problems:
            refused.add_note(problem)
        raise refused
    if not listed:
        raise ConfigError(f"{source.name} holds no prompts; write one on each line.")
    return listed


def _request(content: Content, folder: Path) -> VideoRequest:
    if isinstance(content, WrongRowError):
        raise content
    fields: dict[str, Any] = dict(content)
    word = fields.pop("kind", "generate")
    kind = KINDS.get(word) if isinstance(word, str) else None
    if kind is None:
        raise WrongRowError(f"kind must be generate, ingredients or style, not {word!r}.")
    of_kind = {attribute.name: attribute for attribute in attrs.fields(kind)}
    reasons = [
        f"{name} does not go with kind {word}." if name in _KNOWN else f"no field is called {name!r}."
        for name in fields
        if name not in of_kind
    ]
    reasons += [
        f"{name} is missing."
        for name, attribute in of_kind.items()
        if attribute.default is attrs.NOTHING and name not in fields
    ]
    for name in (*MEDIA, "images"):
        if name in fields:
            fields[name] = _found(fields[name], folder, reasons)
    if reasons:
        raise WrongRowError(*reasons)
    return kind(**fields)


def _found(value: object, folder: Path, reasons: list[str]) -> object:
    """Look for the files that *value* names, from *folder* on; what is no name is left to the request."""
    match value:
        case list():
            return [_found(item, folder, reasons) for item in value]
        case str():
            try:
                return _medium(value, folder)
            except click.BadParameter as error:
                reasons.append(error.message)
    return value


def _medium(text: str, folder: Path) -> Media:
    if re.match(r"https?://", text, re.IGNORECASE):
        return media(text)
    return media(str(folder / Path(text).expanduser()))
