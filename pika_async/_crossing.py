"""What crosses a process boundary, and what refuses to and says what to take instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from pika_async import _pydantic
from pika_async._plain import asdict

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

T = TypeVar("T")


class Value:
    """An attrs class whose instances are plain facts.

    They can be pickled and copied, `asdict` makes JSON data of them, and they can be fields of pydantic
    models and what a FastAPI function returns.
    """

    __slots__ = ()

    # FastAPI encodes what it does not know by `vars()`, where a function has no return annotation.
    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        return asdict(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _pydantic.value_schema(cls, handler)


def process_bound(instead: str) -> Callable[[type[T]], type[T]]:
    """Make a class refuse to be pickled or copied, because it holds a key, an event loop or a socket.

    *instead* is what to do, as the end of the message of the `TypeError`.
    """

    def bind(kind: type[T]) -> type[T]:
        def refuse(self: T) -> NoReturn:
            raise TypeError(f"A {type(self).__name__} cannot be pickled or copied; {instead}.")

        kind.__reduce__ = refuse  # type: ignore[assignment]
        return kind

    return bind
