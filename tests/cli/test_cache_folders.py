"""Homes and folders of caches that are not there, are no folders, or cannot be written: lvc keeps nothing in them, and
what the libraries that it loads would keep there is done without.
"""

import os
import subprocess
import sys

import pytest

from tests import ROOT

SAMPLING = ("--every", "2", "--size", "48x32")
# Of this process's own caches, and of those of Python, Matplotlib, torch, Triton, Numba and OpenCV.
VARIABLES = (
    "HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "TMPDIR",
    "PYTHONPYCACHEPREFIX",
    "MPLCONFIGDIR",
    "TORCH_HOME",
    "TRITON_CACHE_DIR",
    "NUMBA_CACHE_DIR",
    "OPENCV_OCL4DNN_CONFIG_PATH",
)


@pytest.fixture(
    params=[
        "read-only",
        *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("no home", "no such folder", "a file")),
    ]
)
def environment(request, tmp_path):
    """What programs are given."""
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    kept |= {"PYTHONPATH": str(ROOT)}
    if request.param == "no home":
        return kept
    (tmp_path / "file").write_text("no folder")
    # /sys takes no file from anybody, not from root either, for whom a folder without rights would be no hindrance.
    place = {"no such folder": tmp_path / "none" / "such", "a file": tmp_path / "file", "read-only": "/sys"}
    return kept | dict.fromkeys(VARIABLES, str(place[request.param]))


PROGRAM = """
import sys
from lvc.cli.main import main
for line in sys.stdin.read().splitlines():
    if code := main(line.split("\\t")):
        sys.exit(f"{line}: {code}")
"""


@pytest.mark.usefixtures("coded")
def test_every_command_does_without(environment, game, dataset, tiny_model):
    commands = [
        ("models",),
        ("encode", game, "-o", "new.lvc", *SAMPLING, "--model", tiny_model, "-q"),
        ("encode", game, "-o", "lossless.lvc", *SAMPLING, "--lossless", "-q"),
        ("encode", game, "-o", "auto.lvc", *SAMPLING, "-q"),
        ("decode", "new.lvc", "-o", "new.mp4", "--model", tiny_model, "-q"),
        ("decode", "auto.lvc", "-o", "auto.npy", "-q"),
        ("verify", "new.lvc", "-q"),
        ("report", "new.lvc", game, "-o", "new.html", "--model", tiny_model, "-q"),
        ("storyboard", "new.lvc", "-o", "new.png", "--model", tiny_model, "-q"),
        ("build-dataset", game, "-o", "set", *SAMPLING, "-w", "1", "-q"),
        ("train", dataset, "-o", "new.safetensors", "--model", "conv4", "--option", "stages=2", "--steps", "2", "-q"),
        ("export-onnx", "new.safetensors", "-o", "net.onnx", "-q"),
    ]
    lines = "\n".join("\t".join(map(str, command)) for command in commands)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=lines, capture_output=True, text=True, env=environment, check=False
    )
    # onnxruntime says in a line of its own that it cannot keep an identifier of the machine.
    told = [line for line in done.stderr.splitlines() if "[W:onnxruntime" not in line]
    assert (done.returncode, told) == (0, [])


def test_a_folder_that_torch_insists_on_is_named_in_one_line(lvc, dataset, tmp_path, monkeypatch):
    def refused(*_arguments, **_options):
        raise FileExistsError(17, "File exists", "/a/file")

    monkeypatch.setattr("torch.optim.Adam", refused)
    shown = lvc("train", dataset, "-o", tmp_path / "new.safetensors", "--model", "conv4", "--steps", "1", "-q")
    assert (shown.code, len(shown.err)) == (1, 1)
    assert "/a/file: File exists; TORCHINDUCTOR_CACHE_DIR names another one" in shown.err[0]
    assert not (tmp_path / "new.safetensors").exists()


def test_where_an_error_of_the_system_comes_from_is_shown_too(lvc, monkeypatch):
    def refused(*_arguments, **_options):
        raise PermissionError(13, "Permission denied", "/a/place")

    monkeypatch.setattr("lvc.cli.models.run", refused)
    shown = lvc("models")
    assert (shown.code, shown.err) == (1, ["lvc models: /a/place: Permission denied"])
    shown = lvc("models", "--debug")
    assert shown.code == 1 and "Traceback (most recent call last):" in shown.err
    assert any("in refused" in line for line in shown.err)
