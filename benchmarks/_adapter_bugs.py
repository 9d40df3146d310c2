"""Bugs as people write them into adapters, and seeded changes that change nothing. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen


@frozen
class Bug:
    """One mistake in *adapter*: the text *new* stands where *old* should."""

    adapter: str
    what: str
    old: str
    new: str


BUGS = (
    # AceData.
    Bug("acedata", "wrong name of a field", '"negative_prompt": request', '"negative": request'),
    Bug(
        "acedata",
        "image is no list",
        "[api.inlined(image) for image in images if image] or None",
        "images[0]",
    ),
    Bug("acedata", "another default model", 'or ("1.5" if', 'or ("2.0" if'),
    Bug("acedata", "the model of the caller is dropped", "request.model or (", "(None or "),
    Bug(
        "acedata",
        "mode of ingredients lost",
        '"ingredients_mode": getattr(request, "mode", None)',
        '"m": None',
    ),
    Bug("acedata", "asks for held answers", '"async": None if self.held else True', '"async": None'),
    Bug(
        "acedata",
        "callback address left out",
        '"callback_url": None if self.held else call',
        '"u": None if 1 else call',
    ),
    Bug(
        "acedata",
        "moderation is taken for a wrong key",
        'api.ContentBlocked: "forbidden"',
        'api.ContentBlocked: "moderated"',
    ),
    Bug("acedata", "a busy gateway is a refusal", '"api_error", "busy", "timeout"', '"api_error", "timeout"'),
    Bug("acedata", "a withdrawn API is for now only", "    lasting=_WITHDRAWN.split(),\n", ""),
    Bug("acedata", "402 proves nothing", "    statuses={402: api.InsufficientBalance},\n", ""),
    Bug("acedata", "an error beside a task is believed", "doubtful = told.error or", "doubtful = False and"),
    Bug("acedata", "trace id lost", '"trace_id": trace_id, "raw": kept', '"trace_id": None, "raw": kept'),
    Bug(
        "acedata",
        "the id from the wrong place",
        "if id_ := told.task_id or next(",
        "if id_ := told.id or next(",
    ),
    Bug(
        "acedata",
        "tasks taken by their place",
        "if (task := asked.get(told.id or told.task_id))",
        "if (task := tasks[0])",
    ),
    Bug("acedata", "echo not read", "echoed = api.Secret(url) if", "echoed = None if"),
    Bug("acedata", "our own video is taken for the result", "and output.video_url != source", ""),
    Bug(
        "acedata",
        "a link without a word is believed in a callback",
        "told, raw, None) if told.task_id",
        'told, raw, "") if told.task_id',
    ),
    Bug(
        "acedata",
        "cover and video swapped",
        "output.video_url, cover, output.duration",
        "cover, output.video_url, output.duration",
    ),
    Bug("acedata", "duration lost", "cover, output.duration, state)", "cover, None, state)"),
    Bug(
        "acedata",
        "moderation of a render is a failure of the provider",
        '"content" if moderated else',
        '"provider" if moderated else',
    ),
    Bug(
        "acedata",
        "message of a failure lost",
        "message=message, code=code or None, **shared",
        "code=code or None, **shared",
    ),
    Bug(
        "acedata",
        "code of a failure lost",
        "message=message, code=code or None, **shared",
        "message=message, **shared",
    ),
    Bug("acedata", "the history's pages begin anew", "float(cursor) if cursor else until", "until"),
    Bug(
        "acedata", "a page too few", "len(records) < _PAGE and count <= len(records)", "len(records) <= _PAGE"
    ),
    Bug("acedata", "a page of one time is asked for for ever", "else min(times) - 0.001", "else min(times)"),
    Bug("acedata", "the key without Bearer", '.within("Bearer {}")', ""),
    Bug("acedata", "one more task in a look-up than documented", "poll_batch=50", "poll_batch=51"),
    Bug("acedata", "private fields kept", "without=self.capabilities.private, ", ""),
    Bug("acedata", "a form of a callback is not read", "api.decoded(body, form=True)", "api.decoded(body)"),
    # Duomi.
    Bug(
        "duomi",
        "camera dropped",
        "api.given(**asdict(request.camera)) or None if request.camera else None",
        "None",
    ),
    Bug("duomi", "motion 0 is dropped", "motion=request.motion,", "motion=request.motion or None,"),
    Bug(
        "duomi", "another frame rate", '_RATIO, _FRAME_RATE = "16:9", 24', '_RATIO, _FRAME_RATE = "16:9", 25'
    ),
    Bug("duomi", "style as the caller spelt it", "_SPELLED[request.style.casefold()] if", "request.style if"),
    Bug(
        "duomi",
        "ratio beside media",
        "None if image or video else request.aspect_ratio or _RATIO",
        "request.aspect_ratio or _RATIO",
    ),
    Bug(
        "duomi",
        "sound left to chance",
        "False if video and request.sound_effects is None else request.sound_effects",
        "request.sound_effects",
    ),
    Bug("duomi", "model as text", "float(request.model)", "request.model"),
    Bug("duomi", "a limit too high", '"frame_rate": (8, 24)', '"frame_rate": (8, 25)'),
    Bug("duomi", "a limit too low", '"guidance_scale": (5, 25)', '"guidance_scale": (5, 24)'),
    Bug("duomi", "words of money unknown", '"点数|余额|不足"', '"点数"'),
    Bug("duomi", "moderated words unknown", '_MODERATED = "违规|敏感|审核"', '_MODERATED = "敏感|审核"'),
    Bug("duomi", "404 proves nothing", "    bare={404},\n", ""),
    Bug(
        "duomi",
        "a good code without a task is a refusal",
        "raise evolve(REFUSALS, open_codes=good)",
        "raise REFUSALS",
    ),
    Bug(
        "duomi",
        "failed for running",
        "dict.fromkeys([2, -1, 4], api.State.FAILED)",
        "dict.fromkeys([2, -1], api.State.FAILED)",
    ),
    Bug("duomi", "running for queued", "0: api.State.QUEUED", "0: api.State.RUNNING"),
    Bug("duomi", "a refund is overlooked", "self.refund == 1 or", "False or"),
    Bug(
        "duomi",
        "a failure says always that it was charged",
        '"yes" if self.refund == 0 and self.point else "unknown"',
        '"yes"',
    ),
    Bug("duomi", "cost lost", '"task": task, "cost": told.point', '"task": task, "cost": None'),
    Bug("duomi", "cover lost", "told.poster or told.image_url or None", "told.poster or None"),
    Bug("duomi", "a link alone is success", "if linked and api.State.SUCCEEDED in said", "if linked"),
    Bug(
        "duomi",
        "the caller's address is kept",
        'private={"ip", "key", "callback_url"}',
        'private={"key", "callback_url"}',
    ),
    Bug(
        "duomi",
        "another task's record is read as ours",
        "*told[task.id]) for task in tasks if task.id in told",
        "*next(iter(told.values()))) for task in tasks if told",
    ),
    Bug("duomi", "wrong path of the balance", '"account/get"', '"account/info"'),
    # Pika's own.
    Bug(
        "pika",
        "the key of a replay is chance",
        '"idempotency-key": call.attempt_id',
        '"idempotency-key": __import__("uuid").uuid4().hex',
    ),
    Bug("pika", "no key of a replay", ', **{"idempotency-key": call.attempt_id}', ""),
    Bug("pika", "one key for all orders", '"idempotency-key": call.attempt_id', '"idempotency-key": "1"'),
    Bug(
        "pika",
        "the signature of a callback is not checked",
        "        if not api.signed_by_secret(body, headers, received_at, keys):\n            return None\n",
        "",
    ),
    Bug(
        "pika",
        "wrong name of the length",
        "api.given(image=image, duration_s=seconds)",
        "api.given(image=image, duration=seconds)",
    ),
    Bug(
        "pika",
        "swaps for additions",
        '"pikadditions" if region is mask is None else "pikaswaps"',
        '"pikadditions"',
    ),
    Bug("pika", "mask as region", "modify_region_mask=mask", "modify_region_roi=mask"),
    Bug("pika", "longer gaps than documented", "most = 10 if len(frames) == 2 else 5", "most = 10"),
    Bug("pika", "dollars for millionths", "micro / 1_000_000", "micro / 1_000"),
    Bug(
        "pika",
        "an open bill is taken for a charge",
        'if bill.get("state") == "settled" else None',
        "if bill else None",
    ),
    Bug("pika", "a failed job is always charged", 'return "no"\n', 'return "yes"\n'),
    Bug("pika", "a failed job is a task", "if api.state(job.status) is not api.State.FAILED:", "if True:"),
    Bug(
        "pika",
        "a membership is a refusal of the request",
        '{_UNMADE}",\n        api.RateLimited',
        '{_UNMADE}",\n        api.ContentBlocked: "membership_required",\n        api.RateLimited',
    ),
    Bug(
        "pika",
        "the key goes to the upload's host",
        'headers = step.told["headers"]',
        'headers = {**step.told["headers"], "x-api-key": self.api_key}',
    ),
    Bug(
        "pika",
        "exact headers of an upload dropped",
        "query=query, headers=headers, body=blob",
        "query=query, body=blob",
    ),
    Bug(
        "pika",
        "an upload ends in the wrong link",
        'api.Uploaded(link=step.told["url"])',
        'api.Uploaded(link=step.told["upload_url"])',
    ),
    Bug(
        "pika",
        "a file larger than documented",
        "upload_limit=20 * 1024 * 1024",
        "upload_limit=25 * 1024 * 1024",
    ),
    Bug(
        "pika",
        "the key goes wherever a link leads",
        'return request if request.origin == api.HttpRequest(method="GET", url=self.base_url).origin '
        "else None",
        "return request",
    ),
    Bug(
        "pika",
        "the second step is forgotten",
        'content = "/content" if task.locator.get("completed") else ""',
        'content = ""',
    ),
    Bug(
        "pika",
        "the cycle is overlooked",
        'cycle if later.get("active") is True else',
        'None if later.get("active") is True else',
    ),
    Bug(
        "pika",
        "the trace is another header",
        '"x-request-id"))\n\n\n@frozen',
        '"x-trace-id"))\n\n\n@frozen',
    ),
    # fal.
    Bug("fal", "the key as Bearer", '.within("Key {}")', '.within("Bearer {}")'),
    Bug(
        "fal",
        "the callback in the body",
        "api.given(fal_webhook=call.callback_url)",
        "api.given(webhook=call.callback_url)",
    ),
    Bug("fal", "wrong name of the effect", '{"pikaffect": style}', '{"effect": style}'),
    Bug("fal", "the turbo's path", '.replace("-", "/")', ""),
    Bug(
        "fal",
        "an image beside a region is lost",
        '{"video_url": video} | media | api.given',
        '{"video_url": video} | api.given',
    ),
    Bug("fal", "26 seconds of frames", "sum(lengths) > 25", "sum(lengths) > 26"),
    Bug("fal", "locked accounts are wrong keys", "balance|locked", "balance"),
    Bug(
        "fal",
        "moderation is a bad request",
        'api.ContentBlocked: "content_policy_violation"',
        'api.ContentBlocked: "content_policy"',
    ),
    Bug(
        "fal",
        "a client's disconnection is a refusal",
        '"client_disconnected", "client_cancelled"',
        '"client_cancelled"',
    ),
    Bug(
        "fal",
        "completed beside an error is a success",
        "if api.first_text(told.error).strip() or told.error_type.strip():",
        "if False:",
    ),
    Bug("fal", "the result is waited for", "poll_after=0, raw=kept", "raw=kept"),
    Bug(
        "fal",
        "the result's address is the status'",
        '"response_url" if task.locator.get("completed") else "status_url"',
        '"status_url"',
    ),
    Bug(
        "fal",
        "the key follows any address",
        '.startswith(f"{self.base_url}/") else home',
        '.startswith("http") else home',
    ),
    Bug("fal", "callbacks are never old", "not api.in_time(signed[2], received_at) or ", ""),
    Bug(
        "fal",
        "the signature of a callback is not checked",
        " or not api.signed_by_key(message, signature, published)",
        "",
    ),
    Bug("fal", "a pushed error is a success", 'if told.status == "ERROR":', 'if told.status == "FAILED":'),
    Bug(
        "fal",
        "a cancellation too late was asked for",
        'word in {"ALREADY_COMPLETED", "NOT_FOUND"}',
        'word in {"NOT_FOUND"}',
    ),
    Bug(
        "fal",
        "the position in the queue is lost",
        '"queue_position": told.queue_position, "trace_id"',
        '"queue_position": None, "trace_id"',
    ),
    Bug(
        "fal", "a server's failure is charged", '"no" if free else "unknown"', '"yes" if free else "unknown"'
    ),
    Bug("fal", "the pace is ten times the known", "poll_rate=10", "poll_rate=100"),
    Bug(
        "fal",
        "the key goes up with the bytes",
        'headers = {"authorization": step.told["ticket"]',
        'headers = {"authorization": self.api_key',
    ),
    # Comfy.
    Bug("comfy", "another seller may serve", '"fallback_provider": "false"', '"fallback_provider": "true"'),
    Bug(
        "comfy",
        "the key is not the attempt's",
        '"idempotency-key": call.attempt_id',
        '"idempotency-key": str(call.now)',
    ),
    Bug(
        "comfy",
        "the model is left out of what is kept",
        'locator: Any = {"model": model(request)[0]}',
        "locator: Any = {}",
    ),
    Bug(
        "comfy",
        "a policy's refusal is free",
        'charged="unknown", raw=self._kept(body))\n        raise',
        'charged="no", raw=self._kept(body))\n        raise',
    ),
    Bug(
        "comfy",
        "a timeout of the queue may be charged",
        '"no" if error.code == "queue_timeout" else',
        '"unknown" if error.code == "queue_timeout" else',
    ),
    Bug("comfy", "credits lost", '"x-comfy-credits-used"', '"x-comfy-credits"'),
    Bug("comfy", "the pace is not bounded", "min(wish, _SLOWEST) if", "wish if"),
    Bug("comfy", "ten references", "max_images=9", "max_images=10"),
    Bug("comfy", "16 seconds", '"duration": (5, 15)', '"duration": (5, 16)'),
    Bug("comfy", "http links are sent", "api.Takes(https_only=True)", "api.Takes()"),
    Bug(
        "comfy",
        "an expired result is a bad reply",
        "response.status in {409, 410} and",
        "response.status in {409} and",
    ),
    Bug("comfy", "missing credits are a bad request", '"insufficient_credits"', '"no_credits"'),
    Bug(
        "comfy",
        "a gateway's 402 is believed",
        'api.first_text([*items, told.detail]) if code else ""',
        "api.first_text([*items, told.detail])",
    ),
    Bug(
        "comfy",
        "an unknown request is an error",
        'if response.status == 404 and error.code == "request_not_found":\n            return {}\n'
        "        if finished",
        "if finished",
    ),
    Bug(
        "comfy",
        "the key goes in the query",
        'query={"fallback_provider": "false"}',
        'query={"fallback_provider": "false", "key": self.api_key}',
    ),
    # The example.
    Bug(
        "demo",
        "extra fields nested",
        'body = api.merged(given, given.pop("extra_body", None))',
        "body = given",
    ),
    Bug(
        "demo", "another task's end is ours", "for task in tasks if task.id == video.id", "for task in tasks"
    ),
    Bug(
        "demo",
        "a failure's message lost",
        "message=api.shown(video.wrong.message, self.api_key)",
        'message=""',
    ),
    Bug("demo", "errors are empty answers", "if response.status != 200:", "if response.status == 500:"),
    Bug(
        "demo",
        "success without a link is waited for",
        'return api.Failed(task=task, reason="no_output")',
        "return api.Pending(task=task)",
    ),
    Bug("demo", "402 is a bad request", "statuses={402: api.InsufficientBalance}", "statuses={}"),
)

EQUIVALENT: Mapping[str, str] = {
    "acedata AceData: render_time= left out of api.Capabilities(name='acedata', kinds={api.Generate, "
    "api.In": "the same 90 s are the default",
    "acedata AceData.read_find: 1 for 0 in _read(api.decoded(response.body)).count or 0": "a page without "
    "records has been returned before",
    "acedata AceData._records: 'items' misspelt in 'items' not in body": "no answer has both items and an id",
    "duomi Duomi.__attrs_post_init__: 4 for 3 in stacklevel=3": "the line that a warning names",
    "duomi Duomi.__attrs_post_init__: stacklevel= left out of "
    "warnings.warn(message, UserWarning, stacklevel=3)": ("the line that a warning names"),
    "fal Fal.read_upload: '/' misspelt in link.rstrip('/')": "no host ends in these letters",
    "comfy module: 'invalid_input' misspelt in {api.SubmitRefused: 'invalid_input', api.AuthError: "
    "'unautho": "any other code of a 4xx means the same",
    "fal module: 'bad_request' misspelt in {api.SubmitRefused: 'bad_request', api.ContentBlocked: 'cont": (
        "any other code of a 4xx means the same"
    ),
    "comfy Comfy: init= left out of field(init=False)": "the constructor takes one argument more",
    "comfy Comfy: True for False in init=False": "the constructor takes one argument more, which nobody "
    "gives",
}
"""Seeded changes that the kit need not find, each with the reason, by adapter and what is changed."""
