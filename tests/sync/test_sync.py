"""The client without `await`: the same methods, from any thread, beside a running loop, under Ctrl-C."""

from __future__ import annotations

import ast
import copy
import inspect
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pika_async import ConfigError, Generate, JobFailed, JobTimeout, LedgerError, State, asdict
from pika_async import sync as plainly
from pika_async.sandbox import Sandbox
from pika_async.sync import Job, Pika, _background
from pika_async.sync._background import Background
from tests.sync import stub


@pytest.fixture(scope="module")
def sandbox():
    """Run one sandbox in a thread, whose videos take a moment."""
    background = Background()
    sandbox = Sandbox(render_time=0.02)
    background.call(sandbox.start)
    yield sandbox
    background.call(sandbox.stop)
    background.stop()


@pytest.fixture
def options(sandbox):
    """Return what leads a client to the sandbox."""
    return {
        "api_key": "sandbox",
        "base_url": sandbox.url,
        "media_hosts": [sandbox.media_host],
        "poll_rate": None,
        "poll_interval": 0.02,
    }


@pytest.fixture
def pika(options):
    """Open a client."""
    with Pika("acedata", **options) as pika:
        yield pika


def interrupt_soon():
    """Press Ctrl-C from another thread, so that the main thread is met where it waits."""
    main = threading.main_thread().ident
    threading.Thread(target=signal.pthread_kill, args=(main, signal.SIGINT)).start()


def loop_threads():
    """Count the threads of clients and of the sandbox."""
    return sum(thread.name == "pika-async" for thread in threading.enumerate())


def test_the_stub_says_what_the_asynchronous_classes_have():
    """Run `python -m tests.sync.stub` after a change of them."""
    written = ast.parse(stub.STUB.read_text("utf-8"))
    assert ast.dump(written) == ast.dump(ast.parse(stub.stub())), "run: python -m tests.sync.stub"


