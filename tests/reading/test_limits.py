"""What a file of some hundred bytes may cost: memory is measured in a process of its own, as the system counts it."""

import io
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

import lvc
from lvc.codecs.family import check_pixels, open_codec
from lvc.codecs.neural.codec import BATCH
from lvc.container.layout import Group, Header, Packet
from lvc.container.writer import ContainerWriter
from lvc.errors import FormatError, OptionError
from lvc.frames import Geometry
from lvc.reading.reader import Reader
from lvc.weights import checkpoints
from tests import ROOT

LIMIT = 1000  # MB, of which Python, torch and the weights take 300

# Every call that a file may be given to, each with its outcome; then the most memory that the process ever had, in kB.
PROGRAM = """
import sys
from pathlib import Path
import lvc
from lvc.cli.main import main
path = sys.argv[1]
for name, call in {
    "open": lambda: lvc.open(path).metadata,
    "first": lambda: lvc.open(path)[0],
    "last": lambda: lvc.open(path)[-1],
    "latents": lambda: lvc.open(path).latents_at([0, -1]),
    "bytes": lambda: lvc.open(path).frame_bytes,
    "data set": lambda: lvc.FrameDataset([path])[0],
}.items():
    try:
        call()
        print(name, "done")
    except lvc.LvcError as error:
        print(name, type(error).__name__, error)
for command in (["info"], ["verify", "--symbols"], ["decode", "-o", path + ".npy", "-q"]):
    print(command[0], main([command[0], path, *command[1:]]))
print("peak", Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def small_file(width, height, frames, *, groups=1) -> bytes:
    """A file of the shipped weights whose packets are empty, which decodes to something all the same."""
    weights = checkpoints.load(checkpoints.DEFAULT)
    header = Header(
        width=width,
        height=height,
        time_base=Fraction(1, 30),
        frame_duration=1,
        keyint=frames,
        model={"name": weights.name, "sha256": weights.sha256},
        quantiser=weights.quantiser,
        entropy=weights.entropy,
        extra={"crf": 32},
    )
    file = io.BytesIO()
    writer = ContainerWriter(file, header)
    for number in range(groups):
        first = number * frames
        packets = [Packet(1, b""), *([Packet(frames - 1, b"")] if frames > 1 else [])]
        writer.write_group(Group(first, range(first, first + frames), packets, 0))
    writer.finish()
    return file.getvalue()


def outcomes(path) -> tuple[dict, int]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, path], env=environment, capture_output=True, text=True, check=True
    )
    lines = dict(
        line.split(" ", 1)
        for line in done.stdout.splitlines()
        if line.split(" ", 1)[0] in ("open", "first", "last", "latents", "bytes", "peak", "verify", "decode")
    )
    return lines, int(lines.pop("peak")) // 1000


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs the system's count of memory")
@pytest.mark.parametrize(
    "shape, reason",
    [
        ((16384, 16384, 1), "8,388,608 pixels"),
        ((1920, 1080, 4096), "choose a smaller keyint"),
        pytest.param((200, 160, 200), "symbols", marks=pytest.mark.slow),
        pytest.param((4096, 2048, 1), "symbols", marks=pytest.mark.slow),
        pytest.param((200, 160, 4096), "symbols", marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_small_file_does_not_cost_a_gigabyte(tmp_path, shape, reason):
    path = tmp_path / "small.lvc"
    path.write_bytes(small_file(*shape))
    assert path.stat().st_size < 400
    lines, peak = outcomes(path)
    assert peak < LIMIT, f"{peak} MB for a file of {path.stat().st_size} bytes"
    assert lines["open"] == "done" and lines["decode"] == "1"
    assert lines["last"].startswith("FormatError") and reason in lines["last"]
    assert "symbols" in reason or all(
        reason in lines[name] for name in ("first", "latents", "bytes")[: 2 if shape[2] == 1 else 3]
    )


def test_how_many_pixels_may_be_changed(monkeypatch, tmp_path):
    path = tmp_path / "small.lvc"
    path.write_bytes(small_file(64, 48, 1))
    monkeypatch.setenv("LVC_MAX_PIXELS", "3071")
    with (
        pytest.raises(FormatError, match="64x48 have more than 3,071 pixels.*LVC_MAX_PIXELS"),
        lvc.open(path) as reader,
    ):
        reader[0]
    with pytest.raises(OptionError, match="more than 3,071 pixels"):
        lvc.Writer(tmp_path / "new.lvc", fps=30, geometry=Geometry(64, 48))
    monkeypatch.setenv("LVC_MAX_PIXELS", "3072")
    with lvc.open(path) as reader, pytest.raises(FormatError, match="other symbols"):
        reader[0]
    monkeypatch.setenv("LVC_MAX_PIXELS", str(1 << 28))
    check_pixels(Geometry(16384, 16384))
    for text in ("many", "-1", "1e6", "٣"):
        monkeypatch.setenv("LVC_MAX_PIXELS", text)
        with pytest.raises(OptionError, match="LVC_MAX_PIXELS is a number"):
            check_pixels(Geometry(1, 1))


def test_a_writer_does_not_make_what_no_reader_takes(tmp_path):
    with pytest.raises(OptionError, match="groups of 4096 frames of 1920x1080: 64 with this model at most"):
        lvc.Writer(tmp_path / "new.lvc", fps=30, geometry=Geometry(1920, 1080), keyint=4096, model="arcade")
    with lvc.Writer(tmp_path / "new.lvc", fps=30, geometry=Geometry(1920, 1080), keyint=64, model="arcade"):
        pass


def test_large_frames_pass_the_networks_a_few_at_a_time(save_small, tmp_path):
    weights = checkpoints.load(save_small(tmp_path / "small.safetensors", "temporal"))
    for geometry, frames in ((Geometry(200, 160), BATCH), (Geometry(640, 480), 3), (Geometry(1920, 1080), 1)):
        assert open_codec(weights, geometry=geometry).batch == frames


def test_a_group_is_decoded_in_parts_where_its_pixels_are_many(save_small, tmp_path, monkeypatch):
    weights = save_small(tmp_path / "small.safetensors", "temporal")
    frames = np.random.default_rng(0).integers(0, 256, (10, 32, 40, 3), np.uint8)
    with lvc.Writer(tmp_path / "game.lvc", fps=30, model=weights, keyint=8) as writer:
        writer.write(frames)
    with Reader(tmp_path / "game.lvc", model=weights) as reader:
        whole = [batch.data for batch in reader.batches()]
        assert [len(batch) for batch in whole] == [8, 2]
    monkeypatch.setattr("lvc.reading.reader.BATCH_BYTES", 3 * 3 * 32 * 40)
    with Reader(tmp_path / "game.lvc", model=weights) as reader:
        parts = [batch.data for batch in reader.batches()]
        assert [len(batch) for batch in parts] == [3, 3, 2, 2]
        assert np.array_equal(np.concatenate(parts), np.concatenate(whole))
        assert len(list(reader)) == 10
    # Symbols that are not those that were coded show before the first part of their group.
    monkeypatch.setattr("lvc.codecs.symbols.symbols_digest", lambda *_symbols: 1)
    with Reader(tmp_path / "game.lvc", model=weights) as reader, pytest.raises(FormatError, match="other symbols"):
        next(reader.batches())
