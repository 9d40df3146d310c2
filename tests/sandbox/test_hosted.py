"""Which emulators a sandbox hosts, and which of them is asked."""

import pytest
from attrs import evolve, frozen

from pika_async.errors import ConfigError
from pika_async.provider import HttpResponse
from pika_async.sandbox import Sandbox, _hosted

pytestmark = pytest.mark.anyio


@frozen
class Plain:
    """Answers below its *paths* with its own *name*."""

    name: str
    paths: tuple[str, ...]

    def answer(self, request, world, /):
        return HttpResponse(status=200, body=self.name.encode())


ECHO = Plain("echo", ("/echo/",))


def test_two_emulators_with_one_path_are_refused():
    """Which of them would be asked was a matter of their order; two of one class as well."""
    one, two = Plain("one", ("/a/", "/v1/")), Plain("two", ("/b/", "/v1/"))
    with pytest.raises(ConfigError, match=r"Plain \(number 1\) and Plain \(number 2\) both answer /v1/;"):
        Sandbox(emulators=[one, two])
    with pytest.raises(ConfigError, match=r"Plain \(number 2\) and Plain \(number 3\) both answer /echo/"):
        Sandbox(emulators=[one, evolve(two, paths=("/echo/",)), ECHO])


@pytest.mark.parametrize("turned", [False, True])
async def test_the_longer_of_two_paths_is_asked(client, turned):
    """In either order."""
    emulators = [Plain("wide", ("/v1/", "/v1/")), Plain("deep", ("/v1/pika/",))]
    async with Sandbox(emulators=emulators[::-1] if turned else emulators) as sandbox:
        for path, name in (("/v1/other", b"wide"), ("/v1/pika/generate", b"deep")):
            async with client.post(sandbox.url + path) as answer:
                assert await answer.read() == name


async def test_installed_emulators_are_hosted_and_broken_ones_listed(client, monkeypatch):
    """Emulators come from entry points; one that does not load is listed and harmless."""

    class EntryPoint:
        def __init__(self, name, load):
            self.name, self.load = name, load

    def broken():
        raise ImportError("no module named stranger")

    found = [EntryPoint("stranger", broken), EntryPoint("echo", lambda: lambda: ECHO)]
    monkeypatch.setattr(_hosted, "entry_points", lambda group: found)
    async with Sandbox() as sandbox, client.post(f"{sandbox.url}/echo/it") as answer:
        assert answer.status == 200
    assert sandbox.broken == {"stranger": "ImportError: no module named stranger"}


async def test_an_installed_emulator_with_the_path_of_another_is_listed(monkeypatch, caplog):
    """The first by name keeps the path, and the rest of the sandbox works."""

    class EntryPoint:
        def __init__(self, name):
            self.name, self.load = name, lambda: lambda: ECHO

    monkeypatch.setattr(_hosted, "entry_points", lambda group: [EntryPoint("other"), EntryPoint("echo")])
    sandbox = Sandbox()
    assert [*sandbox.broken] == ["other"]
    assert "emulators echo and other both answer /echo/" in sandbox.broken["other"]
    assert "echo and other" in caplog.text
