"""A contestant's process: does what its input orders, line by line, and tells what it cost."""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
import traceback
import warnings
from typing import Any

from benchmarks._machine import cores, stay_on


def _obey(order: dict[str, Any]) -> dict[str, Any]:
    module, _, name = order["call"].partition(":")
    work = getattr(importlib.import_module(module), name)
    run = importlib.import_module(order["loop"]).run
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    told = run(work(**order["with"])) or {}
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, **told}


def main() -> None:
    """Answer every line of JSON with one, on the standard output that nobody else gets to write to."""
    stay_on(cores()[0])
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            answer = _obey(json.loads(line))
        except ModuleNotFoundError as error:
            answer = {"missing": str(error.name)}
        except Exception as error:  # noqa: BLE001  whatever it is, the parent must hear of it
            answer = {
                "failed": f"{type(error).__name__}: {error}"[:300],
                "trace": traceback.format_exc()[-3000:],
            }
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
