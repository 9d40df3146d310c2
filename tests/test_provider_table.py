"""Every row of docs/providers.md, over real sockets through the public client, and no row without a try."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from itertools import chain
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from attrs import Factory, define, fields

from pika_acedata import AceData, AceDataEmulator
from pika_acedata._adapter import REFUSALS as ACEDATA_REFUSALS
from pika_async import (
    AuthError,
    JobTimeout,
    Pika,
    PikaError,
    RateLimited,
    State,
    SubmitUnknown,
    UnsupportedRequest,
    VideoResult,
)
from pika_async._engine import account, replaying
from pika_async.emulator import Emulator, Held, Outcome, World
from pika_async.provider import (
    Capabilities,
    Edit,
    Generate,
    HttpRequest,
    HttpResponse,
    Ingredients,
    Json,
    Style,
)
from pika_async.requests import VideoRequest, fields_set
from pika_async.sandbox import Sandbox
from pika_comfy import Comfy, ComfyEmulator
from pika_comfy._adapter import REFUSALS as COMFY_REFUSALS
from pika_duomi import Duomi, DuomiEmulator
from pika_duomi._adapter import REFUSALS as DUOMI_REFUSALS
from pika_fal import Fal, FalEmulator
from pika_fal._adapter import REFUSALS as FAL_REFUSALS
from pika_official import PikaEmulator, PikaOfficial
from pika_official._adapter import REFUSALS as PIKA_REFUSALS
from tests import provider_comfy, provider_fal, provider_pika
from tests.documented import documented_errors, named, spans, tables
from tests.provider_errors import ERRORS as OLDER_ERRORS
from tests.provider_errors import MAGIC as OLDER_MAGIC
from tests.provider_errors import SAMPLES, Key
from tests.provider_table import COMMON, KEY, PROMPT, Refuses, Sends
from tests.provider_table import WIRE as OLDER_WIRE

pytestmark = pytest.mark.anyio

PROVIDERS = ("acedata", "comfy", "duomi", "fal", "pika")
CAPABILITIES: Mapping[str, Capabilities] = {
    "acedata": AceData.capabilities,
    "comfy": Comfy(api_key=KEY).capabilities,
    "duomi": Duomi.capabilities,
    "fal": Fal.capabilities,
    "pika": PikaOfficial.capabilities,
}
EMULATORS: Mapping[str, Callable[[], Emulator]] = {
    "acedata": AceDataEmulator,
    "comfy": ComfyEmulator,
    "duomi": DuomiEmulator,
    "fal": FalEmulator,
    "pika": PikaEmulator,
}
SUBMIT = {
    "acedata": "POST /pika/videos",
    "comfy": "POST /v2/models/pika/([^/]+)/requests",
    "duomi": "POST /api/video/pika/pro/generate",
    "fal": "POST /fal-ai/pika/(.+)",
    "pika": "POST /v1/media/pika/(.+)",
}
"""What a submit looks like; the group is the part that a request chooses."""
LOOKUP = {
    "acedata": "POST /pika/tasks",
    "comfy": "GET /v2/models/pika/[^/]+/requests/[^/]+/status",
    "duomi": "GET /api/video/pika/feed",
    "fal": "GET /fal-ai/pika/requests/[^/]+/status",
    "pika": "GET /v1/media/jobs/[^/]+",
}
HEADERS: Mapping[str, Mapping[str, str]] = {
    "acedata": {"authorization": f"Bearer {KEY}"},
    "comfy": {"x-api-key": KEY, "idempotency-key": r"[0-9a-z]+-1-[0-9a-z]+"},
    "duomi": {},
    "fal": {"authorization": f"Key {KEY}"},
    "pika": {"x-api-key": KEY, "idempotency-key": r"[0-9a-z]+-1-[0-9a-z]+"},
}
WIRE = {**OLDER_WIRE, "comfy": provider_comfy.WIRE, "fal": provider_fal.WIRE, "pika": provider_pika.WIRE}
ERRORS = {
    **OLDER_ERRORS,
    "comfy": provider_comfy.ERRORS,
    "fal": provider_fal.ERRORS,
    "pika": provider_pika.ERRORS,
}
_AT_ONCE = 8
MAGIC = {**OLDER_MAGIC, "comfy": provider_comfy.MAGIC, "fal": provider_fal.MAGIC, "pika": provider_pika.MAGIC}


def chosen(pattern: str, request: HttpRequest) -> str | None:
    """Return what *request* chose in the place of the pattern's group; None for another kind of call."""
    found = re.fullmatch(pattern, f"{request.method} {urlsplit(request.url).path}")
    return None if found is None else "".join(found.groups())


