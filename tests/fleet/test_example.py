"""The shop of `examples/fleet` sells a video."""

from __future__ import annotations

import importlib.util

import pytest
from fastapi import Request

from pika_async.fleet.delivery import hook_of
from tests.fleet.conftest import until
from tests.wheels import ROOT

pytestmark = pytest.mark.anyio
EXAMPLE = ROOT / "examples" / "fleet"


def example(name):
    """Load a module of the example."""
    found = importlib.util.spec_from_file_location(name, EXAMPLE / f"{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


async def test_the_shop_records_an_order_and_shows_its_video(place, monkeypatch, tmp_path, capsys):
    """Twice the same request is one order; a worker delivers it and tells the hook."""
    monkeypatch.setenv("PIKA_ASYNC_LEDGER", place.dsn)
    monkeypatch.syspath_prepend(EXAMPLE)
    assert hook_of("hook:delivered")
    shop = example("shop")
    request = Request({"type": "http", "app": shop.app})
    async with shop.lifespan(shop.app), place.working(out=str(tmp_path), hook="hook:delivered"):
        ordered = [await shop.order(request, "a cat", "order-1") for _ in range(2)]
        assert ordered[0] == ordered[1]
        shown = await shop.video(request, ordered[0]["token"])
        assert shown["state"] == "succeeded"
        assert shown["video"]
        await until(lambda: "order" in capsys.readouterr().out, 30)
    assert place.provider.billed == {"a cat": 1}
