"""The client: how it is made, and what its calls do."""

from __future__ import annotations

import asyncio

import pytest

from pika_async import Generate, Pika, State, VideoResult
from pika_async.errors import ConfigError, SubmitRefused, UnsupportedRequest
from pika_async.provider import Replay
from tests.engine.scripted import KEY, Scripted, capable, refusal, scene

pytestmark = pytest.mark.anyio

VARIABLES = ("ACEDATA_API_KEY", "ACEDATACLOUD_API_TOKEN", "DUOMI_API_KEY")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    """Start without keys in the environment."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


async def test_the_five_lines_of_the_readme():
    """A prompt in, a finished video out."""
    async with scene() as s:
        video = await s.after(30, s.pika.generate("A cat surfing at sunset"))
        assert video == VideoResult("t1", "https://media.test/t1.mp4", None, 5.0, State.SUCCEEDED)


async def test_every_kind_of_request_has_its_call():
    """Each reaches the wire with what the caller said."""
    async with scene() as s:
        calls = [
            s.pika.generate("one", image=b"GIF89a"),
            s.pika.ingredients("two", [b"GIF89a", "https://x.test/b.png"], mode=None),
            s.pika.submit(Generate("three")),
        ]
        await s.after(30, asyncio.gather(*calls))
        assert s.host.billed == {"one": 1, "two": 1, "three": 1}
        with pytest.raises(UnsupportedRequest, match="Style"):
            await s.pika.style("a duck", style="Inflate")


async def test_no_provider_and_no_key_is_a_clear_error():
    """It says what to write."""
    with pytest.raises(ConfigError, match=r'Pika\("acedata"\).*no API key'):
        Pika()


async def test_the_provider_whose_key_is_there_is_taken(monkeypatch):
    """With exactly one key, nothing needs to be said."""
    monkeypatch.setenv("DUOMI_API_KEY", "sandbox-canary-7d1f")
    async with Pika() as pika:
        assert list(pika.stats()) == ["duomi:default"]


async def test_two_keys_are_a_question(monkeypatch):
    """Whose money is spent is for the user to say."""
    monkeypatch.setenv("DUOMI_API_KEY", "sandbox-canary-7d1f")
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "sandbox-canary-7d1f")
    with pytest.raises(ConfigError, match="acedata and duomi"):
        Pika()


@pytest.mark.parametrize(
    ("providers", "options"),
    [
        (("acedata", "duomi"), {"api_key": "sandbox-canary-7d1f"}),
        (("acedata", "duomi"), {"base_url": "https://x.test"}),
        ((Scripted(),), {"api_key": "sandbox-canary-7d1f"}),
        ((), {"api_key": "sandbox-canary-7d1f"}),
    ],
)
async def test_a_key_goes_with_exactly_one_named_provider(providers, options, monkeypatch):
    """A key must never reach another company's host."""
    monkeypatch.setenv("ACEDATA_API_KEY", "sandbox-canary-7d1f")
    monkeypatch.setenv("DUOMI_API_KEY", "sandbox-canary-7d1f")
    with pytest.raises(ConfigError) as caught:
        Pika(*providers, **options)
    assert "sandbox-canary" not in str(caught.value)


async def test_a_provider_nobody_installed_is_named_with_those_that_are():
    """The user sees the spelling."""
    with pytest.raises(ConfigError, match=r"'ace'.*acedata, comfy, duomi, fal, pika"):
        Pika("ace", api_key="x")


async def test_a_missing_key_names_its_variables():
    """Both that are read."""
    with pytest.raises(ConfigError, match="ACEDATA_API_KEY or ACEDATACLOUD_API_TOKEN"):
        Pika("acedata")


async def test_a_provider_is_named_once():
    """Twice the same account would count its slots twice."""
    with pytest.raises(ConfigError, match="twice"):
        Pika(Scripted(), Scripted())


@pytest.mark.parametrize(
    "options",
    [
        {"max_concurrency": 0},
        {"poll_batch": 0},
        {"poll_rate": 0},
        {"poll_rate": -1},
        {"poll_interval": -1},
        {"max_submits": -1},
        {"account": ""},
        {"account": "a:b"},
        {"account": "a\n"},
        {"max_concurrency": "8"},
        {"max_concurrency": 1.5},
        {"max_concurrency": True},
        {"poll_batch": None},
        {"poll_rate": "1"},
        {"poll_rate": float("nan")},
        {"poll_interval": float("inf")},
        {"max_submits": "10"},
        *({"replay_window": given} for given in (-1, -0.001, 86_401, 10**400, "600", True, None, [60])),
        *({"replay_window": float(given)} for given in ("nan", "inf", "-inf")),
        {"trust_env": "no"},
        {"ledger": 5},
        {"ledger": " "},
        {"media_hosts": "media.lan/videos"},
        {"callback_url": "not a url"},
        {"callbacks": "https://app.test"},
        {"transport": object()},
        {"clock": 5},
    ],
)
async def test_options_that_make_no_sense_are_refused(options):
    """When the client is made, before anything can be bought, and by their names."""
    with pytest.raises(ConfigError, match=rf"^{next(iter(options))} must be "):
        Pika(Scripted(), **options)


@pytest.mark.parametrize("given", [0, 0.5, 600, 86_400])
async def test_a_replay_window_is_up_to_a_day(given):
    """And 0 sends nothing again."""
    keeps = Scripted(capabilities=capable(replay=Replay()))
    async with scene(keeps, replay_window=given) as s:
        (account,) = s.engine.desk.accounts.values()
        assert account.replay_window == given


async def test_a_client_shows_no_key():
    """Neither it, nor its jobs, nor its figures."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        assert KEY not in f"{s.pika!r} {vars(s.pika)!r} {job!r} {s.pika.stats()!r} {s.wire.submits!r}"


async def test_accounts_carry_the_users_label():
    """The label is in the figures and in the token, so that other processes take the right account."""
    async with scene(account="work") as s:
        job = await s.pika.submit(Generate("a cat"))
        assert list(s.pika.stats()) == ["scripted:work"]
        assert s.pika.job(job.token).id == job.id


async def test_providers_are_asked_in_the_order_of_preference():
    """The next only after a refusal, and each job anew from the first."""
    names = ("one", "two", "three")
    async with scene(*(Scripted(capabilities=capable(name)) for name in names)) as s:
        for name in names[:2]:
            s.hosts[name].at_submit.append(refusal("InsufficientBalance", 402))
        first = await s.pika.submit(Generate("first"))
        second = await s.pika.submit(Generate("second"))
        assert (first.provider, second.provider) == ("three", "one")


async def test_a_refusal_by_all_is_the_last_ones():
    """Submit raises it, as generate does."""
    async with scene() as s:
        s.host.at_submit.append(refusal("SubmitRefused", 400))
        with pytest.raises(SubmitRefused) as caught:
            await s.pika.submit(Generate("a cat"))
        assert caught.value.job.state is State.FAILED


async def test_a_request_wrong_for_everyone_is_refused_before_the_client_is_asked():
    """Nothing is recorded for it."""
    async with scene() as s:
        with pytest.raises(UnsupportedRequest):
            await s.pika.generate("")
        with pytest.raises(UnsupportedRequest):
            await s.pika.submit("")
        assert not s.engine.desk.flights