@define
class Recorder:
    """A real emulator that keeps the submits it is sent, and answers what fits *once* that way once.

    With *lasting* it answers that way each time.
    """

    real: Emulator
    submit: str
    submits: list[HttpRequest]
    once: dict[str, HttpResponse]
    lasting: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        return self.real.paths

    def answer(self, request: HttpRequest, world: World, /) -> HttpResponse | Held:
        if chosen(self.submit, request) is not None:
            self.submits.append(request)
        due = next((pattern for pattern in self.once if chosen(pattern, request) is not None), "")
        told = self.once.get(due) if self.lasting else self.once.pop(due, None)
        return told or self.real.answer(request, world)


@asynccontextmanager
async def opened(
    provider: str, once: Mapping[str, HttpResponse] | None = None, *, lasting: bool = False
) -> AsyncIterator[tuple[Pika, Sandbox, Recorder]]:
    recorder = Recorder(EMULATORS[provider](), SUBMIT[provider], [], dict(once or {}), lasting)
    async with (
        Sandbox(render_time=0.0, emulators=[recorder]) as sandbox,
        Pika(provider, api_key=KEY, base_url=sandbox.url, poll_rate=None, poll_interval=0.01) as pika,
    ):
        yield pika, sandbox, recorder


async def made(pika: Pika, request: VideoRequest) -> VideoResult:
    """Order *request* by the method that a user would call for it."""
    method = getattr(pika, type(request).__name__.lower())
    video = await method(**fields_set(request), timeout=5)
    assert isinstance(video, VideoResult)
    return video


def flat(body: Mapping[str, Any], under: str = "") -> dict[str, Any]:
    """Name what is nested by dots."""
    nested = (
        flat(value, f"{under}{name}.").items() if isinstance(value, Mapping) else [(f"{under}{name}", value)]
        for name, value in body.items()
    )
    return dict(chain.from_iterable(nested))


@define
class Cells:
    """The cells of a table, tried one by one or together; all that fail are told at once, by their names."""

    failed: list[BaseException] = Factory(list)
    tried: int = 0

    @contextmanager
    def cell(self, name: str) -> Iterator[None]:
        self.tried += 1
        try:
            yield
        except (Exception, pytest.fail.Exception) as failure:  # noqa: BLE001 - it is told with the others
            failure.add_note(f"This is the cell {name}.")
            self.failed.append(failure)

    async def together(self, cells: Mapping[str, Awaitable[None]]) -> None:
        """Try *cells* a few at a time, because some wait for a time to pass."""
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str, cell: Awaitable[None]) -> None:
            async with places:
                with self.cell(name):
                    await cell

        await asyncio.gather(*(one(name, cell) for name, cell in cells.items()))


@contextmanager
def all_cells() -> Iterator[Cells]:
    """Return the cells of a test, of which there must be some and none may fail."""
    cells = Cells()
    yield cells
    assert cells.tried
    if cells.failed:
        raise BaseExceptionGroup(f"{len(cells.failed)} of {cells.tried} cells", cells.failed)


_Case = TypeVar("_Case", Sends, Refuses)


def wire_cases(provider: str, kind: type[_Case]) -> Iterator[tuple[str, _Case]]:
    for row, cases in WIRE[provider].items():
        for number, case in enumerate(cases):
            if isinstance(case, kind):
                yield f"{row} {number}", case


