"""The rows of a list of prompts as requests: the list is refused whole if anything in it is wrong."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import attrs
from attrs import frozen

from pika_async._crossing import Value
from pika_async._engine.files import check_files
from pika_async.batch.cells import read_cells
from pika_async.batch.content import Cells, Content, WrongRowError
from pika_async.batch.describe import shortened
from pika_async.batch.lists import Source, lines_of
from pika_async.errors import ConfigError, PikaError
from pika_async.requests import MEDIA_FIELDS, Edit, Generate, Ingredients, Media, Style, VideoRequest

KINDS: Final[Mapping[str, type[VideoRequest]]] = {
    "generate": Generate,
    "ingredients": Ingredients,
    "style": Style,
    "edit": Edit,
}
_WORDS: Final = "generate, ingredients, style or edit"
_KNOWN: Final = {attribute.name for kind in KINDS.values() for attribute in attrs.fields(kind)} | {"kind"}
_TOLD_EACH: Final = 3
_IGNORE: Final = ", or leave out what no request has with --ignore-extra-columns (ignore_extra_columns=True)"


@frozen(kw_only=True)
class Listed(Value):
    """A request and where it stands: *number* counts requests, *line* the lines of the list, both from 1."""

    number: int
    line: int
    request: VideoRequest


def read_list(
    path: str,
    *,
    ignore_extra_columns: bool = False,
    check: Callable[[VideoRequest], None] | None = None,
) -> list[Listed]:
    """Read the list of prompts at *path* (`-` is stdin): .txt, .csv or .jsonl.

    *check* raises `PikaError` for a request that cannot be bought. Raises `ConfigError`, whose notes name
    everything that is wrong, each with its line. Sends nothing.
    """
    return read_requests(Source.read(path), check, ignore_extra_columns=ignore_extra_columns)


def read_requests(
    source: Source,
    check: Callable[[VideoRequest], None] | None = None,
    *,
    ignore_extra_columns: bool = False,
) -> list[Listed]:
    """Read every request of *source*, as `read_list` does."""
    listed: list[Listed] = []
    problems: list[tuple[int, str]] = []
    extra: dict[str, int] = {}
    for line, content in lines_of(source):
        try:
            request = _request(_without_extra(content, line, extra), source.folder)
            check_files(request)
            if check is not None:
                check(request)
        except WrongRowError as wrong:
            problems += [(line, reason) for reason in wrong.reasons]
        except PikaError as error:
            problems.append((line, error.message))
        else:
            listed.append(Listed(number=len(listed) + 1, line=line, request=request))
    strange = {} if ignore_extra_columns else extra
    problems += [(line, f"no field is called {shortened(name)!r}.") for name, line in strange.items()]
    if problems:
        raise refused(source.name, problems, remedy=_IGNORE if strange else "")
    if not listed:
        raise ConfigError(f"{source.name} holds no prompts; write one on each line.")
    return listed


def refused(name: str, problems: Iterable[tuple[int, str]], remedy: str = "") -> ConfigError:
    """Make the error for a list; a reason that many lines share is told once."""
    lines: dict[str, list[int]] = {}
    for line, reason in problems:
        lines.setdefault(reason, []).append(line)
    notes: list[tuple[int, str]] = []
    for reason, where in lines.items():
        each = where if len(where) <= _TOLD_EACH else where[:1]
        more = "" if each is where else f" and {len(where) - 1} more lines"
        notes += [(line, f"{name} line {line}{more}: {reason}") for line in each]
    count = "1 thing is" if len(notes) == 1 else f"{len(notes)} things are"
    error = ConfigError(f"{count} wrong in {name}; nothing was bought. Correct and run again{remedy}.")
    for _, note in sorted(notes, key=lambda note: note[0]):
        error.add_note(note)
    return error


def _without_extra(content: Content, line: int, extra: dict[str, int]) -> Content:
    """Return *content* without what no request has; *extra* notes the line where each name came first."""
    match content:
        case Cells(by_name, heading):
            for name in (name for name in by_name if name not in _KNOWN):
                extra.setdefault(name, heading)
            return Cells({name: cell for name, cell in by_name.items() if name in _KNOWN}, heading)
        case WrongRowError():
            raise content
        case _:
            for name in (name for name in content if name not in _KNOWN):
                extra.setdefault(name, line)
            return {name: value for name, value in content.items() if name in _KNOWN}


def _request(content: Content, folder: Path) -> VideoRequest:
    if isinstance(content, WrongRowError):
        raise content
    fields: dict[str, Any] = read_cells(content) if isinstance(content, Cells) else dict(content)
    word = fields.pop("kind", "generate")
    kind = KINDS.get(word) if isinstance(word, str) else None
    if kind is None:
        raise WrongRowError(f"kind must be {_WORDS}, not {shortened(repr(word))}.")
    of_kind = {attribute.name: attribute for attribute in attrs.fields(kind)}
    reasons = [f"{name} does not go with kind {word}." for name in fields if name not in of_kind]
    required = {name for name, attribute in of_kind.items() if attribute.default is attrs.NOTHING}
    if fields.keys().isdisjoint(MEDIA_FIELDS):
        required.add("prompt")
    reasons += [f"{name} is missing." for name in of_kind if name in required and name not in fields]
    for name in MEDIA_FIELDS:
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
        case dict() if "image" in value:  # a frame
            return {**value, "image": _found(value["image"], folder, reasons)}
        case str():
            try:
                return _medium(value.strip(), folder)
            except ValueError as error:
                reasons.append(str(error))
    return value


def _medium(text: str, folder: Path) -> Media:
    """Read a link, inline media, or the name of a file that must be there before anything is bought."""
    if re.match(r"https?://", text, re.IGNORECASE):
        return text
    if text[:5].lower() == "data:":
        return _inline(text)
    path = folder / Path(text).expanduser()
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"{shortened(str(path), 300)!r} is no http(s) link, and no file that can be read ({reason})."
        ) from None
    if empty:
        raise ValueError(f"the file {str(path)!r} is empty.")
    return path


def _inline(text: str) -> bytes:
    head, comma, body = text.partition(",")
    try:
        # Base64 is wrapped and escaped by some programs.
        raw = unquote_to_bytes(body)
        data = base64.b64decode(b"".join(raw.split()), validate=True) if ";base64" in head.lower() else raw
    except (binascii.Error, ValueError):
        data = b""
    if not comma or not data:
        raise ValueError(f"{shortened(text)!r} is no whole data: URI with a comma and Base64 after it.")
    return data
