"""The command `job`: all that the ledger knows of one job, and what to do next."""

from __future__ import annotations

import asyncio
import json
import shlex
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click
from attrs import asdict

from pika_async.cli._command import command, json_option
from pika_async.cli._ledger import Place, arguments, job_argument, ledger_option, opened, unknown
from pika_async.cli._terminal import age, printable
from pika_async.cli.jobs import moment, summary

if TYPE_CHECKING:
    from pika_async.ledger import AttemptView, HistoryLine, JobView

_WIDTH: Final = 80
_LABEL: Final = 12
_NOTE: Final = 72

Step: TypeAlias = tuple[str, Sequence[str] | None]
"""A sentence, and the words of the command that does what it says, if there is one."""


@command(
    "job",
    "pika-async job k3jq7xvm",
    "pika-async job pika1.WyJqMSIs...2f8b4ecb --json",
)
@job_argument
@json_option()
@ledger_option
def job(job_id: str, as_json: bool, ledger: Place | None) -> None:
    """Show one job: attempts, history, result, and what to do next. Asks no provider.

    The start of an id is enough if no other job's begins so.
    """
    found, history = asyncio.run(_read(job_id, ledger))
    options = arguments(ledger)
    if as_json:
        click.echo(json.dumps(_described(found, history, options), indent=2))
    else:
        for line in _lines(found, history, options, time.time()):
            click.echo(printable(line))


async def _read(text: str, file: Place | None) -> tuple[JobView, Sequence[HistoryLine]]:
    async with opened(file) as ledger:
        found = await ledger.job(text)
        if found is None:
            raise unknown(text, file)
        return found, await ledger.history(found.id)


def _described(found: JobView, history: Sequence[HistoryLine], options: Sequence[str]) -> Mapping[str, Any]:
    said = ("message", "code", "trace_id")
    error = found.error and {
        "type": type(found.error).__name__,
        **{name: getattr(found.error, name) for name in said},
    }
    return {
        **summary(found),
        "request": found.request,
        "attempts": [_attempt(attempt) for attempt in found.attempts],
        "history": [{**asdict(line), "at": moment(line.at)} for line in history],
        "results": [asdict(result) for result in found.results],
        "error": error,
        "extras": [
            {"task": extra.task, "results": [asdict(result) for result in extra.results]}
            for extra in found.extras
        ],
        "next": [shlex.join(("pika-async", *words)) for _, words in _next_steps(found, options) if words],
    }


def _attempt(attempt: AttemptView) -> Mapping[str, Any]:
    claimed_at = None if attempt.claimed_at is None else moment(attempt.claimed_at)
    return {**asdict(attempt), "claimed_at": claimed_at}


def _lines(
    found: JobView, history: Sequence[HistoryLine], options: Sequence[str], now: float
) -> Iterator[str]:
    yield f"{found.id} {found.state}"
    yield ""
    yield from _labelled("kind", found.kind or "not known here: the job came by its token")
    for name, value in found.request.items():
        yield from _labelled(name.replace("_", " "), value if isinstance(value, str) else json.dumps(value))
    yield from _labelled("ordered", f"{_clock(found.created_at)}, {age(now - found.created_at)} ago")
    yield from _labelled("charged", found.charged)
    if found.attempt.price is not None:
        yield from _labelled("price", str(found.attempt.price))
    if found.cost is not None:
        yield from _labelled("cost", f"{found.cost:g}")
    # One line, however long: it must survive being copied.
    yield f"  {'token':<{_LABEL}}{found.token}"
    for result in found.results:
        yield f"  {'video':<{_LABEL}}{result.video_url or result.state}"
    for extra in found.extras:
        links = [result.video_url or result.state for result in extra.results]
        yield f"  {'also paid':<{_LABEL}}task {extra.task} {' '.join(links)}"
    if found.error is not None:
        yield from _labelled("error", found.error.message)
        yield from _labelled("trace id", found.error.trace_id)
    yield ""
    yield "Attempts"
    for attempt in found.attempts:
        yield f"  {attempt.number}  {_told(attempt)}"
    if history:
        yield ""
        yield "History"
        for line in history:
            yield f"  {_clock(line.at)}  {_moved(line)}"
    steps = _next_steps(found, options)
    if steps:
        yield ""
    for sentence, words in steps:
        yield sentence
        if words:
            yield f"  {shlex.join(('pika-async', *words))}"


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


def _told(attempt: AttemptView) -> str:
    if attempt.claimed_at is not None:
        sent = f"sent {_clock(attempt.claimed_at)}"
    elif attempt.task is not None:
        sent = "sent by another process"
    else:
        sent = "not sent"
    task = [f"task {attempt.task}"] if attempt.task else []
    words = [word for word in ("superseded", "abandoned") if getattr(attempt, word)]
    return ", ".join((f"{attempt.state} on {attempt.account}", sent, *task, *words))


def _moved(line: HistoryLine) -> str:
    what = "job" if line.attempt is None else f"attempt {line.attempt}"
    change = line.after if line.before in {None, line.after} else f"{line.before} -> {line.after}"
    return f"{what:<11}{change}{f' ({textwrap.shorten(line.note, _NOTE)})' if line.note else ''}"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _next_steps(found: JobView, options: Sequence[str]) -> Sequence[Step]:
    recover = ("recover", *options)
    if found.may_fetch:
        return [("To get its video:", ("fetch", found.id, *options, "-o", "FILE"))]
    match found.state:
        case "queued":
            return [
                (
                    "Nothing was sent or paid. If the process that ordered it is gone, this buys it:",
                    ("recover", "--queued", *options),
                )
            ]
        case "submitting":
            return [
                ("Nothing was sent yet. If the process that was to do so is gone, this buys it:", recover)
            ]
        case "sending":
            return [
                ("It is being sent. If the process that did so is gone, this finds out, at no cost:", recover)
            ]
        case "ambiguous":
            return [("Do not order it again. This looks for it, at no cost:", recover)]
        case "unresolved":
            look: Step = (f"Look at {found.provider}'s console.", None)
            again: Step = (
                "If it is not there, this buys it again; if it was accepted after all, both are paid:",
                ("resolve", found.id, "--resubmit", *options),
            )
            abandon: Step = ("To give it up:", ("resolve", found.id, "--abandon", *options))
            return [look, *([again] if found.may_resubmit else ()), abandon]
        case "abandoned":
            return [("It was given up on your word; should its video turn up, it is kept.", None)]
        case "cancelled" if found.charged == "no":
            return [("It was cancelled before it was sent; nothing was bought.", None)]
        case _:
            return []
