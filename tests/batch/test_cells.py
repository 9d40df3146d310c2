"""The cells of a row of CSV: each field's own reader, and every wrong cell at once."""

import pytest

from pika_async import Camera
from pika_async.batch.cells import read_cells
from pika_async.batch.content import Cells, WrongRowError


def test_each_cell_becomes_the_value_of_its_field():
    """Text stays text; numbers, switches, lists and objects are read as people write them."""
    cells = {"prompt": "A cat", "seed": "7", "duration": "2,5", "sound_effects": "yes", "camera": "pan=left"}
    assert read_cells(Cells({**cells, "images": "a.png; b.png", "extra_body": '{"user": "me"}'}, 1)) == {
        "prompt": "A cat",
        "seed": 7,
        "duration": 2.5,
        "sound_effects": True,
        "camera": Camera(pan="left"),
        "images": ["a.png", "b.png"],
        "extra_body": {"user": "me"},
    }


def test_every_wrong_cell_is_told():
    """A person corrects the whole row in one go."""
    with pytest.raises(WrongRowError) as caught:
        read_cells(Cells({"seed": "many", "sound_effects": "perhaps", "prompt": "A cat"}, 1))
    assert list(caught.value.reasons) == [
        "seed: 'many' is not a valid integer.",
        "sound_effects: 'perhaps' is neither yes nor no.",
    ]
