"""The steps that the profile of opening a file times are there under their names, and opening a file takes them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import lvc
from lvc.frames import Geometry

TOOL = Path(__file__).parent.parent.parent / "tools" / "profile_opening.py"


@pytest.fixture
def tool():
    specification = importlib.util.spec_from_file_location("profile_opening", TOOL)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


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
