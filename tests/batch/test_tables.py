"""Tables of Excel and of other programs: delimiters, headings, quotes and empty cells."""

import csv

import pytest

from pika_async.batch.content import Cells, WrongRowError
from pika_async.batch.tables import rows_of


def read(table):
    """Return what each line of the table sets, by line."""
    return {line: dict(row.by_name) if isinstance(row, Cells) else row for line, row in rows_of(table)}


def wrong(table):
    """Return what is wrong with each line."""
    return {line: row.reasons for line, row in read(table).items() if isinstance(row, WrongRowError)}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_of_excel(delimiter):
    """The delimiter is found in the heading; names are read in any case."""
    table = f"PROMPT{delimiter}Negative Prompt{delimiter}\r\nA cat{delimiter}rain{delimiter}\r\n"
    assert read(table) == {2: {"prompt": "A cat", "negative_prompt": "rain"}}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_delimiter_may_be_named(delimiter):
    """Excel says it on a line of its own, which shifts the others."""
    table = f"sep={delimiter}\r\nPrompt{delimiter}Seed\r\nA cat{delimiter}7\r\n"
    assert read(table) == {3: {"prompt": "A cat", "seed": "7"}}


def test_empty_rows_above_the_heading_are_no_rows():
    """Tables do not always begin in the first cell."""
    assert read("\r\n;\r\nPrompt;Seed\r\nA cat;7\r\n") == {4: {"prompt": "A cat", "seed": "7"}}


def test_commas_in_a_table_with_semicolons():
    """The other delimiters are letters like any."""
    assert read('Prompt;images\nA cat, surfing;"a.png;b.png"\n') == {
        2: {"prompt": "A cat, surfing", "images": "a.png;b.png"}
    }


def test_a_cell_of_any_length_is_read_and_the_limit_put_back():
    """Python's limit of 128 kB a cell belongs to the process, and media may be written as text."""
    before = csv.field_size_limit()
    assert read(f"prompt,image\nA cat,data:{'A' * 400_000}\n")[2]["image"][:6] == "data:A"
    assert csv.field_size_limit() == before


def test_a_cell_without_a_column_name_is_told():
    """Empty columns are left alone."""
    assert read("prompt,,\nA cat,,\n") == {2: {"prompt": "A cat"}}
    assert wrong("prompt,,\nA cat,,x\n") == {2: ("the cell 'x' stands in a column without a name.",)}


def test_an_open_quote_is_told_in_our_words():
    """The line on which it opens is named."""
    ((line, reasons),) = wrong('prompt\nA cat\n"A dog\nA fox\n').items()
    assert line == 3
    assert "a quote opens here and is not closed" in reasons[0]
