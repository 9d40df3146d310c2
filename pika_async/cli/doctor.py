"""The command `doctor`: what is installed and set, whether it works, and what to do where it does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import asdict

from pika_async.cli._command import command as make_command
from pika_async.cli._ledger import ledger_option, place
from pika_async.cli._words import printable

if TYPE_CHECKING:
    from pika_async.cli._findings import Finding

_STYLES = {"ok": "green", "note": "yellow", "wrong": "red"}


@make_command(
    "doctor", "pika-async doctor", "pika-async doctor --network", "pika-async doctor --ledger jobs.db --json"
)
@click.option("--network", is_flag=True, help="Also connect to each provider; nothing is asked or bought.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@ledger_option
def command(*, network: bool, as_json: bool, ledger: Path | None) -> None:
    """Examine this installation. Exits with 1 when something is wrong; no key is ever shown."""
    findings = asyncio.run(_examined(place(ledger), network=network))
    wrong = any(finding.state == "wrong" for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": not wrong, "findings": [asdict(finding) for finding in findings]}))
    else:
        _show(findings)
    if wrong:
        click.get_current_context().exit(1)


async def _examined(ledger: Path, *, network: bool) -> list[Finding]:
    from pika_async.cli import _findings

    findings = [
        *_findings.versions(),
        *_findings.providers(),
        # Opening the ledger may change its time.
        *await asyncio.to_thread(_findings.clock, ledger),
        *await _findings.ledger(ledger),
    ]
    return findings + (await _findings.network() if network else [])


def _show(findings: Iterable[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for finding in findings:
        told = Text(printable(finding.told))
        if finding.advice:
            told.append(f"\n{printable(finding.advice)}", style="bold")
        table.add_row(
            Text(finding.state, style=_STYLES[finding.state]), Text(printable(finding.subject)), told
        )
    Console().print(table)
