"""What can happen next in a small world. What a process tells the ledger goes through the shipped machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.model.book import AGES, KEY, NOW, OTHER_KEY, REFUSAL, TIMES, WITHIN, Book, Jobs, age_of, older
from benchmarks.model.world import (
    ANSWERED,
    CONNECTING,
    FLYING,
    GONE,
    LOST,
    OWNERS,
    REFUSED,
    UNHEARD,
    VANISHED,
    Billed,
    Left,
    Owner,
    Post,
    Setting,
    World,
)
from pika_async._engine.looks.readings import Circumstances, Seen, read_look
from pika_async._ledger.events import (
    Abandon,
    Cancel,
    Claim,
    Event,
    Evidence,
    LeaseOver,
    Lost,
    Mismatch,
    NextAttempt,
    NothingFound,
    Refused,
    Replaying,
    ReplayOver,
    Restored,
    Resubmit,
    Sending,
    Sent,
    SlotOver,
    Unknown,
)
from pika_async._ledger.evolve import evolve
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, Source
from pika_async._ledger.standing import OPEN, UNANSWERED
from pika_async.results import Failed, Pending, Snapshot, State, Succeeded, Task, VideoResult

ACCOUNT = "model:default"
STRANGER = "stranger's"
"""A task that is none of this ledger's."""
SUCCESS = "success"
FAILURE = "failure"


class Step(NamedTuple):
    """What happened; *event* was told to the job at *place*, *fenced* is who passed the fence."""

    name: str
    world: World
    place: int | None = None
    event: Event | None = None
    fenced: str | None = None
    restored: bool = False
    replayed: str | None = None
    under: str = KEY


class Move(NamedTuple):
    """A step that the ledger alone allows; *post* is what a claim begins, *late* whose POST it makes late."""

    name: str
    place: int
    event: Event | None
    jobs: Jobs
    made: int
    left: Left
    post: Post | None = None
    late: str | None = None
    word: bool = False


def snapshot(task: str, end: str = "") -> Snapshot:
    """Return what the provider says of a task."""
    if end == SUCCESS:
        video = VideoResult(task, f"https://cdn.example.com/{task}.mp4", None, None, State.SUCCEEDED)
        return Succeeded(task=Task(task), results=(video,))
    return Failed(task=Task(task)) if end == FAILURE else Pending(task=Task(task))


