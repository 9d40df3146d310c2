"""Batches: a list of prompts becomes a folder of videos, each row paid for once, over any number of runs."""

from pika_async.batch.lists import Source
from pika_async.batch.manifest import (
    IMAGE_TYPES,
    MANIFEST,
    VIDEO_TYPES,
    Entry,
    Failure,
    Manifest,
    RowState,
    Timings,
    described,
    media_path,
)
from pika_async.batch.preview import preview, unbought
from pika_async.batch.progress import Progress
from pika_async.batch.report import Report, RowEvent
from pika_async.batch.rows import Listed, read_list
from pika_async.batch.run import Batch

__all__ = [
    "IMAGE_TYPES",
    "MANIFEST",
    "VIDEO_TYPES",
    "Batch",
    "Entry",
    "Failure",
    "Listed",
    "Manifest",
    "Progress",
    "Report",
    "RowEvent",
    "RowState",
    "Source",
    "Timings",
    "described",
    "media_path",
    "preview",
    "read_list",
    "unbought",
]
