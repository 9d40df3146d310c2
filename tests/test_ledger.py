"""The door to a ledger: what it says of a file that is none."""

import pytest

from pika_async import ConfigError, LedgerError
from pika_async.ledger import open_ledger

pytestmark = pytest.mark.anyio


async def test_a_file_that_is_not_there_is_an_error_or_empty(tmp_path):
    """A slip in a name is noticed, and nothing is made either way."""
    with pytest.raises(ConfigError, match="no ledger at"):
        async with open_ledger(tmp_path / "jobs.db"):
            pass
    async with open_ledger(tmp_path / "jobs.db", missing_ok=True) as ledger:
        assert await ledger.jobs() == []
    assert not list(tmp_path.iterdir())


async def test_a_file_that_is_no_ledger_is_an_error(tmp_path):
    """It is named, and left alone."""
    (tmp_path / "jobs.db").write_text("not a database")
    with pytest.raises(LedgerError):
        async with open_ledger(tmp_path / "jobs.db"):
            pass
