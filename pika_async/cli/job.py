"""The command `job`: all that the ledger knows of one job, and what to do next."""

from __future__ import annotations

import asyncio
import json
import shlex
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pika_async.cli._command import command as make_command
from pika_async.cli._ledger import find, ledger_option, opened, unknown
from pika_async.cli._words import age, printable

if TYPE_CHECKING:
    from pika_async._ledger.records import Attempt, JobRecord, Move

_WIDTH = 80
_LABEL = 12


@make_command(
    "job",
    "pika-async job k3jq7xvm",
    "pika-async job pika1.WyJqMSIs...2f8b4ecb --json",
)
@click.argument("job_id", metavar="ID|TOKEN")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@ledger_option
def command(job_id: str, as_json: bool, ledger: Path | None) -> None:
    """Show one job: attempts, history, result, and what to do next. Asks no provider.

    The start of an id is enough if no other job's begins so.
    """
    job, moves = asyncio.run(_read(job_id, ledger))
    options = ["--ledger", str(ledger)] if ledger else []
    if as_json:
        click.echo(json.dumps(_described(job, moves, options), indent=2))
    else:
        for line in _lines(job, moves, options, time.time()):
            click.echo(printable(line))


async def _read(text: str, file: Path | None) -> tuple[JobRecord, Sequence[Move]]:
    async with opened(file) as ledger:
        job = await find(ledger, text)
        if job is None:
            raise unknown(text, file)
        return job, await ledger.history(job.id)


def _described(job: JobRecord, moves: Sequence[Move], options: Sequence[str]) -> Mapping[str, Any]:
    from attrs import asdict

    from pika_async.cli import _record

    failure = _record.error(job)
    return {
        **_record.summary(job),
        "request": _record.request(job),
        "attempts": [_attempt(attempt) for attempt in job.attempts],
        "history": [{**asdict(move), "at": _record.moment(move.at)} for move in moves],
        "results": [asdict(result) for result in _record.results(job)],
        "error": None
        if failure is None
        else {
            "type": type(failure).__name__,
            "message": failure.message,
            "code": failure.code,
            "trace_id": failure.trace_id,
        },
        "extras": [
            {"task": extra.task.id, "results": [asdict(r) for r in getattr(extra, "results", ())]}
            for extra in job.extras
        ],
        "next": [
            shlex.join(("pika-async", *words)) for _, words in _record.next_steps(job, options) if words
        ],
    }


def _attempt(attempt: Attempt) -> Mapping[str, Any]:
    from pika_async._ledger.records import charged
    from pika_async.cli._record import moment

    return {
        "id": attempt.id,
        "number": attempt.number,
        "account": attempt.account,
        "state": attempt.state,
        "claimed_at": None if attempt.claimed_at is None else moment(attempt.claimed_at),
        "task": None if attempt.task is None else attempt.task.id,
        "charged": charged(attempt),
        "superseded": attempt.superseded,
        "abandoned": attempt.abandoned,
        "message": getattr(attempt.outcome, "message", None),
        "trace_id": getattr(attempt.outcome, "trace_id", None),
    }


def _lines(job: JobRecord, moves: Sequence[Move], options: Sequence[str], now: float) -> Iterator[str]:
    from pika_async.cli import _record

    yield f"{job.id} {_record.standing(job)}"
    yield ""
    yield from _labelled("kind", _record.kind(job) or "not known here: the job came by its token")
    for name, value in _record.request(job).items():
        yield from _labelled(name.replace("_", " "), value if isinstance(value, str) else json.dumps(value))
    yield from _labelled("ordered", f"{_clock(job.created_at)}, {age(now - job.created_at)} ago")
    yield from _labelled("charged", _record.charge(job))
    # One line, however long: it must survive being copied.
    yield f"  {'token':<{_LABEL}}{_record.token(job)}"
    for result in _record.results(job):
        yield f"  {'video':<{_LABEL}}{result.video_url or result.state}"
    for extra in job.extras:
        links = [r.video_url or r.state for r in getattr(extra, "results", ())]
        yield f"  {'also paid':<{_LABEL}}task {extra.task.id} {' '.join(links)}"
    failure = _record.error(job)
    if failure is not None:
        yield from _labelled("error", failure.message)
        yield from _labelled("trace id", failure.trace_id)
    yield ""
    yield "Attempts"
    for attempt in job.attempts:
        yield f"  {attempt.number}  {_told(attempt)}"
    if moves:
        yield ""
        yield "History"
        for move in moves:
            yield f"  {_clock(move.at)}  {_moved(job, move)}"
    yield from _next(_record.next_steps(job, options))


def _labelled(name: str, value: str | None) -> Iterator[str]:
    if value:
        indent = " " * (_LABEL + 2)
        first = f"  {name:<{_LABEL - 1}} "
        yield from textwrap.wrap(
            value,
            _WIDTH,
            initial_indent=first,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _told(attempt: Attempt) -> str:
    sent = f"claimed {_clock(attempt.claimed_at)}" if attempt.claimed_at else "never sent"
    task = [f"task {attempt.task.id}"] if attempt.task else []
    words = [word for word in ("superseded", "abandoned") if getattr(attempt, word)]
    return ", ".join((f"{attempt.state} on {attempt.account}", sent, *task, *words))


def _moved(job: JobRecord, move: Move) -> str:
    attempt = job.attempt(move.subject)
    what = f"attempt {attempt.number}" if attempt else "job"
    change = move.after if move.before in {None, move.after} else f"{move.before} -> {move.after}"
    return f"{what:<11}{change}{f' ({move.note})' if move.note else ''}"


def _next(steps: Sequence[tuple[str, Sequence[str] | None]]) -> Iterator[str]:
    if steps:
        yield ""
    for sentence, words in steps:
        yield sentence
        if words:
            yield f"  {shlex.join(('pika-async', *words))}"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
