"""Lists of prompts: what is read from them, and that everything wrong is told at once, with its line."""

import pytest

from pika_async import Camera, ConfigError, Generate, Ingredients, Style, UnsupportedRequest
from pika_async.batch.lists import Source
from pika_async.batch.rows import read_requests


@pytest.fixture
def read(tmp_path):
    """Read *text* as the list *name*; files are named from `tmp_path`."""

    def read(name, text, check=lambda _: None):
        content = text if isinstance(text, bytes) else text.encode()
        return read_requests(Source(name, content, tmp_path), check)

    return read


@pytest.fixture
def wrong(read):
    """Read a list that is wrong, and give what is said of it, line by line."""

    def wrong(name, text, **options):
        with pytest.raises(ConfigError) as caught:
            read(name, text, **options)
        return caught.value.__notes__

    return wrong


def requests(listed):
    return [row.request for row in listed]


def test_text_has_a_prompt_on_each_line(read):
    """Blank lines and comments are skipped, a byte order mark and line ends of Windows are no prompt."""
    listed = read("prompts.txt", b"\xef\xbb\xbf# cats\r\n\r\n  A cat \r\nA dog, # not a comment\r\n")
    assert [(row.number, row.line) for row in listed] == [(1, 3), (2, 4)]
    assert requests(listed) == [Generate("A cat"), Generate("A dog, # not a comment")]


@pytest.mark.parametrize("odd", ["\u2028", "\x0b", "\x0c", "\x85"])
def test_only_a_line_feed_ends_a_line(read, odd):
    """Characters at which only Unicode breaks lines do not make two purchases of one."""
    assert requests(read("prompts.txt", f"A cat{odd}surfs\n")) == [Generate(f"A cat{odd}surfs")]
    assert requests(read("prompts.csv", f"prompt\nA cat{odd}surfs\n")) == [Generate(f"A cat{odd}surfs")]


def test_csv_may_set_any_field(read, tmp_path):
    """Cells are read as the options of the same names; images are separated by semicolons."""
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    listed = read(
        "prompts.csv",
        "kind,prompt,images,mode,style,seed,guidance_scale,camera,sound_effects,extra_body,model\n"
        ',"A cat, surfing",,,,7,1.5,"pan=left,zoom=in",yes,"{""fps"": 24}",2.0\n'
        "ingredients,They dance,a.png; https://h.test/b.png,precise,,,,,,,\n"
        "style,A duck,,,Inflate,,,,,,\n",
    )
    assert requests(listed) == [
        Generate(
            "A cat, surfing",
            seed=7,
            guidance_scale=1.5,
            camera=Camera(pan="left", zoom="in"),
            sound_effects=True,
            extra_body={"fps": 24},
            model="2.0",
        ),
        Ingredients("They dance", [tmp_path / "a.png", "https://h.test/b.png"], mode="precise"),
        Style("A duck", style="Inflate"),
    ]


def test_a_csv_row_begins_on_the_line_of_its_first_cell(read):
    """A prompt over several lines does not shift the lines of those below."""
    listed = read("prompts.csv", 'prompt\n"A cat\nand a dog"\n\nA bird\n')
    assert [(row.line, row.request.prompt) for row in listed] == [(2, "A cat\nand a dog"), (5, "A bird")]


def test_json_lines_may_set_any_field(read):
    """`null` is a field that is not set; images are a list, the camera an object."""
    listed = read(
        "prompts.jsonl",
        '{"prompt": "A cat", "seed": 7, "model": null, "camera": {"pan": "left"}}\n\n'
        '{"kind": "ingredients", "prompt": "They dance", "images": ["https://h.test/a.png"]}\n',
    )
    assert requests(listed) == [
        Generate("A cat", seed=7, camera=Camera(pan="left")),
        Ingredients("They dance", ["https://h.test/a.png"]),
    ]
    assert [row.line for row in listed] == [1, 3]


@pytest.mark.parametrize(("text", "request_"), [('{"prompt": "A cat"}', "A cat"), ("A cat\n", "A cat")])
def test_stdin_tells_its_format_by_its_first_letter(read, text, request_):
    """A list without a name is JSON lines if it begins with a brace, and text otherwise."""
    assert requests(read("stdin", text)) == [Generate(request_)]


