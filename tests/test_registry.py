"""Adapters are checked once, when they are loaded; a broken one is listed and harmless."""

from typing import Any

import pytest
from attrs import frozen

import pika_async.provider as api
from pika_acedata import AceData
from pika_async import ConfigError, Generate, Ingredients, Pika, Style, UnsupportedRequest, _registry
from pika_async._contract import check_provider
from pika_async.errors import PikaError
from pika_demo import Demo
from tests import broken_adapters as broken


@pytest.mark.parametrize(
    ("adapter", "why"),
    [
        (broken.UnknownName, r"UnknownName\.build_refund is not part of the provider contract"),
        (broken.HalfPower, "only half of a power; add read_balance"),
        (broken.Unsigned, "only half of a power; add read_callback"),
        (broken.TooFewArguments, r"TooFewArguments\.read_poll must take 2 positional arguments"),
        (broken.TooManyArguments, r"TooManyArguments\.build_poll must take 1 positional arguments"),
        (broken.Waits, r"Waits\.read_submit is async; an adapter is pure and never waits"),
        (broken.OtherVersion, "written for version 2 of the provider contract, this is version 1"),
        (broken.NoCapabilities, "capabilities is not a Capabilities value"),
        (broken.Incomplete, "Incomplete has no build_poll; add it"),
    ],
)
def test_an_adapter_that_does_not_fit_the_contract_is_refused_at_load(adapter, why):
    """A typing error in a name must not switch a power off in silence."""
    with pytest.raises(ConfigError, match=why):
        check_provider(adapter(api_key="k"))


def test_powers_are_found_once_at_load():
    """What an adapter can do beyond the contract is known without asking again."""
    assert check_provider(Demo(api_key="k")) == frozenset()
    assert check_provider(AceData(api_key="k")) == {"finds", "reads_callbacks"}


def test_the_installed_providers_are_ours_by_the_same_entry_points_as_anyones():
    """There is no privileged path."""
    plugins = _registry.plugins()
    assert {"acedata", "duomi"} <= plugins.keys()
    assert plugins["acedata"].distribution == "pika-async"
    assert plugins["acedata"].broken is None


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("no_such_module:Adapter", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("tests.broken_adapters:NoSuchName", "AttributeError"),
        ("tests.broken_adapters:Explodes", "ZeroDivisionError: ZeroDivisionError"),
        ("tests.broken_adapters:LeavesTheHouse", "SystemExit: 3"),
        ("tests.broken_adapters:HalfPower", "ConfigError: HalfPower has only half of a power"),
        ("tests.broken_adapters:OtherName", "ConfigError: OtherName is called 'acedata'"),
        ("json:dumps", "TypeError"),
        ("not an entry point", "AttributeError"),
    ],
)
def test_a_broken_plugin_is_listed_and_harmless(installed, value, why):
    """Its neighbours work, and using it says who must act."""
    installed(acedata="pika_acedata:AceData", bad=value)
    bad = _registry.plugins()["bad"]
    assert bad.broken.startswith(why)
    assert bad.factory is None
    assert _registry.make("acedata", api_key="k", environment={}).name == "acedata"
    with pytest.raises(ConfigError, match=r"'bad' of unknown cannot be loaded .* update or remove"):
        _registry.make("bad", api_key="k", environment={})


def test_a_name_that_two_distributions_claim_is_nobodys(installed):
    """The key of a provider is never handed to whichever comes first."""
    installed(acedata=["pika_acedata:AceData", "tests.broken_adapters:ShowsKey"], demo="pika_demo:Demo")
    assert "Several distributions offer 'acedata'" in _registry.plugins()["acedata"].broken
    assert _registry.plugins()["demo"].broken is None


def test_an_unknown_name_is_answered_with_the_known_ones(installed):
    """Only those that work are offered."""
    installed(demo="pika_demo:Demo", bad="no_such_module:X", acedata="pika_acedata:AceData")
    with pytest.raises(ConfigError, match=r"No provider is called 'acedate'; installed are acedata, demo\."):
        _registry.make("acedate", environment={})


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ({"ACEDATA_API_KEY": "a"}, "a"),
        ({"ACEDATACLOUD_API_TOKEN": "b"}, "b"),
        ({"ACEDATA_API_KEY": "a", "ACEDATACLOUD_API_TOKEN": "b"}, "a"),
        ({"ACEDATA_API_KEY": "  ", "ACEDATACLOUD_API_TOKEN": "b\n"}, "b"),
    ],
)
def test_the_key_comes_from_the_environment(environment, key):
    """Under our name, or the one the provider's own SDK uses; spaces around it are a slip of the shell."""
    assert _registry.make("acedata", environment=environment).provider.api_key.reveal() == key


def test_a_key_that_is_given_wins():
    """Over the environment."""
    loaded = _registry.make("acedata", api_key="given", environment={"ACEDATA_API_KEY": "found"})
    assert loaded.provider.api_key.reveal() == "given"


def test_a_missing_key_names_the_variables_to_set():
    """The user is told what to do next."""
    with pytest.raises(
        ConfigError, match="no API key for acedata; set ACEDATA_API_KEY or ACEDATACLOUD_API_TOKEN"
    ):
        _registry.make("acedata", environment={"DUOMI_API_KEY": "other"})


