"""What only the ledger on Postgres does: addresses, broken connections, other processes and databases."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from pika_async import Pika
from pika_async._ledger.events import Cancel, Sending
from pika_async._ledger.records import AttemptState, Member
from pika_async._secret import Secret
from pika_async.errors import ConfigError, LedgerError
from pika_async.ledger import ledger_at, open_ledger
from tests import postgres
from tests.ledger.records import ACCOUNT, OWNER, attempt, claim, job, names, pending, states, succeeded, told

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(postgres.MISSING is not None, reason=str(postgres.MISSING)),
]


@pytest.fixture
async def opened(dsn):
    """Open ledgers on one database, closed at the end of the test."""
    ledgers = []

    async def open_one(**options):
        ledger = ledger_at(dsn) if not options else _made(dsn, **options)
        ledgers.append(ledger)
        await ledger.open()
        return ledger

    yield open_one
    for ledger in ledgers:
        await ledger.aclose()


def _made(dsn, **options):
    from pika_async._ledger.postgres import PostgresLedger

    return PostgresLedger(dsn, **options)


async def heard(ledger, *job_ids: str) -> None:
    """Wait until the ledger has told of these jobs, each once."""
    told_of: list[str] = []
    async with asyncio.timeout(10):
        while len(told_of) < len(job_ids):
            told_of += await ledger.news() or ()
            await asyncio.sleep(0.005)
    assert sorted(told_of) == sorted(job_ids)


async def test_each_change_of_another_process_is_told(opened):
    """Created, claimed, cancelled; what this process did is no news."""
    one, two = await opened(), await opened()
    assert list(await one.news()) == list(await two.news()) == []
    await two.create(job(name="a"), claim(1, "a"))
    await heard(one, "a")
    await two.apply("a", Cancel())
    await one.create(job(name="c"))
    await heard(one, "a")
    await heard(two, "c")


async def test_a_commit_that_broke_off_is_settled_on_the_next_connection(opened, postgres_cluster):
    """Before it or after it: the caller is told what became of the claim, and it is counted once."""
    dies = b"SELECT pg_terminate_backend(pg_backend_pid())"
    for name, end in (("a", (dies,)), ("b", (b"COMMIT", dies))):
        ends = iter([(b"COMMIT",), end])
        ledger = await opened(commit=lambda ends=ends: next(ends, (b"COMMIT",)))
        await ledger.usage(ACCOUNT)
        await ledger.create(job(name=name))
        change = await ledger.apply(name, claim(1, name))
        assert (states(change.after), change.moved) == ("submitting", True)
    assert (await ledger.usage(ACCOUNT)).submits == 2


async def test_a_backend_that_is_gone_is_not_noticed_by_callers(opened, postgres_cluster):
    """Reads and writes go on over new connections."""
    ledger = await opened()
    await ledger.create(job(name="a"))
    postgres_cluster.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pika_async'"
    )
    assert (await ledger.get("a")).id == "a"
    assert (await ledger.apply("a", claim(1, "a"))).moved


async def test_a_restart_of_the_database_is_waited_for():
    """Nothing fails and nothing is done twice, whatever was under way."""
    with postgres.running() as cluster:
        ledger = _made(cluster.dsn())
        await ledger.open()

        async def bought(name: str) -> int:
            await ledger.create(job(name=name))
            moves = 0
            for event in (claim(1, name), told(1, pending(name), job_id=name)):
                moves += (await ledger.apply(name, event)).moved
                assert states(await ledger.get(name))
            return moves

        first = await asyncio.gather(*(bought(f"a{n}") for n in range(5)))
        restart = asyncio.create_task(asyncio.to_thread(cluster.restart))
        under_way = [await bought(f"b{n}") for n in range(10)]
        await restart
        last = await asyncio.gather(*(bought(f"c{n}") for n in range(5)))
        assert [*first, *under_way, *last] == [2] * 20
        assert (await ledger.usage(ACCOUNT)).submits == 20
        await ledger.aclose()


async def test_what_another_process_changed_is_decided_on_as_it_is(opened):
    """A claim rests on the job as it is in the database, not as this process remembers it."""
    one, two = await opened(), await opened()
    await one.create(job(name="a"))
    await two.apply("a", Cancel())
    late = await one.apply("a", claim(1, "a"))
    assert (late.moved, states(late.after)) == (False, "cancelled")


async def test_a_cap_holds_for_all_processes(opened):
    """Slots of one account, submits of all; whoever comes too late is told why."""
    ledgers = [await opened() for _ in range(3)]
    for i in range(12):
        made = job(attempt(job_id=f"j{i}", account=f"acc{i % 2}:x"), name=f"j{i}")
        await ledgers[0].create(made)
    caps = {"max_slots": 4, "max_submits": 7}
    changes = await asyncio.gather(
        *(ledgers[i % 3].apply(f"j{i}", claim(1, f"j{i}", **caps)) for i in range(12))
    )
    assert sum(change.moved for change in changes) == 7
    assert {c.obstacle.reason for c in changes if not c.moved} <= {"cap", "slots"}
    usages = [await ledgers[1].usage(f"acc{i}:x") for i in range(2)]
    assert (usages[0].submits, max(u.slots for u in usages)) == (7, 4)


async def test_a_restored_database_calls_queued_orders_in_doubt(opened, dsn, postgres_cluster):
    """Another identity than the one last written: what it calls unsent may have been sent since."""
    ledger = await opened()
    await ledger.create(job(name="a"))
    await ledger.create(job(name="b"), claim(1, "b"))
    await ledger.apply("b", Sending(attempt="b-1", owner=OWNER))
    await ledger.create(job(name="c"), claim(1, "c"))
    await ledger.aclose()
    postgres_cluster.sql("UPDATE pika.meta SET value = '1:00000001' WHERE name = 'cluster'")
    ledger = await opened()
    assert await names(ledger.open_jobs({AttemptState.AMBIGUOUS})) == "ac"
    assert states(await ledger.get("b")) == "sending"


async def test_a_change_of_which_nobody_was_told_is_seen_all_the_same(opened, monkeypatch):
    """Its process dies between the commit and the news; whoever knows the job looks every few seconds."""
    from pika_async._ledger.postgres import listening

    monkeypatch.setattr(listening, "_NET", 0.05)
    one, two = await opened(), await opened()
    await two.news()
    assert two._listening._hears.is_set()
    await one.create(job())
    await heard(two, "j")
    await two.get("j")
    monkeypatch.setattr(one._writer._deciding, "_tell", lambda _: None)
    assert (await one.apply("j", claim())).moved
    await heard(two, "j")


async def test_a_newer_schema_is_refused(opened, dsn, postgres_cluster):
    """Only where it says that this release cannot write to it."""
    await (await opened()).aclose()
    postgres_cluster.sql("UPDATE pika.meta SET value = '9' WHERE name = 'schema'")
    await (await opened()).aclose()
    postgres_cluster.sql("UPDATE pika.meta SET value = '9' WHERE name = 'min_reader'")
    with pytest.raises(LedgerError, match="newer pika_async changed it"):
        await ledger_at(dsn).open()


async def test_an_outdated_process_begins_nothing_and_ends_what_it_began(opened, dsn, postgres_cluster):
    """The schema may change while it works: what it has sent must not be lost for that."""
    ledger = await opened()
    for name in "ab":
        await ledger.create(job(name=name))
    await ledger.apply("a", claim(1, "a"))
    await ledger.apply("a", Sending(attempt="a-1", owner=OWNER))
    postgres_cluster.sql("UPDATE pika.meta SET value = '9' WHERE name = 'min_reader'")
    together = await asyncio.gather(
        ledger.apply("b", claim(1, "b")),
        ledger.create(job(name="c")),
        ledger.apply("a", told(1, pending(), job_id="a")),
        return_exceptions=True,
    )
    assert [getattr(each, "code", "") for each in together] == ["outdated", "outdated", ""]
    assert states(await ledger.get("a")) == "running"
    assert states(await ledger.get("b")) == "queued"
    assert await ledger.get("c") is None
    with pytest.raises(LedgerError, match="Upgrade pika_async"):
        await ledger.present(ACCOUNT, Member(owner=OWNER, max_slots=1), 30.0)
    await ledger.present(ACCOUNT, Member(owner=OWNER, max_slots=1), 0.0)
    assert not await ledger.lease("poll acc:x", OWNER, 15.0)


async def test_an_outdated_process_writes_no_order_in_a_transaction_of_the_user(
    opened, dsn, postgres_cluster
):
    """It is told before anything is committed."""
    import psycopg

    ledger = await opened()
    postgres_cluster.sql("UPDATE pika.meta SET value = '9' WHERE name = 'min_reader'")
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        with pytest.raises(LedgerError, match="Upgrade pika_async"):
            await ledger.create_on(connection, job(name="a"))


async def test_a_migration_waits_in_turns_for_whoever_reads(opened, dsn, postgres_cluster, monkeypatch):
    """While it waits for a lock, all others wait behind it; so it lets them pass and tries again."""
    import psycopg

    from pika_async._ledger.postgres import schema

    await (await opened()).aclose()
    longer = (*schema.MIGRATIONS, "ALTER TABLE pika.jobs ADD COLUMN tomorrow text")
    monkeypatch.setattr(schema, "MIGRATIONS", longer)
    monkeypatch.setattr(schema, "_SHORT_WAIT", b"SELECT set_config('lock_timeout', '20ms', true)")
    monkeypatch.setattr(schema, "_PAUSE", 0.0)
    monkeypatch.setattr(schema, "_TRIES", 2)
    async with await psycopg.AsyncConnection.connect(dsn) as reader:
        await reader.execute("SELECT count(*) FROM pika.jobs")
        with pytest.raises(LedgerError, match="other transactions hold its tables"):
            await ledger_at(dsn).open()
        await reader.rollback()
        await (await opened()).aclose()
    assert int(postgres_cluster.sql("SELECT value FROM pika.meta WHERE name = 'schema'")[0][0]) == len(longer)


async def test_a_role_without_rights_is_told_what_to_run(dsn, postgres_cluster):
    """Tables are missing, and it may not make them."""
    postgres_cluster.sql(
        "DROP ROLE IF EXISTS plain",
        "CREATE ROLE plain LOGIN",
        "REVOKE CREATE ON DATABASE postgres FROM public",
    )
    with pytest.raises(LedgerError, match="ledger migrate"):
        await ledger_at(dsn.replace("pika@", "plain@")).open()


async def test_two_that_make_the_tables_at_once_make_them_once(dsn):
    """IF NOT EXISTS races; the lock does not."""
    ledgers = [ledger_at(dsn) for _ in range(4)]
    await asyncio.gather(*(ledger.open() for ledger in ledgers))
    assert len({ledger.id for ledger in ledgers}) == 1
    for ledger in ledgers:
        await ledger.aclose()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://u:hunter22@127.0.0.1:1/x", "does not answer"),
        ("postgresql://u:hunter22@[/x", "cannot be read"),
        ("postgresql://u:hunter22@h/x?nonsense=1", "cannot be read"),
    ],
)
async def test_no_error_shows_the_address(address, said):
    """Nor does a repr, with all that led to the error."""
    import traceback

    with pytest.raises((ConfigError, LedgerError), match=said) as caught:
        await _made(address, patience=0.1).open()
    shown = "".join(
        traceback.TracebackException.from_exception(caught.value, capture_locals=True).format(chain=True)
    )
    assert "hunter22" not in shown.replace(address, "").replace(repr(address), "")
    assert caught.value.__cause__ is None


async def test_a_client_and_a_reader_use_the_address(dsn):
    """`Pika(ledger=...)` and `open_ledger`, as text or as a secret."""
    async with Pika("acedata", api_key="sandbox-key", ledger=Secret(dsn)) as pika:
        assert await pika.jobs() == []
    async with open_ledger(dsn) as view:
        assert await view.jobs() == []


async def test_the_ledger_stays_usable_after_what_it_cannot_hold(opened):
    """One order that Postgres refuses spoils no other in its batch."""
    ledger = await opened()
    made = await asyncio.gather(
        ledger.create(job(name="a", key="\0")), ledger.create(job(name="b")), return_exceptions=True
    )
    assert isinstance(made[0], LedgerError)
    assert made[1].after.id == "b"
    assert (await ledger.apply("b", claim(1, "b"))).moved
    assert (
        states((await ledger.apply("b", told(1, pending(chr(0xD800) + "\0"), job_id="b"))).after) == "running"
    )
    assert (await ledger.get("b")).newest.task.id == chr(0xD800) + "\0"


async def test_a_key_that_an_open_transaction_holds_delays_nobody_for_long(opened, dsn, monkeypatch):
    """Its order can be tried again; the others of the same moment are recorded."""
    import psycopg

    from pika_async._ledger.postgres import session

    begin = [attrs.evolve(each, sql=each.sql.replace(b"'2s'", b"'100ms'")) for each in session._BEGIN]
    monkeypatch.setattr(session, "_BEGIN", begin)
    ledger = await opened()
    async with await psycopg.AsyncConnection.connect(dsn) as holder:
        await ledger.create_on(holder, job(name="held", key="k"))
        second, *others = await asyncio.gather(
            ledger.create(job(name="second", key="k")),
            *(ledger.create(job(name=f"other{n}")) for n in range(3)),
            return_exceptions=True,
        )
        assert isinstance(second, LedgerError)
        assert (second.retryable, second.recorded) == (True, False)
        assert all(change.moved for change in others)
        await holder.commit()
    assert (await ledger.create(job(name="second", key="k"))).after.id == "held"


@pytest.mark.parametrize("way", ["forget", "prune"])
async def test_what_changes_while_it_is_forgotten_is_read_again(opened, postgres_cluster, monkeypatch, way):
    """A late callback, say: nobody hears of the race."""
    from pika_async._ledger.postgres import pruning

    ledger = await opened()
    await ledger.create(job(), claim())
    await ledger.apply("j", told(1, succeeded(), "echo"))
    name = "forget_one" if way == "forget" else "forget"
    really, races = getattr(pruning, name), []

    def raced(*values):
        if not races:
            races.append(1)
            postgres_cluster.sql("UPDATE pika.jobs SET revision = revision + 1")
        return really(*values)

    monkeypatch.setattr(pruning, name, raced)
    assert await (ledger.forget("j") if way == "forget" else ledger.prune(1e12))
    assert races
