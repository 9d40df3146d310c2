"""A client that names no provider takes the one whose key is in the environment."""

from pika_async._default_provider import decided, with_keys


def test_the_providers_with_a_key_are_named():
    """The client takes the one, and refuses to guess between several."""
    assert with_keys({}) == []
    assert with_keys({"DUOMI_API_KEY": "k", "ACEDATA_API_KEY": " "}) == ["duomi"]
    assert with_keys({"DUOMI_API_KEY": "k", "ACEDATACLOUD_API_TOKEN": "t"}) == ["acedata", "duomi"]


def test_names_decide_between_keys():
    """The variable first, then the only key, then the one of the first release's two."""
    both = {"PIKA_ASYNC_PROVIDER": "fal"}
    assert decided(["pika", "acedata"], both) == "fal"
    assert decided(["pika"], {}) == "pika"
    assert decided(["fal", "pika", "duomi"], {}) == "duomi"
    assert decided(["acedata", "duomi", "fal"], {}) is None
    assert decided(["fal", "pika"], {}) is None
    assert decided([], {}) is None
