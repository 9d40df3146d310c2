"""The command `new-provider`: a distribution for an adapter, whose tests pass at once."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

import click

from pika_async import ConfigError, __version__
from pika_async.cli._command import command
from pika_async.cli._terminal import say

_FILES: Final = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "readme.md.txt",
    "pika_{name}/__init__.py": "init.py.txt",
    "pika_{name}/adapter.py": "adapter.py.txt",
    "tests/test_{name}.py": "test.py.txt",
}
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")


@command("new-provider", "pika-async new-provider example", "pika-async new-provider example --to adapters")
@click.argument("name")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Write the folder pika-NAME here.  [default: the current folder]",
)
def new_provider(name: str, folder: Path) -> None:
    """Create an adapter for the provider NAME.

    It is a distribution of its own. Its tests pass already, against an invented API. `FILL IN` marks
    what you must write.
    """
    if _NAME.fullmatch(name) is None:
        raise click.BadParameter(
            "use small letters, digits and _, and begin with a letter.", param_hint="NAME"
        )
    home = folder / f"pika-{name}"
    if home.exists():
        raise ConfigError(f"{home} is there already; choose another name or folder.")
    words = {
        "name": name,
        "title": "".join(part.capitalize() for part in name.split("_")),
        "variable": f"{name.upper()}_API_KEY",
        "version": __version__,
    }
    templates = files("pika_async.cli.new_provider")
    for path, template in _FILES.items():
        file = home / path.format(name=name)
        file.parent.mkdir(parents=True, exist_ok=True)
        text = Template(templates.joinpath(template).read_text("utf-8"))
        file.write_text(text.substitute(words), "utf-8")
    say("Write what is marked FILL IN, then run its tests; README.md says how.")
    click.echo(home)
