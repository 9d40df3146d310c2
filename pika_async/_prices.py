"""The user's own prices, and the quotes of a request. Pure, but for the reading of the file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from attrs import field, frozen
from attrs.validators import in_, instance_of, optional

from pika_async._crossing import Value
from pika_async._powers import Estimate
from pika_async.errors import ConfigError
from pika_async.requests import VideoRequest

VARIABLE: Final = "PIKA_ASYNC_PRICES"


@frozen(kw_only=True)
class Quote(Value):
    """What a request would cost at *provider*.

    *estimate* is None where nobody publishes a price. *unsupported* says why the provider cannot express the
    request at all.
    """

    provider: str
    estimate: Estimate | None
    unsupported: str | None = None


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _amount(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, float) or not 0 <= value < float("inf"):
        raise ValueError(f"{attribute.name} must be a number of at least 0")


_text = optional(instance_of(str))


@frozen(kw_only=True)
class Price:
    """A price of the user's file. What it leaves out may be anything in the request."""

    provider: str = field(validator=instance_of(str))
    amount: float = field(converter=_number, validator=_amount)
    unit: str = field(default="USD", validator=instance_of(str))
    per: Literal["video", "second"] = field(default="video", validator=in_(("video", "second")))
    kind: str | None = field(default=None, validator=_text)
    model: str | None = field(default=None, validator=_text)
    resolution: str | None = field(default=None, validator=_text)
    duration: float | None = None
    date: str | None = field(default=None, validator=_text)

    def fits(self, provider: str, request: VideoRequest) -> bool:
        """Return whether this is a price of *request* at *provider*."""
        asked = {
            "kind": type(request).__name__.lower(),
            **{name: getattr(request, name) for name in ("model", "resolution", "duration")},
        }
        known = all(getattr(self, name) in {None, value} for name, value in asked.items())
        return provider == self.provider and known and (self.per == "video" or request.duration is not None)

    @property
    def particular(self) -> int:
        """Return how many of the request's fields the price names."""
        return sum(value is not None for value in (self.kind, self.model, self.resolution, self.duration))

    def of(self, request: VideoRequest) -> Estimate:
        """Return what *request* costs."""
        from decimal import Decimal

        times = 1 if self.per == "video" else Decimal(str(request.duration or 0))
        return Estimate(
            amount=float(Decimal(str(self.amount)) * times),
            unit=self.unit,
            source="your own prices",
            date=self.date,
            model=request.model,
            duration=request.duration,
            resolution=request.resolution,
        )


def price_of(prices: Sequence[Price], provider: str, request: VideoRequest) -> Estimate | None:
    """Return the price that says most about *request*; of equal ones, the first.

    >>> from pika_async import Generate
    >>> prices = [Price(provider="duomi", amount=2), Price(provider="duomi", amount=3, model="2.0")]
    >>> price_of(prices, "duomi", Generate("A cat", model="2.0")).amount
    3.0
    """
    fitting = [price for price in prices if price.fits(provider, request)]
    return max(fitting, key=lambda price: price.particular).of(request) if fitting else None


def read_prices(path: str | os.PathLike[str] | None, environment: Mapping[str, str]) -> tuple[Price, ...]:
    """Read the file *path*, or the one that `PIKA_ASYNC_PRICES` names; raises `ConfigError`.

    It is TOML with a table `[[price]]` for each price.
    """
    named = path or environment.get(VARIABLE)
    if not named:
        return ()
    import tomllib

    try:
        told = tomllib.loads(Path(named).read_text("utf-8"))
        return tuple(Price(**table) for table in told["price"])
    except OSError as error:
        raise ConfigError(
            f"The prices in {named} cannot be read ({error.strerror}); check the name."
        ) from None
    except KeyError:
        raise ConfigError(f"{named} holds no [[price]] table; add one for each price.") from None
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{named} is no list of prices ({error}); correct it.") from None
