"""The rooms import one way: read from the imports themselves, so that drift is seen the day it happens."""

import ast
import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

PACKAGE = ROOT / "lvc"

# From the ground up: a room may import itself and what stands before it. Those on one line do not know each other.
STOREYS = [
    {"errors"},
    {"frames", "output", "parallel", "kernels", "rates"},
    {"video", "container", "entropy", "motion", "quality"},
    {"native"},
    {"codecs"},
    {"weights"},
    {"reading", "writing", "dataset"},
    {"encoding", "training", "gym", "lerobot"},
    {"interchange", "player", "study"},
    {"cli"},
]
FAMILIES = {path.parent.name for path in (PACKAGE / "codecs").glob("*/family.py")}
SHIPPED = {path.stem for path in (PACKAGE / "weights").glob("*.safetensors")}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def storey_of(room: str) -> int:
    found = [number for number, storey in enumerate(STOREYS) if room in storey]
    assert found, f"{room} is a new room: say in this test where it stands"
    return found[0]


def imports(path: Path) -> set[str]:
    """All modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names if node.module == "lvc"}
    return found


def own_rooms(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("lvc.")}


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if room_of(path) not in ("__init__", "__main__")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_the_rooms_below_it(path):
    room = room_of(path)
    below = {name for storey in STOREYS[: storey_of(room)] for name in storey}
    assert own_rooms(path) - {room} - below == set()


def codecs_of(path: Path) -> set[str]:
    """What a file imports from the room of codecs: names of folders and files."""
    return {name.split(".")[2] for name in imports(path) if name.startswith("lvc.codecs.")}


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_imports_no_other_and_nothing_shared_imports_a_family(family):
    for path in (PACKAGE / "codecs").rglob("*.py"):
        if path.relative_to(PACKAGE / "codecs").parts[0] != family:
            assert family not in codecs_of(path), path


# Rooms that may know what a family of autoencoders is made of: each is about just that.
KNOWING = {"interchange": {"networks"}, "study": {"networks"}}


@pytest.mark.parametrize(
    "path", [path for path in FILES if room_of(path) != "codecs"], ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_outside_of_codecs_nobody_asks_which_family_it_is(path):
    known = codecs_of(path) & FAMILIES - KNOWING.get(room_of(path), set())
    if path == PACKAGE / "cli" / "study.py":
        known -= {"networks"}
    assert not known, "the interface in codecs/codec.py is for this"


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if room_of(path) not in ("codecs", "weights")],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_no_other_room_names_a_shipped_model(path):
    texts = {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not texts & SHIPPED


VIDEO_CODECS = "lvc/codecs/standard/decoding.py"  # the one module that gives PyAV to the standard codecs, in a function


@pytest.mark.parametrize(
    "room, packages",
    [("container", {"torch"}), ("entropy", {"torch"}), ("video", {"torch"}), ("codecs", {"av", "cv2"})],
)
def test_a_room_keeps_away_from_what_is_not_its_subject(room, packages):
    for path in FILES:
        if room_of(path) == room and path.relative_to(ROOT).as_posix() != VIDEO_CODECS:
            assert not {name.split(".")[0] for name in imports(path)} & packages, path


def test_only_the_command_line_prints():
    for path in FILES:
        if room_of(path) == "cli":
            continue
        # What a file does as a program of its own is a command line too.
        statements = [
            node for node in ast.parse(path.read_text()).body if not ast.unparse(node).startswith("if __name__ ==")
        ]
        calls = [node for one in statements for node in ast.walk(one) if isinstance(node, ast.Call)]
        names = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
        assert not names & {"print", "exit", "input"}, path


def test_reading_needs_neither_ffmpeg_nor_a_display(tmp_path):
    golden = PACKAGE.parent / "tests" / "golden"
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(gzip.decompress((golden / "prediction-v1.safetensors.gz").read_bytes()))
    # A None in sys.modules makes any import of that name fail.
    code = """
import sys
sys.modules["av"] = sys.modules["cv2"] = None
import lvc
path, weights = sys.argv[1:]
with lvc.open(path, model=weights) as reader:
    assert reader[-1].shape == (3, reader.metadata.height, reader.metadata.width)
    assert len(lvc.FrameDataset(path, model=weights)[0]["frames"]) == 1
assert lvc.Writer
"""
    subprocess.run([sys.executable, "-c", code, str(golden / "prediction-v1.lvc"), str(weights)], check=True)


def test_the_first_frame_of_a_palette_file_brings_along_nothing_that_is_not_needed(tmp_path):
    """From starting Python to a frame takes a tenth of a second, of which numpy's import is more than half."""
    golden = PACKAGE.parent / "tests" / "golden"
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(gzip.decompress((golden / "mixing-v1.safetensors.gz").read_bytes()))
    code = """
import sys
import numpy
before = set(sys.modules)
import lvc
path, weights = sys.argv[1:]
with lvc.open(path, model=weights) as reader:
    assert reader.frames_at([0]).data.dtype == numpy.uint8
print(*(set(sys.modules) - before))
"""
    command = [sys.executable, "-c", code, str(golden / "mixing-v1.lvc"), str(weights)]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    of_others = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
    assert of_others == {"lvc", "safetensors"}
    slow = {"asyncio", "concurrent", "email", "http", "multiprocessing", "socket", "ssl", "unittest", "urllib", "xml"}
    assert not slow & set(loaded)
    ours = [name for name in loaded if name.startswith("lvc.")]
    assert not {name.split(".")[1] for name in ours} & {
        "writing",
        "encoding",
        "video",
        "dataset",
        "quality",
        "parallel",
    }
    encoders = {"rate_distortion", "motion_search", "sprite_search", "fit_game", "training"}
    assert not encoders & {name.rpartition(".")[2] for name in ours}
    assert len(ours) <= 60  # 57 as this is written: each takes about a third of a millisecond


def test_a_quiet_encode_brings_along_nothing_that_takes_long_to_load(tmp_path):
    """Bars, processes and the version of the package take 100 ms, torch a second: who uses none waits for none."""
    code = """
import sys
from lvc.cli.main import main
assert main(["encode", sys.argv[1], "-o", sys.argv[2], "-q", "--model", "arcade"]) == 0
print(*sys.modules)
"""
    command = [sys.executable, "-c", code, str(ROOT / "datasets/clips/riverraid.mp4"), str(tmp_path / "clip.lvc")]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert "lvc.native.grid_search" in loaded
    slow = {"tqdm", "torch", "multiprocessing.connection", "concurrent.futures.process", "email", "scipy", "skimage"}
    assert not slow & set(loaded)


def test_public_names_stay_what_they_are_when_their_modules_are_loaded():
    """A module of a public name's own name would take its place in the package once it is imported."""
    import lvc
    import lvc.cli.decode
    import lvc.cli.encode

    for name in lvc.__all__:
        assert callable(getattr(lvc, name)), name
    assert not {path.stem for path in PACKAGE.glob("*.py")} & set(lvc.__all__)
