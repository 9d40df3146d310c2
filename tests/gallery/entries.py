"""Rows as a batch would write them, and folders that hold them."""

from pathlib import Path

import pika_async.sandbox
from pika_async.gallery import MANIFEST, Entry, Failure, Manifest, RowState, Timings
from pika_async.results import State, VideoResult

MEDIA = Path(pika_async.sandbox.__file__).parent / "media"

HOSTILE = (
    "</script><script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "'\"><svg onload=alert(1)>",
    "{{ 7 * 7 }} {% raw %} ${7*7} &amp; &#60;b&#62;",
    "line\u2028separator \u202eright to left\u0000null ]]> <!-- -->",
)


def entry(number: int, state: RowState = RowState.QUEUED, prompt: str = "A cat", **fields) -> Entry:
    """Make an entry of a plain request."""
    request = fields.pop("request", {"kind": "generate", "prompt": prompt})
    return Entry(number=number, request=request, state=state, **{"provider": "acedata", **fields})


def done(number: int, prompt: str = "A cat", file: str | None = None, **fields) -> Entry:
    """Make an entry of a row whose video is there, with a token nobody may see."""
    return entry(
        number,
        RowState.DONE,
        prompt,
        **{
            "token": "pika-token-of-a-job",
            "result": VideoResult("v", "https://cdn.example/v.mp4?sig=1", None, 5.0, State.SUCCEEDED),
            "file": file or f"{number:03}.mp4",
            "size": 4777,
            "timings": Timings(created_at=1000.0, submitted_at=1001.0, finished_at=1043.0),
            **fields,
        },
    )


def failed(number: int, message: str = "The provider refused it.", prompt: str = "A cat", **fields) -> Entry:
    """Make an entry of a row that has no video."""
    error = Failure(name="ContentBlocked", message=message, charged="no")
    return entry(number, RowState.FAILED, prompt, error=error, **fields)


def fill(folder: Path, *entries: Entry) -> Path:
    """Write the manifest of *folder*, and the sample video and poster under the names it mentions."""
    video, poster = (MEDIA / "video.mp4").read_bytes(), (MEDIA / "poster.jpg").read_bytes()
    with Manifest(folder / MANIFEST) as manifest:
        for each in entries:
            manifest.append(each)
            for name, content in ((each.file, video), (each.poster, poster)):
                if name:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).write_bytes(content)
    return folder
