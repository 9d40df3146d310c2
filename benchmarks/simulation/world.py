"""A world in one process: virtual time, the providers, the network, and the simulated processes."""

from __future__ import annotations

import hashlib
import heapq
import json
import logging
import sys
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from attrs import define, field

from benchmarks.simulation.chance import Chance
from benchmarks.simulation.clock import START
from benchmarks.simulation.ledgers import Fate, Store
from benchmarks.simulation.media import Folder
from benchmarks.simulation.network import Departure
from benchmarks.simulation.plan import RECEIVER, Plan
from benchmarks.simulation.provider import Bill, Server, attempt_in, made
from benchmarks.simulation.sqlite import File
from pika_async import _download as downloads
from pika_async._download.part import Part
from pika_async._http import HttpRequest
from pika_async._ledger.change import Change
from pika_async._ledger.records import AttemptState, JobRecord
from pika_async._ledger.standing import FINAL, may_resubmit
from pika_async.testing._world import as_received


class StuckError(Exception):
    """The world goes on for ever."""


@define(eq=False)
class Asked:
    """What the callers of one order did and were told. *resubmits* counts the word of a person."""

    departures: list[Departure] = field(factory=list)
    refused: set[int] = field(factory=set)
    marks: set[str] = field(factory=set)
    """The attempts that the ledger let pass the fence."""
    sent: int = 0
    """POSTs that were no replays."""
    resubmits: int = 0
    told: list[str] = field(factory=list)
    videos: set[str] = field(factory=set)
    free: bool = False
    """Somebody was told, last of all, that nothing was charged."""
    cancelled: bool = False
    """Whoever waited for it in one of the processes has left."""
    saved: bool = False
    turned_away: int = 0
    """How often a provider refused it, or no connection to one was to be had."""


_MOST_POSTS = 100
"""Of one order: more is a loop that buys, or would buy if it could."""
_MOST_STEPS = 100_000
"""In one second of virtual time: more is a loop that never waits."""


