"""The fuzz targets on their seeds and some random changes of them: minutes of `make fuzz` in seconds,
without atheris.
"""

import os
import subprocess
import sys

import pytest

from lvc.container.reader import ContainerReader
from lvc.errors import FormatError
from tests import ROOT
from tests.fuzz.replay import mutate
from tests.fuzz.sealing import assembled, mutated_container, parts_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    run("seeds", folder, folder=folder)
    return folder


def run(program, *arguments, folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "LVC_MODELS": str(folder / "weights")}
    done = subprocess.run(
        [sys.executable, "-m", f"tests.fuzz.{program}", *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("target, mutations", [("container", 300), ("reader", 80), ("weights", 40)])
def test_nothing_but_our_errors_escapes(folder, target, mutations):
    shown = run(
        "replay", target, folder / "corpus" / target, "--mutations", mutations, "--seed", 20241121, folder=folder
    )
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
