"""The steps that the profile of opening a file times are there under their names, and opening a file takes them."""

import numpy as np
import pytest

import lvc
from lvc.frames import Geometry
from tests.builders.tools import module_of


@pytest.fixture
def tool():
    return module_of("profile_opening")


def test_each_step_is_taken_where_a_file_is_opened(tool, tmp_path, save_small, monkeypatch):
    weights = save_small(tmp_path / "small.safetensors", "temporal")
    with lvc.Writer(tmp_path / "game.lvc", fps=3, geometry=Geometry(40, 32), model=weights) as writer:
        writer.write(np.zeros((3, 32, 40, 3), np.uint8))
    found: dict = {}
    for name, module, path in tool.STEPS:
        holder, last = tool.holder_of(module, path)
        monkeypatch.setattr(holder, last, tool.around(getattr(holder, last), found, name))
    other = tmp_path / "copy.safetensors"
    other.write_bytes(weights.read_bytes())  # weights that this process does not have yet
    with lvc.reading.reader.Reader(tmp_path / "game.lvc", model=other) as reader:
        reader[2]
    assert set(found) == {name for name, _, _ in tool.STEPS}