class Steps:
    """The steps of one setting; *book* is its ledger."""

    def __init__(self, setting: Setting, book: Book) -> None:
        self._setting = setting
        self._book = book
        self._moves: dict[tuple[Jobs, int, Left], tuple[Move, ...]] = {}

    def start(self) -> World:
        """Return the world in which every job is ordered, and nothing has happened."""
        setting = self._setting
        names = "ab"[: setting.jobs]
        state = AttemptState.AMBIGUOUS if setting.adopted else AttemptState.QUEUED
        jobs = tuple(
            self._book.number(
                JobRecord(
                    id=name,
                    request=None,
                    created_at=0.0,
                    attempts=(Attempt(id=f"{name}1", job_id=name, number=1, account=ACCOUNT, state=state),),
                )
            )
            for name in names
        )
        billed = tuple(Billed(f"t{n}", f"{name}1") for n, name in enumerate(names)) if setting.adopted else ()
        return World(jobs=jobs, billed=billed, words=(0,) * len(jobs), made=len(jobs), left=setting.left)

    def of(self, world: World) -> Iterator[Step]:
        """Return everything that can happen next."""
        for move in self._alone(world):
            yield _taken(world, move)
        for place, number in enumerate(world.jobs):
            for attempt in self._book.job(number).attempts:
                yield from self._looks(world, place, attempt)
        for index, post in enumerate(world.posts):
            yield from self._sends(world, index, post)
            yield from self._provider(world, index, post)
            yield from self._answers(world, index, post)
        for billed in world.billed:
            yield from self._found(world, billed)
        if self._setting.keeps:
            for place, number in enumerate(world.jobs):
                for attempt in self._book.job(number).attempts:
                    yield from self._inherits(world, place, attempt)
        yield from self._crashes(world)

    def _told(self, world: World, place: int, name: str, event: Event) -> Step | None:
        """Return the step of telling an event; None when the ledger stays as it is."""
        jobs = self._book.tell(world.jobs, place, name, lambda: event)
        if jobs == world.jobs:
            return None
        made = max(world.made, *(int(a.id[1:]) for n in jobs for a in self._book.job(n).attempts))
        after = world._replace(jobs=jobs, made=made)
        if isinstance(event, Evidence) and event.source != "callback":
            after = _knows(after, event.snapshot.task.id)
        if isinstance(event, Mismatch):
            after = after._replace(told=tuple(t for t in after.told if t != event.task))
        return Step(name, after, place, event)

    def _alone(self, world: World) -> tuple[Move, ...]:
        """Return what depends on the ledger alone, worked out once for the many worlds that share it."""
        key = world.jobs, world.made, world.left
        moves = self._moves.get(key)
        if moves is None:
            places = range(len(world.jobs))
            moves = tuple(move for place in places for move in self._moves_of(world, place))
            self._moves[key] = moves
        return moves

    def _moves_of(self, world: World, place: int) -> Iterator[Move]:
        job = self._book.job(world.jobs[place])
        for attempt in job.attempts:
            yield from self._claims(world, place, attempt)
            yield from self._time(world, place, job, attempt)
        yield from self._words(world, place, job)

    def _move(self, world: World, place: int, name: str, event: Event, fault: str = "") -> Move | None:
        """Return the move of telling an event; None when the ledger stays as it is, or the fault is spent."""
        if fault and not getattr(world.left, fault):
            return None
        step = self._told(world, place, name, event)
        if step is None:
            return None
        left = _spent(step, fault).world.left if fault else world.left
        return Move(name, place, event, step.world.jobs, step.world.made, left)

    def _claims(self, world: World, place: int, attempt: Attempt) -> Iterator[Move]:
        for owner in OWNERS[: self._setting.owners]:
            if owner == OWNERS[1] and not self._is_active(world, OWNERS[0]):
                continue  # the first to do anything is called one
            name = f"{owner} claims {attempt.id}"
            claim = Claim(attempt=attempt.id, owner=owner, times=TIMES, max_slots=self._setting.caps)
            move = self._move(world, place, name, claim)
            if move is None:
                continue
            yield move._replace(post=Post(attempt.id, owner, CONNECTING))
            if world.left.unheard:
                left = world.left._replace(unheard=world.left.unheard - 1)
                unheard = f"{name}, and the commit is not acknowledged"
                yield move._replace(name=unheard, left=left, post=Post(attempt.id, owner, UNHEARD))

    def _is_active(self, world: World, owner: Owner) -> bool:
        return any(a.owner == owner for number in world.jobs for a in self._book.job(number).attempts)

    def _time(self, world: World, place: int, job: JobRecord, attempt: Attempt) -> Iterator[Move]:
        id_ = attempt.id
        if _may_age(job, attempt):
            name = f"{id_} is older"
            jobs = self._book.change(world.jobs, name, lambda job: _with_older(job, id_))
            yield Move(name, place, None, jobs, world.made, world.left, late=id_)
        moves = [
            self._move(world, place, f"{id_}: lease over", LeaseOver(attempt=id_)),
            self._move(world, place, f"{id_}: T is over", ReplayOver(attempt=id_)),
            self._lease_over(world, place, job, attempt),
            self._move(world, place, f"{id_}: slot over", SlotOver(attempt=id_)),
            self._move(world, place, f"{id_}: its task is not found", Lost(attempt=id_), "lost"),
        ]
        if self._setting.echoes:
            early = attempt.resolve_after if attempt.claimed_at is not None else NOW
            for name, sent_at in ("not in the history", NOW), ("was not in the history before E", early):
                event = NothingFound(attempt=id_, sent_at=sent_at)
                moves.append(self._move(world, place, f"{id_}: {name}", event))
        else:
            event = NothingFound(attempt=id_)
            moves.append(self._move(world, place, f"{id_}: nothing can be looked up", event))
        yield from (move for move in moves if move is not None)

    def _lease_over(self, world: World, place: int, job: JobRecord, attempt: Attempt) -> Move | None:
        if (next_ := self._next(world, job.id)) is None:
            return None
        event = LeaseOver(attempt=attempt.id, next=next_)
        move = self._move(world, place, f"{attempt.id}: lease over, {next_.id} may follow", event)
        return move if move is not None and move.made > world.made else None

    def _words(self, world: World, place: int, job: JobRecord) -> Iterator[Move]:
        for move in (
            self._move(world, place, f"{job.id} is cancelled", Cancel(), "cancel"),
            self._move(world, place, f"{job.id} is abandoned", Abandon(), "abandon"),
        ):
            if move is not None:
                yield move
        if (next_ := self._next(world, job.id)) is not None:
            name = f"a person orders {job.id} again as {next_.id}"
            move = self._move(world, place, name, Resubmit(next=next_), "resubmit")
            if move is not None:
                yield move._replace(word=True)

    def _next(self, world: World, job: str) -> NextAttempt | None:
        if world.made >= self._setting.attempts:
            return None
        return NextAttempt(id=f"{job}{world.made + 1}", account=ACCOUNT)

    def _sends(self, world: World, index: int, post: Post) -> Iterator[Step]:
        """What the owner of a claim does until the first byte."""
        if post.owner is None or post.phase not in {CONNECTING, UNHEARD}:
            return
        if post.phase == CONNECTING and not post.late:
            late = post._replace(late=True)
            yield Step(f"{post.owner} is late with {post.attempt}", _with(world, index, late))
            yield from self._fence(world, index, post)
        yield from self._refusals(_with(world, index, None), post, "no byte of it left")

    def _fence(self, world: World, index: int, post: Post) -> Iterator[Step]:
        assert post.owner is not None
        sent = Sent(within=WITHIN, key=KEY, data=b"") if self._setting.keeps else None
        event = Sending(attempt=post.attempt, owner=post.owner, sent=sent)
        name = f"{post.owner} passes the fence with {post.attempt}"
        step = self._told(world, _place(post.attempt), name, event)
        if step is None:
            return
        if world.left.unheard:
            unheard = _with(step.world, index, post._replace(phase=UNHEARD))
            yield _spent(step._replace(name=f"{name}, which is not acknowledged", world=unheard), "unheard")
        after = _with(step.world, index, post._replace(phase=FLYING))
        after = after._replace(posted=tuple(sorted((*world.posted, post.attempt))))
        yield step._replace(world=after, fenced=post.attempt)

    def _refusals(self, world: World, post: Post, why: str) -> Iterator[Step]:
        """The owner tells a refusal, with an attempt that may follow and without one."""
        assert post.owner is not None
        place = _place(post.attempt)
        for next_ in {self._next(world, post.attempt[0]), None}:
            event = Refused(attempt=post.attempt, owner=post.owner, refusal=REFUSAL, next=next_)
            goes_on = "" if next_ is None else f", {next_.id} follows"
            name = f"{post.owner} says of {post.attempt} that {why}{goes_on}"
            step = self._told(world, place, name, event)
            yield step if step is not None else Step(name, world, place, event)

    def _provider(self, world: World, index: int, post: Post) -> Iterator[Step]:
        if post.phase != FLYING:
            return
        known = next((b.task for b in world.billed if b.attempt == post.attempt), None)
        if known is not None:
            # The provider keeps the key of these bytes: nothing more is bought.
            answered = post._replace(phase=ANSWERED, task=known) if post.owner is not None else None
            yield Step(f"the provider knows {post.attempt} as {known}", _with(world, index, answered))
            return
        task = f"t{len(world.billed)}"
        answered = post._replace(phase=ANSWERED, task=task) if post.owner is not None else None
        accepted = _with(world, index, answered)._replace(billed=(*world.billed, Billed(task, post.attempt)))
        yield Step(f"the provider takes {post.attempt} as {task}", accepted)
        refused = post._replace(phase=REFUSED) if post.owner is not None else None
        yield Step(f"the provider refuses {post.attempt}", _with(world, index, refused))
        if post.owner is not None:
            vanished = post._replace(phase=VANISHED)
            yield Step(f"{post.attempt} never arrives", _with(world, index, vanished))

    def _answers(self, world: World, index: int, post: Post) -> Iterator[Step]:
        if post.owner is None or post.phase in {CONNECTING, UNHEARD}:
            return
        without = _with(world, index, None)
        if post.phase == ANSWERED:
            yield self._evidence(without, post.attempt, Billed(post.task, post.attempt), "answer")
        if post.phase == REFUSED and not post.again:
            yield from self._refusals(without, post, "it was refused")
        if post.phase == REFUSED and post.again:
            yield self._unknown(without, post)
        if post.phase == LOST:
            yield self._unknown(without, post)
            yield from self._replays(world, index, post)
            return
        if world.left.replay and post.phase != REFUSED:
            orphan = [post._replace(owner=None, late=False)] if post.phase == FLYING else []
            posts = (*without.posts, *orphan, post._replace(phase=LOST, task=""))
            lost = without._replace(posts=tuple(sorted(posts, key=_order)))
            yield _spent(Step(f"{post.owner} loses the answer to {post.attempt}", lost), "replay")
        if self._setting.echoes and world.left.stranger and post.phase != REFUSED:
            others = [b.task for b in world.billed if b.attempt != post.attempt]
            for task in (STRANGER, *others):
                mixed_up = Billed(task, post.attempt)
                step = self._evidence(_unheard(world, index, post), post.attempt, mixed_up, "answer")
                yield _spent(step, "stranger")
        if post.phase == VANISHED or world.left.lose:
            step = self._unknown(_unheard(world, index, post), post)
            yield step if post.phase == VANISHED else _spent(step, "lose")

    def _unknown(self, world: World, post: Post) -> Step:
        assert post.owner is not None
        event = Unknown(attempt=post.attempt, owner=post.owner)
        name = f"{post.owner} does not know what became of {post.attempt}"
        return self._told(world, _place(post.attempt), name, event) or Step(name, world)

    def _replays(self, world: World, index: int, post: Post) -> Iterator[Step]:
        """The owner sends the same bytes again, if the machine allows it."""
        assert post.owner is not None
        place = _place(post.attempt)
        event = Replaying(attempt=post.attempt, owner=post.owner, within=WITHIN)
        if self._book.moves(world.jobs, place, event):
            after = _with(world, index, post._replace(phase=FLYING, again=True))
            yield Step(f"{post.owner} sends {post.attempt} again", after, place, replayed=post.attempt)

    def _inherits(self, world: World, place: int, attempt: Attempt) -> Iterator[Step]:
        """A process sends the bytes that the ledger has, under its own key, if the machine allows it."""
        if not world.left.replay:
            return
        for owner, key in zip(OWNERS, (KEY, OTHER_KEY), strict=True):
            for own in {key, KEY}:  # the second process may have been started again with the first key
                event = Replaying(attempt=attempt.id, owner=owner, within=WITHIN, key=own)
                name = f"{owner} sends {attempt.id} again from the ledger, under {own}"
                if not self._book.moves(world.jobs, place, event):
                    continue
                jobs = self._book.tell(world.jobs, place, name, lambda event=event: event)  # type: ignore[misc]
                post = Post(attempt.id, owner, FLYING, again=True)
                kept = [p for p in world.posts if (p.attempt, p.owner) != (attempt.id, owner)]
                after = world._replace(jobs=jobs, posts=tuple(sorted([*kept, post], key=_order)))
                yield _spent(Step(name, after, place, replayed=attempt.id, under=own), "replay")

    def _evidence(self, world: World, attempt: str, told: Billed, source: Source) -> Step:
        of_task = snapshot(told.task, told.end)
        event = Evidence(attempt=attempt, snapshot=of_task, source=source, account=ACCOUNT)
        name = f"{source}: {told.task} is {attempt}, {told.end or 'under way'}"
        step = self._told(world, _place(attempt), name, event)
        if step is not None:
            return step
        known = world if source == "callback" else _knows(world, told.task)
        return Step(name, known, _place(attempt), event)

    def _found(self, world: World, billed: Billed) -> Iterator[Step]:
        """A task turns up: in the history, or by a callback; forged ones name a task of somebody else."""
        if self._setting.echoes:
            yield self._evidence(world, billed.attempt, billed, "echo")
            return
        yield self._evidence(world, billed.attempt, billed, "callback")
        if world.left.forged:
            rows = [a for number in world.jobs for a in self._book.job(number).attempts]
            for attempt in rows:
                for task in (STRANGER, billed.task):
                    if billed.attempt != attempt.id:
                        forged = self._evidence(world, attempt.id, Billed(task, ""), "callback")
                        yield _spent(forged, "forged")

    def _looks(self, world: World, place: int, attempt: Attempt) -> Iterator[Step]:
        """The task that an attempt is bound to is looked up."""
        if attempt.task is None or attempt.state not in OPEN:
            return
        task = attempt.task.id
        truth = next((b for b in world.billed if b.task == task), None)
        ends: tuple[str, ...] = ("", SUCCESS, FAILURE)[: 2 + self._setting.fails]
        if truth is not None and truth.end:
            ends = (truth.end,)
        named = None
        if self._setting.echoes:
            named = truth.attempt if truth is not None else ""
        for end in ends:
            reading = read_look(
                attempt,
                snapshot(task, end),
                Seen(),
                Circumstances(now=0.0, wall=NOW, longest_render=float("inf"), named=named),
            )
            if reading.event is None:
                continue
            whose = "" if named is None else f", which is {named or 'nobody'}'s"
            name = f"a look for {attempt.id} finds {task} {end or 'under way'}{whose}"
            step = self._told(world, place, name, reading.event)
            if step is None:
                continue
            if truth is not None and end != truth.end:
                ended = tuple(b._replace(end=end) if b is truth else b for b in world.billed)
                step = step._replace(world=step.world._replace(billed=ended))
            yield step

    def _crashes(self, world: World) -> Iterator[Step]:
        if world.left.crash:
            for owner in OWNERS:
                if any(p.owner == owner for p in world.posts):
                    yield _spent(Step(f"{owner} dies", self._without(world, owner)), "crash")
        if world.left.restore:
            if world.backup is None:
                yield Step("the ledger is copied", world._replace(backup=(world.jobs, world.told)))
            elif world.backup[0] != world.jobs:
                yield self._restored(world, world.backup)

    def _without(self, world: World, owner: Owner) -> World:
        jobs = self._book.change(world.jobs, f"{owner} dies", lambda job: _without_owner(job, owner))
        return world._replace(jobs=jobs, posts=_orphaned(world.posts, owner))

    def _restored(self, world: World, backup: tuple[Jobs, tuple[str, ...]]) -> Step:
        jobs, told = backup
        after = world._replace(jobs=jobs, told=told, backup=None)
        for owner in OWNERS:
            after = self._without(after, owner)
        for place, number in enumerate(after.jobs):
            for attempt in self._book.job(number).attempts:
                event = Restored(attempt=attempt.id)
                step = self._told(after, place, f"{attempt.id} is restored", event)
                after = after if step is None else step.world
        after = after._replace(made=world.made)
        return _spent(Step("the copy is put in the ledger's place", after, restored=True), "restore")