def test_every_member_of_the_stub_is_there():
    """And nothing public is there that the stub does not tell."""
    for node in ast.parse(stub.STUB.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name != "Item":
            said = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
            there = {name for name in dir(getattr(plainly, node.name)) if not name.startswith("_")}
            assert there - stub.REFUSED == {name for name in said if not name.startswith("_")}, node.name
            assert all(hasattr(getattr(plainly, node.name), name) for name in said)


def test_no_method_returns_something_to_await():
    """Docstrings and coroutines speak of no `await` either."""
    for name in plainly.__all__:
        for member in vars(getattr(plainly, name)).values():
            if inspect.isclass(member):
                continue  # attrs notes on a class that its types are resolved, in whichever test that was
            assert not inspect.iscoroutinefunction(member)
            assert "`await" not in (member.__doc__ or ""), member


@pytest.mark.anyio
async def test_a_video_is_bought_beside_a_running_loop(pika, sandbox, tmp_path):
    """As in a notebook: the loop of the calling thread is not touched."""
    video = pika.generate("beside a loop")
    saved = pika.download(pika.origin(video), tmp_path / "cat.mp4")
    with pika.open(video) as chunks:
        assert sum(map(len, chunks)) == saved.size
    assert video.state is State.SUCCEEDED
    assert sandbox.billed["beside a loop"] == 1


def test_the_first_call_opens_a_client(options):
    """A notebook needs no `with`."""
    pika = Pika("acedata", **options)
    job = pika.submit(Generate("opened by its first call"))
    assert job.wait().url
    pika.close()
    pika.close()


def test_jobs_are_jobs_without_await(pika):
    """Wherever one comes from."""
    job = pika.submit("jobs")
    assert [event.state for event in job.events()][-1] is State.SUCCEEDED
    listed = {type(one) for one in [job, pika.job(job.token), *pika.jobs(), pika.origin(job.wait())]}
    assert listed == {Job}
    assert job.refresh() is State.SUCCEEDED
    assert repr(job).startswith("<Job ")
    assert asdict(job.results[0])["state"] == "succeeded"
    assert pika.recover() == []


def test_map_yields_items_whose_jobs_need_no_await(pika):
    """Rows come from a generator that runs in the caller's thread, and may use the client itself."""
    threads = set()

    def rows():
        for number in range(5):
            threads.add(threading.current_thread())
            pika.jobs(limit=1)
            yield f"key {number}", f"row {number} {'sandbox-render-fails' * (number == 3)}"

    with pika.map(rows()) as items:
        found = {item.index: item for item in items}
    assert threads == {threading.current_thread()}
    assert [found[number].result is not None for number in range(5)] == [True, True, True, False, True]
    assert isinstance(found[3].error.job, Job)
    assert found[0].job.wait() == found[0].video
    assert asdict(found[0])["job"] == found[0].token


def test_a_map_that_ends_early_returns_what_still_runs(options):
    """Its items hold jobs that are waited for later, and no row is taken that is not bought."""
    rows = iter([f"early {number}" for number in range(9)])
    with Pika("acedata", **options, max_concurrency=2) as pika:
        items = pika.map(rows)
        next(items)
        left = items.close()
        assert all(item.job.wait().url for item in left)
        assert len(list(rows)) == 9 - 1 - len(left)


def test_an_error_holds_a_job_without_await(pika):
    """Its wait is the one that a program without `await` can call."""
    with pytest.raises(JobTimeout) as caught:
        pika.generate("too late", timeout=0)
    assert caught.value.job.wait().url
    with pytest.raises(JobFailed) as failed:
        pika.generate("sandbox-render-fails")
    assert isinstance(failed.value.job, Job)


def test_functions_of_the_caller_run_in_its_thread(pika, tmp_path):
    """They see the events of a job and the bytes of a download."""
    seen, threads = [], set()

    def noted(*what):
        threads.add(threading.current_thread())
        seen.append(what)

    video = pika.generate("functions", on_event=noted)
    assert seen[-1][0].state is State.SUCCEEDED
    saved = pika.download(video, tmp_path / "f.mp4", on_progress=noted)
    assert seen[-1][0] == saved.size
    assert threads == {threading.current_thread()}


def test_an_error_of_a_function_reaches_its_caller(pika, tmp_path):
    """As in the asynchronous client, it ends a download; one that cannot be kept has another name."""

    def broken(*_):
        raise StopIteration

    video = pika.generate("broken function")
    with pytest.raises(RuntimeError, match="StopIteration"):
        pika.download(video, tmp_path / "b.mp4", on_progress=broken)


def test_asynchronous_functions_are_refused(pika):
    """Nobody would await them, and nothing is bought before that is said."""

    async def late(event): ...

    with pytest.raises(TypeError, match="plain functions"):
        pika.generate("refused", on_event=late)


def test_many_threads_share_one_client(pika, sandbox):
    """Each waits for its own video."""
    with ThreadPoolExecutor(8) as threads:
        videos = list(threads.map(pika.generate, [f"thread {number}" for number in range(16)]))
    assert len({video.id for video in videos}) == 16
    assert all(sandbox.billed[f"thread {number}"] == 1 for number in range(16))


def test_ctrl_c_notes_the_tokens_of_paid_jobs(pika, sandbox):
    """The client stays open, and the job goes on."""
    tokens = []

    def running(event):
        if event.state is State.RUNNING and not tokens:
            tokens.append(pika.jobs(limit=1)[0].token)
            interrupt_soon()

    with pytest.raises(KeyboardInterrupt) as caught:
        pika.generate("ctrl-c", on_event=running)
    assert caught.value.__notes__ == [f"The job may be paid and goes on: pika.job({tokens[0]!r})"]
    assert pika.job(tokens[0]).wait().url
    assert sandbox.billed["ctrl-c"] == 1


def test_ctrl_c_in_a_function_of_the_caller_ends_the_call(pika):
    """Whatever interrupts the thread that waits cancels what it waits for."""

    def interrupted(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pika.generate("interrupted", on_event=interrupted)
    assert pika.generate("after an interruption").url


def test_what_came_in_the_moment_of_an_interruption_is_told():
    """A result that arrived while the call was given up is no secret."""
    background = Background()
    errands = _background.Errands()

    async def bought():
        errands.ask(exec, "raise KeyboardInterrupt")
        return "the video"

    with pytest.raises(KeyboardInterrupt) as caught:
        background.call(bought, errands)
    background.stop()
    assert caught.value.__notes__ == ["The call had returned 'the video'"]


def test_a_closed_client_says_so_and_its_jobs_keep_their_tokens(options):
    """Waiting threads are told, new calls are refused."""
    pika = Pika("acedata", **options)
    job = pika.submit("sandbox-never-finishes")
    token = job.token
    events = job.events()
    next(events)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(lambda: list(events))
        pika.close()
        with pytest.raises(JobTimeout, match="closed"):
            waiting.result()
    assert (job.token, job.state) == (token, State.RUNNING)
    for call in (job.wait, pika.jobs):
        with pytest.raises(ConfigError, match="closed"):
            call()


def test_a_client_is_not_used_after_a_fork(pika, monkeypatch):
    """Its thread stayed in the other process."""
    job = pika.submit("fork")
    with monkeypatch.context() as child:
        child.setattr(_background.os, "getpid", lambda: 0)
        with pytest.raises(ConfigError, match="forked"):
            pika.jobs()
        assert job.token


def test_its_own_thread_is_not_made_to_wait_for_itself(pika):
    """An iterable that is read at once is read there; the error comes before anything is bought."""
    with pytest.raises(ConfigError, match="own thread"):
        pika.ingredients("a pair", (pika.jobs() for _ in range(2)))


def test_what_cannot_cross_is_refused(pika):
    """A client is not copied, and receives no callbacks."""
    with pytest.raises(TypeError, match="token"):
        copy.copy(pika.submit("copied"))
    with pytest.raises(ConfigError, match="callbacks"):
        Pika("acedata", callbacks=object())
    with pytest.raises(ConfigError, match="callbacks"):
        _ = pika.callbacks


def test_a_failed_opening_leaves_no_thread(options, tmp_path):
    """A client is opened once."""
    pika = Pika("acedata", **options, ledger=tmp_path)
    before = loop_threads()
    for error in (LedgerError, ConfigError):
        with pytest.raises(error):
            pika.jobs()
    assert loop_threads() == before
    pika.close()


def test_windows_gets_the_loop_that_psycopg_can_use(monkeypatch):
    """The usual one there cannot wait for sockets that are not its own."""
    monkeypatch.setattr(_background.sys, "platform", "win32")
    monkeypatch.setattr(_background.asyncio, "new_event_loop", None)
    loop = _background.new_loop()
    assert isinstance(loop, _background.asyncio.SelectorEventLoop)
    loop.close()


def test_a_program_that_forgets_to_close_tells_its_tokens_and_ends(options, tmp_path):
    """Its client is closed when the interpreter ends, the ledger's file with it."""
    code = (
        "from pika_async.sync import Pika\n"
        f"pika = Pika('acedata', **{options!r}, ledger={str(tmp_path / 'jobs.db')!r})\n"
        "items = pika.map(['sandbox-never-finishes', 'quick'])\n"
        "print(next(items).token)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert "may be paid, goes on" in ended.stderr
    assert "Traceback" not in ended.stderr
