"""Lists as programs write them: encodings, line ends and formats."""

import random
import time

import pytest

from pika_async import ConfigError
from pika_async.batch.content import Cells, WrongRowError
from pika_async.batch.lists import Source, lines_of


def read(name, content):
    """Return what each line of the list sets, by line."""
    content = content if isinstance(content, bytes) else content.encode()
    return {
        line: dict(row.by_name) if isinstance(row, Cells) else row
        for line, row in lines_of(Source(name, content, None))
    }


def wrong(name, content):
    """Return what is wrong with each line."""
    rows = read(name, content)
    return {line: row.reasons for line, row in rows.items() if isinstance(row, WrongRowError)}


PROMPTS = ["A cat", "夕日の猫", "一", "Ein Bär", "кот"]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text_of_any_editor(codec, end):
    """Encodings with and without a byte order mark, and the three line ends, make the same rows."""
    content = end.join(PROMPTS).encode(codec)
    assert list(read("p.txt", content).values()) == [{"prompt": prompt} for prompt in PROMPTS]
    assert list(read("p.txt", content)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_wide_tables_and_json(codec):
    """Excel's Unicode text is UTF-16 with tabs; stdin has no name to tell the format by."""
    assert read("p.csv", "Prompt\tSeed\r\nA cat\t7\r\n".encode(codec)) == {
        2: {"prompt": "A cat", "seed": "7"}
    }
    assert read("stdin", '{"prompt": "A cat"}\n'.encode(codec)) == {1: {"prompt": "A cat"}}


@pytest.mark.parametrize("name", ["p.txt", "p.csv", "p.jsonl", "stdin"])
def test_nul_is_refused_with_its_line(name):
    """No prompt holds a NUL: the file is damaged, or no text at all."""
    with pytest.raises(ConfigError, match=r"line 2: this holds a NUL character"):
        read(name, b"prompt\nA \0cat\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read(name, b"prompt\nA caf\xe9\0 with a cat\n")


def test_a_carriage_return_inside_a_line_is_refused():
    """Whether it ends a line nobody can tell, and two prompts are two purchases."""
    assert list(wrong("p.txt", "A cat\nA dog\rA fox\n")) == [2]
    assert list(wrong("p.csv", "prompt\nA cat\nA dog\rA fox\n")) == [3]
    assert read("p.csv", 'prompt\n"A dog\rA fox"\n') == {2: {"prompt": "A dog\rA fox"}}


def test_a_second_mark_is_no_part_of_a_name():
    """Some programs write the mark of the byte order twice."""
    assert read("p.csv", "\ufeffprompt\nA cat\n".encode("utf-16")) == {2: {"prompt": "A cat"}}


@pytest.mark.parametrize("seed", ['"', "sep=;", "data:;", "\r", "a,", "\ufeff", "{", '"a"b', "\n", ";\t,"])
@pytest.mark.parametrize("name", ["p.txt", "p.csv", "p.jsonl", "stdin"])
def test_reading_takes_time_in_proportion(name, seed):
    """Eight times the list takes at most sixteen times as long, whatever is repeated in it."""

    def spent(count):
        source = Source(name, (seed * count).encode(), None)
        times = []
        for _ in range(3):
            began = time.thread_time()
            for _, _ in lines_of(source):
                pass
            times.append(time.thread_time() - began)
        return min(times)

    assert spent(8 * 1024) <= max(16 * spent(1024), 0.02)


def test_any_bytes_are_rows_or_a_config_error():
    """Nothing else escapes, whatever the file holds."""
    chance = random.Random(7)
    for _ in range(300):
        content = bytes(chance.choices(b'\0\r\n",;\t{}ab\xff\xfe\xc3', k=chance.randrange(40)))
        for name in ("p.txt", "p.csv", "p.jsonl", "stdin"):
            try:
                read(name, content)
            except ConfigError as error:
                assert "line" in error.message  # noqa: PT017 - either outcome is right
