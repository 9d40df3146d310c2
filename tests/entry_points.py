"""Entry points of a test's own, in the place of those of the installed distributions."""

from importlib.metadata import EntryPoint

import pytest

from pika_async import _registry


@pytest.fixture
def installed(monkeypatch):
    """Install entry points, by name, instead of the real ones."""

    def install(**named):
        points = [
            EntryPoint(name, value, _registry.GROUP)
            for name, values in named.items()
            for value in ([values] if isinstance(values, str) else values)
        ]
        monkeypatch.setattr(_registry, "entry_points", lambda group: points)
        _registry.forget()

    yield install
    monkeypatch.undo()
    _registry.forget()
