"""The whole test suite that a provider needs to begin with."""

from pika_async.testing import check_provider
from pika_demo import Demo, DemoEmulator


def test_the_adapter_keeps_the_contract() -> None:
    """Every promise of the contract that can be tried without a network."""
    check_provider(Demo, emulator=DemoEmulator())
