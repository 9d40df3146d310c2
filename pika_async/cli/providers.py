"""The command `providers`: who is installed, what each can do, and whose key is set."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from pika_async import installed
from pika_async.cli._command import command, json_option
from pika_async.cli._terminal import printable, seconds

if TYPE_CHECKING:
    from pika_async.installed import Installed
    from pika_async.provider import Capabilities

_CALLBACKS = {"no": "none", "optional": "optional", "required": "always", "account": "account"}


@command("providers", "pika-async providers", "pika-async providers --json")
@json_option()
def providers(as_json: bool) -> None:
    """List the installed providers and what they can do. Broken providers are listed with the reason."""
    found = installed.providers()
    if as_json:
        click.echo(json.dumps({"providers": [_described(one) for one in found.values()]}, indent=2))
    else:
        _show(found)


def _described(one: Installed) -> Mapping[str, Any]:
    """Return *one* as JSON; of keys it says whether they are set, and never what they are."""
    described = {"name": one.name, "distribution": one.distribution, "broken": one.broken}
    able = one.capabilities
    if able is None:
        return described
    return described | {
        "kinds": _kinds(able),
        "fields": sorted(able.fields),
        "models": able.models,
        "styles": able.styles,
        "closed_styles": able.closed_styles,
        "inline_media": able.inline_media,
        "callbacks": able.callbacks,
        "poll_batch": able.poll_batch,
        "render_time": able.render_time,
        "keys": {variable: _is_set(variable) for variable in able.key_variables},
    }


def _show(found: Mapping[str, Installed]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for number, one in enumerate(found.values()):
        if number:
            table.add_row()
        table.add_row(Text(one.name, style="bold"), Text(f"from {one.distribution}"))
        for label, value in _lines(one):
            table.add_row(Text(f"  {label}"), Text(printable(value)))
    Console().print(table)


def _lines(one: Installed) -> Iterator[tuple[str, str]]:
    able = one.capabilities
    if able is None:
        yield "broken", f"{one.broken}; update or remove {one.distribution}"
        return
    yield "kinds", ", ".join(_kinds(able))
    yield "fields", ", ".join(sorted(able.fields))
    yield "models", ", ".join(able.models) or "not listed"
    if able.styles:
        yield "styles", ", ".join(able.styles) + ("" if able.closed_styles else " and others")
    yield "media", _media(able)
    yield "callbacks", _CALLBACKS[able.callbacks]
    yield "look-ups", f"{able.poll_batch} jobs at a time" if able.poll_batch > 1 else "one job at a time"
    yield "a render", f"usually takes about {seconds(able.render_time)}"
    states = (f"{name} ({'set' if _is_set(name) else 'not set'})" for name in able.key_variables)
    yield "key", " or ".join(states) or "none needed"


def _media(able: Capabilities) -> str:
    takes = [able.takes(name) for name in sorted(able.media)] or [able.takes("image")]
    links = any(one.links for one in takes)
    if not any(one.inline or one.uploads for one in takes):
        return "links only"
    return "links and files" if links else "files, into which links are read"


def _kinds(able: Capabilities) -> list[str]:
    return sorted(kind.__name__.lower() for kind in able.kinds)


def _is_set(variable: str) -> bool:
    return bool(os.environ.get(variable, "").strip())
