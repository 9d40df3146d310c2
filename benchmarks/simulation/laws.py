"""What must hold once a world has calmed down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.simulation.media import file_of
from benchmarks.simulation.world import World
from pika_async._ledger.records import AttemptState, JobRecord, JobState
from pika_async._ledger.standing import LOST, in_doubt

_TRIES = 3
"""After so many connections for which the ledger's mark came too late, an order fails."""
_RESTING = {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


def at_rest(job: JobRecord) -> bool:
    """Return whether only a person, or late evidence, can move the job."""
    return job.state in _RESTING or in_doubt(job) is not None


def broken_laws(world: World, records: Sequence[JobRecord]) -> Iterator[str]:
    """Say of each law what breaks it."""
    yield from laws_at_all_times(world)
    if world.remembers:
        yield from _found(world, records)
        yield from _ended(world, records)
    yield from _slots(world, records)
    yield from _callers(world)


def laws_at_all_times(world: World) -> Iterator[str]:
    """Each attempt is bought at most once, a doubt buys nothing without a word, and files are whole."""
    for prompt, bills in world.bills.items():
        if len(bills) > 1 + world.asked[prompt].resubmits:
            yield f"{prompt} was bought {len(bills)} times, with {world.asked[prompt].resubmits} words"
        named = [bill.attempt for bill in bills if bill.attempt is not None]
        if len(named) != len(set(named)):
            yield f"an attempt of {prompt} was bought twice"
    if world.folder is not None:
        for order in world.plan.orders:
            saved, asked = world.folder.saved(order.number), world.asked[order.prompt]
            whole = (file_of(link, n) for link in asked.videos for n in range(world.versions[link] + 1))
            if saved is not None and saved not in whole:
                yield f"the file of {order.prompt} is not its whole video"
            if saved is None and asked.saved:
                yield f"the file of {order.prompt} is gone"


def _found(world: World, records: Sequence[JobRecord]) -> Iterator[str]:
    """What was bought is in the ledger with its task, or is shown as a doubt where nothing can find it."""
    for prompt in world.asked:
        bills = world.bills.get(prompt, [])
        jobs = [job for job in records if world.prompt_of(job.id) == prompt]
        known = {a.task.id for job in jobs for a in job.attempts if a.task is not None}
        known |= {extra.task.id for job in jobs for extra in job.extras}
        doubts = sum(a.state in LOST and a.task is None for job in jobs for a in job.attempts)
        sent = world.asked[prompt].sent
        if doubts > sent and not world.plan.faults & {"crash", "stop", "close"}:
            yield f"{prompt} has {doubts} doubts and was sent {sent} times"
        missing = [bill for bill in bills if bill.task is not None and bill.task not in known]
        if len(missing) > doubts:
            yield f"{prompt} was bought, and the ledger neither has the task nor a doubt"
        if missing and world.has_history(prompt) and not world.leapt_far:
            yield f"{prompt} was bought and is in the provider's history, and nobody found it"
        # What a person has given up is looked up no more.
        succeeded = any(job.state is JobState.SUCCEEDED for job in jobs)
        succeeded = succeeded or any(a.abandoned for job in jobs for a in job.attempts)
        if bills and not missing and world.renders_well(prompt) and not succeeded:
            yield f"{prompt} was rendered and did not succeed"


def _ended(world: World, records: Sequence[JobRecord]) -> Iterator[str]:
    """No job stays open without a doubt that is shown, and trouble neither cancels one nor gives it up."""
    for job in records:
        prompt, states = world.prompt_of(job.id), ", ".join(a.state for a in job.attempts)
        if not (at_rest(job) or world.is_left(job)):
            yield f"{prompt} is left {states}"
        if job.state is JobState.CANCELLED and not world.asked[prompt].cancelled:
            yield f"{prompt} was cancelled, and nobody wanted that"
        reached = world.asked[prompt].turned_away or world.bills.get(prompt)
        if job.state is JobState.FAILED and not reached and len(job.attempts) < _TRIES:
            yield f"{prompt} has failed, and was neither refused nor bought"
        if job.state is JobState.SUCCEEDED and not world.bills.get(prompt):
            yield f"{prompt} has succeeded and was never bought"
        if any(a.state is AttemptState.QUEUED for a in job.attempts) and job.state in _RESTING:
            yield f"{prompt} has ended with an attempt that may still be sent"


def _slots(world: World, records: Sequence[JobRecord]) -> Iterator[str]:
    """Every slot is given back: what accounts hold is what their attempts hold."""
    for key, slots in world.slots().items():
        held = sum(a.slot for job in records for a in job.attempts if a.account == key)
        open_ = sum(
            a.state in LOST or a.state is AttemptState.RUNNING
            for job in records
            for a in job.attempts
            if a.account == key
        )
        if slots != held:
            yield f"{key} counts {slots} slots, and its attempts hold {held}"
        if held > open_:
            yield f"{key} holds {held} slots for {open_} attempts that are open"
    for process in world.living():
        for key, stats in process.pika._lifecycle._engine.stats().items():
            if stats.on_the_wire or stats.queued:
                yield f"{process.name} has {stats.on_the_wire} on the wire and {stats.queued} queued"
            if stats.outbox_age is not None:
                yield f"{process.name} still has something to tell the ledger"
            # After trouble of a shared ledger a process may be wrong until its next claim.
            if stats.in_flight != world.slots().get(key, 0) and not world.plan.troubles_the_ledger:
                yield f"{process.name} counts {stats.in_flight} slots of {world.slots().get(key, 0)}"


def _callers(world: World) -> Iterator[str]:
    """Nobody waits for what has ended, and nobody got the video of another order."""
    for process in world.all_processes:
        for task, name in process.callers.items():
            if not task.done():
                if process in world.living():
                    yield f"{process.name}: {name} still waits"
            elif not task.cancelled() and (error := task.exception()) is not None:
                yield f"{process.name}: {name} raised {error!r}"
    for process in world.processes:
        if process.alive and not process.ready:
            yield f"{process.name} never opened"
    for prompt, asked in world.asked.items():
        tasks = {bill.task for bill in world.bills.get(prompt, ())}
        for link in asked.videos:
            if not any(task is not None and task in link for task in tasks):
                yield f"the caller of {prompt} got a video that is not of its order"
