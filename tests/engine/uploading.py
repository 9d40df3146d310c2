"""A provider that takes its media as uploads, for tests of how they are prepared."""

from __future__ import annotations

import hashlib

from attrs import evolve, field, frozen

import pika_async.provider as api
from pika_async import (
    AuthError,
    ProviderUnavailable,
)
from pika_async.testing import FakeClock
from tests.engine.scripted import Host, Scripted, answer, capable, scene

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


def two_hosts(**options):
    """Open a client of an uploader, its store, and a second provider that takes bytes."""
    clock = FakeClock()
    hosts = {"scripted": Store(clock), "second": Host(clock)}
    return scene(Uploader(), Scripted(capabilities=capable("second")), clock=clock, hosts=hosts, **options)
