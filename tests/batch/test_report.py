"""How the rows of a batch stand."""

from pathlib import Path

import pytest

from pika_async.batch import Entry, Failure, Report, RowState


def row(number, state, name=None, file=None):
    error = name and Failure(name=name, message="No.")
    return Entry(number=number, request={}, state=state, error=error, file=file)


def report(*rows):
    return Report(folder=Path("nowhere"), rows=rows, lines=range(10, 10 + len(rows)))


@pytest.mark.parametrize(
    ("name", "goes_on"),
    [
        ("JobFailed", False),
        ("ContentBlocked", False),
        ("SubmitRefused", False),
        ("UnsupportedRequest", False),
        ("InsufficientBalance", True),
        ("RateLimited", True),
        ("JobTimeout", True),
        ("JobUnresolved", True),
        ("DownloadError", True),
        ("ConfigError", True),
    ],
)
def test_going_on_helps_unless_every_open_row_failed_for_good(name, goes_on):
    """What failed for good needs a new order, and a person's word for it."""
    assert report(row(1, RowState.FAILED, name)).may_go_on is goes_on
    assert report(row(1, RowState.FAILED, name), row(2, RowState.QUEUED)).may_go_on


def test_a_row_is_done_when_its_file_is_there():
    """A manifest that says so is not enough."""
    told = report(row(1, RowState.DONE, file="gone.mp4"), row(2, RowState.FAILED, "JobFailed"))
    assert (told.total, told.done, told.failed, len(told.missing)) == (2, 0, 1, 2)
    assert told.line(told.rows[1]) == 11
