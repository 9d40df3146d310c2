"""A provider that signs what it pushes, with Ed25519: the adapter, and the provider's own side of it.

Each push carries `x-signer-time` (seconds) and `x-signer-signature` (hex) over `<time>.<body>`. The public
keys are at `/v1/keys`; while they rotate, there are several.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Final, TypeVar

from attrs import field, frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

import pika_async.provider as api

Shape = TypeVar("Shape")

HOME: Final = "https://api.signer.invalid"

PATIENCE = 300.0
"""A push that is older, or from further ahead, is a replay: seconds."""


def _address(base_url: str | None) -> str:
    return base_url or HOME


@frozen
class Video:
    """The one shape of the wire."""

    id: str | None = None
    state: str | None = None
    url: str | None = None
    error: str | None = None


@frozen
class Keys:
    """The answer of `/v1/keys`, each in hex."""

    keys: tuple[str, ...] = ()


@frozen(kw_only=True)
class Signer:
    """Speak the dialect of a provider that signs."""

    api_key: api.Secret = field(converter=api.Secret)
    base_url: str = field(default=HOME, converter=_address)
    capabilities: ClassVar[api.Capabilities] = api.Capabilities(
        kinds={api.Generate}, fields=(), callbacks="optional"
    )

    @property
    def _headers(self) -> dict[str, str | api.Secret]:
        return {"authorization": self.api_key.within("Bearer {}")}

    def build_submit(self, request: api.VideoRequest, call: api.Call, /) -> api.HttpRequest:
        body = {"prompt": request.prompt, "callback": call.callback_url}
        url = f"{self.base_url}/v1/videos"
        return api.HttpRequest(method="POST", url=url, headers=self._headers, body=api.Json(body))

    def read_submit(self, response: api.HttpResponse, _request: api.VideoRequest, /) -> api.Snapshot:
        video = api.read_json(response, Video)
        if video.id:
            return api.Pending(task=api.Task(video.id))
        raise api.SubmitUnknown(f"Signer answered HTTP {response.status} without a video.")

    def build_poll(self, tasks: Sequence[api.Task], /) -> api.HttpRequest:
        url = f"{self.base_url}/v1/videos/{tasks[0].id}"
        return api.HttpRequest(method="GET", url=url, headers=self._headers)

    def read_poll(
        self, response: api.HttpResponse, tasks: Sequence[api.Task], /
    ) -> Mapping[str, api.Snapshot]:
        video = api.read_json(response, Video)
        return {task.id: snapshot(task, video) for task in tasks if task.id == video.id}

    def build_keys(self) -> api.HttpRequest:
        return api.HttpRequest(method="GET", url=f"{self.base_url}/v1/keys")

    def read_callback(
        self, body: bytes, headers: Mapping[str, str], received_at: float, keys: bytes | None, /
    ) -> api.Snapshot | None:
        """Believe what one of *keys* signed not long ago; anything else is nobody's."""
        time, signature = headers.get("x-signer-time", ""), headers.get("x-signer-signature", "")
        if not time.isdecimal() or abs(received_at - int(time[:12])) > PATIENCE:
            return None
        if not any(verifies(key, f"{time}.".encode() + body, signature) for key in published(keys)):
            return None
        video = parsed(body, Video)
        return snapshot(api.Task(video.id), video) if video.id else None


def parsed(body: bytes, shape: type[Shape]) -> Shape:
    """Read JSON that came otherwise than in an answer; raises `BadReply`."""
    return api.read_json(api.HttpResponse(status=200, headers={}, body=body), shape)


def published(keys: bytes | None) -> Iterable[Ed25519PublicKey]:
    """Read the fetched keys; what is not one verifies nothing."""
    for key in parsed(keys or b"{}", Keys).keys:
        with suppress(ValueError):
            yield Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))


def verifies(key: Ed25519PublicKey, message: bytes, signature: str) -> bool:
    """Return whether *key* made *signature*, in hex, of *message*."""
    try:
        key.verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def snapshot(task: api.Task, video: Video) -> api.Snapshot:
    """Translate where *task* stands; a word we do not know is still running."""
    match video:
        case Video(state="done", url=str(url)):
            result = api.VideoResult(task.id, url, None, None, api.State.SUCCEEDED)
            return api.Succeeded(task=task, results=(result,))
        case Video(state="failed", error=why):
            return api.Failed(task=task, message=why or "")
        case _:
            return api.Pending(task=task)


@frozen
class SigningSide:
    """The provider's side: signs pushes and publishes its keys."""

    key: Ed25519PrivateKey = field(factory=Ed25519PrivateKey.generate)

    def headers(self, body: bytes, now: float) -> dict[str, str]:
        """Sign *body* as of *now*, in wall-clock seconds."""
        time = str(int(now))
        signature = self.key.sign(f"{time}.".encode() + body).hex()
        return {"x-signer-time": time, "x-signer-signature": signature}

    def keys(self, *others: "SigningSide") -> bytes:
        """Answer `/v1/keys`; *others* are keys before or after this one."""
        sides = (*others, self)
        return json.dumps({"keys": [s.key.public_key().public_bytes_raw().hex() for s in sides]}).encode()
