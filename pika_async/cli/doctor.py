"""The command `doctor`: what is installed and set, whether it works, and what to do where it does not."""

from __future__ import annotations

import asyncio
import json
import platform
import shlex
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click
from attrs import asdict, frozen

from pika_async import PikaError, __version__, installed
from pika_async.cli._command import command, json_option
from pika_async.cli._ledger import Place, arguments, ledger_option, place, shown
from pika_async.cli._terminal import printable
from pika_async.provider import Secret

if TYPE_CHECKING:
    from pika_async.ledger import Database

_SLACK: Final = 5.0
_LONG: Final = 60.0
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
def doctor(*, as_json: bool, ledger: Place | None) -> None:
    """Check this installation. Exits with 1 when something is wrong; no key is ever shown."""
    at = place(ledger)
    # Opening the ledger may change its time, so the clock is compared with it first.
    findings = [_version(), *_providers()]
    if isinstance(at, Path):
        findings.append(_clock(at))
    findings += asyncio.run(_ledger(at))
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


async def _ledger(at: Place) -> list[Finding]:
    """Return whether the ledger can be read and what in it waits for a person; makes no file."""
    from pika_async.ledger import examine, open_ledger

    path = shown(at)
    if isinstance(at, Path) and not await asyncio.to_thread(at.exists):
        return [
            Finding(subject="ledger", state="ok", told=f"{path} does not exist yet; the first job makes it")
        ]
    database: list[Finding] = []
    try:
        async with open_ledger(at) as ledger:
            unfinished = [job async for job in ledger.unfinished() if job.state != "abandoned"]
        if isinstance(at, Secret):
            database = list(_database(await examine(at)))
    except PikaError as error:
        return [Finding(subject="ledger", state="wrong", told=f"{path} cannot be used", advice=error.message)]
    told = f"{path} is sound; {len(unfinished)} {'job is' if len(unfinished) == 1 else 'jobs are'} under way"
    findings = [Finding(subject="ledger", state="ok", told=told), *database]
    unresolved = [job.id for job in unfinished if job.needs_person]
    if unresolved:
        findings.append(
            Finding(
                subject="unresolved",
                state="wrong",
                told=f"{len(unresolved)} of them may have been bought, or not: only a person can tell",
                advice="Look at the provider's console, then settle each, such as with: "
                f"pika-async resolve {shlex.join(arguments(at))} {unresolved[0]}",
            )
        )
    return findings


def _database(told: Database) -> Iterator[Finding]:
    """Return what the database promises, and what slows it down."""
    yield Finding(
        subject="database",
        state="ok",
        told=f"Postgres {told.version}, schema {told.schema}; {told.processes} processes have it open",
    )
    yield Finding(
        subject="clock",
        state="ok" if abs(told.ahead) <= _SLACK else "note",
        told=f"the database's is {abs(told.ahead):.1f} s {'ahead' if told.ahead >= 0 else 'behind'}",
        advice="" if abs(told.ahead) <= _SLACK else "Only the database's clock counts; set this machine's.",
    )
    yield Finding(
        subject="failover",
        state="ok" if told.synchronous or not told.standbys else "note",
        told="commits wait for a standby"
        if told.synchronous
        else f"{told.standbys} standbys may lag"
        if told.standbys
        else "no standby is connected",
        advice=""
        if told.synchronous or not told.standbys
        else "A failover may lose claims, whose jobs then wait for a person: set synchronous_standby_names.",
    )
    oldest = told.oldest_transaction
    yield Finding(
        subject="transactions",
        state="ok" if oldest < _LONG else "note",
        told=f"the oldest is open for {oldest:.0f} s",
        advice="" if oldest < _LONG else "It slows every claim down. Look at pg_stat_activity, and end it.",
    )
    yield Finding(
        subject="pool",
        state="note" if told.pooled else "ok",
        told="a pool such as pgbouncer is in between" if told.pooled else "connections are direct",
        advice="Nothing is heard through it: open with ledger_at(address, listen_dsn=...)."
        if told.pooled
        else "",
    )


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
