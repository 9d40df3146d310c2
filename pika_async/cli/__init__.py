"""The command line: one file per command, each loaded when it is asked for."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `pika-async` on the arguments of this process."""
    try:
        from pika_async.cli._app import app
    except ModuleNotFoundError as missing:
        if missing.name != "click":
            raise
        sys.exit("The command line needs more packages: install 'pika-async[cli]', or '.[cli]' in a clone.")
    except KeyboardInterrupt:
        sys.exit(130)
    app(prog_name="pika-async")
