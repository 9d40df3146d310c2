"""The command line: one file per command, each loaded when it is asked for."""

from __future__ import annotations

import sys
from typing import Final

_EXTRA: Final = frozenset({"click", "jinja2", "platformdirs", "rich"})


def main() -> None:
    """Run `pika-async` on the arguments of this process."""
    try:
        from pika_async.cli._app import app

        app(prog_name="pika-async")
    except ModuleNotFoundError as missing:
        # Other packages bring some of these, so that it may turn out late.
        if (missing.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.exit("The command line needs more packages: install 'pika-async[cli]', or '.[cli]' in a clone.")
    except KeyboardInterrupt:
        sys.exit(130)
