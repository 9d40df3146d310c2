"""Media are brought into the form that a provider takes, before a slot is asked for, at no cost."""

from __future__ import annotations

import hashlib

import pytest
from attrs import evolve, field, frozen

import pika_async.provider as api
from pika_async import (
    AuthError,
    ConfigError,
    Generate,
    ProviderUnavailable,
    SubmitRefused,
    UnsupportedRequest,
)
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import AttemptState
from pika_async._transport import SendError
from pika_async.testing import FakeClock
from tests.download.media_host import Reply, hosting
from tests.engine.ledgers import WatchedLedger
from tests.engine.scripted import Host, Scripted, answer, capable, scene

pytestmark = pytest.mark.anyio

CAT, DOG = b"\x89PNG cat", b"\x89PNG dog"
UPLOADS = api.Takes(https_only=True, uploads=True, upload_limit=100)


@frozen(kw_only=True)
class Uploader(Scripted):
    """Takes images as uploads in two steps: a grant from its API, then the bytes to where the grant says."""

    capabilities: api.Capabilities = field(
        factory=lambda: capable(media={"image": UPLOADS}, hosts={"cdn.scripted.test": ()})
    )
    seconds: float | None = None

    def build_submit(self, request, call, /):
        assert not isinstance(request.image, api.Blob)
        built = Scripted.build_submit(self, request, call)
        return evolve(built, body=api.Json({**built.body.value, "image": request.image}))

    def build_upload(self, blob, step, /):
        if not step.told:
            return self._ask("POST", "/uploads", body=api.Json({"size": len(blob.data)}))
        headers = {"x-ticket": step.told["ticket"]}
        return api.HttpRequest(method="PUT", url=step.told["to"], headers=headers, body=blob)

    def read_upload(self, response, blob, step, /):
        if response.status == 401:
            raise AuthError("The host knows no such key.", charged="unknown")
        if response.status != 200:
            raise ProviderUnavailable("The host is busy.")
        told = response.json()
        if not step.told:
            return api.Uploading(told={**told, "ticket": api.Secret(told["ticket"])})
        return api.Uploaded(told["link"], self.seconds)


class Store(Host):
    """A host that grants uploads, and gives each body a link of its own."""

    def __init__(self, clock, to=None):
        super().__init__(clock)
        self.granted, self.stored, self.images = 0, [], []
        self.to = to or "https://scripted.test/put"
        self.failing = []

    def __call__(self, request):
        if request.url.endswith("/uploads"):
            self.granted += 1
            if self.failing:
                failure = self.failing.pop(0)
                if isinstance(failure, Exception):
                    raise failure
                return failure
            return answer(200, {"to": self.to, "ticket": f"ticket-{self.granted}"})
        if request.method == "PUT":
            self.stored.append(request.body.data)
            name = hashlib.sha256(request.body.data).hexdigest()[:6]
            return answer(200, {"link": f"https://cdn.test/{name}-{len(self.stored)}.png"})
        return super().__call__(request)

    def accept(self, request):
        self.images.append(request.body.value["image"])
        return super().accept(request)


def uploading(adapter=None, **options):
    """Open a client of an uploader and its store."""
    clock = FakeClock()
    store = Store(clock)
    return scene(adapter or Uploader(), clock=clock, hosts={"scripted": store}, **options)


async def test_bytes_are_uploaded_and_submitted_as_a_link():
    """In as many steps as the adapter makes."""
    async with uploading() as s:
        assert await s.after(30, s.pika.generate("a cat", image=CAT))
        assert s.host.stored == [CAT]
        assert s.host.images[0].startswith("https://cdn.test/")


async def test_a_file_is_read_and_uploaded(tmp_path):
    """When its turn comes."""
    path = tmp_path / "cat.png"
    path.write_bytes(CAT)
    async with uploading() as s:
        await s.pika.submit(Generate("a cat", image=path))
        assert s.host.stored == [CAT]


