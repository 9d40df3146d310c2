"""Keys that must be seen nowhere: every test runs with them, and fails where one of them shows.

What is looked at: what was logged (at DEBUG), printed and written below `tmp_path`, and every `PikaError`
that was made, with the locals of our frames. What is looked for: the keys here, callback tokens by their
form, and whatever the test itself put into a `Secret`.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from pathlib import Path

import pytest

from pika_async._secret import Secret
from pika_async.errors import PikaError

KEYS = {
    "ACEDATA_API_KEY": "sandbox-canary-acedata-77e1b0",
    "ACEDATACLOUD_API_TOKEN": "sandbox-canary-acedatacloud-77e1b0",
    "DUOMI_API_KEY": "sandbox-canary-duomi-77e1b0",
}
SECRET = re.compile(
    r"sandbox-canary-\w+-77e1b0"
    r"|(?:callback\.invalid/|pika_attempt=)[\w-]+-\d+-[\w-]+\.[\w-]{22}"  # a callback token of an attempt
)
_OURS = re.compile(r"[/\\](pika_\w+)[/\\](?!sandbox|testing)")
_SHORTEST, _MOST = 10, 100
_LARGEST_FILE = 8 * 1024 * 1024


class Watch(logging.Handler):
    """Collects *leaks* from the start to the stop: where, and of what."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.leaks: list[str] = []
        self._errors: dict[object, PikaError] = {}
        self._wrapped: set[str] = set()

    def look(self, where: str, text: str) -> None:
        """Note a leak if *text* shows a secret."""
        found = SECRET.search(text)
        shown = [found[0]] if found else [secret for secret in self._wrapped if secret in text]
        self.leaks += [f"{where} shows {secret}" for secret in shown]

    def emit(self, record: logging.LogRecord) -> None:
        """Look at what would be written for *record*, its traceback included."""
        self.look(f"log {record.name}", self.format(record))

    def start(self) -> None:
        """Listen to every logger, and to every `PikaError` and `Secret` that is made."""
        root = logging.getLogger()
        self._level, self._init, self._wrap = root.level, PikaError.__init__, Secret.__init__
        root.addHandler(self)
        root.setLevel(logging.DEBUG)
        original, wrap, watch = self._init, self._wrap, self

        def init(error: PikaError, message: str, **facts: object) -> None:
            original(error, message, **facts)
            # The first from each place is kept to be looked at whole: errors come by the thousand.
            frame = sys._getframe(1)
            watch._errors.setdefault((type(error), frame.f_code, frame.f_lineno), error)
            watch.look(type(error).__name__, message)

        def remember(secret: Secret, text: str | Secret) -> None:
            wrap(secret, text)
            key = secret.reveal()
            # Addresses are found by the form of their token; short words are all over the place.
            if len(key) >= _SHORTEST and "://" not in key and len(watch._wrapped) < _MOST:
                watch._wrapped.add(key)

        PikaError.__init__, Secret.__init__ = init, remember

    def stop(self) -> None:
        """Stop listening, and look at the errors with the locals of their frames; once."""
        if self not in logging.getLogger().handlers:
            return
        PikaError.__init__, Secret.__init__ = self._init, self._wrap
        root = logging.getLogger()
        root.removeHandler(self)
        root.setLevel(self._level)
        for error in self._errors.values():
            self._look_at(error)
        self._errors.clear()

    def _look_at(self, error: BaseException) -> None:
        where = type(error).__name__
        self.look(f"repr of {where}", f"{error!r} {error.__dict__!r}")
        seen: BaseException | None = error
        while seen is not None:
            for frame, line in traceback.walk_tb(seen.__traceback__):
                name = frame.f_code.co_filename
                if _OURS.search(name) or name.startswith("<attrs generated"):
                    for local, value in frame.f_locals.items():
                        self.look(f"local {local} in {name}:{line} under {where}", _shown(value))
            seen = seen.__cause__ or seen.__context__

    def look_into(self, folder: Path) -> None:
        """Look at every file below *folder*."""
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST_FILE:
                self.look(f"file {path.name}", path.read_bytes().decode("latin-1"))


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - an object whose construction failed has no repr, and shows nothing
        return ""


@pytest.fixture(autouse=True)
def canary(request, monkeypatch):
    """Run the test with canary keys in the environment; fail it where one of them shows."""
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    watch = Watch()
    watch.start()
    yield watch
    watch.stop()
    if folder is not None:
        watch.look_into(folder)
    if watch.leaks:
        pytest.fail("A secret leaked: " + "; ".join(sorted(set(watch.leaks))), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Fail the phase of a test that printed a secret."""
    report = yield
    for name in ("capstdout", "capstderr"):
        if found := SECRET.search(getattr(report, name)):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} leaked a secret: {name} shows {found[0]}"
    return report
