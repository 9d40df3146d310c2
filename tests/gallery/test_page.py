"""The page as text: whatever a row holds stays text, and no other host is named."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pika_async.gallery import Entry, Live, Row, RowState, Timings, page, render_card, render_page
from tests.gallery.entries import HOSTILE, done, entry, failed


class _Tags(HTMLParser):
    """The elements, the attributes and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


_PLAIN = _Tags(render_card(Row.of(failed(1, "word", "word", provider="word")))).tags


@given(st.text(min_size=1) | st.sampled_from(HOSTILE))
@settings(max_examples=50)
def test_rows_stay_text(words: str):
    """No prompt, error, kind or provider adds an element, and what is shown is what was given."""
    request = {"kind": words, "prompt": words}
    parsed = _Tags(render_card(Row.of(failed(1, words, request=request, provider=words))))
    assert parsed.tags == _PLAIN
    assert parsed.text.count(words.replace("\r\n", "\n")) >= 2 or "\r" in words
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]


@pytest.mark.parametrize("title", HOSTILE)
def test_titles_stay_text(title: str):
    """A folder's name is no markup either."""
    assert _Tags(render_page([], title)).tags == _Tags(render_page([], "plain")).tags


@pytest.mark.parametrize(
    ("file", "link"),
    [
        ("a b#c?d%20.mp4", "a%20b%23c%3Fd%2520.mp4"),
        ("javascript:alert(1).mp4", "javascript%3Aalert%281%29.mp4"),
        ('"><b>.mp4', "%22%3E%3Cb%3E.mp4"),
        ("clips/ü.mp4", "clips/%C3%BC.mp4"),
        ("\udcff.mp4", "%FF.mp4"),
    ],
)
def test_file_names_are_quoted(file: str, link: str):
    """A link leads to the file, whatever its name looks like."""
    attributes = _Tags(render_card(Row.of(done(1, file=file)))).attributes
    assert ("data-src", link) in attributes
    assert ("href", link) in attributes


def test_page_names_no_other_host():
    """Every link, source and address of the page is relative or inline."""
    page = render_page([Row.of(done(1, poster="1.jpg")), Row.of(failed(2))], "sea")
    links = [value or "" for name, value in _Tags(page).attributes if name in {"src", "href", "data-src"}]
    assert links
    assert not [
        link for link in links if ":" in link.split("/")[0] and not link.startswith("data:image/svg+xml")
    ]


