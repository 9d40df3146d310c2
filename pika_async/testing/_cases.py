"""The conformance kit as a class of tests, for adapters that live in a distribution of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from pika_async.provider import Emulator, ProviderFactory
from pika_async.testing._conformance import checks


class ProviderTests:
    """Subclass it in a test module, and pytest runs every part of `check_provider` as a test of its own.

        class TestMine(ProviderTests):
            factory = Mine
            emulator = MineEmulator()

    *values*, *refused_by_status* and *secret* are those of `check_provider`. Parts that need an emulator are
    skipped without one.
    """

    factory: ClassVar[ProviderFactory]
    emulator: ClassVar[Emulator | None] = None
    values: ClassVar[Mapping[str, Sequence[Any]] | None] = None
    refused_by_status: ClassVar[Collection[int]] = ()
    secret: ClassVar[bytes | None] = None

    def _check(self, part: str) -> None:
        kind = type(self)
        parts = checks(
            kind.factory,
            emulator=kind.emulator,
            values=kind.values,
            refused_by_status=kind.refused_by_status,
            secret=kind.secret,
        )
        if part not in parts:
            import pytest

            pytest.skip("needs an emulator")
        parts[part]()

    def test_requests(self) -> None:
        """Every declared kind of request is built, purely, with the key and the callback as secrets."""
        self._check("requests")

    def test_fields(self) -> None:
        """Every declared field changes the wire, or is refused by name."""
        self._check("fields")

    def test_look_ups(self) -> None:
        """A look-up asks for every task that it is given."""
        self._check("look_ups")

    def test_odd_answers(self) -> None:
        """Any answer is read as a value or a `PikaError`, and nothing vague is a refusal."""
        self._check("odd_answers")

    def test_the_whole_way(self) -> None:
        """A request goes the whole way to its video and its callbacks."""
        self._check("the_whole_way")

    def test_spoilt_answers(self) -> None:
        """The emulator's own answers, spoilt, are read as values or as errors of the library."""
        self._check("spoilt_answers")

    def test_outcomes(self) -> None:
        """Every outcome of the emulator is told by its name."""
        self._check("outcomes")

    def test_tasks(self) -> None:
        """Tasks are told apart: on their way, at the end, together, unknown, and in the history."""
        self._check("tasks")

    def test_wire(self) -> None:
        """Words and media arrive as they were given, no key is in an address, and reading is linear."""
        self._check("wire")

    def test_powers(self) -> None:
        """Replay, uploads, cancellation and signed callbacks keep their promises, where they are declared."""
        self._check("powers")

    def test_documents(self) -> None:
        """What the emulator knows from its documents is what the adapter declares, sends and reads."""
        self._check("documents")
