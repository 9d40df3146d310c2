"""A provider is asked to stop a task on the user's word alone, and to open its own links with the key."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from attrs import evolve, frozen

import pika_async.provider as api
from pika_async import (
    ConfigError,
    DownloadError,
    Generate,
    JobFailed,
    ProviderUnavailable,
    State,
    VideoResult,
)
from pika_async._transport import SendError
from pika_async.results import Cancelled
from pika_async.testing import FakeClock
from tests.download.media_host import Reply, file_reply, hosting, video
from tests.engine.scripted import KEY, Host, Scripted, answer, capable, scene

pytestmark = pytest.mark.anyio


@frozen(kw_only=True)
class Stoppable(Scripted):
    """Can be asked to stop a task, and opens links of its own host with the key."""

    def build_cancel(self, task, /):
        return self._ask("PUT", f"/videos/{task.id}/cancel")

    def read_cancel(self, response, task, /):
        if response.status == 409:
            return api.Cancelled.TOO_LATE
        if response.status != 202:
            raise ProviderUnavailable("The host is busy.")
        return api.Cancelled.REQUESTED

    def build_download(self, link, /):
        return self._ask("GET", "/files/" + link.rpartition("/")[2]) if "/files/" in link else None


class StopHost(Host):
    """Stops what it is asked to stop."""

    def __init__(self, clock):
        super().__init__(clock)
        self.stopping, self.answers = [], []

    def __call__(self, request):
        if request.method == "PUT":
            id_ = request.url.split("/")[-2]
            self.stopping.append(id_)
            told = self.answers.pop(0) if self.answers else answer(202, {})
            if isinstance(told, Exception):
                raise told
            if told.status == 202:
                self.tasks[id_]["state"] = "failed"
            return told
        return super().__call__(request)


def stoppable(adapter=None, **options):
    clock = FakeClock()
    return scene(adapter or Stoppable(), clock=clock, hosts={"scripted": StopHost(clock)}, **options)


async def test_a_running_job_is_stopped_on_the_users_word():
    """Its end is told by a look-up, as any other."""
    async with stoppable() as s:
        job = await s.pika.submit(Generate("a cat"))
        assert await s.after(1, job.cancel(remote=True)) is Cancelled.REQUESTED
        assert s.host.stopping == ["t1"]
        wait = s.begin(job.wait(None))
        await s.clock.advance(60)
        assert isinstance(wait.exception(), JobFailed)


async def test_what_is_finished_all_the_same_is_delivered():
    """A wish is no promise: the video may be billed."""
    async with stoppable() as s:
        job = await s.pika.submit(Generate("a cat"))
        s.host.answers.append(answer(409, {}))
        assert await s.after(1, job.cancel(remote=True)) is Cancelled.TOO_LATE
        assert (await s.after(60, job.wait(None))).video_url


async def test_nothing_but_that_word_asks_the_provider():
    """Neither a plain cancel, nor a cancelled wait, nor closing."""
    async with stoppable() as s:
        job = await s.pika.submit(Generate("a cat"))
        assert await job.cancel() is Cancelled.TOO_LATE
        wait = s.begin(job.wait(None))
        await s.clock.advance(1)
        wait.cancel()
        await s.clock.advance(1)
        await s.pika.aclose()
        assert s.host.stopping == []


async def test_an_unsent_job_costs_no_question():
    """It is given up here."""
    async with stoppable(max_concurrency=1) as s:
        await s.pika.submit(Generate("a cat"))
        waiting = s.begin(s.pika.submit(Generate("a dog"), idempotency_key="dog"))
        await s.clock.advance(0.1)
        (job,) = [job for job in await s.pika.jobs() if job.state is State.QUEUED]
        assert await job.cancel(remote=True) is Cancelled.UNSENT
        await s.clock.advance(0.1)
        assert waiting.done()
        assert s.host.stopping == []


async def test_a_provider_that_stops_nothing_is_told_apart():
    """The job goes on."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        assert await job.cancel(remote=True) is Cancelled.UNSUPPORTED
        assert (await s.after(60, job.wait(None))).video_url
        assert await job.cancel(remote=True) is Cancelled.TOO_LATE