async def test_the_same_bytes_are_uploaded_once():
    """By their SHA-256, for as long as the adapter says, and an hour where nobody says."""
    for seconds, life in ((None, 3600), (600.0, 600)):
        ledger = MemoryLedger()
        async with uploading(Uploader(seconds=seconds), ledger=ledger) as s:
            await s.after(30, s.pika.generate("a cat", image=CAT))
            await s.after(30, s.pika.generate("again", image=CAT))
            await s.after(30, s.pika.generate("a dog", image=DOG))
            assert s.host.stored == [CAT, DOG]
            await s.clock.advance(life)
            await s.after(30, s.pika.generate("later", image=CAT))
            assert s.host.stored == [CAT, DOG, CAT]


async def test_two_jobs_at_once_upload_the_same_bytes_once():
    """The second waits for the first one's link."""
    async with uploading() as s:
        jobs = [s.begin(s.pika.generate(f"cat {n}", image=CAT)) for n in range(3)]
        await s.clock.advance(30)
        assert all(job.result() for job in jobs)
        assert s.host.stored == [CAT]


async def test_a_refused_link_is_made_again_once():
    """A submit with a kept link that is refused bought nothing, and perhaps the link has gone."""
    async with uploading() as s:
        await s.after(30, s.pika.generate("a cat", image=CAT))
        s.host.at_submit.append(answer(422, {"error": "SubmitRefused"}))
        assert await s.after(30, s.pika.generate("again", image=CAT))
        assert s.host.stored == [CAT, CAT]
        assert len(set(s.host.images)) == 2
        s.host.at_submit.extend([answer(422, {"error": "SubmitRefused"})] * 2)
        job = s.begin(s.pika.generate("refused", image=CAT))
        await s.clock.advance(30)
        assert isinstance(job.exception(), SubmitRefused)
        assert s.host.stored == [CAT, CAT, CAT]


async def test_an_upload_holds_no_slot():
    """Others are sent meanwhile."""
    async with uploading(max_concurrency=1) as s:
        s.host.failing = [SendError("the line is cut", sent=True)] * 2
        slow = s.begin(s.pika.generate("a cat", image=CAT))
        await s.clock.advance(0.1)
        assert await s.after(0.1, s.pika.submit(Generate("words"))) is not None
        assert not slow.done()
        await s.clock.advance(60)
        assert slow.result()


@pytest.mark.parametrize(
    ("failures", "kind"),
    [
        ([SendError("the line is cut", sent=True)] * 3, ProviderUnavailable),
        ([answer(503, {})] * 3, ProviderUnavailable),
        ([answer(401, {})], AuthError),
        ([KeyError("a defect")], ProviderUnavailable),
    ],
)
async def test_a_failed_upload_buys_nothing(failures, kind):
    """It is tried three times where that may help, and the error says that no money went."""
    async with uploading() as s:
        s.host.failing = list(failures) * (3 if len(failures) == 1 and kind is ProviderUnavailable else 1)
        job = s.begin(s.pika.generate("a cat", image=CAT))
        await s.clock.advance(30)
        error = job.exception()
        assert (type(error), error.charged, error.phase, error.provider) == (kind, "no", "submit", "scripted")
        assert "nothing was bought" in error.message
        assert not s.host.billed
        assert s.stats.in_flight == 0


async def test_a_failed_upload_goes_on_to_the_next_provider():
    """Nothing was sent, so it is a proven refusal: the job says why it went on, and one video is bought."""
    clock = FakeClock()
    hosts = {name: Store(clock, f"https://{name}.test/put") for name in ("scripted", "second")}
    second = Uploader(capabilities=evolve(Uploader().capabilities, name="second"))
    ledger = WatchedLedger()
    async with scene(Uploader(), second, clock=clock, hosts=hosts, ledger=ledger) as s:
        hosts["scripted"].failing = [answer(503, {})] * 3
        wait = s.begin(s.pika.submit(Generate("a cat", image=CAT)))
        await clock.advance(30)
        job = wait.result()
        assert (await s.after(60, job.wait())).id == "t1"
        why = "scripted could not take its media (ProviderUnavailable)"
        assert (job.provider, job.why_provider) == ("second", why)
        assert not hosts["scripted"].billed
        assert hosts["second"].billed == {"a cat": 1}
    first, last = ledger.job.attempts
    assert (first.state, first.claimed_at, last.state) == (AttemptState.REFUSED, None, AttemptState.SUCCEEDED)


