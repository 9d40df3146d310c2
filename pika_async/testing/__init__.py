"""For tests of programs and adapters: a clock moved by hand, a scripted transport, a conformance kit."""

from pika_async.testing._cases import ProviderTests
from pika_async.testing._cassette import Cassette
from pika_async.testing._clock import FakeClock, FakeTimer, settle
from pika_async.testing._conformance import check_provider
from pika_async.testing._script import Answer, ScriptedTransport
from pika_async.testing._world import FakeWorld

__all__ = [
    "Answer",
    "Cassette",
    "FakeClock",
    "FakeTimer",
    "FakeWorld",
    "ProviderTests",
    "ScriptedTransport",
    "check_provider",
    "settle",
]