@pytest.mark.parametrize(
    ("name", "variable"),
    [("acedata", "ACEDATA_BASE_URL"), ("duomi", "DUOMI_BASE_URL"), ("my-demo", "MY_DEMO_BASE_URL")],
)
def test_the_address_comes_from_the_environment(installed, name, variable):
    """Under a name that every plugin has, declared or not."""
    installed(**{"acedata": "pika_acedata:AceData", "duomi": "pika_duomi:Duomi", "my-demo": "pika_demo:Demo"})
    environment = {variable: "https://proxy.test/"}
    loaded = _registry.make(name, api_key="k", environment=environment)
    assert loaded.provider.base_url == "https://proxy.test"
    assert loaded.origin == "https://proxy.test:443"
    given = _registry.make(name, api_key="k", base_url="https://given.test", environment=environment)
    assert given.provider.base_url == "https://given.test"


@pytest.mark.parametrize("key", ["Bearer canary", '"canary"', "${CANARY}", "canary=canary", "ca nary"])
def test_a_key_is_checked_where_it_is_given(key):
    """As an argument, in the environment or by an adapter; the error names the place and not the key."""
    for source, make in (
        ("api_key", lambda: _registry.make("acedata", api_key=key, environment={})),
        ("DUOMI_API_KEY", lambda: _registry.make("duomi", environment={"DUOMI_API_KEY": key})),
        ("api_key of demo", lambda: _registry.load("demo", Demo(api_key=key))),
    ):
        with pytest.raises(ConfigError, match=f"^The key in {source} ") as refused:
            make()
        assert "canary" not in str(refused.value).casefold()


@pytest.mark.parametrize(
    "url",
    [
        "https://me:canary@proxy.test",
        "https://proxy.test?key=canary",
        "proxy.test/canary",
        "https://proxy.test/#canary",
    ],
)
@pytest.mark.parametrize("name", ["acedata", "duomi"])
def test_an_address_is_checked_where_it_is_given(name, url):
    """With a password in it, one provider took the order and could never be asked for it again."""
    variable = f"{name.upper()}_BASE_URL"
    for source, make in (
        ("base_url", lambda: _registry.make(name, api_key="k", base_url=url, environment={})),
        (variable, lambda: _registry.make(name, api_key="k", environment={variable: url})),
    ):
        with pytest.raises(ConfigError, match=f"^{source} must be an http") as refused:
            make()
        assert "canary" not in str(refused.value)


def test_an_address_in_the_environment_may_end_in_a_blank():
    """A slip of the shell, as with keys."""
    environment = {"ACEDATA_BASE_URL": "https://proxy.test \n"}
    assert _registry.make("acedata", api_key="k", environment=environment).origin == "https://proxy.test:443"


def test_a_key_that_cannot_be_used_is_not_shown():
    """Neither in the error, nor in any frame of it."""
    import traceback

    with pytest.raises(PikaError) as refused:
        _registry.make("acedata", environment={"ACEDATA_API_KEY": "sk-4f1d\nsk-4f1d"})
    report = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    ours = [frame for frame in report.stack if frame.filename != __file__]
    assert ours
    assert not [frame for frame in ours if "4f1d" in str(frame.locals)]
    assert "4f1d" not in str(refused.value)


def test_capabilities_are_checked_before_the_adapter_is_asked():
    """What it never declared is refused in the core's words, naming the field."""
    acedata = _registry.make("acedata", api_key="k", environment={})
    with pytest.raises(UnsupportedRequest, match=r"^seed cannot be expressed"):
        acedata.check(Generate("A cat", seed=7, motion=2))
    duomi = _registry.make("duomi", api_key="k", environment={})
    with pytest.raises(UnsupportedRequest, match=r"^style 'Bald Me' is not among Inflate"):
        duomi.check(Style("A cat", style="Bald Me"))
    with pytest.raises(UnsupportedRequest, match=r"^image must be a link"):
        duomi.check(Generate("A cat", image=b"\x89PNG"))


def test_a_check_reads_no_file(tmp_path):
    """Files are read when the job's turn comes: until then only their names are there."""
    acedata = _registry.make("acedata", api_key="k", environment={})
    acedata.check(Generate("A cat", image=tmp_path / "not-there.png"))
    acedata.check(Ingredients("A cat", [tmp_path / "not-there.png", b"\x89PNG"]))


@frozen(kw_only=True)
class Gateway:
    """An adapter of which a client may hold two, each with its own name and variable."""

    name: Any = "gateway"
    api_key: api.Secret = api.key("GATEWAY_API_KEY")
    base_url: str = api.base_url("https://gateway.test")

    @property
    def capabilities(self):
        variable = f"{str(self.name).upper()}_API_KEY"
        return api.Capabilities(name=self.name, kinds=(Generate,), fields=(), key_variables=(variable,))

    build_submit = read_submit = build_poll = read_poll = lambda self, one, two=None, /: None


@pytest.mark.parametrize("name", ["", "a:b", "a b", "a\n", "x" * 65])
def test_a_name_that_no_account_can_bear_is_refused(name):
    """It is part of keys of the ledger and of tokens, where a colon ends it."""
    with pytest.raises(ConfigError, match=r"Gateway is called .*; a provider's name has 1 to 64 letters"):
        Pika(Gateway(name=name, api_key="k"))


def test_the_name_of_an_installed_provider_is_not_for_another_adapter():
    """Its jobs would be looked up with the wrong key."""
    with pytest.raises(ConfigError, match="Gateway is called 'acedata', as the installed AceData is"):
        Pika(Gateway(name="acedata", api_key="k"))


def test_an_empty_key_names_the_variable_of_the_instance():
    """Not that of its class."""
    with pytest.raises(ConfigError, match="api_key is empty; set OTHER_API_KEY or pass api_key"):
        Gateway(name="other", api_key="")
