"""How long a claim, a doubt and a slot last: the bounds that docs/pay-once.md calls by letters. Pure."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Times:
    """The letters of docs/pay-once.md, in seconds; `deadline` is D, `longest_render` is R."""

    claim_to_byte: float = 5.0
    deadline: float = 60.0
    commit: float = 5.0
    slack: float = 5.0
    acceptance: float = 120.0
    resolve: float = 404.0
    longest_render: float = 1800.0

    @property
    def lease(self) -> float:
        """L > W + D + C + S."""
        return self.claim_to_byte + self.deadline + self.commit + self.slack + 1.0