async def test_the_last_providers_failed_upload_ends_the_order():
    """Then nobody is left to go on to, and the caller is told; no money went."""
    clock = FakeClock()
    hosts = {name: Store(clock, f"https://{name}.test/put") for name in ("scripted", "second")}
    second = Uploader(capabilities=evolve(Uploader().capabilities, name="second"))
    async with scene(Uploader(), second, clock=clock, hosts=hosts) as s:
        for host in hosts.values():
            host.failing = [answer(503, {})] * 3
        wait = s.begin(s.pika.generate("a cat", image=CAT))
        await clock.advance(60)
        assert isinstance(wait.exception(), ProviderUnavailable)
        assert (wait.exception().charged, wait.exception().provider) == ("no", "second")
        assert not any(host.billed for host in hosts.values())


async def test_a_short_trouble_is_outlasted():
    """An upload may be repeated at will."""
    async with uploading() as s:
        s.host.failing = [answer(503, {}), SendError("the line is cut", sent=True)]
        assert await s.after(60, s.pika.generate("a cat", image=CAT))


async def test_too_large_a_file_is_refused_unread(tmp_path):
    """Before it is uploaded; bytes before the job exists."""
    path = tmp_path / "cat.png"
    path.write_bytes(CAT * 20)
    async with uploading() as s:
        with pytest.raises(UnsupportedRequest, match="at most 100 bytes, not 160"):
            await s.pika.generate("a cat", image=CAT * 20)
        with pytest.raises(UnsupportedRequest, match="image must be at most 100 bytes"):
            await s.pika.generate("a cat", image=path)
        assert not s.host.granted


async def test_bytes_go_to_listed_hosts_alone():
    """An answer that names another host gets nothing."""
    async with uploading() as s:
        s.host.to = "https://elsewhere.test/put"
        job = s.begin(s.pika.generate("a cat", image=CAT))
        await s.clock.advance(5)
        error = job.exception()
        assert isinstance(error, ConfigError)
        assert "elsewhere.test" in error.message
        assert not s.host.stored


async def test_closing_cuts_an_upload_short():
    """What is not sent is not bought."""
    async with uploading() as s:
        s.host.failing = [SendError("the line is cut", sent=True)] * 3
        job = s.begin(s.pika.generate("a cat", image=CAT))
        await s.clock.advance(0.1)
        closing = s.begin(s.pika.aclose())
        await s.clock.advance(1)
        assert closing.done()
        assert job.exception().charged == "no"
        assert not s.host.billed


async def test_a_job_cancelled_while_it_uploads_is_not_sent():
    """And costs nothing."""
    async with uploading() as s:
        s.host.failing = [answer(503, {})]
        job = s.begin(s.pika.generate("a cat", image=CAT))
        await s.clock.advance(0.1)
        job.cancel()
        await s.clock.advance(30)
        assert not s.host.billed


@frozen(kw_only=True)
class FilesOnly(Scripted):
    """Takes images as bytes, and no link."""

    capabilities: api.Capabilities = field(
        factory=lambda: capable(media={"image": api.Takes(links=False, inline=True, inline_limit=1000)})
    )


