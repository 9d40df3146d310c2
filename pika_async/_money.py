"""Amounts of money, exact: whole millionths of a unit. Pure.

A unit is a currency such as `USD`, or a provider's own, such as `credits`. Amounts of different units are
never added or compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from pika_async._crossing import Value

if TYPE_CHECKING:
    from decimal import Decimal

_MOST: Final = 1_000_000_000


@frozen
class Money(Value):
    """An exact amount of money, in millionths of *unit*: a currency, or a provider's own."""

    micros: int
    unit: str

    @classmethod
    def of(cls, amount: float | Decimal | str, unit: str) -> Money:
        """Make it of an amount as people and providers write it; what is finer than a millionth rounds up.

        Raises `ValueError` for what is no amount of at least 0 and at most a billion.

        >>> Money.of(3 * 0.1, "USD"), Money.of("0.0000001", "USD")
        (Money(micros=300000, unit='USD'), Money(micros=1, unit='USD'))
        """
        # Loaded by who counts money: it takes longer to load than most of what a client needs.
        from decimal import ROUND_CEILING, Decimal, InvalidOperation

        try:
            exact = Decimal(str(amount))
        except InvalidOperation:
            raise ValueError(f"{amount!r} is no amount") from None
        if not (exact.is_finite() and 0 <= exact <= _MOST):
            raise ValueError(f"{amount!r} is not between 0 and {_MOST:,}")
        if not unit.isprintable() or unit != unit.strip() or not unit:
            raise ValueError(f"{unit!r} is no unit of money")
        # A float has noise behind its sixteenth digit, which must not cost a millionth.
        nanos = exact.scaleb(9).to_integral_value()
        return cls(int((nanos / 1000).to_integral_value(rounding=ROUND_CEILING)), unit)

    @classmethod
    def read(cls, text: str) -> Money:
        """Read what a person wrote, an amount and perhaps its unit, which is US dollars where none is named.

        >>> Money.read("20"), Money.read("1.5 credits")
        (Money(micros=20000000, unit='USD'), Money(micros=1500000, unit='credits'))
        """
        amount, _, unit = text.strip().partition(" ")
        return cls.of(amount, unit.strip() or "USD")

    def plus(self, other: Money) -> Money:
        """Add an amount; raises `ValueError` for one in another unit."""
        if other.unit != self.unit:
            raise ValueError(f"{self.unit} and {other.unit} cannot be added")
        return Money(self.micros + other.micros, self.unit)

    def __str__(self) -> str:
        """Say the amount for people.

        >>> str(Money(450_000, "USD"))
        '0.45 USD'
        """
        return f"{self.amount:f} {self.unit}"

    @property
    def amount(self) -> Decimal:
        """The amount in whole units, without zeros at its end."""
        from decimal import Decimal

        exact = Decimal(self.micros).scaleb(-6)
        whole = exact.to_integral_value()
        return whole if exact == whole else exact.normalize()