def _place(attempt: str) -> int:
    return "ab".index(attempt[0])


def _knows(world: World, task: str) -> World:
    return world if task in world.told else world._replace(told=tuple(sorted((*world.told, task))))


def _spent(step: Step, fault: str) -> Step:
    left = step.world.left
    return step._replace(world=step.world._replace(left=left._replace(**{fault: getattr(left, fault) - 1})))


def _taken(world: World, move: Move) -> Step:
    posts, words = world.posts, world.words
    if move.post is not None:
        posts = tuple(sorted((*posts, move.post), key=_order))
    if move.late is not None:
        posts = tuple(p._replace(late=True) if p.attempt == move.late else p for p in posts)
    if move.word:
        words = tuple(n + (place == move.place) for place, n in enumerate(words))
    _, _, billed, told, posted, _, _, backup, _ = world
    after = World(move.jobs, posts, billed, told, posted, words, move.made, backup, move.left)
    return Step(move.name, after, move.place, move.event)


def _with(world: World, index: int, post: Post | None) -> World:
    others = [p for i, p in enumerate(world.posts) if i != index]
    return world._replace(posts=tuple(sorted([*others, post] if post is not None else others, key=_order)))


def _order(post: Post) -> tuple[str, str, str]:
    return post.attempt, post.owner or "", post.phase


