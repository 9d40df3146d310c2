"""Seeded faults of the engine: each is planted in a copy of the package, and worlds run until a law breaks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from attrs import frozen

import pika_async
from benchmarks._report import Figure, Report
from benchmarks.simulation.run import PATIENCE

CLAIM = "the simulation finds one-line faults of the engine within 1,000 seeds"
_PACKAGE = Path(pika_async.__file__).parent
_SEEDS = 1000
_FIRST = 100
_SHORT = 100.0


@frozen
class Mutant:
    """What is *wrong*: in *module* of *package* stands *new* for *old*.

    *equivalent* says why no world can show it.
    """

    wrong: str
    module: str
    old: str
    new: str
    equivalent: str = ""
    package: str = "_engine"


MUTANTS = (
    # The fence.
    Mutant(
        "the fence does not ask the ledger",
        "sending",
        "if not (await ledger.apply(posted.attempt.job_id, sending)).moved:",
        "if False:",
    ),
    Mutant(
        "the fence sends although the mark was refused",
        "sending",
        "        if not (await ledger.apply(posted.attempt.job_id, sending)).moved:\n            raise StaleFenceError\n",
        "        await ledger.apply(posted.attempt.job_id, sending)\n",
    ),
    Mutant(
        "the fence makes its mark after the first byte",
        "sending",
        "response = await submitted(transport, request, fence, fresh=posted.fresh_connection)\n",
        "response = await transport.submit(request, None)\n        await fence()\n",
    ),
    Mutant(
        "a ledger that fails at the fence is a doubt",
        "sending",
        "        return held_back(posted, error)\n    except Exception",
        "        return unknown(posted, str(error))\n    except Exception",
    ),
    # What an answer proves.
    Mutant(
        "a reset after the first byte is taken for never sent",
        "sending",
        "        if not error.sent:\n",
        "        if True:\n",
    ),
    Mutant(
        "what was never sent is taken for lost",
        "sending",
        "        if not error.sent:\n",
        "        if False:\n",
    ),
    Mutant(
        "a lost answer is sent again at once",
        "sending",
        "status, event = None, _lost(posted, error)",
        "return await send(posted, order, request, transport=transport, ledger=ledger, clock=clock, claimed_at=claimed_at)",
    ),
    Mutant(
        "a page of a gateway is taken for a refusal",
        "answers",
        'return refused(posted, error) if believed else unknown(posted, error.message, error)\n    except PikaError as error:\n        complete(error, name, "submit", response, wall)\n        return unknown(posted, error.message, error)',
        'return refused(posted, error) if believed else unknown(posted, error.message, error)\n    except PikaError as error:\n        complete(error, name, "submit", response, wall)\n        return refused(posted, error)',
    ),
    Mutant(
        "a lost answer is a refusal",
        "answers",
        "    return Unknown(attempt=posted.attempt.id, owner=posted.owner, error=error)",
        "    return Refused(attempt=posted.attempt.id, owner=posted.owner, refusal=refusal_of(error), error=error)",
    ),
    Mutant(
        "a refusal is followed by another purchase of the same account",
        "answers",
        "    account = posted.attempt.account if later else posted.fallback\n",
        "    account = posted.attempt.account\n",
    ),
    # Replays.
    Mutant(
        "a replay's refusal counts",
        "replaying",
        "            case Refused():\n                break",
        "            case Refused() as refused:\n                return refused",
    ),
    Mutant(
        "what keeps no key is replayed",
        "account",
        "    if replay is None:\n        return 0.0\n",
        "    if replay is None:\n        return LONGEST_REPLAY\n",
        "the loop of replays asks for the capability itself",
    ),
    Mutant(
        "every lost answer is replayed, whatever the provider promises",
        "replaying",
        "    while replay is not None and posted.replayable and replay.allows(status):\n",
        "    while True:\n",
    ),
    # Telling the ledger.
    Mutant(
        "an answer is not told",
        "posts",
        "                    await self._told(line, flight, posted, event)",
        "                    pass",
    ),
    Mutant(
        "a claim is sent although another process has it",
        "posts",
        "                and attempt.owner == self._desk.owner\n            ):",
        "            ):",
        "a claim that moved is our own",
    ),
    Mutant(
        "a claim is sent although it was not granted",
        "posts",
        "                change.moved\n                and attempt.state is AttemptState.SUBMITTING\n",
        "                attempt.state is AttemptState.SUBMITTING\n",
        "a claim that was not heard of is our own, and the fence asks whether it still stands",
    ),
    Mutant(
        "an order whose claim failed is given up",
        "unsent",
        "        elif line.ledger_failed(self._clock.now()):\n",
        "        elif True:\n            await self.give_up(flight, error)\n        elif False:\n",
    ),
    Mutant(
        "an order whose claim failed is forgotten",
        "unsent",
        '            log.warning("job %s: not sent, the ledger failed: %s", flight.id, error)\n            line.add(flight)',
        '            log.warning("job %s: not sent, the ledger failed: %s", flight.id, error)',
    ),
    Mutant(
        "an order without a slot is forgotten",
        "posts",
        "                line.add(flight)\n            case obstacle:",
        "                pass\n            case obstacle:",
    ),
    Mutant(
        "a place on the wire is not given back",
        "dispatch",
        "            line.on_the_wire -= 1\n",
        "            pass\n",
    ),
    Mutant(
        "the slot that is asked for is not given back",
        "posts",
        "            line.claiming -= claiming\n",
        "            pass\n",
    ),
    Mutant(
        "a freed slot wakes nobody",
        "lines",
        "            line.slots -= 1\n            self._changed(line)",
        "            line.slots -= 1",
    ),
    Mutant(
        "a freed slot is not counted",
        "lines",
        "            line.slots -= 1\n            self._changed(line)",
        "            self._changed(line)",
    ),
    # The desk and its outbox.
    Mutant(
        "what the ledger could not take is forgotten",
        "desk",
        "            self.outbox.put(flight.id, event, error, None if flight.recorded else _to_record(flight))\n",
        "",
    ),
    Mutant(
        "what waits in the outbox is delivered once and not again",
        "outbox",
        "        except LedgerError:\n            self._pause = min(self._pause * 2, _SLOWEST)\n",
        "        except LedgerError:\n            self._waiting.clear()\n",
    ),
    Mutant(
        "events overtake those that wait in the outbox",
        "desk",
        "            self.outbox.refuse_before_others(flight.id)\n",
        "",
        "the machine takes evidence in any order; what comes late changes nothing",
    ),
    Mutant(
        "one job that is never taken holds back all others",
        "outbox",
        "                self._waiting[job_id] = self._waiting.pop(job_id)\n",
        "",
        "no fault of these worlds lasts for one job alone",
    ),
    Mutant(
        "a job that was never recorded is told to the ledger as if it were",
        "outbox",
        "        if (unrecorded := self._unrecorded.get(job_id)) is not None:",
        "        if (unrecorded := None) is not None:",
    ),
    Mutant(
        "time is believed on a stale record",
        "desk",
        "Resubmit, Abandon, LeaseOver, NothingFound, PassedOver, ReplayOver, SlotOver)",
        "Resubmit, Abandon)",
    ),
    Mutant(
        "a claim goes on although the ledger failed",
        "desk",
        "_NEEDS_THE_LEDGER = (Claim, Resubmit,",
        "_NEEDS_THE_LEDGER = (Resubmit,",
    ),
    # Effects.
    Mutant(
        "a running task is not looked up",
        "effects",
        "            found.append(Look(new, doubted=isinstance(event, Evidence) and event.doubted))",
        "            pass",
    ),
    Mutant(
        "what follows a refusal is not sent",
        "effects",
        "            found.append(Queue(new))",
        "            pass",
    ),
    Mutant(
        "what another process queued and left is sent by nobody",
        "effects",
        "                found.append(Requeued(new))",
        "                pass",
    ),
    Mutant(
        "nobody is told of the end",
        "effects",
        "            found.append(Ended(_end(change)))",
        "            pass",
    ),
    Mutant(
        "nobody is told of a doubt",
        "effects",
        "    return unresolved(doubtful) if doubtful is not None and known is None else None",
        "    return None",
    ),
    Mutant(
        "freed slots are not counted",
        "effects",
        "    found += slots\n",
        "",
    ),
    # What only time moves.
    Mutant(
        "nobody sweeps",
        "sweeper",
        "            self._desk.spawn(self._run())",
        "            pass",
    ),
    Mutant(
        "the sweeper sends what was past the fence again",
        "sweeper",
        "case Attempt(state=AttemptState.SUBMITTING) if now > attempt.lease_until:",
        "case Attempt(state=AttemptState.SUBMITTING | AttemptState.SENDING) if now > attempt.lease_until:",
        "the machine makes a doubt of what is past the fence, whatever is proposed to follow",
    ),
    Mutant(
        "the sweeper keeps no order that was never sent",
        "sweeper",
        "        event = LeaseOver(attempt=attempt.id, next=next_)\n",
        "        event = LeaseOver(attempt=attempt.id)\n",
    ),
    Mutant(
        "what is found in the history is not told",
        "searching",
        "                await self._desk.tell_of(attempt.job_id, evidence)",
        "                pass",
    ),
    Mutant(
        "the lost answer of a living process is not searched for",
        "sweeper",
        "sent = [a for a in attempts if a.task is None and a.state is not AttemptState.SUBMITTING]",
        "sent = [a for a in attempts if a.task is None and a.state in CLAIMED]",
    ),
    Mutant(
        "slots of doubts are held for ever",
        "sweeper",
        "            if attempt.slot and attempt.state in LOST and now > attempt.slot_until:",
        "            if False:",
    ),
    # Looking up.
    Mutant(
        "the lease for look-ups is lost when a task comes while it is given back",
        "looks/leader",
        "                pause = 0.0  # a task came",
        "                pause = None  # a task came",
    ),
    Mutant(
        "who does not lead once never leads again",
        "looks/leader",
        "                self._complete.discard(key)\n                pause = _TRY\n",
        "                self._complete.discard(key)\n                pause = None\n",
    ),
    Mutant(
        "the tasks of a dead process are not taken over",
        "looks/leader",
        "                await self._take_over(key)\n",
        "                pass\n",
    ),
    Mutant(
        "what a look tells is not told to the ledger",
        "looks/looks",
        "        await self._desk.tell_all(events)\n",
        "",
    ),
    Mutant(
        "a look of another task counts",
        "looks/readings",
        "    if found.task.id != task.id:",
        "    if False:",
        "no adapter of these worlds returns another task than it was asked for",
    ),
    # Orders.
    Mutant(
        "one order has two flights when its recording was not heard of",
        "orders",
        "if change.after.id != job_id or job_id in self.desk.flights:",
        "if change.after.id != job_id:",
    ),
    Mutant(
        "whoever comes back with the same key gets another job",
        "orders",
        "_identified(flight.record, request, idempotency_key",
        "_identified(flight.record, request, None",
    ),
    Mutant(
        "a cancelled caller cancels what others wait for",
        "decisions",
        "        nobody_else = not flight.awaited and not flight.kept\n",
        "        nobody_else = True\n",
    ),
    Mutant(
        "recovering sends nothing",
        "resuming",
        "                if queued:\n                    self.send_queued(flight)\n                yield flight",
        "                yield flight",
    ),
    Mutant(
        "closing waits for no POST",
        "dispatch",
        "            await asyncio.wait(self._tasks, timeout=patience)\n",
        "            pass\n",
        "a POST that is cut short is a doubt, which another process looks for",
    ),
    # Downloads.
    Mutant(
        "what came last is not written when a download breaks off",
        "target",
        "        await self._begin_to_write()\n        await self._written()\n\n",
        "        await self._written()\n\n",
        package="_download",
    ),
    Mutant(
        "a page is kept as a video",
        "fetch",
        "        if not looks_like(head, self.expected):",
        "        if False:",
        package="_download",
    ),
    Mutant(
        "any part of a file is put behind what came before",
        "fetch",
        "                case 206 if asked_for_rest and _continues(answer, target):",
        "                case 206 if asked_for_rest:",
        package="_download",
    ),
)


@frozen
class Verdict:
    """What became of one mutant: the first seed whose world broke a law, and which."""

    mutant: Mutant
    seed: int | None
    law: str


def _planted(mutant: Mutant, folder: Path) -> None:
    """Copy the package to *folder*, with the mutant in it."""
    shutil.copytree(_PACKAGE, folder / "pika_async", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "benchmarks").symlink_to(_PACKAGE.parent / "benchmarks")
    file = folder / "pika_async" / mutant.package / f"{mutant.module}.py"
    source = file.read_text()
    if source.count(mutant.old) < 1:
        raise ValueError(f"{mutant.module} has no text {mutant.old!r}: bring the campaign up to the engine")
    file.write_text(source.replace(mutant.old, mutant.new, 1))


def judged(mutant: Mutant, seeds: int = _SEEDS) -> Verdict:
    """Run *seeds* worlds with *mutant* in the engine, until one breaks a law.

    What the first worlds do not show is looked for in short ones first; most of a long one is waiting. What
    no world can show is only tried in the first.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _planted(mutant, folder)
        verdict = _hunted(mutant, folder, range(_FIRST), PATIENCE)
        for patience in () if mutant.equivalent else (_SHORT, PATIENCE):
            if verdict.seed is None:
                verdict = _hunted(mutant, folder, range(_FIRST, seeds), patience)
        return verdict