@pytest.mark.parametrize("trouble", [SendError("the line is cut", sent=True), answer(500, {})])
async def test_a_wish_without_an_answer_is_an_error(trouble):
    """Whether it was heard is unknown, and asking again is safe; the task is paid, and the error names it."""
    async with stoppable() as s:
        job = await s.pika.submit(Generate("a cat"))
        s.host.answers.append(trouble)
        with pytest.raises(ProviderUnavailable) as unheard:
            await s.after(1, job.cancel(remote=True))
        assert (unheard.value.charged, unheard.value.token) == ("yes", job.token)
        assert await s.after(1, job.cancel(remote=True)) is Cancelled.REQUESTED


@frozen(kw_only=True)
class Keyed(Stoppable):
    """Is where *home* is, which opens `/files/` for the key alone."""

    home: str

    @property
    def base_url(self):
        return f"http://{self.home}"


FILM = video()
BEARER = f"Bearer {KEY}"


def opening(then):
    """Answer as the provider does: *then* for the key, and 401 without it."""
    refused = Reply(401, {"Content-Length": "0"})
    return lambda asked: then(asked) if asked.headers.get("authorization") == BEARER else refused


@asynccontextmanager
async def at_home(then, *allowed, **options):
    """Open a client of a provider whose files are behind *then*; return it and the provider."""
    async with hosting(opening(then)) as home:
        adapter, clock = Keyed(home=home.origin), FakeClock()
        hosts = {"scripted": StopHost(clock)}
        media_hosts = [home.origin, *allowed]
        async with scene(adapter, clock=clock, hosts=hosts, media_hosts=media_hosts, **options) as s:
            yield s, home


def of(host, path="/files/f1"):
    return VideoResult("v1", host.link(path), None, None, State.SUCCEEDED)


async def test_a_link_of_the_provider_is_opened_with_the_key_on_the_first_hop_alone(tmp_path):
    """The media host that it leads to sees none, also where that is the provider's own."""
    async with hosting(lambda asked: file_reply(asked, FILM)) as media:

        def then(_):
            return Reply(302, {"Content-Length": "0", "Location": media.link("/cat.mp4")})

        async with at_home(then, media.origin) as (s, home):
            done = await s.pika.download(of(home), tmp_path / "cat.mp4")
    assert done.size == len(FILM)
    assert len(home.asked) == 1
    assert BEARER not in str([asked.headers for asked in media.asked])


async def test_a_redirect_to_the_provider_itself_bears_no_key(tmp_path):
    """Where it leads is the answer's word, and not the adapter's."""

    def then(_):
        return Reply(307, {"Content-Length": "0", "Location": "/another"})

    async with at_home(then) as (s, home):
        with pytest.raises(DownloadError, match=r"refused or gone \(401\)"):
            await s.pika.download(of(home), tmp_path / "cat.mp4")
    assert [asked.headers.get("authorization") for asked in home.asked] == [BEARER, None]


async def test_a_file_that_the_provider_sends_itself_is_resumed_with_the_key(tmp_path):
    """Each request for a part bears it again."""
    left = [5000, 12_000]

    def then(asked):
        reply = file_reply(asked, FILM)
        return reply.but(cut=left.pop(0) - (asked.start or 0)) if left else reply

    async with at_home(then) as (s, home):
        done = await s.pika.download(of(home), tmp_path / "cat.mp4")
    assert done.path.read_bytes() == FILM
    assert [asked.start for asked in home.asked] == [None, 5000, 12_000]
    assert {asked.headers["authorization"] for asked in home.asked} == {BEARER}


async def test_a_file_that_the_provider_sends_itself_is_streamed():
    """By the same way."""
    async with at_home(lambda asked: file_reply(asked, FILM)) as (s, home), s.pika.open(of(home)) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == FILM


async def test_what_is_asked_for_is_the_downloads_to_say(tmp_path):
    """Headers of the adapter that name another part of the file, or another form, are not sent."""

    class Partial(Keyed):
        def build_download(self, link, /):
            asked = Keyed.build_download(self, link)
            return evolve(asked, headers={**asked.headers, "range": "bytes=0-9", "accept": "text/html"})

    async with hosting(opening(lambda asked: file_reply(asked, FILM))) as home:
        adapter, clock = Partial(home=home.origin), FakeClock()
        hosts = {"scripted": StopHost(clock)}
        async with scene(adapter, clock=clock, hosts=hosts, media_hosts=[home.origin]) as s:
            assert (await s.pika.download(of(home), tmp_path / "cat.mp4")).size == len(FILM)
    assert [(asked.start, asked.headers["accept"]) for asked in home.asked] == [(None, "*/*")]