def test_files_are_named_from_the_list(read, tmp_path):
    """A list and its images can be moved together."""
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "a.png").write_bytes(b"\x89PNG")
    (listed,) = read("prompts.jsonl", '{"prompt": "It waves", "image": "cats/a.png"}')
    assert listed.request.image == tmp_path / "cats" / "a.png"


def test_everything_wrong_in_a_csv_is_told_at_once(wrong, tmp_path):
    """Each reason has its line, and no row hides another."""
    missing, why = tmp_path / "missing.png", " (No such file or directory)"
    assert wrong(
        "prompts.csv",
        "prompt,kind,seed,style,image,sound_effects\n"
        "fine,,,,,\n"
        "A,,many,,,perhaps\n"
        ",,7,,,\n"
        "B,dance,,,,\n"
        "C,,,Inflate,,\n"
        "D,,,,missing.png,\n"
        "E,,-1,,,\n"
        "F,,,,,,,\n",
    ) == [
        "prompts.csv line 3: seed: 'many' is not a valid integer.",
        "prompts.csv line 3: sound_effects: 'perhaps' is neither yes nor no.",
        "prompts.csv line 4: prompt is missing.",
        "prompts.csv line 5: kind must be generate, ingredients, style or edit, not 'dance'.",
        "prompts.csv line 6: style does not go with kind generate.",
        f"prompts.csv line 7: '{missing}' is no http(s) link, and no file that can be read{why}.",
        "prompts.csv line 8: seed must be a whole number of at least 0; change it and call again.",
        "prompts.csv line 9: there are 8 cells for 6 columns; quote cells with commas.",
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"prompt": "A"', "this is not JSON (Expecting ',' delimiter: line 1 column 15 (char 14))."),
        ('["A"]', 'this is no JSON object such as {"prompt": "A cat"}.'),
        ('{"promt": "A", "prompt": "B"}', "no field is called 'promt'."),
        (
            '{"kind": ["style"], "prompt": "B"}',
            "kind must be generate, ingredients, style or edit, not ['style'].",
        ),
        ('{"prompt": 7}', "prompt must be non-empty text; change it and call again."),
        ('{"kind": "style", "prompt": "B"}', "style is missing."),
        (
            '{"prompt": "B", "image": 7}',
            "image must be an http(s) link, a pathlib.Path or non-empty bytes; change it and call again.",
        ),
    ],
)
def test_a_wrong_line_of_json_is_told(wrong, line, reason):
    """What is no request is told with its line, whatever it is."""
    assert wrong("prompts.jsonl", f'{{"prompt": "fine"}}\n{line}') == [f"prompts.jsonl line 2: {reason}"]


def test_missing_files_of_one_row_are_all_told(wrong, tmp_path):
    """A file that is not there is named before anything is bought; so is an empty one."""
    (tmp_path / "empty.png").write_bytes(b"")
    notes = wrong("p.jsonl", '{"kind": "ingredients", "prompt": "x", "images": ["missing.png", "empty.png"]}')
    assert len(notes) == 2
    assert "missing.png' is no http(s) link, and no file that can be read (No such file" in notes[0]
    assert "empty.png' is empty." in notes[1]


def test_files_are_looked_at_before_the_first_row(wrong, tmp_path):
    """A page, a pointer and a photograph from a camera are no pictures that a provider takes."""
    (tmp_path / "page.png").write_bytes(b"<html>")
    (tmp_path / "scan.png").write_bytes(b"II*\0")
    (tmp_path / "fine.png").write_bytes(b"\x89PNG")
    notes = wrong("prompts.csv", "prompt,image\nA cat,fine.png\nA dog,page.png\nA fox,scan.png\n")
    assert [note.partition(";")[0] for note in notes] == [
        "prompts.csv line 3: image must be an image, and the file page.png holds text/html",
        "prompts.csv line 4: image must be an image, and the file scan.png holds image/tiff",
    ]


def test_what_no_prompt_holds_is_told_with_its_line(wrong):
    """NUL, as UTF-16 read as UTF-8 is full of it, and links with a space inside."""
    rows = [
        '{"prompt": "A cat"}',
        '{"prompt": "n\\u0000"}',
        '{"prompt": "A", "image": "https://x.test/a b.png"}',
    ]
    notes = wrong("prompts.jsonl", "\n".join(rows))
    assert notes[0].startswith(
        "prompts.jsonl line 2: prompt must be non-empty text without control characters"
    )
    assert notes[1].startswith("prompts.jsonl line 3: image must be an http(s) link")


