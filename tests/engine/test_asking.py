"""A provider is asked to stop a task on the user's word alone, and to open its own links with the key."""

from __future__ import annotations

import pytest
from attrs import frozen

import pika_async.provider as api
from pika_async import DownloadError, Generate, JobFailed, ProviderUnavailable, State, VideoResult
from pika_async._transport import SendError
from pika_async.results import Cancelled
from pika_async.testing import FakeClock
from tests.download.media_host import Reply, hosting, video
from tests.engine.scripted import KEY, Host, Scripted, answer, scene

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
    """Stops what it is asked to stop, and leads links of its own to *media*."""

    media = "https://media.test/cat.mp4"

    def __init__(self, clock):
        super().__init__(clock)
        self.stopping, self.answers, self.opened = [], [], []

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
        if "/files/" in request.url:
            self.opened.append(request.headers["authorization"].reveal())
            told = self.answers.pop(0) if self.answers else None
            return told or api.HttpResponse(status=302, headers={"location": self.media})
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
    """Whether it was heard is unknown, and asking again is safe."""
    async with stoppable() as s:
        job = await s.pika.submit(Generate("a cat"))
        s.host.answers.append(trouble)
        with pytest.raises(ProviderUnavailable):
            await s.after(1, job.cancel(remote=True))
        assert await s.after(1, job.cancel(remote=True)) is Cancelled.REQUESTED


def own(link="https://scripted.test/files/f1"):
    return VideoResult("v1", link, None, None, State.SUCCEEDED)


async def test_a_link_of_the_provider_is_opened_with_the_key_on_the_first_hop_alone(tmp_path):
    """The media host that it leads to sees none."""
    film = video()
    async with (
        hosting(lambda _: Reply(200, {"Content-Length": str(len(film))}, film)) as media,
        stoppable(media_hosts=[media.origin]) as s,
    ):
        s.host.media = media.link("/cat.mp4")
        done = await s.pika.download(own(), tmp_path / "cat.mp4")
        assert done.size == len(film)
        assert s.host.opened == [f"Bearer {KEY}"]
        assert KEY not in str([asked.headers for asked in media.asked])


@pytest.mark.parametrize(
    "told",
    [
        answer(404, {}),
        api.HttpResponse(status=302),
        SendError("the line is cut", sent=True),
    ],
)
async def test_a_link_that_leads_nowhere_is_a_download_error(told, tmp_path):
    """The video is paid for, and the error says what to do."""
    async with stoppable() as s:
        s.host.answers.append(told)
        with pytest.raises(DownloadError, match="did not open its own link"):
            await s.pika.download(own(), tmp_path / "cat.mp4")


async def test_links_of_other_hosts_get_no_key(tmp_path):
    """Whatever their path is."""
    async with stoppable() as s:
        with pytest.raises(DownloadError):
            await s.pika.download(own("http://127.0.0.1:9/files/f1"), tmp_path / "cat.mp4")
        assert s.host.opened == []