each_provider = pytest.mark.parametrize("provider", PROVIDERS)


@each_provider
async def test_fields_reach_the_wire_as_documented(provider: str) -> None:
    """The server receives exactly the documented body, once, and a video comes back."""
    with all_cells() as cells:
        async with opened(provider) as (pika, sandbox, recorder):
            for name, case in wire_cases(provider, Sends):
                recorder.submits.clear()
                sandbox.billed.clear()
                with cells.cell(name):
                    await _reaches_the_wire(provider, case, pika, sandbox, recorder)


async def _reaches_the_wire(
    provider: str, case: Sends, pika: Pika, sandbox: Sandbox, recorder: Recorder
) -> None:
    video = await made(pika, case.request)
    (submit,) = recorder.submits
    assert isinstance(submit.body, Json)
    body = flat(submit.body.value)
    if provider in COMMON:
        assert re.fullmatch(r"https://callback\.invalid/\S{20,}", body.pop("callback_url"))
    if endpoint := chosen(SUBMIT[provider], submit):
        body["POST"] = endpoint
    assert body == {**COMMON.get(provider, {}), **case.body}
    for name, value in HEADERS[provider].items():
        assert re.fullmatch(value, str(submit.headers[name]))
    assert {"authorization", "x-api-key"} & submit.headers.keys() == {"authorization", "x-api-key"} & HEADERS[
        provider
    ].keys()
    assert video.state is State.SUCCEEDED
    assert video.video_url
    assert video.video_url.startswith(sandbox.url)
    assert sandbox.billed.total() == 1


@each_provider
async def test_what_the_wire_cannot_carry_is_refused_unsent(provider: str) -> None:
    """The error names the field and the installed provider that can; the server hears nothing."""
    with all_cells() as cells:
        async with opened(provider) as (pika, sandbox, _):
            for name, case in wire_cases(provider, Refuses):
                with cells.cell(name):
                    await _is_refused_unsent(provider, case, pika, sandbox)


async def _is_refused_unsent(provider: str, case: Refuses, pika: Pika, sandbox: Sandbox) -> None:
    with pytest.raises(UnsupportedRequest) as caught:
        await made(pika, case.request)
    error = caught.value
    able = sorted({*(case.able or "").split()} & {*PROVIDERS})
    can = f"installed providers that can: {', '.join(able)}." if able else "no installed provider can."
    assert case.words in error.message
    assert error.message.endswith(can)
    assert (error.provider, error.charged, error.retryable) == (provider, "no", False)
    assert not sandbox.requests