def test_what_no_provider_can_is_told(wrong):
    """The caller's check counts as the list's own."""

    def check(_):
        raise UnsupportedRequest("seed cannot be expressed.")

    assert wrong("prompts.txt", "A cat", check=check) == ["prompts.txt line 1: seed cannot be expressed."]


@pytest.mark.parametrize("head", ["name,seed", "prompt,prompt", "A cat on a surfboard"])
def test_a_csv_needs_a_heading(wrong, head):
    """Without the names of its columns a CSV says nothing."""
    (note,) = wrong("prompts.csv", f"{head}\nA cat,7\n")
    assert note == "prompts.csv line 1: the first line must name each column once, `prompt` among them."


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("prompts.txt", "# nothing\n\n", "holds no prompts"),
        ("prompts.csv", "", "holds no prompts"),
        ("prompts.txt", b"A cat\nA caf\xe9\n", "line 2: this is not UTF-8"),
        ("prompts.json", "[]", "name it .txt, .csv or .jsonl"),
        ("prompts.csv", 'prompt\n"A cat', "1 thing is wrong"),
    ],
)
def test_what_is_no_list_is_refused(read, name, text, said):
    """A file of another kind is never bought line by line."""
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        read(name, text)


PIXEL = "data:image/png;base64,iVBORw0KGgo="


def test_inline_media_become_bytes(read):
    """A data: URI may stand wherever a link may, in any kind of list."""
    data = b"\x89PNG\r\n\x1a\n"
    (listed,) = read("p.jsonl", f'{{"prompt": "It waves", "image": "{PIXEL}"}}')
    assert listed.request == Generate("It waves", image=data)
    (listed,) = read("p.csv", f'kind;prompt;images\ningredients;They;"{PIXEL};https://h.test/b.png"\n')
    assert listed.request == Ingredients("They", [data, "https://h.test/b.png"])
    (listed,) = read("p.csv", 'prompt,image\nIt waves,"data:,%89PNG"\n')
    assert listed.request.image == data[:4]


@pytest.mark.parametrize("body", ["A" * 400_001, "!" * 400_000, ""])
def test_broken_inline_media_are_told_shortened(wrong, body):
    """Nobody wants to read 400 kB of Base64."""
    (note,) = wrong("p.jsonl", f'{{"prompt": "x", "image": "data:image/png;base64,{body}"}}')
    assert "no whole data: URI" in note
    assert len(note) < 250


def test_long_values_are_told_shortened(wrong):
    """What is wrong is told, not everything that is there."""
    (note,) = wrong("p.jsonl", f'{{"prompt": "x", "kind": "{"k" * 9000}", "n{"n" * 9000}": 1}}')[:1]
    assert len(note) < 200
    (note,) = wrong("p.csv", f"prompt,seed\nx,{'7x' * 9000}\n")
    assert len(note) < 200
    (note,) = wrong("p.csv", f"prompt,image\nx,{'y' * 90_000}\n")
    assert len(note) < 500


def test_columns_of_somebodys_own_are_told_once(wrong, tmp_path):
    """Each name once, at the heading, however many rows have such a cell."""
    table = "Prompt,Owner,Nr\n" + "".join(f"Cat {n},me,{n}\n" for n in range(50))
    assert wrong("p.csv", table) == [
        "p.csv line 1: no field is called 'owner'.",
        "p.csv line 1: no field is called 'nr'.",
    ]
    listed = read_requests(Source("p.csv", table.encode(), tmp_path), ignore_extra_columns=True)
    assert len(listed) == 50


def test_one_reason_on_many_lines_is_told_once(wrong):
    """A thousand cells with one mistake are one thing to correct."""
    assert wrong("p.csv", "prompt,sound_effects\n" + "A cat,perhaps\n" * 1000) == [
        "p.csv line 2 and 999 more lines: sound_effects: 'perhaps' is neither yes nor no."
    ]


def test_values_of_extra_body_are_not_told(wrong):
    """People put keys there."""
    (note,) = wrong("p.csv", "prompt;extra_body\nA cat;'canary'\n")
    assert "canary" not in note
