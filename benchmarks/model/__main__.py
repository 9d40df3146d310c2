"""Checks the shipped machine; ends with 1, and the shortest trace, when a law does not hold."""

from __future__ import annotations

import sys

from benchmarks.model.campaign import CAMPAIGN
from benchmarks.model.laws import LAWS, name_of

if __name__ == "__main__":
    if sys.argv[1:] == ["--laws"]:
        print("\n".join(f"{name_of(law)}: {law.__doc__}" for law in LAWS))
    else:
        CAMPAIGN.main()
