"""A request that the chosen providers cannot express is answered with those that can."""

from pika_async import Generate, Ingredients, UnsupportedRequest, _registry
from pika_async._alternatives import alternatives, unsupported
from pika_demo import Demo


def test_an_unsupported_request_names_the_installed_providers_that_can():
    """The reason first, then the way out."""
    request = Ingredients("They dance", ["https://media.test/a.png"])
    duomi = _registry.make("duomi", api_key="k", environment={})
    assert not duomi.can(request)
    error = unsupported({"duomi": "Ingredients is not offered"}, request)
    assert isinstance(error, UnsupportedRequest)
    assert error.provider == "duomi"
    assert "duomi: Ingredients is not offered." in error.message
    assert "installed providers that can: acedata" in error.message


def test_a_request_nobody_can_express_says_so():
    """Nobody is named in vain."""
    error = unsupported(
        {"acedata": "motion cannot be expressed"}, Ingredients("x", ["https://a.test"], motion=1)
    )
    assert error.message.endswith("no installed provider can.")


def test_an_adapter_that_fails_is_not_an_alternative(installed):
    """An adapter that nobody chose must not spoil the error about another."""
    installed(demo="pika_demo:Demo", rude="tests.test_alternatives:Rude")
    assert _registry.plugins()["rude"].broken is None
    assert alternatives(Generate("A cat")) == ["demo"]


class Rude(Demo):
    """Fails on every request."""

    def build_submit(self, request, call, /):
        raise KeyError("prompt")