class _Handler(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._world.broken(f"the engine broke: {record.getMessage()}: {record.exc_info[1]!r}")
            if self._world.lines is not None:
                self._world.lines += traceback.format_exception(record.exc_info[1])
        elif self._world.lines is not None:
            self._world.lines.append(f"           says: {record.getMessage()}")


class World:
    """Runs one plan. `violations` says what broke; `digest` is the hash of everything that happened."""

    def __init__(self, plan: Plan, *, keep: bool = False) -> None:
        self.plan = plan
        self.chances = Chance(plan.seed)
        self.now = self.wall_set = self.slept = 0.0
        self.calm = False
        self.leapt_far = False
        self.steps = 0
        self._second = (0, 0)
        self.violations: list[str] = []
        self.lines: list[str] | None = [] if keep else None
        self._hash = hashlib.blake2b(digest_size=8)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count(1)
        self.processes: list[Any] = []
        self.all_processes: list[Any] = []
        self.by_number: dict[int, Any] = {}
        self._prompts: dict[str, str | None] = {}
        self.asked: dict[str, Asked] = defaultdict(Asked)
        self.happened: Counter[str] = Counter()
        self.servers: dict[str, Server] = {}
        self.adapters: list[Any] = []
        self.store: Store | File | None = None
        self.folder: Folder | None = None
        self.versions: Counter[str] = Counter()
        self.running: Any = None
        self._outage_until = 0.0
        self._endless = ""
        for name in plan.providers:
            self._serve(name)

    def _serve(self, name: str) -> None:
        adapter, emulator = made(name)
        origin = HttpRequest(method="GET", url=adapter.base_url).origin
        chance = self.chances[f"renders of {name}"]
        time = self.plan.render_time
        self.servers[origin] = Server(
            name=name,
            emulator=emulator,
            clock=lambda: START + self.now + self.slept,
            new_render=lambda: time * chance.choice((0.2, 1.0, 1.0, 3.0)),
            calls_back=self._calls_back,
            lag=chance.choice((2.0, 30.0)) if "lag" in self.plan.faults else 0.0,
            base_url=adapter.base_url,
        )
        if name == "fal":
            # The key that signs its callbacks is published elsewhere.
            self.servers["https://rest.fal.ai:443"] = self.servers[origin]
        self.adapters.append(adapter)

    def _calls_back(self, at: float, url: str, body: Any, headers: Mapping[str, str]) -> None:
        """Bring a callback to one of the processes: never, once, twice, cut or late."""
        if not url.startswith(RECEIVER):
            return
        chance, sent = (
            self.chances["callbacks"],
            body if isinstance(body, bytes) else json.dumps(body).encode(),
        )
        told = {"content-type": "application/json"} | {name.lower(): text for name, text in headers.items()}

        def arrive() -> None:
            if (living := self.living()) and (self.calm or chance.random() > self.plan.rate):
                self.happened["callbacks"] += 1
                cut = not self.calm and chance.random() < self.plan.rate
                process = chance.choice(living)
                process.begin(process.receive(url, told, sent[: len(sent) // 2] if cut else sent, cut=cut))

        pause = max(0.0, at - START - self.now - self.slept)
        for _ in range(1 + (chance.random() < self.plan.rate)):
            self.after(pause + chance.choice((0.01, 0.5, 30.0)), arrive)

    @property
    def remembers(self) -> bool:
        """Whether the ledger outlives its processes."""
        return self.plan.ledger != "memory"

    @property
    def bills(self) -> dict[str, list[Bill]]:
        """Return what was bought, by order, as the providers' books have it."""
        found: dict[str, list[Bill]] = {}
        for server in dict.fromkeys(self.servers.values()):
            for bill in server.bills:
                found.setdefault(bill.prompt, []).append(bill)
        return found

    def records(self) -> list[JobRecord]:
        """Return every job of the ledgers of all processes that live."""
        found = [record for store in self._stores() for record in store.records]
        for record in found:
            self._prompts.setdefault(record.id, getattr(record.request, "prompt", None))
        return found

    def prompt_of(self, job_id: str) -> str:
        """Return what a job orders."""
        return self._prompts.get(job_id) or "?"

    def slots(self) -> dict[str, int]:
        """Return the slots that the ledger counts, by account."""
        return {key: slots for store in self._stores() for key, slots in store.slots.items()}

    def _stores(self) -> list[Any]:
        return [self.store] if self.store is not None else [p.ledger.store for p in self.living()]

    def living(self) -> list[Any]:
        return [p for p in self.processes if p.alive and p.ready and not p.closed]

    def is_left(self, job: JobRecord) -> bool:
        """Return whether a job is queued where nobody recovers, and no caller waits for it."""
        if self.plan.returns or job.newest.state is not AttemptState.QUEUED:
            return False
        prompt = self.prompt_of(job.id)
        return all(task.done() for p in self.living() for task, name in p.callers.items() if name == prompt)

    def has_history(self, prompt: str) -> bool:
        """Return whether the provider that was asked lists its tasks with the addresses it was given."""
        return all(departure.server == "acedata" for departure in self.asked[prompt].departures)

    def renders_well(self, prompt: str) -> bool:
        return "sandbox-" not in prompt

    def wants_a_word(self) -> bool:
        """Return whether a person will still settle something."""
        if self.plan.word == "none":
            return False
        return any(may_resubmit(job) for job in self.records())

    def leap(self, seconds: float) -> None:
        """Set the wall clock of the machine."""
        self.happened["leap"] += 1
        self.log(f"fault: the wall clock leaps by {seconds} s")
        self.wall_set += seconds
        self.leapt_far = self.leapt_far or abs(seconds) > 100

    def sleep(self, seconds: float) -> None:
        """Have the machine sleep: its monotonic clock stands still meanwhile."""
        self.happened["sleep"] += 1
        self.log(f"fault: the machine sleeps {seconds} s")
        self.slept += seconds

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note what the product logs, and which files it opens: an error with a traceback breaks a law."""
        handler, log = _Handler(self), logging.getLogger("pika_async")
        level, propagate = log.level, log.propagate
        log.addHandler(handler)
        log.setLevel(logging.INFO if self.lines is not None else logging.ERROR)
        log.propagate = False
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        part, downloads.Part = downloads.Part, self._part
        try:
            yield
        finally:
            downloads.Part = part
            sys.unraisablehook = hook
            log.removeHandler(handler)
            log.setLevel(level)
            log.propagate = propagate

    def _part(self, final: Path) -> Part:
        part: Part = self.running.files.part(final)
        return part

    # What the parts of the world ask and tell.

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def log(self, what: str) -> None:
        line = f"{self.now:10.4f} {what}"
        self._hash.update(line.encode())
        if self.lines is not None:
            self.lines.append(line)

    def broken(self, what: str) -> None:
        """Note that a law does not hold."""
        self.log(f"VIOLATION {what}")
        if what not in self.violations:
            self.violations.append(what)

    def strikes(self, fault: str, rate: float | None = None) -> bool:
        """Return whether *fault* comes now, at the world's own rate or at *rate*."""
        if self.calm or fault not in self.plan.faults:
            return False
        struck = self.chances[fault].random() < (self.plan.rate if rate is None else rate)
        if struck:
            self.happened[fault] += 1
            self.log(f"fault: {fault}")
        return struck

    def chance(self) -> Any:
        return self.chances["network"]

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Have *call* called *seconds* from now, whoever is dead by then."""
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), call))

    def pause(self) -> float:
        return self.chances["disk"].choice((0.0, 0.001, 0.02)) if self.calm else self._slow()

    def _slow(self) -> float:
        chance, quick = self.chances["disk"], 0.67 if self.plan.slow else 0.98
        return (
            chance.choice((0.0, 0.001, 0.02, 0.02)) if chance.random() < quick else chance.choice((1.0, 6.0))
        )

    def fate(self) -> Fate:
        if not self.calm:
            if self.now < self._outage_until or self.strikes("commit-lost"):
                return "lost"
            if self.strikes("commit-unheard"):
                return "unheard"
        return "kept"

    def outage(self, seconds: float) -> None:
        self.happened["outage"] += 1
        self.log(f"fault: outage of {seconds:.1f} s")
        self._outage_until = self.now + seconds

    def changed(self, change: Change) -> None:
        """Note a change that the ledger made, and hold it to the laws of states."""
        if not change.moved:
            return
        before, after = change.before, change.after
        self._prompts.setdefault(after.id, getattr(after.request, "prompt", None))
        event = type(change.event).__name__ if change.event is not None else "Create"
        states = " ".join(f"{a.number}:{a.state}" for a in after.attempts)
        self.log(f"ledger {after.id} {event}: {after.state} {states}")
        marked = (a.id for a in after.attempts if a.state == "sending")
        self.asked[self.prompt_of(after.id)].marks.update(marked)
        if before is None:
            return
        for old in before.attempts:
            new = after.attempt(old.id)
            if new is None or (old.state in FINAL and new.state is not old.state):
                self.broken("a final state moved back")
        if before.state in {"succeeded", "failed", "cancelled"} and after.state != before.state:
            self.broken("the end of a job moved")

    def departs(self, server: Server, request: HttpRequest) -> Departure:
        """Note that the first byte of a POST leaves, and hold it to the law of purchases."""
        received = as_received(request)
        body, prompt = str(_sent(received)), self._ordered(received)
        asked = self.asked[prompt]
        number = sum(len(one.departures) for one in self.asked.values()) + 1
        attempt = attempt_in(received)
        self.log(f"POST {number} to {server.name}: {prompt}, attempt {attempt}")
        keys = dict(received.headers).get("idempotency-key")
        body = f"{keys} {body}"
        open_ = {d.body: d for d in asked.departures if d.number not in asked.refused}
        is_replay = keys is not None and any(d.body == body for d in asked.departures)
        departure = Departure(number, server.name, prompt, attempt, body, is_replay)
        if not is_replay and len(open_) > asked.resubmits:
            self.broken(f"{prompt} is sent again while an earlier POST of it may have been bought")
        if attempt is not None and any(
            d.attempt == attempt for o in self.asked.values() for d in o.departures
        ):
            self.broken(f"an attempt of {prompt} is sent twice")
        asked.sent += not is_replay
        if asked.sent > len(asked.marks):
            self.broken(f"{prompt} is sent, and the ledger has not marked it as sending")
        asked.departures.append(departure)
        if len(asked.departures) > _MOST_POSTS:
            self._endless = prompt
        return departure

    def unreached(self, request: HttpRequest) -> None:
        """Note that there was no connection for a POST."""
        self.asked[self._ordered(as_received(request))].turned_away += 1

    def refused(self, departure: Departure) -> None:
        asked = self.asked[departure.prompt]
        asked.turned_away += 1
        asked.refused.add(departure.number)
        if departure.server == "pika":
            # Its refusal names the job of the key, which is that of every send of the same bytes.
            asked.refused.update(d.number for d in asked.departures if d.body == departure.body)

    def _ordered(self, received: HttpRequest) -> str:
        text = json.dumps(_sent(received) or {}, default=str)
        (prompt,) = (order.prompt for order in self.plan.orders if f'"{order.prompt}"' in text)
        return prompt

    # Time.

    def run(self, until: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Let time pass until *until*, or until it is *enough*."""
        order = self.chances["order"]
        dues: dict[Any, float] = {}
        stale = True
        while not enough():
            if stale:
                dues = {process: process.next_at() for process in self.processes}
                stale = False
            ready = [process for process, due in dues.items() if due <= self.now]
            # What one process does brings others nothing before the next event.
            while ready:
                process = ready[0] if len(ready) == 1 else order.choice(ready)
                self.running = process
                process.step()
                self.steps += 1
                self._be_patient()
                dues[process] = due = process.next_at()
                if due > self.now:
                    ready.remove(process)
            next_at = min(dues.values(), default=float("inf"))
            if self._events and (event_at := self._events[0][0]) <= max(next_at, self.now):
                next_at, stale = event_at, True
            if next_at > until:
                break
            self.now = max(self.now, next_at)
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
        else:
            return
        self.now = max(self.now, until)

    def _be_patient(self) -> None:
        if self._endless:
            raise StuckError(f"{self._endless} is sent again and again")
        second, before = self._second
        if int(self.now) != second:
            self._second = (int(self.now), self.steps)
        elif self.steps - before > _MOST_STEPS:
            raise StuckError(f"still busy after {_MOST_STEPS} steps in one second")


def _sent(received: HttpRequest) -> Any:
    return getattr(received.body, "value", None) or getattr(received.body, "fields", None)