def _hunted(mutant: Mutant, folder: Path, seeds: range, patience: float) -> Verdict:
    told = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.simulation.hunt",
            str(seeds.start),
            str(seeds.stop),
            str(patience),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    seed, _, law = told.stdout.strip().partition(" ")
    if told.returncode:
        raise RuntimeError(f"{mutant.wrong}: {told.stderr[-2000:]}")
    return Verdict(mutant, int(seed) if seed else None, law)


def verdicts(mutants: tuple[Mutant, ...] = MUTANTS) -> Iterator[Verdict]:
    """Judge every mutant, on all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for judging in as_completed([pool.submit(judged, mutant) for mutant in mutants]):
            yield judging.result()


def main(only: str = "") -> Report:
    """Judge every mutant, and say of each what found it."""
    chosen = tuple(m for m in MUTANTS if only in m.wrong)
    found = []
    for verdict in verdicts(chosen):
        found.append(verdict)
        said = f"seed {verdict.seed}: {verdict.law}" if verdict.seed is not None else "NOT CAUGHT"
        print(f"  {len(found)}/{len(chosen)} {verdict.mutant.wrong}: {said}", file=sys.stderr, flush=True)
    missed = [v for v in found if v.seed is None and not v.mutant.equivalent]
    return Report(
        name="simulation mutants",
        claim=CLAIM,
        quick=bool(only),
        rows=[
            {
                "in": v.mutant.module,
                "what is wrong": v.mutant.wrong,
                "found at seed": v.seed
                if v.seed is not None
                else ("equivalent" if v.mutant.equivalent else "NOT CAUGHT"),
            }
            for v in found
        ],
        figures=[
            Figure(name="mutants", value=len(found), goal=None if only else 25, at_least=True),
            Figure(name="caught", value=sum(v.seed is not None for v in found)),
            Figure(name="equivalent", value=sum(v.seed is None and bool(v.mutant.equivalent) for v in found)),
            Figure(name="not caught", value=len(missed), goal=0),
        ],
        remarks=[
            f"equivalent: {v.mutant.wrong}: {v.mutant.equivalent}"
            for v in found
            if v.mutant.equivalent and v.seed is None
        ],
    )
