"""Which job a video came from, while the caller keeps the video; and its present link."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from pika_async._engine.asking import is_own, opened
from pika_async._engine.desk import Desk
from pika_async._engine.effects import Ended
from pika_async._engine.flight import Flight
from pika_async._sender import SendError
from pika_async._token import JobToken
from pika_async.errors import PikaError
from pika_async.results import Succeeded, VideoResult

if TYPE_CHECKING:
    from pika_async._download.links import Link
    from pika_async._stored import Stored


class Origins:
    """The tokens of delivered videos; carries out `Ended`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        # By token, because a flight holds its results, and would keep itself alive.
        self._tokens: WeakKeyDictionary[VideoResult, JobToken] = WeakKeyDictionary()
        self.copies: dict[str, Stored] = {}
        """Saved copies that stand for lost links, by the id of the job that was reused for them."""
        desk.carries_out(Ended, self._delivered)

    def _delivered(self, flight: Flight, ended: Ended) -> None:
        if isinstance(ended.outcome, Succeeded):
            account, task = flight.account, ended.outcome.task
            token = JobToken(
                job_id=flight.id,
                provider=account.name,
                label=account.label,
                task=task,
                address=account.address,
            )
            for result in ended.outcome.results:
                self._tokens[result] = token

    def token_of(self, video: VideoResult) -> JobToken | None:
        """Return the token of the job that a video of this client came from; None for any other video."""
        return self._tokens.get(video)

    async def fresh_link(self, video: VideoResult) -> Link | None:
        """Ask the provider for the present link of a video that was bought through this client."""
        token = self._tokens.get(video)
        if token is None or (task := token.task) is None:
            return None
        account = self._desk.accounts[f"{token.provider}:{token.label}"]
        try:
            found = await account.look_up((task,))
        except (SendError, PikaError):
            return None
        snapshot = found.get(task.id)
        results = snapshot.results if isinstance(snapshot, Succeeded) else ()
        link = next((result.video_url for result in results if result.id == video.id), None)
        return None if link is None else self.opened(video, link)

    def opened(self, video: VideoResult, link: str) -> Link:
        """Return *link*, or the request that opens it, where it is one of a provider that wants its key.

        The key is that of the account that *video* was bought from; for a video of another client, that of
        the first account whose host it is. Raises `DownloadError`.
        """
        if (token := self._tokens.get(video)) is not None:
            return opened(self._desk.accounts[f"{token.provider}:{token.label}"], link)
        own = (account for account in self._desk.accounts.values() if is_own(account, link))
        return next((found for account in own if (found := opened(account, link)) != link), link)
