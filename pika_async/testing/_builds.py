"""What an adapter builds: every declared kind and field, look-ups, and no secret in plain sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, field, fields_dict, frozen

from pika_async._http import origin
from pika_async.provider import (
    Blob,
    Call,
    Camera,
    Edit,
    Generate,
    HttpRequest,
    Ingredients,
    Provider,
    Secret,
    Style,
    Task,
    UnsupportedRequest,
    VideoRequest,
)
from pika_async.testing._world import wire_text

KEY = "sandbox-conformance-4f1d"
BASE_URL = "https://provider.test"
NOW = 1_800_000_000.0
TASKS = tuple(Task(f"task-{number:04}") for number in range(200))
_TOKEN = "conformance-1-token.mac"  # noqa: S105 - nobody's
_IMAGE = "https://media.test/image.png"
_VIDEO = "https://media.test/video.mp4"
_BLOB = Blob(b"\x89PNG\r\n\x1a\n", "image/png", "image.png")
VALUES: Mapping[str, Sequence[Any]] = {
    "negative_prompt": ("blur",),
    "model": ("conformance", "1.0", "1.5", "2.0"),
    "aspect_ratio": ("9:16", "1:1", "16:9"),
    "seed": (7,),
    "frame_rate": (8, 12, 16, 25, 30),
    "guidance_scale": (7.5, 12.0),
    "motion": (1, 3),
    "camera": (Camera(pan="left"), Camera(zoom="in")),
    "sound_effects": (True, False),
    "image": (_IMAGE, "https://media.test/another.png", _BLOB),
    "video": (_VIDEO, "https://media.test/another.mp4", _BLOB),
    "mode": ("precise", "creative"),
    "duration": (5, 10),
    "resolution": ("720p", "1080p"),
    "last_image": (_IMAGE, _BLOB),
    "frames": ((_IMAGE, _IMAGE),),
    "region": ("the hat",),
    "mask": (_IMAGE, _BLOB),
}


def hold(promise: bool, broken: str) -> None:
    """Raise the AssertionError that says which promise is *broken*, and where to read of it."""
    if not promise:
        raise AssertionError(f"{broken} See docs/providers.md.")


@frozen(kw_only=True)
class Builds:
    """Builds with *provider* as the core would, and checks what comes out."""

    provider: Provider
    powers: frozenset[str]
    values: Mapping[str, Sequence[Any]]
    kinds: Sequence[VideoRequest] = field(init=False)
    plain: Sequence[VideoRequest] = field(init=False)

    def __attrs_post_init__(self) -> None:
        capabilities = self.provider.capabilities
        style = next(iter(capabilities.styles), "Inflate")
        tried: dict[type[VideoRequest], Sequence[VideoRequest]] = {
            Generate: (Generate("A cat"), Generate("A cat", image=_IMAGE)),
            Style: (
                Style("A cat", style=style),
                Style("A cat", style=style, image=_IMAGE),
                Style(style=style, image=_IMAGE),
                Style(style=style, video=_VIDEO),
            ),
            Ingredients: (Ingredients("A cat", (_IMAGE,)),),
            Edit: (Edit("A cat", _VIDEO), Edit("A cat", _VIDEO, image=_IMAGE)),
        }
        able = {kind: [one for one in tried[kind] if self._can(one)] for kind in tried}
        declared = [kind for kind in tried if kind in capabilities.kinds]
        object.__setattr__(self, "kinds", [(able[kind] or tried[kind])[0] for kind in declared])
        object.__setattr__(self, "plain", [one for kind in declared for one in able[kind]])

    def _can(self, request: VideoRequest) -> bool:
        try:
            self.provider.capabilities.check(request)
            getattr(self.provider, "check_request", lambda _: None)(request)
        except UnsupportedRequest:
            return False
        return True

    def submit(
        self, request: VideoRequest, *, told: bool = True, attempt: str = "conformance-1"
    ) -> HttpRequest:
        """Build as the core does, which refuses what is not declared before it asks the adapter."""
        capabilities = self.provider.capabilities
        capabilities.check(request)
        call = self.call(told=told, attempt=attempt)
        return self.sound(self.provider.build_submit(capabilities.stand_in(request), call))

    def call(self, *, told: bool, attempt: str = "conformance-1") -> Call:
        """Return what the core adds to a request; *told* has the provider call back where that can be."""
        capabilities = self.provider.capabilities
        address = Secret(f"https://callback.invalid/{_TOKEN}")
        wanted = capabilities.callbacks == "required" or (told and capabilities.callbacks == "optional")
        return Call(callback_url=address if wanted else None, attempt_id=attempt, now=NOW)

    def sound(self, request: HttpRequest) -> HttpRequest:
        """Check what every request must be."""
        shown = repr(request)
        hold(KEY not in shown, f"The key is plain text in {request.url}: keep it a Secret.")
        hold(_TOKEN not in shown, f"The callback address is plain text in {request.url}: keep it a Secret.")
        strange = request.bears_secrets and request.origin not in self._homes()
        hold(not strange, f"A secret would go to {request.origin}, which is not the base_url.")
        return request

    def _homes(self) -> set[str]:
        hosts = self.provider.capabilities.hosts.items()
        return {origin(BASE_URL), *(origin(f"https://{host}") for host, secrets in hosts if secrets)}

    def check_requests(self) -> None:
        """Build every declared kind."""
        hold(bool(self.kinds), "capabilities.kinds is empty.")
        for plain in self.kinds:
            name = type(plain).__name__
            try:
                wire = self.submit(plain)
                self.submit(plain, told=False)
            except UnsupportedRequest as error:
                raise AssertionError(f"{name} is declared, and refused: {error}") from error
            hold(
                wire.method == "POST",
                f"{name} is submitted with {wire.method}; HTTP stacks replay all but POST.",
            )
            hold(wire == self.submit(plain), f"{name} is built differently each time; an adapter is pure.")
            echoed = _TOKEN in wire_text(wire) or wire.held
            silent = not self.provider.capabilities.takes_address
            hold(echoed or silent, f"{name} does not carry the callback address.")
            wordy = "prompt" not in self.provider.capabilities.lacks.get(type(plain), ())
            changed = wordy and wire != self.submit(evolve(plain, prompt="A dog"))
            hold(changed or not wordy, f"{name}.prompt does not reach the wire.")
            extra: dict[str, Any] = {"extra_body": {"conformance": 1}}
            hold(wire != self.submit(evolve(plain, **extra)), f"{name}.extra_body does not reach the wire.")

    def check_fields(self) -> None:
        """Set each declared field in turn: it changes the wire, or is refused by name."""
        for name in sorted(self.provider.capabilities.fields):
            able = [plain for plain in self.plain if name in fields_dict(type(plain))]
            hold(bool(able), f"{name} is declared, and no declared kind of request has it.")
            hold(name in self.values, f"There is no value to try {name} with; pass values={{{name!r}: ...}}.")
            outcomes = {outcome for plain in able for outcome in self._tried(plain, name)}
            # One of its choices may be what the wire says without it.
            chosen = name in self.provider.capabilities.choices and outcomes == {"same", "refused"}
            hold("changed" in outcomes or chosen, f"{name} is declared, and every value of it is refused.")

    def _tried(self, plain: VideoRequest, name: str) -> set[str]:
        outcomes = set()
        wire = self.submit(plain)
        declared = self.provider.capabilities.models if name == "model" else ()
        for value in (*declared, *self.values[name]):
            try:
                outcomes.add("same" if self.submit(evolve(plain, **{name: value})) == wire else "changed")
            except UnsupportedRequest:
                outcomes.add("refused")
        dropped = outcomes == {"same"}
        hold(not dropped, f"{type(plain).__name__}.{name} is declared, and dropped without a word.")
        return outcomes

    def check_look_ups(self) -> None:
        """Build look-ups of one task and of as many as are declared."""
        for count in {1, max(1, min(self.provider.capabilities.poll_batch, len(TASKS)))}:
            sent = wire_text(self.sound(self.provider.build_poll(TASKS[:count])))
            missing = [task.id for task in TASKS[:count] if task.id not in sent]
            hold(not missing, f"A look-up of {count} tasks does not ask for all of them.")
        own: Any = self.provider
        if "finds" in self.powers:
            self.sound(own.build_find(NOW - 3600, NOW, None))
        if "reports_balance" in self.powers:
            self.sound(own.build_balance())
        if "signs" in self.powers:
            self.sound(own.build_keys())
