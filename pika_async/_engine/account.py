"""An account: a provider plus a user's label, with its adapter, its budget of free calls and its pauses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar, cast

from pika_async._concealing import named_secrets
from pika_async._engine.answers import complete
from pika_async._engine.clock import Clock
from pika_async._engine.schedule.schedule import Schedule
from pika_async._powers import Replay
from pika_async._registry import Loaded, load
from pika_async._secret import Secret
from pika_async._sender import Sender, SendError
from pika_async.errors import BadReply, ConfigError, PikaError
from pika_async.provider import (
    Call,
    Capabilities,
    Finds,
    HttpRequest,
    HttpResponse,
    Provider,
    ReadsCallbacks,
    Signs,
    VideoRequest,
)
from pika_async.results import Snapshot, Task

T = TypeVar("T")
log = logging.getLogger("pika_async")

LONGEST_REPLAY: Final = 600.0
"""T at most, where the provider publishes for how long it keeps a key: seconds."""
UNPUBLISHED_REPLAY: Final = 600.0
"""T where it publishes nothing, unless the user says otherwise."""


class Account:
    """What is to be known of one account; *schedule* holds the budget that all its free calls share."""

    def __init__(
        self,
        loaded: Loaded,
        label: str,
        max_concurrency: int,
        *,
        transport: Sender,
        clock: Clock,
        schedule: Schedule,
        unpublished_replay: float = UNPUBLISHED_REPLAY,
    ) -> None:
        self.loaded = loaded
        self.name = loaded.name
        self.provider: Provider = loaded.provider
        self.capabilities: Capabilities = loaded.capabilities
        self.key = f"{loaded.name}:{label}"
        self.label = label
        self.address = loaded.fingerprint
        self.max_concurrency = max_concurrency
        self.schedule = schedule
        self._unpublished_replay = unpublished_replay
        self.refused_look: PikaError | None = None
        self._transport = transport
        self._clock = clock
        self._turns: set[asyncio.Future[bool]] = set()
        self._closing = False

    def wall(self) -> float:
        """Return the time, in wall-clock seconds."""
        return self._clock.wall()

    def go_by(self, adapter: Provider) -> None:
        """Reach the provider by another route from now on."""
        self.loaded = load(self.name, adapter)
        self.provider, self.capabilities = self.loaded.provider, self.loaded.capabilities

    @property
    def replay_window(self) -> float:
        """Return T, the seconds after a claim within which the same bytes may be sent again; 0 for never."""
        return replay_window(self.capabilities.replay, self._unpublished_replay)

    @property
    def secrets(self) -> Mapping[str, Secret]:
        """Return the adapter's secrets by name."""
        return named_secrets(self.loaded.adapter)

    @property
    def searches(self) -> bool:
        """Return whether the provider's history can be searched for our tokens."""
        return "finds" in self.loaded.powers and self.loaded.capabilities.echoes_token

    @property
    def finder(self) -> Finds:
        """Return the adapter as one that searches its history; only where it has that power."""
        return cast("Finds", self.loaded.provider)

    @property
    def reader(self) -> ReadsCallbacks | None:
        """Return the adapter as one that reads callbacks, if it does."""
        reads = "reads_callbacks" in self.loaded.powers
        return cast("ReadsCallbacks", self.loaded.provider) if reads else None

    @property
    def signer(self) -> Signs | None:
        """Return the adapter as one whose callbacks are signed, if they are."""
        return cast("Signs", self.loaded.provider) if "signs" in self.loaded.powers else None

    def build_submit(self, request: VideoRequest, call: Call) -> HttpRequest:
        """Have the adapter build the POST; raises `ConfigError` for a defect of the adapter."""
        try:
            built = self.guarded(self.provider.build_submit(request, call))
        except PikaError:
            raise
        except Exception as error:
            raise ConfigError(
                f"The adapter {self.name} failed to build the request ({type(error).__name__}); nothing was "
                "sent. Report it to the adapter's author.",
                provider=self.name,
            ) from error
        if built.method != "POST":
            raise ConfigError(
                f"The adapter {self.name} submits with {built.method}, which HTTP stacks replay; report "
                "it to the adapter's author.",
                provider=self.name,
            )
        return built

    def guarded(self, request: HttpRequest) -> HttpRequest:
        """Return *request*; raises `ConfigError` when it would carry a key to a foreign host."""
        if self.loaded.stray(request):
            raise ConfigError(
                f"The adapter {self.name} wanted to send a secret to {request.origin}, which is not its own "
                "host; report it to the adapter's author.",
                provider=self.name,
            )
        return request

    async def ask(
        self,
        build: Callable[[], HttpRequest],
        read: Callable[[HttpResponse], T],
        *,
        budgeted: bool = True,
        send: Callable[[HttpRequest], Awaitable[HttpResponse]] | None = None,
    ) -> T:
        """Make one free call and return what its answer says.

        It waits for a place in the account's budget, unless its caller took one (*budgeted* False). *send*
        stands in the place of the transport's `poll`. Raises `SendError` when there is no answer, and a
        `PikaError` for one that tells nothing.
        """
        if budgeted and not await self._budget():
            raise SendError("The account makes no calls now", sent=False)
        try:
            request = self.guarded(build())
        except PikaError:
            raise
        except Exception as error:
            raise self._defect("ask", error) from error
        try:
            response = await (send or self._transport.poll)(request)
        except SendError:
            raise
        except Exception as error:
            log.exception("%s: the transport failed", self.key)
            raise SendError(f"The transport failed ({type(error).__name__})", sent=True) from error
        try:
            return read(response)
        except PikaError as error:
            complete(error, self.name, "poll", response, self._clock.wall())
            raise
        except Exception as error:
            raise self._defect("read an answer", error) from error

    async def look_up(self, tasks: Sequence[Task], *, budgeted: bool = True) -> Mapping[str, Snapshot]:
        """Ask about *tasks* in one free call, as `ask` does; what is not known is not in the answer."""
        return await self.ask(
            lambda: self.provider.build_poll(tasks),
            lambda response: self.provider.read_poll(response, tasks),
            budgeted=budgeted,
        )

    def _defect(self, what: str, error: Exception) -> BadReply:
        return BadReply(
            f"The adapter {self.name} failed to {what} ({type(error).__name__}); report it to its author.",
            provider=self.name,
            phase="poll",
        )

    async def _budget(self) -> bool:
        if self._closing or self.refused_look is not None:
            return False
        when = self.schedule.pace.spend(self._clock.now())
        if when <= self._clock.now():
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._turns.add(turn)
        timer = self._clock.call_at(when, lambda: _resolve(turn, value=True))
        try:
            return await turn
        finally:
            timer.cancel()
            self._turns.discard(turn)

    def stop(self) -> None:
        """Let nobody wait for the budget any more."""
        self._closing = True
        for turn in self._turns:
            _resolve(turn, value=False)


def replay_window(replay: Replay | None, unpublished: float = UNPUBLISHED_REPLAY) -> float:
    """Return T; *unpublished* is what it is where the provider publishes nothing.

    >>> replay_window(None), replay_window(Replay(seconds=60)), replay_window(Replay(), 30)
    (0.0, 60, 30)
    """
    if replay is None:
        return 0.0
    return unpublished if replay.seconds is None else min(replay.seconds, LONGEST_REPLAY)


def _resolve(turn: asyncio.Future[bool], *, value: bool) -> None:
    if not turn.done():
        turn.set_result(value)