@pytest.fixture(autouse=True)
def soon_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the same bytes be sent again at once, and not for long."""
    monkeypatch.setattr(replaying, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(account, "replay_window", lambda replay, _: 0.5 if replay else 0.0)


def as_often_as_may_be(sandbox: Sandbox, provider: str, status: int | None) -> bool:
    """Return whether a submit was sent once, or again under its key after an answer that proves nothing."""
    replay = CAPABILITIES[provider].replay
    again = replay is not None and replay.allows(status)
    return posts(sandbox, provider) > 1 if again else posts(sandbox, provider) == 1


def posts(sandbox: Sandbox, provider: str) -> int:
    calls = sandbox.requests.items()
    return sum(n for (method, path), n in calls if re.fullmatch(SUBMIT[provider], f"{method} {path}"))


@each_provider
async def test_errors_answer_a_submit(provider: str) -> None:
    """The documented error is raised with all that the answer told; no POST is made that could buy twice."""
    with all_cells() as cells:
        await cells.together({"-".join(key): _answers_a_submit(provider, key) for key in ERRORS[provider]})


async def _answers_a_submit(provider: str, key: Key) -> None:
    answer = ERRORS[provider][key]
    async with opened(provider, {SUBMIT[provider]: answer.response}, lasting=True) as (pika, sandbox, _):
        with pytest.raises(PikaError) as caught:
            await pika.generate(PROMPT, timeout=5)
        open_status = answer.response.status if answer.kind is SubmitUnknown else 200
        assert as_often_as_may_be(sandbox, provider, open_status)
        assert not sandbox.billed
    error = caught.value
    assert type(error) is answer.kind
    assert (error.charged, error.retryable) == (answer.charged, answer.retryable)
    assert (error.status, error.code, error.trace_id) == (
        answer.response.status,
        answer.code,
        answer.trace_id,
    )
    assert (error.provider, error.phase) == (provider, "submit")
    assert documented_errors(provider)[key]["what to do"] in error.message
    assert error.token


@each_provider
async def test_errors_answer_a_look_up(provider: str) -> None:
    """They never lose the job: only a refused key ends the wait, and the job is then waited for again."""
    with all_cells() as cells:
        await cells.together({"-".join(key): _answers_a_look_up(provider, key) for key in ERRORS[provider]})


async def _answers_a_look_up(provider: str, key: Key) -> None:
    answer = ERRORS[provider][key]
    async with opened(provider, {LOOKUP[provider]: answer.response}) as (pika, sandbox, recorder):
        if answer.looks == "waits on":
            video = await pika.generate(PROMPT, timeout=5)
        else:
            with pytest.raises(AuthError) as caught:
                await pika.generate(PROMPT, timeout=5)
            error = caught.value
            assert (error.charged, error.retryable, error.phase) == ("yes", False, "poll")
            assert (error.status, error.code, error.trace_id) == (
                answer.response.status,
                answer.code,
                answer.trace_id,
            )
            assert error.job is not None
            video = await error.job.wait(timeout=5)
        assert video.video_url
        assert not recorder.once
        assert posts(sandbox, provider) == 1
        assert sandbox.billed == {PROMPT: 1}


@each_provider
async def test_magic_words_have_their_outcomes(provider: str) -> None:
    """`generate` ends as documented, billed once if it was accepted, and else not at all."""
    with all_cells() as cells:
        await cells.together({outcome: _has_its_outcome(provider, outcome) for outcome in Outcome})


async def _has_its_outcome(provider: str, outcome: Outcome) -> None:
    ends = MAGIC[provider][outcome]
    prompt = f"{PROMPT} {outcome}"
    caught: PikaError | None = None
    async with opened(provider) as (pika, sandbox, _):
        try:
            video = await pika.generate(prompt, timeout=0.2 if ends.kind is JobTimeout else 5)
        except PikaError as error:
            caught = error
        status = None if outcome is Outcome.DROPPED else ends.status or 200
        assert as_often_as_may_be(sandbox, provider, status)
        assert sandbox.billed[prompt] == ends.billed
    if ends.kind is VideoResult:
        assert video.video_url
        return
    assert caught is not None
    error = caught
    assert type(error) is ends.kind
    assert (error.charged, error.code, error.status) == (ends.charged, ends.code, ends.status)
    assert error.retryable == (ends.kind is RateLimited)
    assert getattr(error, "retry_after", None) == (2.0 if outcome is Outcome.RETRY_AFTER else None)


@each_provider
def test_the_wire_table_holds_what_is_tried(provider: str) -> None:
    """Rows, names on the wire and "cannot" are the same in the documentation and in what we try."""
    documented = {row["ours"].replace("`", ""): row for row in tables(f"### {provider}")[0]}
    assert list(documented) == list(WIRE[provider])
    base = WIRE[provider]["Generate(prompt)"][0]
    assert isinstance(base, Sends)
    always = {*base.body, *([*COMMON[provider], "callback_url"] if provider in COMMON else [])}
    for row, cases in WIRE[provider].items():
        told = documented[row]
        assert named(row) <= {name for case in cases for name in fields_set(case.request)}
        assert {isinstance(case, Refuses) for case in cases} == {told["on the wire"] == "cannot"}
        sent = {name for case in cases if isinstance(case, Sends) for name in case.body}
        shown = {span.split(":")[0] for span in spans(told["on the wire"])}
        assert row == "extra_body" or (sent - always <= shown <= sent | always)
        for case in cases:
            if isinstance(case, Refuses) and case.able:
                assert {*case.able.split()} <= {*re.findall(r"\w+", told["note"])}
    assert {span.split(":")[0] for span in spans(documented["Generate(prompt)"]["on the wire"])} == always


@each_provider
def test_the_wire_table_holds_what_the_adapter_declares(provider: str) -> None:
    """Each declared field and kind has a row that reaches the wire, every other one a row that cannot."""
    capabilities = CAPABILITIES[provider]
    every = {a.name for kind in (Generate, Style, Ingredients, Edit) for a in fields(kind)}
    every -= {"prompt", "images", "style", "extra_body"}
    reaching: set[str] = set()
    refused: set[str] = set()
    kinds = set()
    for row in tables(f"### {provider}")[0]:
        cannot = row["on the wire"] == "cannot"
        name = row["ours"].replace("`", "")
        (refused if cannot else reaching).update(named(name))
        kinds |= set() if cannot else set(re.findall(r"^(\w+)\(", name))
    assert reaching - {"extra_body", "style"} == capabilities.fields
    assert refused - reaching - {"style"} == every - capabilities.fields
    assert kinds == {kind.__name__ for kind in capabilities.kinds}


@each_provider
def test_the_error_table_holds_what_is_tried(provider: str) -> None:
    """Answers, errors and charges are the same in the documentation and in what we try."""
    columns = ("a submit raises", "charged", "retryable", "a look-up")
    assert {
        key: tuple(row[column].replace("`", "") for column in columns)
        for key, row in documented_errors(provider).items()
    } == {
        key: (answer.kind.__name__, answer.charged, "yes" if answer.retryable else "no", answer.looks)
        for key, answer in ERRORS[provider].items()
    }


def test_every_sampled_error_is_tried() -> None:
    """No code that AceData's documents show is left out."""
    samples = SAMPLES.glob("acedata/error.*.json")
    sampled = {tuple(reversed(path.stem.split(".")[1].split("-")[:2])) for path in samples}
    assert sampled - {("payment", "402")} <= ERRORS["acedata"].keys()


