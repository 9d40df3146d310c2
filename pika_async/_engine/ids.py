"""Names for jobs and attempts."""

from __future__ import annotations

import base64
import os


def random_id(size: int = 10) -> str:
    """Make an id of *size* random bytes, readable and safe in addresses."""
    return base64.b32hexencode(os.urandom(size)).decode().lower().rstrip("=")


def new_job_id(wall: float) -> str:
    """Make a job's id: four characters of time, in steps of nine minutes, and twelve of chance.

    Neighbours in time are so neighbours in a ledger's index, and ten characters tell jobs apart for people.

    >>> new_job_id(1_800_000_000.0)[:4] < new_job_id(1_800_000_600.0)[:4]
    True
    """
    moment = (int(wall) >> 9) & 0xFFFFF
    chance = int.from_bytes(os.urandom(8), "big") >> 4
    return base64.b32hexencode((moment << 60 | chance).to_bytes(10, "big")).decode().lower()


def attempt_id(job_id: str, number: int) -> str:
    """Make an attempt's id: job, number and a nonce, all covered by the callback token's MAC."""
    return f"{job_id}-{number}-{random_id(5)}"


def job_of(attempt_id: str) -> str:
    """Return the id of an attempt's job.

    >>> job_of("0pf3k2-1-abcd")
    '0pf3k2'
    """
    return attempt_id.rsplit("-", 2)[0]
