"""Names for jobs and attempts."""

from __future__ import annotations

import base64
import os


def random_id(size: int = 10) -> str:
    """Make an id of *size* random bytes, readable and safe in addresses."""
    return base64.b32hexencode(os.urandom(size)).decode().lower().rstrip("=")


def new_job_id(wall: float) -> str:
    """Make a job's id: it begins with the time, because neighbours in time are neighbours in an index.

    >>> new_job_id(1_800_000_000.0)[:7] < new_job_id(1_800_000_300.0)[:7]
    True
    """
    moment = int(wall * 1000).to_bytes(6, "big", signed=True)
    return base64.b32hexencode(moment + os.urandom(9)).decode().lower()


def attempt_id(job_id: str, number: int) -> str:
    """Make an attempt's id: job, number and a nonce, all covered by the callback token's MAC."""
    return f"{job_id}-{number}-{random_id(5)}"
