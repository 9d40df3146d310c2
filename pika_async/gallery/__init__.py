"""The gallery: a batch's manifest, and the page that shows it from disk or, while it runs, live."""

from pika_async.batch.describe import described
from pika_async.batch.entry import Entry, Failure, RowState, Timings
from pika_async.batch.manifest import MANIFEST, Manifest
from pika_async.gallery.export import export_gallery
from pika_async.gallery.folder import PAGE, read_rows, write_gallery
from pika_async.gallery.page import Live, render_card, render_page, render_summary
from pika_async.gallery.painting import painted
from pika_async.gallery.row import Row, Summary

__all__ = [
    "MANIFEST",
    "PAGE",
    "Entry",
    "Failure",
    "Live",
    "Manifest",
    "Row",
    "RowState",
    "Summary",
    "Timings",
    "described",
    "export_gallery",
    "painted",
    "read_rows",
    "render_card",
    "render_page",
    "render_summary",
    "write_gallery",
]
