"""The command `doctor`: what is installed and set, whether it works, and what to do where it does not."""

from __future__ import annotations

import asyncio
import json
import platform
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

import click
from attrs import asdict, frozen

from pika_async import PikaError, __version__, installed
from pika_async.cli._command import command, json_option
from pika_async.cli._ledger import ledger_option, place
from pika_async.cli._terminal import printable

_STYLES: Final = {"ok": "green", "note": "yellow", "wrong": "red"}


@frozen(kw_only=True)
class Finding:
    """One thing examined; *advice* says what to do, where there is something to do."""

    subject: str
    state: Literal["ok", "note", "wrong"]
    told: str
    advice: str = ""


@command("doctor", "pika-async doctor", "pika-async doctor --ledger jobs.db --json")
@json_option()
@ledger_option
def doctor(*, as_json: bool, ledger: Path | None) -> None:
    """Examine this installation. Exits with 1 when something is wrong; no key is ever shown."""
    file = place(ledger)
    # Opening the ledger may change its time, so the clock is compared with it first.
    findings = [_version(), *_providers(), _clock(file), *asyncio.run(_ledger(file))]
    wrong = any(finding.state == "wrong" for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": not wrong, "findings": [asdict(finding) for finding in findings]}))
    else:
        _show(findings)
    if wrong:
        click.get_current_context().exit(1)


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


def _version() -> Finding:
    python = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding(subject="pika-async", state="ok", told=f"{__version__}, {python}")


def _providers() -> Iterator[Finding]:
    """Return which providers work, and whose key can be used; never what it is."""
    for one in installed.providers().values():
        yield _provider(one)
        if one.problem is not None:
            yield Finding(
                subject=one.name, state="wrong", told="cannot use its key or address", advice=one.problem
            )


def _provider(one: installed.Installed) -> Finding:
    if one.capabilities is None:
        return Finding(
            subject=one.name,
            state="wrong",
            told=f"is broken: {one.broken}",
            advice=f"Update or remove {one.distribution}.",
        )
    if one.key_variable is not None:
        return Finding(subject=one.name, state="ok", told=f"works; its key is in {one.key_variable}")
    variables = " or ".join(one.capabilities.key_variables)
    return Finding(
        subject=one.name,
        state="note" if variables else "ok",
        told="works; no key is set",
        advice=f"To use it, set {variables}." if variables else "",
    )


async def _ledger(path: Path) -> list[Finding]:
    """Return whether the ledger can be read and what in it waits for a person; makes no file."""
    from pika_async.ledger import open_ledger

    if not await asyncio.to_thread(path.exists):
        return [
            Finding(subject="ledger", state="ok", told=f"{path} does not exist yet; the first job makes it")
        ]
    try:
        async with open_ledger(path) as ledger:
            unfinished = [job async for job in ledger.unfinished() if job.state != "abandoned"]
    except PikaError as error:
        return [Finding(subject="ledger", state="wrong", told=f"{path} cannot be used", advice=error.message)]
    told = f"{path} is sound; {len(unfinished)} {'job is' if len(unfinished) == 1 else 'jobs are'} under way"
    findings = [Finding(subject="ledger", state="ok", told=told)]
    unresolved = [job.id for job in unfinished if job.needs_person]
    if unresolved:
        findings.append(
            Finding(
                subject="unresolved",
                state="wrong",
                told=f"{len(unresolved)} of them may have been bought, or not: only a person can tell",
                advice="Look at the provider's console, then settle each, such as with: "
                f"pika-async resolve --ledger {path} {unresolved[0]}",
            )
        )
    return findings


def _clock(beside: Path) -> Finding:
    """Return whether the clock can be right: leases and history look-ups are measured with it."""
    now = time.time()
    newest = beside.stat().st_mtime if beside.exists() else 0.0
    said = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if newest > now + 60.0:
        return Finding(
            subject="clock",
            state="wrong",
            told=f"says {said}, before the ledger's last change",
            advice="Set the clock; lost answers are looked for by time.",
        )
    return Finding(subject="clock", state="ok", told=f"says {said}")