def _unheard(world: World, index: int, post: Post) -> World:
    """Nobody waits for the answer any more; bytes that left may still arrive."""
    return _with(world, index, post._replace(owner=None, late=False) if post.phase == FLYING else None)


def _orphaned(posts: tuple[Post, ...], owner: Owner) -> tuple[Post, ...]:
    kept = [p for p in posts if p.owner != owner]
    kept += [p._replace(owner=None, late=False) for p in posts if p.owner == owner and p.phase == FLYING]
    return tuple(sorted(kept, key=_order))


def _without_owner(job: JobRecord, owner: Owner) -> JobRecord:
    attempts = tuple(evolve(a, owner=GONE) if a.owner == owner else a for a in job.attempts)
    return evolve(job, attempts=attempts)


def _may_age(job: JobRecord, attempt: Attempt) -> bool:
    if attempt.state not in UNANSWERED or attempt.claimed_at is None or age_of(attempt) == len(AGES) - 1:
        return False
    earlier = job.attempts[: job.attempts.index(attempt)]
    return all(
        age_of(a) > age_of(attempt) for a in earlier if a.state in UNANSWERED and a.claimed_at is not None
    )


def _with_older(job: JobRecord, attempt_id: str) -> JobRecord:
    return evolve(job, attempts=tuple(older(a) if a.id == attempt_id else a for a in job.attempts))
