"""Batches: a list of prompts becomes a folder of videos, each paid for once, over any number of runs."""

from pika_async.batch.batch import Batch
from pika_async.batch.describe import described
from pika_async.batch.entry import Entry, Failure, RowState, Timings
from pika_async.batch.manifest import MANIFEST, Manifest
from pika_async.batch.progress import Progress
from pika_async.batch.report import Report, RowEvent
from pika_async.batch.rows import Listed, read_list

__all__ = [
    "MANIFEST",
    "Batch",
    "Entry",
    "Failure",
    "Listed",
    "Manifest",
    "Progress",
    "Report",
    "RowEvent",
    "RowState",
    "Timings",
    "described",
    "read_list",
]
