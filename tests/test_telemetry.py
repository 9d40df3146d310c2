"""What OpenTelemetry is told, in memory: spans that link to their job, and metrics of accounts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pika_async import ContentBlocked, _telemetry
from pika_async._telemetry import context_of
from pika_async.fleet.delivery import deliver
from pika_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


class Broken(SpanProcessor):
    """A processor of the application's, which raises while it is *on*."""

    on = False

    def on_start(self, span, parent_context=None):
        self._fail("start")

    def on_end(self, span):
        self._fail("end")

    def _fail(self, when):
        if self.on == when:
            raise RuntimeError("the application's processor")


BROKEN = Broken()


@pytest.fixture(scope="module")
def exported():
    """Return what is exported; a process has one provider of each."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    tracers.add_span_processor(BROKEN)
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(MeterProvider([reader]))
    return spans, reader


@pytest.fixture
async def pika(anyio_backend):
    """Return a client in front of a sandbox."""
    async with Sandbox(render_time=0.02) as sandbox, sandbox.client(poll_interval=0.02) as pika:
        yield pika


@pytest.fixture
def spans(exported):
    """Return the exporter, empty."""
    exported[0].clear()
    return exported[0]


async def test_every_span_of_a_job_links_to_it(spans, pika, tmp_path):
    """Whoever made them, in whichever process, is found by the one context that the job's id makes."""
    job = await pika.submit("A cat")
    await pika.download(job, tmp_path / "cat.mp4")
    finished = spans.get_finished_spans()
    assert {span.name for span in finished} >= {"pika.submit", "pika.wait", "pika.look_up", "pika.download"}
    expected = context_of(job.id)
    for span in finished:
        assert [(link.context.trace_id, link.context.span_id) for link in span.links] == [
            (expected.trace_id, expected.span_id)
        ]
        assert span.attributes["pika.job.id"] == job.id


async def test_a_wait_belongs_to_the_callers_span(spans, pika):
    """An application sees where its own request waited; the engine's work stands alone."""
    with trace.get_tracer("application").start_as_current_span("order") as order:
        await pika.generate("A cat")
    named = {span.name: span for span in spans.get_finished_spans()}
    assert named["pika.wait"].parent.span_id == order.get_span_context().span_id
    assert named["pika.submit"].parent is None


async def test_an_error_ends_a_span_without_its_text(spans, pika):
    """The class and whether money went are enough; a message may hold a prompt."""
    with pytest.raises(ContentBlocked):
        await pika.generate("A cat sandbox-moderated")
    wait = next(span for span in spans.get_finished_spans() if span.name == "pika.wait")
    assert not wait.status.is_ok
    assert dict(wait.attributes)["error.type"] == "ContentBlocked"
    assert dict(wait.attributes)["pika.charged"] == "no"
    assert "cat" not in wait.to_json()


@pytest.mark.parametrize("when", ["start", "end"])
async def test_a_trace_that_fails_changes_nothing_of_an_order(spans, monkeypatch, when):
    """An order that left must never be taken for a refused one because its span could not be ended."""
    monkeypatch.setattr(BROKEN, "on", when)
    async with Sandbox(render_time=0.02) as sandbox, sandbox.client(poll_interval=0.02) as pika:
        assert (await pika.generate("A cat")).video_url
        assert sandbox.billed == {"A cat": 1}


async def test_metrics_that_fail_change_nothing_of_an_order(exported, monkeypatch):
    """Neither making an instrument nor counting an end raises into the engine."""

    def broken(*_, **__):
        raise RuntimeError("the application's meter")

    monkeypatch.setattr(metrics, "get_meter", broken)
    monkeypatch.setattr(_telemetry, "_made", [])
    async with Sandbox(render_time=0.02) as sandbox, sandbox.client(poll_interval=0.02) as pika:
        assert (await pika.generate("A cat")).video_url


async def test_accounts_and_ends_are_measured(exported, pika):
    """Jobs by state, and what each account is doing, under names that stay."""
    await pika.generate("A cat")
    told = exported[1].get_metrics_data()
    found = {
        metric.name: [point.attributes for point in metric.data.data_points]
        for resource in told.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    for state in ("queued", "submitting", "rendering", "in_flight", "doubts"):
        assert {"pika.account": "acedata:default"} in found[f"pika.jobs.{state}"]
    assert {"gen_ai.provider.name": "acedata", "pika.job.state": "succeeded"} in found["pika.jobs.ended"]
    assert "pika.job.duration" in found


async def test_an_order_is_followed_from_process_to_process(spans, tmp_path):
    """The shop's, the worker's and the delivery's spans link to the job; what the hook does is inside."""
    heard = []

    def hook(delivery):
        with trace.get_tracer("application").start_as_current_span("shop.notify"):
            heard.append(delivery)

    ledger = tmp_path / "jobs.db"
    async with Sandbox(render_time=0.02) as sandbox:
        options = {"poll_interval": 0.02, "ledger": ledger}
        async with sandbox.client(**options, work=False) as shop:
            job = await shop.enqueue("A cat")
        async with sandbox.client(**options) as worker:
            await worker.process(job.id)
            await deliver(worker, job.id, "acedata:default", str(tmp_path), hook)
    named = {span.name: span for span in spans.get_finished_spans()}
    expected = context_of(job.id)
    for name in (
        "pika.enqueue",
        "pika.process",
        "pika.submit",
        "pika.look_up",
        "pika.deliver",
        "pika.download",
    ):
        assert {link.context.trace_id for link in named[name].links} == {expected.trace_id}
        assert named[name].attributes["pika.job.id"] == job.id
    delivered = named["pika.deliver"].context.span_id
    assert {named[name].parent.span_id for name in ("pika.download", "shop.notify")} == {delivered}
    assert heard[0].job_id == job.id


def test_the_link_of_a_job_is_the_same_in_every_process():
    """It is made of the id alone, and stays what it was in earlier releases."""
    assert f"{context_of('job').trace_id:032x}" == "5e8c9902207afaeb7120430c585a445f"


def test_nothing_is_loaded_where_the_application_measures_nothing():
    """The library never imports OpenTelemetry by itself."""
    program = "import sys, pika_async._waits, pika_async._fetching; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def prometheus(name: str) -> str:
    """Return the name under which Prometheus keeps a metric of ours."""
    ending = {"pika.jobs.ended": "_total", "pika.job.cost": "_total", "pika.job.duration": "_seconds_bucket"}
    return name.replace(".", "_") + ending.get(name, "")


def test_the_dashboard_and_the_page_show_every_metric_and_no_other():
    """The names are literal in three places: the library, the example and the documentation."""
    root = Path(__file__).parent.parent
    board = json.loads((root / "examples/grafana/pika_async.json").read_text("utf-8"))
    asked = " ".join(target["expr"] for panel in board["panels"] for target in panel["targets"])
    assert {*re.findall(r"\bpika_(?:job|look|ledger)\w+(?=[\[)])", asked)} - {"pika_job_state"} == {
        prometheus(name) for name in _telemetry.METRICS
    }
    table = (root / "docs/watching.md").read_text("utf-8").partition("| metric |")[2].partition("\n\n")[0]
    assert {*re.findall(r"`(pika\.\w+\.\w+)`", table)} - {"pika.job.state"} == _telemetry.METRICS
