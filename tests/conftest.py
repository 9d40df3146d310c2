"""What every test shares: one event loop library."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, the only loop aiohttp knows."""
    return "asyncio"
