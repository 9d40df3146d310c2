"""A job's token survives copying, or is refused; it is never half understood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async._token import JobToken, _sealed
from pika_async.errors import ConfigError
from pika_async.results import Task

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
tokens = st.builds(
    JobToken,
    job_id=texts,
    provider=texts,
    label=texts,
    task=st.none() | st.builds(Task, texts, st.dictionaries(texts, json_values, max_size=3)),
    address=st.none() | texts,
)
TOKEN = JobToken(job_id="j1", provider="acedata", task=Task("t1", {"region": "eu"})).encode()


@given(tokens)
def test_a_token_is_read_back_as_it_was(token):
    """Whatever a provider calls its tasks, any process finds them again."""
    read = JobToken.decode(token.encode())
    assert (read, read.address) == (token, token.address)


@given(tokens)
def test_a_token_is_one_word(token):
    """It survives shells, URLs, e-mail and a double click."""
    text = token.encode()
    assert text.isascii()
    assert not set(text) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_spaces_around_a_token_are_forgiven():
    """People copy whole lines."""
    assert JobToken.decode(f"  {TOKEN}\n") == JobToken.decode(TOKEN)


@pytest.mark.parametrize("length", range(len(TOKEN)))
def test_a_cut_token_is_refused(length):
    """However little is missing, the user is told to copy all of it."""
    with pytest.raises(ConfigError, match="not a whole job token"):
        JobToken.decode(TOKEN[:length])


@given(tokens, st.data())
def test_an_altered_token_is_refused(token, data):
    """One other character anywhere, and nobody else's job is looked at by mistake."""
    text = token.encode()
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("aZ0_-.=é ").filter(lambda c: c != text[place]))
    altered = text[:place] + other + text[place + 1 :]
    if altered.strip() == text:
        return
    with pytest.raises(ConfigError, match="not a whole job token"):
        JobToken.decode(altered)


@given(st.text())
def test_any_text_is_a_token_or_refused(text):
    """What users paste by mistake has one clear answer."""
    with pytest.raises(ConfigError):
        JobToken.decode(text)
    with pytest.raises(ConfigError):
        JobToken.decode("pika1." + text)


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        "1",
        '["j"]',
        '["j", "p", 1]',
        '["j", "p", "l", {}]',
        '["j", "p", "l", "t", {}, 1]',
        "[" * 9999,
    ],
)
def test_a_token_with_other_contents_is_refused(content):
    """A right checksum over the wrong things is no token either."""
    with pytest.raises(ConfigError):
        JobToken.decode(_sealed(content.encode()))
