"""Lost answers, searched for in a provider's history by the tokens that it echoes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import partial

from pika_async._engine.account import Account
from pika_async._engine.addresses import Addresses
from pika_async._engine.desk import Desk
from pika_async._engine.unheard import Unheard
from pika_async._ledger.events import Evidence, NothingFound
from pika_async._ledger.records import Attempt
from pika_async._ledger.standing import CLAIMED
from pika_async._sender import SendError
from pika_async.errors import LedgerError, PikaError
from pika_async.provider import Found, Page

log = logging.getLogger("pika_async")

_HISTORY_SLACK = 120.0
_PAGES = 20


class Searching:
    """Reads histories within the budget of their accounts; what is found is told to the desk."""

    def __init__(self, desk: Desk, addresses: Addresses, unheard: Unheard) -> None:
        self._desk = desk
        self._addresses = addresses
        self._unheard = unheard

    async def search(self, account: Account, lost: Sequence[Attempt]) -> None:
        """Search the provider's history for the tokens of *lost*; best effort: its shape is inferred.

        What is found counts at once, for attempts of other processes as well. That nothing is found counts
        only for what is ambiguous, and only once its time has come.
        """
        if not account.searches:
            return
        sent_at = self._desk.ledger.now()
        since = min(attempt.claimed_at or sent_at for attempt in lost) - _HISTORY_SLACK
        wanted = {attempt.id: attempt for attempt in lost}
        complete = False
        try:
            complete = await self._read(account, since, sent_at + _HISTORY_SLACK, wanted)
        except (SendError, PikaError) as error:
            log.info("%s: the history could not be searched: %s", account.key, error)
        for attempt in wanted.values():
            if attempt.state in CLAIMED:
                continue
            try:
                if complete:
                    event = NothingFound(attempt=attempt.id, sent_at=sent_at)
                    await self._desk.tell_of(attempt.job_id, event)
                elif sent_at > attempt.slot_until:
                    # A history that cannot be read must not keep a lost job from a person's eyes for ever.
                    await self._desk.tell_of(attempt.job_id, NothingFound(attempt=attempt.id))
            except LedgerError as error:
                self._unheard.note(attempt.job_id, error)

    async def _read(self, account: Account, since: float, until: float, wanted: dict[str, Attempt]) -> bool:
        """Take what is found out of *wanted*; return whether the history was read to its end."""
        cursor: str | None = None
        for _ in range(_PAGES):
            page = await self._page(account, since, until, cursor)
            await self._take(page.found, wanted)
            if not wanted or page.next_cursor is None:
                return True
            cursor = page.next_cursor
        return False

    async def _page(self, account: Account, since: float, until: float, cursor: str | None) -> Page:
        finder = account.finder
        return await account.ask(partial(finder.build_find, since, until, cursor), finder.read_find)

    async def _take(self, found: Iterable[Found], wanted: dict[str, Attempt]) -> None:
        for one in found:
            attempt = wanted.pop(self._addresses.attempt_in(one.callback_url) or "", None)
            if attempt is not None:
                log.info("job %s: found in the provider's history", attempt.job_id)
                evidence = Evidence(attempt=attempt.id, snapshot=one.snapshot, source="echo")
                await self._desk.tell_of(attempt.job_id, evidence)
