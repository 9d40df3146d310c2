"""What is left on each account, asked of the providers that tell it. Free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from attrs import frozen

from pika_async._crossing import Value
from pika_async._sender import SendError
from pika_async.errors import PikaError
from pika_async.provider import Balance, ReportsBalance

if TYPE_CHECKING:
    from pika_async._engine.account import Account


@frozen(kw_only=True)
class AccountBalance(Value):
    """What is left at *provider*, in its own unit.

    *balance* is None where it does not tell; *problem* says why, where it was asked.
    """

    provider: str
    balance: Balance | None
    problem: str | None = None


async def balances(accounts: Sequence[Account]) -> list[AccountBalance]:
    """Return what is left on each account, in their order."""
    return [await _of(account) for account in accounts]


async def _of(account: Account) -> AccountBalance:
    if "reports_balance" not in account.loaded.powers:
        return AccountBalance(provider=account.name, balance=None)
    adapter = cast("ReportsBalance", account.provider)
    try:
        found = await account.ask(adapter.build_balance, adapter.read_balance)
    except SendError as error:
        return AccountBalance(provider=account.name, balance=None, problem=f"It did not answer: {error}")
    except PikaError as error:
        return AccountBalance(provider=account.name, balance=None, problem=error.message)
    return AccountBalance(provider=account.name, balance=found)
