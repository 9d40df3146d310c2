"""An open ledger as people read it: jobs, sums and histories, and what they may forget or give up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pika_async._crossing import process_bound
from pika_async._history import HistoryLine, line_of
from pika_async._job_view import JobState, JobView, view_of
from pika_async._ledger.audit import Audit
from pika_async._ledger.events import Abandon
from pika_async._ledger.standing import settled
from pika_async._money import Money
from pika_async._spent import Spending, Spent
from pika_async._token import JobToken, is_token
from pika_async.errors import ConfigError

if TYPE_CHECKING:
    from pika_async._ledger import Ledger
    from pika_async._ledger.records import JobRecord

_PAGE: Final = 500


@process_bound("call open_ledger(path) in the other process")
class LedgerView:
    """An open ledger, for reading; `open_ledger` makes it. Every method raises `LedgerError`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def jobs(
        self, state: JobState | None = None, *, limit: int = 100, before: str | None = None
    ) -> Sequence[JobView]:
        """Return at most *limit* jobs, newest first, of those ordered before the job with the id *before*.

        With *state*, only the jobs in that state.
        """
        found: list[JobView] = []
        while len(found) < limit:
            page = await self._ledger.jobs(_asked(state), limit if state is None else _PAGE, before)
            found += (job for job in map(view_of, page) if state in {None, job.state})
            if not page:
                break
            before = page[-1].id
        return found[:limit]

    async def spent(self, *, since: float | None = None) -> Mapping[str, Spent]:
        """Return what the jobs cost, by provider. What was pruned is not in it.

        With *since*, only jobs that were ordered after that time (seconds since 1970).
        """
        spending = Spending()
        async for record in self._records(since=since):
            spending.add(view_of(record))
        return spending.told()

    async def counted(self) -> Sequence[Money]:
        """Return what counts towards `Pika(max_cost=)`, one sum for each unit; what was pruned is in it."""
        sums = (await self._ledger.usage("")).spent
        return [Money(micros, unit) for unit, micros in sorted(sums.items())]

    async def unfinished(self) -> AsyncIterator[JobView]:
        """Yield every job that has not ended, newest first."""
        async for record in self._records("open"):
            yield view_of(record)

    async def job(self, text: str) -> JobView | None:
        """Return the job that *text* names: a token, an id, or the start of one id only. None for no job.

        Raises `ConfigError` for a token that was not copied whole.
        """
        text = text.strip()
        named = JobToken.decode(text).job_id if is_token(text) else None
        record = await (self._ledger.find(text) if named is None else self._ledger.get(named))
        return None if record is None else view_of(record)

    async def history(self, job_id: str) -> Sequence[HistoryLine]:
        """Return what happened to a job, oldest first."""
        record = await self._ledger.get(job_id)
        if record is None:
            return ()
        return [line_of(record, move) for move in await self._ledger.history(job_id)]

    async def abandon(self, job_id: str) -> JobView:
        """Give up an unresolved job, on a person's word. Sends nothing; a video that comes late is kept."""
        record = await self._ledger.get(job_id)
        if record is None:
            raise ConfigError(f"No job in the ledger has the id {job_id!r}.")
        decisive = view_of(record).attempt
        return view_of((await self._ledger.apply(job_id, Abandon(attempt=decisive.id))).after)

    async def check(self) -> Sequence[str]:
        """Read every job, and return what does not agree, a sentence each; nothing is changed."""
        audit = Audit()
        async for record in self._records():
            audit.add(record)
        slots = {account: (await self._ledger.usage(account)).slots for account in audit.slots}
        return audit.told(slots, (await self._ledger.usage("")).spent)

    async def forget(self, job_id: str, *, media_only: bool = False) -> bool:
        """Forget the prompt, the media and the raw answers of a job that has ended; or its media alone.

        What keeps it from being bought again stays: key, tasks, states and videos. False for a job that may
        still change, or that is not here.
        """
        return await self._ledger.forget(job_id, media_only=media_only)

    async def forget_old(self, ordered_before: float, *, media_only: bool = False) -> int:
        """Forget the same of all ended jobs ordered before that time (seconds since 1970)."""
        count = 0
        async for record in self._records():
            if record.created_at < ordered_before and record.request is not None:
                count += await self._ledger.forget(record.id, media_only=media_only)
        return count

    async def prune(self, ordered_before: float, *, dry_run: bool = False) -> int:
        """Forget ended jobs that were ordered before that time (seconds since 1970); return their number.

        Jobs that may still cost money, or may have cost money without a known result, stay. With *dry_run*
        nothing is forgotten.
        """
        if not dry_run:
            return await self._ledger.prune(ordered_before)
        count = 0
        async for record in self._records():
            count += settled(record) and record.created_at < ordered_before
        return count

    async def _records(
        self, state: str | None = None, *, since: float | None = None
    ) -> AsyncIterator[JobRecord]:
        """Yield every job in that state, newest first; with *since*, none that was ordered before that."""
        before: str | None = None
        while page := await self._ledger.jobs(state, _PAGE, before):
            for record in page:
                if since is not None and record.created_at < since:
                    return
                yield record
            before = page[-1].id


def _asked(state: JobState | None) -> str | None:
    # To the store an abandoned job is an unresolved one.
    return "unresolved" if state == "abandoned" else state
