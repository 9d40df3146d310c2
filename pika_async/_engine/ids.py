"""Names for jobs and attempts."""

from __future__ import annotations

import os
from itertools import product

# The digits of base32hex in pairs: ten bits at a time.
_PAIRS = ["".join(pair) for pair in product("0123456789abcdefghijklmnopqrstuv", repeat=2)]


def random_id(size: int = 10) -> str:
    """Make an id of *size* random bytes, a multiple of five, readable and safe in addresses."""
    return _digits(int.from_bytes(os.urandom(size), "big"), 8 * size)


def new_job_id(wall: float) -> str:
    """Make a job's id: four characters of time, in steps of nine minutes, and twelve of chance.

    Neighbours in time are so neighbours in a ledger's index, and ten characters tell jobs apart for people.

    >>> new_job_id(1_800_000_000.0)[:4] < new_job_id(1_800_000_600.0)[:4]
    True
    """
    moment = (int(wall) >> 9) & 0xFFFFF
    chance = int.from_bytes(os.urandom(8), "big") >> 4
    return _digits(moment << 60 | chance, 80)


def _digits(number: int, bits: int) -> str:
    return "".join([_PAIRS[number >> place & 1023] for place in range(bits - 10, -1, -10)])


def attempt_id(job_id: str, number: int) -> str:
    """Make an attempt's id: job, number and a nonce, all covered by the callback token's MAC."""
    return f"{job_id}-{number}-{random_id(5)}"


def job_of(attempt_id: str) -> str:
    """Return the id of an attempt's job.

    >>> job_of("0pf3k2-1-abcd")
    '0pf3k2'
    """
    return attempt_id.rsplit("-", 2)[0]
