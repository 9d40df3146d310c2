"""What the gallery shows of an entry: nothing secret, and nothing outside the folder."""

import pytest

from pika_async.gallery import Row, RowState, Summary, Timings
from tests.gallery.entries import done, entry, failed


def test_row_of_a_finished_entry():
    """The row holds the words, the file and the times."""
    row = Row.of(done(3, "A paper boat", "003.mp4", poster="003.jpg"))
    assert (row.number, row.kind, row.prompt, row.provider) == (3, "generate", "A paper boat", "acedata")
    assert (row.file, row.poster, row.seconds, row.duration) == ("003.mp4", "003.jpg", 42.0, 5.0)


def test_row_says_what_the_video_cost_and_how_support_finds_it():
    """A cost that cannot be right is left out."""
    row = Row.of(done(1, cost=0.25, trace_id="trace-7"))
    assert (row.cost, row.trace_id) == (0.25, "trace-7")
    assert Row.of(done(1, cost=float("nan"))).cost is None


def test_row_holds_nothing_secret():
    """Neither the token, nor signed links, nor the user's extra body reach the page."""
    request = {
        "prompt": "A cat",
        "image": "https://user:pass@cdn.example/in/cat.png?sig=secret-1",
        "extra_body": {"key": "secret-2"},
        "unknown": "secret-3",
    }
    row = Row.of(done(1, request=request))
    assert not [word for word in ("pass", "secret", "token", "cdn") if word in repr(row)]
    assert row.settings == (("image", "cat.png"),)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/video.mp4",
        "../video.mp4",
        "a/../../video.mp4",
        "..\\video.mp4",
        ".hidden.mp4",
        ".git/video.mp4",
        "video.mp4.part",
        "ledger.db",
        "ledger.db-wal",
        "run.epoch",
        "manifest.jsonl",
        "index.html",
        "video.svg",
        "nul\0.mp4",
        "",
    ],
)
def test_paths_that_are_no_media_of_the_folder(path: str):
    """A manifest cannot make the page point at other files."""
    row = Row.of(entry(1, RowState.DONE, file=path, poster=path))
    assert (row.file, row.poster) == (None, None)


def test_only_done_rows_have_a_file():
    """A file that is still being written is not shown."""
    assert Row.of(entry(1, RowState.DOWNLOADING, file="001.mp4")).file is None


def test_requests_of_any_shape_are_shown():
    """A request that some other program wrote cannot stop the gallery."""
    row = Row.of(
        entry(1, request={"prompt": 7, "kind": None, "image": [None, "https://[bad"], "seed": [1, {}]})
    )
    assert (row.kind, row.prompt) == ("generate", "")
    assert row.settings == (("seed", "1, "), ("image", "a link, a link"))


def test_settings_are_words_for_people():
    """Moves of a camera and truths read like words."""
    request = {"prompt": "A cat", "camera": {"pan": "left"}, "sound_effects": True, "negative_prompt": "text"}
    assert Row.of(entry(1, request=request)).settings == (
        ("negative prompt", "text"),
        ("camera", "pan left"),
        ("sound effects", "yes"),
    )


def test_summary_adds_up():
    """Counts are of states; the time is what was covered, not the sum of what ran side by side."""
    spans = [(100.0, 160.0), (120.0, 140.0), (150.0, 170.0), (9000.0, 9010.0)]
    rows = [
        Row.of(done(number, timings=Timings(submitted_at=start, finished_at=end)))
        for number, (start, end) in enumerate(spans, 1)
    ]
    summary = Summary.of([*rows, Row.of(failed(5))])
    assert (summary.counts, summary.total) == ({RowState.DONE: 4, RowState.FAILED: 1}, 5)
    assert (summary.busy, summary.duration, summary.size) == (80.0, 20.0, 4 * 4777)
    assert summary.finished


def test_summary_of_a_batch_under_way():
    """A row that is neither done nor failed means that the batch is not finished."""
    assert not Summary.of([Row.of(done(1)), Row.of(entry(2))]).finished


def test_errors_name_no_token_and_no_signed_link():
    """The sentence stays; what would let a reader take the job or the file goes."""
    told = "Job pika1.abc-_.0f1e broke off at https://cdn.example/v.mp4?sig=1&t=2, again in 3 s; why?"
    assert (
        Row.of(failed(1, told)).error == "Job … broke off at https://cdn.example/v.mp4…, again in 3 s; why?"
    )


def test_rows_that_ask_for_the_same_are_known_by_it():
    """Kind, prompt and media count; settings, which differ between providers, do not."""

    def asked(**fields):
        return Row.of(entry(1, request={"kind": "generate", "prompt": "A cat", **fields})).asked

    assert asked() == asked(seed=7, model="2.5") == asked(kind=None)
    assert (
        len({asked(), asked(prompt="A dog"), asked(kind="style"), asked(image="a.png"), asked(prompt="")})
        == 5
    )
    assert asked(prompt="") is None
