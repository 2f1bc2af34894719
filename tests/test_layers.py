"""The rooms import one way: read from the imports themselves, so that drift is seen the day it happens."""

import ast
import gzip
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "lvc"

# Each room may import itself and the rooms named here.
GROUND = {"errors", "frames", "output", "clock", "compiled", "pixel_grid", "crf", "latents"}
MIDDLE = {
    "video": GROUND | {"background"},
    "quantize": GROUND,
    "entropy": GROUND,
    "container": GROUND,
    "models": GROUND,
}
WALK = {"checkpoints", "codec", "flags", "palette", "prediction", "hyperprior", "rate_distortion", "reader", "writer", "encoding", "decoding"}
ALLOWED = {
    "errors": set(),
    "frames": {"errors"},
    "pixel_grid": {"errors", "frames"},
    "output": {"errors"},
    "clock": set(),
    "crf": set(),
    "latents": set(),
    "compiled": set(),
    "recency": set(),
    "latent_history": set(),
    "kept_frames": {"recency", "latent_history"},
    "background": set(),
    "pictures": {"errors"},
    "timing": {"errors"},
    "scene": set(),
    **MIDDLE,
    "checkpoints": GROUND | {"models", "entropy", "quantize"},
    "flags": GROUND | {"models", "entropy"},
    "palette": GROUND | {"models", "entropy"},
    "prediction": GROUND | {"models", "entropy", "flags"},
    "rate_distortion": GROUND | {"models", "entropy", "flags", "prediction"},
    "hyperprior": GROUND | {"models", "entropy"},
    "network_transform": GROUND | {"models", "entropy", "quantize", "prediction", "hyperprior", "rate_distortion"},
    "codec": GROUND | {"models", "entropy", "container", "checkpoints", "latent_history", "palette", "network_transform"},
    "reader": GROUND | {"container", "codec", "checkpoints", "recency"},
    "frame_dataset": GROUND | {"reader", "recency", "kept_frames"},
    "writer": GROUND | {"models", "video", "container", "codec", "checkpoints", "background", "pictures", "scene", "timing"},
    "search": GROUND | {"models", "palette", "codec", "checkpoints", "quality"},
    "encoding": GROUND | {"background", "models", "video", "writer", "codec", "checkpoints", "search"},
    "decoding": GROUND | {"video", "reader"},
    "gym": GROUND | {"models", "writer", "checkpoints", "background", "timing"},
    "contact_sheet": GROUND | {"video", "reader"},
    "workers": {"errors"},
    "dataset": GROUND | {"video", "workers"},
    "training": GROUND | {"models", "quantize", "entropy", "checkpoints", "flags", "palette", "prediction", "hyperprior", "dataset"},
    "interchange": GROUND | {"models", "quantize", "checkpoints"},
    "quality": GROUND | {"video"},
    "study": GROUND | {"video", "dataset", "models", "quantize", "checkpoints", "codec", "writer", "reader", "training", "quality"},
    "player": GROUND,
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


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


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if room_of(path) not in ("cli", "__init__", "__main__")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_the_rooms_below_it(path):
    room = room_of(path)
    assert room in ALLOWED, f"{room} is a new room: say in this test what it may import"
    assert own_rooms(path) - {room} <= ALLOWED[room]


@pytest.mark.parametrize("room, packages", [("container", {"torch"}), ("entropy", {"torch"}), ("video", {"torch"}), ("models", {"av", "cv2", "constriction"})])
def test_a_room_keeps_away_from_what_is_not_its_subject(room, packages):
    for path in FILES:
        if room_of(path) == room:
            assert not {name.split(".")[0] for name in imports(path)} & packages, path


def test_only_the_command_line_prints():
    for path in FILES:
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
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


def test_public_names_stay_what_they_are_when_their_modules_are_loaded():
    """A module of a public name's own name would take its place in the package once it is imported."""
    import lvc
    import lvc.cli.decode
    import lvc.cli.encode

    for name in lvc.__all__:
        assert callable(getattr(lvc, name)), name
    assert not {path.stem for path in PACKAGE.glob("*.py")} & set(lvc.__all__)
