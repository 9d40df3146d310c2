"""What every test shares: one event loop library, canary keys, and our wheel."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import postgres
from tests.canary import canary, pytest_runtest_makereport
from tests.entry_points import installed
from tests.wheels import ROOT, build_wheel

__all__ = [
    "anyio_backend",
    "canary",
    "dsn",
    "installed",
    "postgres_cluster",
    "pytest_runtest_makereport",
    "wheel",
]


# How long an example takes says how busy the machine is, and nothing about the law.
settings.register_profile("pika", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pika")


@pytest.fixture(scope="session", autouse=True)
def hear_signals():
    """Hear signals here and in child processes: what runs in the background or under nohup ignores some."""
    ours = {signal.SIGINT: signal.default_int_handler}
    if hasattr(signal, "SIGHUP"):
        ours[signal.SIGHUP] = signal.SIG_DFL
    deaf = [number for number in ours if signal.getsignal(number) is signal.SIG_IGN]
    for number in deaf:
        signal.signal(number, ours[number])
    yield
    for number in deaf:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, the only loop aiohttp knows."""
    return "asyncio"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """Build our wheel from the tree, once."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def postgres_cluster():
    """Start a throw-away Postgres, once for each process that runs tests."""
    if postgres.MISSING is not None:
        pytest.skip(postgres.MISSING)
    with postgres.running() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def way_to_postgres(postgres_cluster):
    """Return the database itself; with PIKA_TESTS_POOLED in the environment, pgbouncer before it."""
    if "PIKA_TESTS_POOLED" not in os.environ:
        yield postgres_cluster
        return
    with postgres.pooled(postgres_cluster) as pool:
        yield pool


@pytest.fixture
def dsn(postgres_cluster, way_to_postgres) -> str:
    """Return the address of a database without a ledger."""
    postgres_cluster.sql("DROP SCHEMA IF EXISTS pika CASCADE")
    return way_to_postgres.dsn()


def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are cores, since many tests wait for sockets, files and processes."""
    return (os.cpu_count() or 1) + 1