def test_every_code_and_word_that_an_adapter_knows_is_tried() -> None:
    """An adapter tells apart exactly what the tables do."""
    codes = {code for code, _ in ERRORS["acedata"] if code.isidentifier()}
    assert codes - {"another"} == {*ACEDATA_REFUSALS.codes, *ACEDATA_REFUSALS.open_codes}
    comfy = {code for code, _ in ERRORS["comfy"]}
    assert {*COMFY_REFUSALS.codes} - {"not_enabled", "content_moderation"} <= comfy
    fal = {code for code, _, _ in ERRORS["fal"]}
    assert {*FAL_REFUSALS.codes, *FAL_REFUSALS.open_codes} <= fal
    pika = {code for code, _, _ in ERRORS["pika"]} - {"none", "another"}
    assert pika == {*PIKA_REFUSALS.codes}
    words = {word.casefold() for _, word, _ in ERRORS["duomi"]}
    assert words - {"other", "none"} == set("|".join(DUOMI_REFUSALS.words).split("|"))


def test_the_magic_words_hold_what_is_tried() -> None:
    """Words, meanings, errors and charges are the same in the documentation and in what we try."""
    (table,) = tables("## The sandbox's magic words")
    assert table == [
        {
            "word": f"`{outcome}`",
            "what happens": outcome.meaning,
            **{
                name: f"`{MAGIC[name][outcome].kind.__name__}`, {MAGIC[name][outcome].charged}"
                for name in MAGIC
            },
        }
        for outcome in Outcome
    ]
    assert all(set(MAGIC[name]) == set(Outcome) for name in PROVIDERS)
