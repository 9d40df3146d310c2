"""What every test shares: one event loop library, canary keys, and our wheel."""

from pathlib import Path

import pytest

from tests.canary import canary, pytest_runtest_makereport
from tests.wheels import ROOT, build_wheel

__all__ = ["anyio_backend", "canary", "pytest_runtest_makereport", "wheel"]


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, the only loop aiohttp knows."""
    return "asyncio"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """Build our wheel from the tree, once."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))
