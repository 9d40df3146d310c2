"""All chance of a run, from one seed; also that which the product asks the system for."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager


class Chance:
    """Streams of chance by name: what one part draws does not move what another one gets."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._streams: dict[str, random.Random] = {}

    def __getitem__(self, name: str) -> random.Random:
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = random.Random(f"{self._seed} {name}")
        return stream


@contextmanager
def seeded(chance: Chance) -> Iterator[None]:
    """Have `os.urandom` and the shared `random` draw from the seed: ids, secrets and jitter."""
    system, state = os.urandom, random.getstate()
    os.urandom = chance["system"].randbytes
    random.seed(chance["random"].getrandbits(64))
    try:
        yield
    finally:
        os.urandom = system
        random.setstate(state)
