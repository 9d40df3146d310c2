"""A shop that sells videos: it records orders and waits, and needs no provider key. Workers do the rest."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Request

from pika_async import JobTimeout, Pika, PikaError, UnsupportedRequest


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep one client open as long as the application runs."""
    async with Pika("acedata", ledger=os.environ["PIKA_ASYNC_LEDGER"], work=False) as pika:
        app.state.pika = pika
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/orders", status_code=202)
async def order(request: Request, prompt: str, idempotency_key: Annotated[str, Header()]) -> dict[str, str]:
    """Record an order; a browser that repeats the request, with the same header, buys nothing twice."""
    try:
        job = await request.app.state.pika.enqueue(prompt, idempotency_key=idempotency_key)
    except UnsupportedRequest as error:
        raise HTTPException(422, error.message) from error
    except PikaError as error:
        raise HTTPException(503, error.message) from error
    return {"token": job.token}


@app.get("/orders/{token}")
async def video(request: Request, token: str, wait: float = 25.0) -> dict[str, Any]:
    """Return where an order stands, after waiting for its video for a while."""
    try:
        job = request.app.state.pika.job(token)
        found = await job.wait(wait)
    except JobTimeout:
        return {"state": job.state, "video": None}
    except PikaError as error:
        return {"state": "failed", "video": None, "why": error.message}
    return {"state": job.state, "video": found.url}