async def test_a_link_is_read_where_a_provider_takes_none():
    """Its bytes are sent, by a host that the user allowed or a public one."""
    async with (
        hosting(lambda _: Reply(200, {"Content-Length": str(len(CAT))}, CAT)) as media,
        scene(FilesOnly(), media_hosts=[media.origin]) as s,
    ):
        await s.pika.submit(Generate("a cat", image=media.link("/cat.png")))
        (request,) = s.wire.submits
        assert request.body.value["image"] == CAT.decode("latin1")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(404, {"Content-Length": "0"}), "HTTP 404"),
        (Reply(200, {"Content-Length": "2000"}, b"\x89PNG" * 500), "more than 1,000 bytes"),
        (Reply(200, {"Content-Length": "6"}, b"<html>"), "image must be an image"),
    ],
)
async def test_a_link_that_cannot_be_read_buys_nothing(reply, why):
    """The field is named, and what to do."""
    async with (
        hosting(lambda _: reply) as media,
        scene(FilesOnly(), media_hosts=[media.origin]) as s,
    ):
        with pytest.raises(UnsupportedRequest, match=why):
            await s.pika.submit(Generate("a cat", image=media.link("/cat.png")))
        assert not s.host.billed


async def test_a_link_into_the_network_is_not_read():
    """Whoever chooses the link must not read what only this machine can reach."""
    async with scene(FilesOnly()) as s:
        with pytest.raises(UnsupportedRequest, match="image could not be read from its link"):
            await s.pika.submit(Generate("a cat", image="http://127.0.0.1:9/cat.png"))


def two_hosts(**options):
    """Open a client of an uploader, its store, and a second provider that takes bytes."""
    from pika_async.testing import FakeClock

    clock = FakeClock()
    hosts = {"scripted": Store(clock), "second": Host(clock)}
    return scene(Uploader(), Scripted(capabilities=capable("second")), clock=clock, hosts=hosts, **options)


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_both_ledgers_say_whose_media_failed(kind, tmp_path):
    """Nothing was sent, which is as good a proof as a refusal; the job and the ledger say why."""
    async with two_hosts(ledger=MemoryLedger() if kind == "memory" else tmp_path / "jobs.db") as s:
        s.host.failing = [answer(401, {})]
        job = await s.pika.submit(Generate("a cat", image=CAT))
        assert (job.provider, job.why_provider) == (
            "second",
            "scripted could not take its media (AuthError)",
        )
        first, second = (await s.engine.desk.ledger.get(job.id)).attempts
        assert (first.state, first.slot, second.account) == ("refused", False, "second:default")
        assert "not uploaded, and nothing was bought" in first.outcome.message
        assert not s.host.billed
        assert s.hosts["second"].billed.total() == 1
        assert [account.in_flight for account in s.pika.stats().values()] == [0, 1]


async def test_a_short_trouble_is_outlasted_before_the_next_provider_is_asked():
    """Three tries, as where there is no other."""
    async with two_hosts() as s:
        s.host.failing = [answer(503, {})] * 2
        job = await s.after(10, s.pika.submit(Generate("a cat", image=CAT)))
        assert job.provider == "scripted"
        s.host.failing = [answer(503, {})] * 3
        job = await s.after(10, s.pika.submit(Generate("a dog", image=DOG)))
        assert job.provider == "second"


async def test_a_file_that_only_the_next_provider_takes_goes_there(tmp_path):
    """How large a file is is known only when it is read."""
    path = tmp_path / "cat.png"
    path.write_bytes(CAT * 20)
    async with two_hosts() as s:
        job = await s.pika.submit(Generate("a cat", image=path))
        assert job.provider == "second"
        assert not s.host.granted


async def test_a_link_refused_anew_goes_on_to_the_next_provider():
    """It is made again once, then the refusal is the order's."""
    async with two_hosts() as s:
        await s.after(30, s.pika.generate("a cat", image=CAT))
        s.host.at_submit.extend([answer(422, {"error": "SubmitRefused"})] * 2)
        job = await s.after(5, s.pika.submit(Generate("again", image=CAT)))
        assert job.provider == "second"
        assert s.host.stored == [CAT, CAT]


async def test_another_try_after_a_failed_upload_is_not_taken_for_an_old_link():
    """A link that was kept and ran out meanwhile says nothing about an upload that fails now."""
    async with two_hosts() as s:
        await s.after(30, s.pika.generate("a cat", image=CAT))
        await s.clock.advance(4000)
        s.host.failing = [answer(404, {})] * 3
        job = await s.after(10, s.pika.submit(Generate("again", image=CAT)))
        assert job.provider == "second"
