"""What is handed to people who test programs and adapters: first of all, the conformance kit."""

from functools import partial

import pytest

from pika_acedata import AceData, AceDataEmulator
from pika_async.errors import ConfigError
from pika_async.testing import FakeClock, ProviderTests, check_provider
from pika_async.testing._builds import KEY
from pika_comfy import Comfy, ComfyEmulator
from pika_demo import Demo, DemoEmulator
from pika_duomi import Duomi, DuomiEmulator
from pika_fal import Fal, FalEmulator
from pika_official import PikaEmulator, PikaOfficial
from pika_official._signing import WEBHOOK_SECRET
from tests import broken_adapters as broken


@pytest.fixture(autouse=True)
def the_key_of_the_kit(canary):
    """Leave its key to the kit, which puts it into answers on purpose and looks at what is made of them."""
    yield
    canary.stop()
    canary.leaks = [leak for leak in canary.leaks if not leak.endswith(KEY)]


@pytest.mark.parametrize(
    ("factory", "emulator", "options"),
    [
        (Demo, DemoEmulator(), {}),
        (AceData, AceDataEmulator(), {}),
        (Duomi, DuomiEmulator(), {"refused_by_status": {404}}),
        (PikaOfficial, PikaEmulator(), {"secret": WEBHOOK_SECRET.encode()}),
        (Fal, FalEmulator(), {}),
        (Comfy, ComfyEmulator(), {"refused_by_status": {413}}),
        (partial(AceData, held=True), AceDataEmulator(), {}),
        (partial(Comfy, held=True), ComfyEmulator(), {"refused_by_status": {413}}),
    ],
)
def test_our_adapters_and_the_example_keep_the_contract(factory, emulator, options):
    """The kit that strangers are given is the one that ours must pass."""
    check_provider(factory, emulator=emulator, **options)


class TestTheExample(ProviderTests):
    """The kit as a class, as an author of an adapter uses it."""

    factory = Demo
    emulator = DemoEmulator()


@pytest.mark.parametrize(
    ("factory", "promise"),
    [
        (broken.ShowsKey, "keep it a Secret"),
        (broken.KeyToStrangers, "not the base_url"),
        (broken.Replayable, "submitted with PUT"),
        (broken.DropsSeed, "Generate.seed is declared, and dropped"),
        (broken.RefusesSeed, "seed is declared, and every value of it is refused"),
        (broken.DropsExtraBody, "Generate.extra_body does not reach the wire"),
        (broken.DeclaresNonsense, "ratio is declared, and no declared kind"),
        (broken.RefusesItsKind, "Generate is declared, and refused"),
        (broken.ForgetsCallback, "does not carry the callback address"),
        (broken.AsksForOne, "does not ask for all of them"),
        (broken.FallsOver, "read_submit fails on HTTP"),
        (broken.RefusesTooMuch, "taken for a refusal"),
        (broken.RefusesNamedTask, "names a task is refused for HTTP 422"),
        (broken.BelievesTheError, "names a task beside an error is read as Failed"),
        (broken.TellsNothing, "says nothing of tasks"),
        (broken.TellsOfOthers, "not asked for"),
        (broken.EchoesKey, "shows the key"),
        (broken.NeverDone, "is rendered, and read as"),
        (broken.OtherLimit, "Capabilities.ranges is .* and the documents say"),
        (broken.NestsExtras, "sends extra_body, which the documents do not have"),
        (broken.CountsToAHundred, "tells a progress of 42.0"),
        (broken.SaysNothing, "example for read_poll.* and the message must be 'it broke'"),
    ],
)
def test_a_broken_promise_is_named(factory, promise):
    """The sentence says which one, so that its author knows what to change."""
    with pytest.raises(AssertionError, match=promise):
        check_provider(factory, emulator=DemoEmulator())


@pytest.mark.parametrize(
    ("factory", "emulator", "promise"),
    [
        (broken.BelievesAnybody, PikaEmulator(), "A forged callback"),
        (broken.KeyToBuckets, PikaEmulator(), "The key would go to https://elsewhere.test"),
        (broken.KeyToLinks, PikaEmulator(), "A secret would go to https://elsewhere.test"),
        (broken.FollowsAddresses, FalEmulator(), "A secret would go to https://elsewhere.test"),
        (broken.KeepsItsKey, PikaEmulator(), "let build_download return the GET"),
        (broken.KeepsItsKey, PikaEmulator(serves_files=True), "let build_download return the GET"),
    ],
)
def test_a_broken_promise_of_a_power_is_named(factory, emulator, promise):
    """Powers are where keys leave the house, so each way out is tried with a stranger at its end."""
    with pytest.raises(AssertionError, match=promise):
        check_provider(factory, emulator=emulator, secret=WEBHOOK_SECRET.encode())


@pytest.mark.parametrize(
    ("factory", "promise"),
    [
        (broken.NamesEachAnswer, "A replay is read as another job"),
        (broken.HidesItsFailures, r"return Failed\(reason='provider'\), not Failed"),
    ],
)
def test_a_route_that_answers_with_the_video_is_tried_as_well(factory, promise):
    """Its answer to the submit tells the end, and no look-up knows more."""
    with pytest.raises(AssertionError, match=promise):
        check_provider(partial(factory, held=True), emulator=ComfyEmulator(), refused_by_status={413})


def test_statuses_that_are_documented_as_refusals_are_refusals():
    """Who tells the kit of such a status is told when the adapter does not know it."""
    with pytest.raises(AssertionError, match="HTTP 413 is documented as a refusal"):
        check_provider(Demo, emulator=DemoEmulator(), refused_by_status={413})


def test_an_adapter_that_does_not_fit_at_all_is_refused_as_at_load():
    """The kit begins with what the registry checks."""
    with pytest.raises(ConfigError, match="build_refund"):
        check_provider(broken.UnknownName)


def test_a_provider_without_an_emulator_is_checked_as_far_as_that_goes():
    """An emulator is worth writing, and not required."""
    check_provider(Demo)


@pytest.mark.anyio
async def test_a_fake_clock_runs_what_falls_due_in_order():
    """Tests move time by hand and never wait."""
    clock, ran = FakeClock(), []
    start = clock.now()
    clock.call_at(start + 2, lambda: ran.append(("two", clock.now() - start)))
    clock.call_at(start + 1, lambda: ran.append(("one", clock.now() - start)))
    cancelled = clock.call_at(start + 1, lambda: ran.append("never"))
    cancelled.cancel()
    await clock.advance(1.5)
    assert ran == [("one", 1.0)]
    await clock.advance(10)
    assert ran == [("one", 1.0), ("two", 2.0)]
