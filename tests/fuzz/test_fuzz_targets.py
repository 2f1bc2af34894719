"""The fuzz targets on their seeds and some random changes of them: minutes of `make fuzz` in seconds, without atheris."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from replay import mutate
from sealing import assembled, mutated_container, parts_of

from lvc.container.reader import ContainerReader
from lvc.errors import FormatError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    run("seeds.py", folder, folder=folder)
    return folder


def run(program, *arguments, folder):
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1", "LVC_MODELS": str(folder / "weights")}
    done = subprocess.run([sys.executable, HERE / program, *map(str, arguments)], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("target, mutations", [("container", 300), ("reader", 80), ("weights", 40)])
def test_nothing_but_our_errors_escapes(folder, target, mutations):
    shown = run("replay.py", target, folder / "corpus" / target, "--mutations", mutations, "--seed", 20241121, folder=folder)
    assert shown.startswith(f"{target}: ")
    assert float(shown.split()[-2]) < 20, "seconds that one small input takes"


def test_changes_keep_the_checksums(folder):
    """Otherwise the targets would see nothing but the first CRC-32 fail."""
    for path in (folder / "corpus" / "reader").iterdir():
        data = path.read_bytes()
        assert assembled(*parts_of(data)) == data
    opened = changed = 0
    for seed in range(300):
        made = mutated_container(data, 1 << 16, seed, mutate)
        changed += made != data
        try:
            opened += len(ContainerReader(made).index) > 0
        except FormatError:
            continue
    assert changed > 250 and opened > 100
