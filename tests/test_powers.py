"""What an adapter declares of its optional powers is checked when it is loaded, and used as declared."""

from __future__ import annotations

import pytest
from attrs import evolve, frozen

import pika_async.provider as api
from pika_async import Edit, Generate, Style, UnsupportedRequest, _registry
from pika_async._contract import check_provider
from pika_async.errors import ConfigError
from pika_async.provider import Capabilities, Replay, Takes
from pika_demo import Demo

LINK, PLAIN = "https://media.test/a.png", "http://media.test/a.png"
ABLE = Capabilities(
    kinds={Generate, Style, Edit},
    fields={"image", "video", "duration", "resolution", "last_image", "frames", "region"},
    lacks={Style: {"duration"}},
    prompt_optional={Generate},
    choices={"duration": (5, 10), "resolution": ("720p", "1080p")},
    media={
        "image": Takes(https_only=True, inline=True, inline_limit=4, uploads=True, upload_limit=8),
        "frames": Takes(links=False),
    },
)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (Generate("a", duration=6), "duration must be 5 or 10"),
        (Generate("a", resolution="4k"), "resolution must be 720p or 1080p"),
        (Style("a", style="Melt", duration=5), "duration cannot be expressed"),
        (Style(style="Melt", image=LINK), "prompt is required"),
        (Generate(image=PLAIN), "image must be an https link"),
        (Generate("a", image=LINK, last_image=PLAIN), "last_image must be an https link"),
        (Generate("a", image=b"\x80" * 9), "image must be at most 8 bytes, not 9"),
        (Generate("a", video=b"\x80"), "video must be a link"),
        (Generate("a", frames=[LINK, LINK]), "frames must be left out"),
        (Edit("a", LINK, mask=LINK), "mask cannot be expressed"),
    ],
)
def test_what_a_provider_lacks_is_refused_by_name(request_, why):
    """Before anything is read, uploaded or bought."""
    with pytest.raises(UnsupportedRequest, match=why):
        ABLE.check(request_)


@pytest.mark.parametrize(
    "request_",
    [
        Generate("a", duration=5, resolution="1080P"),
        Generate(image=LINK),
        Generate("a", image=b"\x80" * 8),
        Edit("a", PLAIN, region="the hat"),
    ],
)
def test_what_a_provider_has_passes(request_):
    """A prompt may be missing where that is declared, and a required field needs no declaration."""
    ABLE.check(request_)


def test_bytes_are_uploaded_where_they_do_not_fit_inline():
    """What both ways carry goes inline, for that is one request fewer."""
    both = ABLE.takes("image")
    assert [both.uploaded(4), both.uploaded(5)] == [False, True]
    assert Takes(uploads=True).uploaded(1)
    assert not Takes(inline=True).uploaded(10**9)


def test_only_declared_outcomes_are_replayed():
    """A conflict is a doubt, unless a provider says otherwise."""
    assert [Replay().allows(status) for status in (None, 503, 409, 408)] == [True, True, False, False]
    assert Replay(after=[409]).allows(409)
    assert not Replay(after=[409]).allows(None)


@frozen(kw_only=True)
class UploadsInName(Demo):
    """Declares uploads that it cannot make."""

    capabilities = evolve(Demo.capabilities, media={"image": Takes(uploads=True)})


@frozen(kw_only=True)
class Deaf(Demo):
    """Declares callbacks of the account that it does not read."""

    capabilities = evolve(Demo.capabilities, callbacks="account")


@frozen(kw_only=True)
class UnknownField(Demo):
    """Declares the media of a field that no request has."""

    capabilities = evolve(Demo.capabilities, media={"picture": Takes()})


@frozen(kw_only=True)
class HalfUpload(Demo):
    """Begins uploads that it cannot end."""

    def build_upload(self, blob, step, /): ...


@frozen(kw_only=True)
class Everything(Demo):
    """Has every power of this release."""

    def build_upload(self, blob, step, /): ...
    def read_upload(self, response, blob, step, /): ...
    def build_cancel(self, task, /): ...
    def read_cancel(self, response, task, /): ...
    def build_estimate(self, request, /): ...
    def read_estimate(self, response, request, /): ...
    def build_download(self, link, /): ...


@pytest.mark.parametrize(
    ("adapter", "why"),
    [
        (UploadsInName, "add build_upload and read_upload"),
        (Deaf, "add read_callback"),
        (UnknownField, "declares picture in media"),
        (HalfUpload, "half of a power; add read_upload"),
    ],
)
def test_a_declaration_without_its_functions_is_refused(adapter, why):
    """At load, where its author sees it, and not at the first paid video."""
    with pytest.raises(ConfigError, match=why):
        check_provider(adapter(api_key="k"))


def test_every_power_is_found():
    """By the names of its functions alone."""
    assert check_provider(Everything(api_key="k")) == {"uploads", "cancels", "estimates", "keyed_links"}
    assert check_provider(Demo(api_key="k")) == frozenset()


def test_two_instances_may_differ():
    """Capabilities belong to the instance, and so does the name."""

    @frozen(kw_only=True)
    class Gateway(Demo):
        name: str = "gateway"

        @property
        def capabilities(self) -> api.Capabilities:
            return evolve(Demo.capabilities, name=self.name)

    for name in ("gateway", "eu"):
        assert _registry.load("unused", Gateway(api_key="k", name=name)).name == name
