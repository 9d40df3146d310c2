"""Forgetting jobs which others may change meanwhile: those are read again."""

from __future__ import annotations

from pika_async._ledger.forgetting import UPLOADS, forgotten, is_over
from pika_async._ledger.postgres import pruning
from pika_async._ledger.postgres.known import Known
from pika_async._ledger.postgres.orders import TRIES, has_row, no_answer, too_often
from pika_async._ledger.postgres.reading import Reading
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.postgres.writer import Writer
from pika_async._ledger.standing import settled


async def forget(
    reading: Reading, writer: Writer, known: Known, job_id: str, *, media_only: bool = False
) -> bool:
    """Forget the prompt and media of a job that has ended; False for one that has not, or is not there."""
    for _ in range(TRIES):
        job = await reading.job(job_id)
        if job is None or not settled(job):
            return False
        left = forgotten(job, media_only=media_only)
        done = await writer.do_on(pruning.forget_one(left, known.jobs[job_id].revision))
        known.forget([job_id])
        if done is not None:
            return True
    raise too_often()


async def prune(reading: Reading, writer: Writer, known: Known, older_than: float, now: float) -> int:
    """Forget settled jobs made before *older_than*, some in each of many transactions."""
    links = await reading.rows(pruning.LINKS, UPLOADS)
    if over := [name for name, state in links if is_over(name, state, now)]:
        await writer.do(lambda _: [Statement(pruning.FORGET_LINKS, (over,))], no_answer)
    pruned = last = races = 0
    while found := await reading.rows(pruning.SETTLED, float(older_than), last, pruning.AT_ONCE):
        ids = [job_id for job_id, *_ in found]
        outcomes = await reading.rows(pruning.OUTCOMES, ids)
        done = await writer.do_on(pruning.forget(found, outcomes))
        known.forget(ids)
        if done is None:
            races += 1
            if races >= TRIES:
                raise too_often()
            continue  # one of them was forgotten, or found its task, since they were read
        pruned, last = pruned + len(found), found[-1][-1]
    while await writer.do(lambda _: [Statement(pruning.ORPHANS, (float(older_than),))], has_row):
        pass
    return pruned
