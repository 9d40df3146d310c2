"""HTTP as values, checked when they are made."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async._http import Form, HttpRequest, HttpResponse, Json, Multipart, clip, origin
from pika_async._secret import Secret
from pika_async.errors import BadReply, ConfigError
from pika_async.requests import Blob

URL = "https://api.test/pika/videos"


def get(url=URL, **options):
    return HttpRequest(method="GET", url=url, **options)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.test/videos",
        "ftp://api.test/",
        "https://",
        "https:///videos",
        "https://api.test/a b",
        "https://api.test/\n",
        "https://api.test/\x00",
        "http://[",
        "http://api.test:99999/",
        "http://api.test:port/",
    ],
)
def test_what_is_no_address_is_refused(url):
    """A slip in base_url is told before anything is sent."""
    with pytest.raises(ConfigError, match=r"not an http\(s\) address; correct base_url"):
        get(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:pw-canary@api.test/videos",
        "https://pw-canary@api.test/",
        "https//user:pw-canary@api.test",
        "https://user:pw-canary@",
        "https://api.test:pw-canary/",
        "https://api.test/ ?key=pw-canary",
        "user:pw-canary@api.test",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_quoted(url):
    """It would stand in every error, and a provider that wants it in clear text is not there."""
    with pytest.raises(ConfigError) as refused:
        get(url)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\nX-Evil: 1", "\x00", "é", "\x7f", "中"])
def test_a_key_that_http_does_not_allow_is_refused(end):
    """Refused later, by the client library, it would already count as sent: the outcome would be unknown."""
    with pytest.raises(ConfigError, match="check the API key for line breaks") as refused:
        get(headers={"Authorization": Secret(f"Bearer sk-123{end}")})
    assert "sk-123" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "A B", "A:B", "A\n", "é"])
def test_a_header_name_that_http_does_not_allow_is_refused(name):
    """The same, for names."""
    with pytest.raises(ConfigError):
        get(headers={name: "x"})


@pytest.mark.parametrize(
    "secretive",
    [
        {"headers": {"Authorization": Secret("k")}},
        {"query": {"key": Secret("k")}},
        {"body": Json({"options": [{"key": Secret("k")}]})},
        {"body": Form({"key": Secret("k")})},
        {"body": Multipart({"key": Secret("k")}, (("image", Blob(b"x")),))},
    ],
)
def test_secrets_are_found_wherever_they_are(secretive):
    """The engine asks this before it sends anything to another host than the adapter's own."""
    assert get(**secretive).bears_secrets


def test_a_request_without_secrets_bears_none():
    """Media hosts may see it."""
    assert not get(headers={"Accept": "*/*"}, body=Json({"prompt": "A cat"})).bears_secrets


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://API.test/videos", "https://api.test:443"),
        ("http://api.test", "http://api.test:80"),
        ("https://api.test:8443/x?y#z", "https://api.test:8443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url, expected):
    """Credentials belong to it, however the address is spelled."""
    assert origin(url) == get(url).origin == expected


def test_json_is_decoded():
    """A whole body is a value."""
    assert HttpResponse(status=200, body=b'{"id": "t1"}').json() == {"id": "t1"}


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b'{"cut": ', b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_a_bad_reply_with_its_start(body):
    """The status and what was said help more than a decoder's complaint; nothing was concluded."""
    with pytest.raises(BadReply, match=r"^HTTP 502 came with a body that is not JSON") as bad:
        HttpResponse(status=502, body=body).json()
    assert bad.value.status == 502
    assert bad.value.charged == "unknown"
    assert len(bad.value.message) < 400


def test_a_body_is_not_shown_whole():
    """It may be megabytes, and somebody's data."""
    assert repr(HttpResponse(status=200, body=b"secret" * 100)).endswith("body=<600 bytes>)")


@given(st.binary(max_size=600))
def test_the_start_of_any_body_is_one_short_printable_line(body):
    """Terminal codes and line breaks of strangers never reach a log."""
    text = clip(body)
    assert text
    assert text.isprintable()
    assert len(text) <= 121


@pytest.mark.parametrize("item", [b"[]", b"{}", b"1", b'""', b'{"a":1}'])
def test_json_of_too_many_values_is_not_read(item):
    """A few megabytes of brackets would take some hundred of memory."""
    many = b"[" + b",".join([item] * 600_000) + b"]"
    tracemalloc.start()
    try:
        with pytest.raises(BadReply, match="not JSON"):
            HttpResponse(status=200, body=many).json()
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert len(HttpResponse(status=200, body=b"[" + b",".join([item] * 10_000) + b"]").json()) == 10_000


def test_json_beyond_64_levels_is_none():
    """What lies above stays, and nothing that walks over it runs out of stack."""
    value = HttpResponse(status=200, body=b'{"id":"t","more":' + b"[" * 200 + b"]" * 200 + b"}").json()
    assert value["id"] == "t"
    levels = 0
    while value:
        value = value["more"] if isinstance(value, dict) else value[0]
        levels += 1
    assert levels == 64