@pytest.mark.parametrize("live", [None, Live("rows.json", 1)])
def test_policy_allows_exactly_our_style_and_script(live: Live | None):
    """The hashes of the policy are those of the page's own style and script; there is nothing inline else."""
    page = render_page([Row.of(done(1))], "sea", live=live)
    (policy,) = re.findall(r'Policy" content="([^"]+)"', page)
    for element in ("style", "script"):
        (inline,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{element}-src &#39;sha256-{digest}&#39;" in policy
    assert "default-src &#39;none&#39;" in policy
    assert not [name for name, _ in _Tags(page).attributes if name == "style"]


def test_page_from_disk_asks_nobody():
    """Only a served page holds an address to ask for changes."""
    rows = [Row.of(entry(1))]
    assert "data-live" not in render_page(rows, "sea")
    assert "connect-src &#39;none&#39;" in render_page(rows, "sea")
    assert 'data-live="rows.json" data-revision="7"' in render_page(rows, "sea", live=Live("rows.json", 7))


@pytest.mark.parametrize("state", RowState)
def test_every_state_has_a_card(state: RowState):
    """A row can be shown in every state, with or without what it may hold."""
    text = _Tags(render_card(Row.of(entry(1, state)))).text
    assert state.capitalize() in text


def test_card_shows_cost_and_trace_id():
    """A trace id is a provider's text, and stays text; a video without a known cost shows none."""
    card = render_card(Row.of(done(1, cost=0.25, trace_id="<b>trace-7</b>")))
    assert "<dt>cost</dt><dd>0.25, " in card
    assert "<span>cost 0.25</span>" in card
    assert "&lt;b&gt;trace-7&lt;/b&gt;" in card
    assert "<dt>cost</dt>" not in render_card(Row.of(done(2)))


def test_card_shows_what_there_is_to_know():
    """Prompt, kind, provider, state, times, settings and file of a row are on its card."""
    request = {"kind": "style", "style": "Inflate", "prompt": "A rubber duck", "seed": 7}
    card = _Tags(render_card(Row.of(done(12, request=request, size=1_234_567))))
    for words in (
        "12",
        "Done",
        "style",
        "acedata",
        "42 s",
        "0:05",
        "A rubber duck",
        "Inflate",
        "7",
        "012.mp4",
    ):
        assert words in card.text
    assert "1.2 MB" in card.text
    assert "1970-01-01T00:16:40Z" in card.text


@pytest.mark.parametrize(("size", "shown"), [(12, "12 B"), (9_900, "9.9 KB"), (5_400_000_000, "5.4 GB")])
def test_sizes_are_rounded_for_people(size: int, shown: str):
    """Sizes are decimal, as file managers show them."""
    assert shown in _Tags(render_card(Row.of(done(1, size=size)))).text


def test_moments_beyond_the_calendar_are_shown_as_unknown():
    """A nonsense time in a manifest does not stop the page."""
    card = _Tags(render_card(Row.of(entry(1, timings=Timings(created_at=1e300)))))
    assert "unknown" in card.text


@pytest.mark.parametrize(("seconds", "shown"), [(8, "8 s"), (185, "3 m 05 s"), (7800, "2 h 10 m")])
def test_spans_are_short_on_cards(seconds: int, shown: str):
    """A row's time fits beside its other words."""
    timings = Timings(submitted_at=10.0, finished_at=10.0 + seconds)
    assert shown in _Tags(render_card(Row.of(done(1, timings=timings)))).text


_ODD = (
    1e308,
    -1e308,
    1e15 + 2,
    float("nan"),
    float("inf"),
    -float("inf"),
    -5,
    10**400,
    -(10**400),
    True,
    "5",
    [],
)
_NUMBERS = (
    ("number",),
    ("size",),
    ("result", "duration"),
    ("timings", "created_at"),
    ("timings", "submitted_at"),
    ("timings", "finished_at"),
)


@pytest.mark.parametrize("value", _ODD, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize("field", _NUMBERS, ids=".".join)
def test_no_number_of_a_manifest_stops_the_page(field: tuple[str, ...], value: object):
    """Whatever a line holds in place of a number: it is shown, left out, or the line is no row."""
    line = json.loads(done(1).line())
    holder = line if len(field) == 1 else line[field[0]]
    holder[field[-1]] = value
    rows = [Row.of(entry) for entry in [Entry.parse(json.dumps(line).encode())] * 2 if entry]
    shown = _Tags(render_page([*rows, Row.of(done(2, "A whale"))], "sea")).text
    assert "A whale" in shown
    assert not {"nan", "inf"} & set(shown.lower().split())


@given(
    st.fixed_dictionaries(
        {
            name: st.none() | st.floats() | st.integers(-(10**400), 10**400)
            for name in ("size", "seconds", "duration", "created_at", "started_at", "finished_at")
        }
    )
)
@settings(max_examples=50)
def test_no_number_stops_a_card_or_a_summary(numbers: dict[str, float | int | None]):
    """The same for rows that somebody else made."""
    row = Row(number=1, kind="generate", prompt="A cat", state=RowState.DONE, file="1.mp4", **numbers)
    assert render_page([row, row], "sea")


@pytest.mark.parametrize("show", [page._span, page._short_span, page._clock, page._bytes])
@pytest.mark.parametrize("number", [1e308, float("nan"), float("inf"), -1, 10**400])
def test_numbers_beyond_reason_are_shown_as_unknown(show, number):
    """No sum of them stops the page either."""
    assert show(number) == "unknown"


def test_settings_are_shown_as_far_as_they_make_sense():
    """Values within values without end, and numbers without end, are cut."""
    deep: object = "bottom"
    for _ in range(5000):
        deep = {"a": deep}
    request = {"kind": "generate", "prompt": "A cat", "camera": deep, "seed": 10**5000, "model": {"a": ["b"]}}
    card = _Tags(render_card(Row.of(done(1, request=request))))
    assert "a a a a …" in card.text
    assert "a very large number" in card.text
    assert "a b" in card.text
    assert "bottom" not in card.text


def test_unfinished_snapshot_says_how_to_watch():
    """From disk, a page of a running batch says how to see it live; a finished one does not."""
    assert "--serve" in render_page([Row.of(entry(1))], "sea")
    assert "--serve" not in render_page([Row.of(done(1))], "sea")
