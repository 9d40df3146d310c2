"""The values of an adapter's optional powers: replay, forms of media, uploads and prices. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from pika_async._crossing import Value

Open: TypeAlias = Literal["no_answer"] | int
"""How a submit came to be open: without an answer, or with one of this HTTP status that proves nothing."""


def _after(after: Iterable[Open]) -> frozenset[Open]:
    return frozenset(after)


@frozen(kw_only=True)
class Replay(Value):
    """That a submit may be sent again: the same bytes reach the job of the first one, and buy nothing more.

    `build_submit` makes the key of a header from `call.attempt_id`; the core keeps the bytes that it built,
    and sends no others. *seconds* is for how long after the first send the provider keeps the key; None where
    it publishes nothing, and the user's option stands. *after* are the outcomes after which the bytes may be
    sent again; any other open outcome stays a doubt.

    >>> Replay(seconds=86_400).allows(502), Replay().allows(409)
    (True, False)
    """

    seconds: float | None = None
    after: frozenset[Open] = field(default=frozenset({"no_answer", 500, 502, 503, 504}), converter=_after)

    def allows(self, status: int | None) -> bool:
        """Return whether the same bytes may be sent after an open answer; *status* None is no answer."""
        return ("no_answer" if status is None else status) in self.after


@frozen(kw_only=True)
class Takes(Value):
    """In which forms the medium of a field can be sent.

    *links*: as a link, *https_only* under https alone; where False, the core reads a link and sends its
    bytes. *inline*: as a `Blob` for `build_submit`. *uploads*: uploaded first (`Uploads`), so that
    `build_submit` gets a link; where both are possible, what is larger than *inline_limit* is uploaded.
    Limits are in bytes, None where none is published.
    """

    links: bool = True
    https_only: bool = False
    inline: bool = False
    inline_limit: int | None = None
    uploads: bool = False
    upload_limit: int | None = None

    @property
    def limit(self) -> int | None:
        """Return the most bytes of one medium; 0 where bytes cannot be sent, None for no known limit."""
        ways = [(self.inline, self.inline_limit), (self.uploads, self.upload_limit)]
        limits = [limit for possible, limit in ways if possible]
        return None if None in limits else max((limit for limit in limits if limit is not None), default=0)

    def uploaded(self, size: int) -> bool:
        """Return whether a medium of *size* bytes is uploaded, and not sent inline.

        >>> Takes(inline=True, inline_limit=1000, uploads=True).uploaded(2000)
        True
        """
        return self.uploads and not (self.inline and (self.inline_limit is None or size <= self.inline_limit))

    def link_problem(self, link: str) -> str | None:
        """Return what a link must be that cannot be sent, None for one that can."""
        if self.links and self.https_only and link[:8].lower() != "https://":
            return "an https link, for this provider reads no other"
        return None if self.links or self.inline or self.uploads else "left out; no medium can be sent"

    def size_problem(self, size: int) -> str | None:
        """Return what bytes must be that cannot be sent, None for those that can."""
        if not (self.inline or self.uploads):
            return "a link; files and bytes cannot be sent"
        limit = self.limit
        return None if limit is None or size <= limit else f"at most {limit:,} bytes, not {size:,}"


@frozen(kw_only=True)
class Uploading(Value):
    """What the steps of an upload told so far; there are more to come. *told* is the adapter's own."""

    told: Mapping[str, Any] = field(factory=dict)


@frozen
class Uploaded(Value):
    """The end of an upload: the *link* that goes into a submit, good for *seconds*.

    None where the provider publishes no time: the core then uses it for one hour.
    """

    link: str
    seconds: float | None = None


@frozen(kw_only=True)
class Estimate(Value):
    """What a request costs before it is bought, as it was published.

    *amount* is in *unit*, a currency such as `USD` or the provider's own. *source* says who published it, and
    *date* when it was read, as `YYYY-MM-DD`; the core adds the day on which it asked. *model*, *duration* in
    seconds and *resolution* are what that price buys: only estimates that agree in all three are compared.
    """

    amount: float
    unit: str
    source: str
    date: str | None = None
    model: str | None = None
    duration: float | None = None
    resolution: str | None = None
