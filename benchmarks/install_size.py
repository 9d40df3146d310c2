"""What an installation weighs: the one thing at which we lose."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from benchmarks._report import Cell, Report

CLAIM = "size of an installation with everything it needs, for the record"


def measure(*, full: bool) -> Report:
    """Bytes of the installed files of a distribution and all that it requires without extras; no bytecode."""
    rows: list[dict[str, Cell]] = []
    remarks = []
    for name in ("pika-async", "acedatacloud", "fal-client", "replicate", "runwayml", "openai"):
        try:
            needed = _closure(name, {})
        except PackageNotFoundError:
            remarks.append(f"{name}: not installed, skipped")
            continue
        sizes = {one: _size(found) for one, found in needed.items()}
        heaviest = max((one for one in sizes if one != name), key=sizes.__getitem__, default="")
        rows.append(
            {
                "package": name,
                "MB": sum(sizes.values()) / 1e6,
                "packages": len(sizes),
                "heaviest dependency": f"{heaviest} {sizes.get(heaviest, 0) / 1e6:.1f} MB",
            }
        )
    return Report(name="install_size", claim=CLAIM, quick=not full, rows=rows, remarks=remarks)


def _closure(name: str, known: dict[str, Distribution]) -> dict[str, Distribution]:
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name not in known:
        known[name] = distribution(name)
        for required in known[name].requires or ():
            text, _, condition = required.partition(";")
            if "extra ==" in condition:
                continue
            try:
                _closure(re.split(r"[^\w.-]", text.strip(), maxsplit=1)[0], known)
            except PackageNotFoundError:
                if not condition:
                    raise
    return known


def _size(found: Distribution) -> int:
    files = [Path(str(found.locate_file(file))) for file in found.files or ()]
    if found.read_text("direct_url.json") and "editable" in (found.read_text("direct_url.json") or ""):
        root = Path(__file__).parent.parent
        files = [*(root / "pika_async").rglob("*"), *(root / "providers").rglob("*")]
    return sum(f.stat().st_size for f in files if f.is_file() and f.suffix != ".pyc")