async def test_a_provider_inside_is_allowed_like_any_other_host(tmp_path):
    """No byte goes there before, and so no key."""
    async with (
        at_home(lambda asked: file_reply(asked, FILM)) as (_, home),
        scene(Keyed(home=home.origin)) as s,
    ):
        with pytest.raises(DownloadError, match="not a public address"):
            await s.pika.download(of(home), tmp_path / "cat.mp4")
        assert not home.connections


async def test_a_link_that_the_key_does_not_open_is_asked_for_anew(tmp_path):
    """The look-up returns the present one, which is opened with the key as well."""
    gone = Reply(404, {"Content-Length": "0"})
    async with at_home(lambda a: gone if "old" in a.path else file_reply(a, FILM)) as (s, home):
        job = await s.pika.submit(Generate("a cat"))
        s.host.tasks["t1"]["url"] = home.link("/files/old")
        bought = await s.after(30, job.wait())
        s.host.tasks["t1"]["url"] = home.link("/files/new")
        await s.clock.advance(60)
        assert (await s.pika.download(bought, tmp_path / "cat.mp4")).size == len(FILM)
    assert [asked.path for asked in home.asked] == ["/files/old", "/files/new"]


@pytest.mark.parametrize(
    "elsewhere", ["http://127.0.0.1:9", "http://localhost:{0.port}", "https://{0.origin}", "//{0.origin}"]
)
async def test_links_of_other_origins_get_no_key(elsewhere):
    """Whatever their path is: scheme, host and port must be the provider's."""
    async with at_home(lambda asked: file_reply(asked, FILM)) as (s, home):
        link = elsewhere.format(home) + "/files/f1"
        assert s.engine.orders.origins.opened(of(home), link) == link
        assert s.engine.orders.origins.opened(of(home), of(home).url) != of(home).url


async def test_the_key_is_that_of_the_account_that_bought_the_video(tmp_path):
    """Two accounts may share a host."""
    keys = {"one": api.Secret("key-of-one"), "two": api.Secret("key-of-two")}
    async with hosting(lambda asked: file_reply(asked, FILM)) as home:
        adapters = [
            Keyed(home=home.origin, api_key=key, capabilities=capable(name, fields=fields))
            for (name, key), fields in zip(keys.items(), [set(), {"seed"}], strict=True)
        ]
        clock = FakeClock()
        hosts = dict.fromkeys(keys, StopHost(clock))
        async with scene(*adapters, clock=clock, hosts=hosts, media_hosts=[home.origin]) as s:
            job = await s.pika.submit(Generate("a cat", seed=1))
            s.host.tasks["t1"]["url"] = home.link("/files/f1")
            await s.pika.download(await s.after(30, job.wait()), tmp_path / "cat.mp4")
    assert [asked.headers["authorization"] for asked in home.asked] == ["Bearer key-of-two"]


async def test_a_link_that_no_key_of_ours_opens_is_told_by_the_adapter(tmp_path):
    """Its error says whom to ask, and names the job."""

    class Closed(Stoppable):
        def build_download(self, link, /):
            raise DownloadError("Only the maker's own key opens this link; ask the maker.", retryable=False)

    async with stoppable(Closed()) as s:
        job = await s.pika.submit(Generate("a cat"))
        await s.after(30, job.wait())
        with pytest.raises(DownloadError, match="ask the maker") as refused:
            await s.pika.download(job, tmp_path / "cat.mp4")
        assert refused.value.token == job.token


@pytest.mark.parametrize(
    ("built", "told"),
    [
        (api.HttpRequest(method="POST", url="https://scripted.test/files/f1"), "with a POST"),
        (api.HttpRequest(method="GET", url="https://elsewhere.test/files/f1"), "elsewhere.test"),
        (RuntimeError("bug"), "RuntimeError"),
    ],
)
async def test_an_adapter_that_opens_links_wrongly_is_named(built, told, tmp_path):
    """Nothing is sent; a link of another host is not its business."""

    class Wrong(Stoppable):
        def build_download(self, link, /):
            if isinstance(built, Exception):
                raise built
            return built

    own = VideoResult("v1", "https://scripted.test/files/f1", None, None, State.SUCCEEDED)
    async with stoppable(Wrong()) as s:
        with pytest.raises(ConfigError, match=told) as defect:
            await s.pika.download(own, tmp_path / "cat.mp4")
        assert defect.value.charged == "yes", "there is a video"
        bought = await s.after(30, s.pika.generate("a cat"))
        assert (
            s.engine.orders.origins.opened(bought, "https://media.test/a.mp4") == "https://media.test/a.mp4"
        )
