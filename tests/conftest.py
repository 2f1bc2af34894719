"""Recordings made on the spot, for the tests of all rooms."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from fractions import Fraction

# Before torch is imported: on tiny tensors and a busy machine, threads that wait for each other make tests 50 times
# slower; and training is compared bit for bit, which holds for one number of threads.
os.environ["OMP_NUM_THREADS"] = "1"

import av
import numpy as np
import pytest

from lvc.kernels.build import LIBRARY, build, is_current
from tests import ROOT

if not (os.environ.get("LVC_KERNELS") or is_current()):
    build(LIBRARY)


@pytest.fixture(scope="session")
def make_recording():
    """`make_recording(path, frames, ...)` writes pictures, uint8 [H, W, 3] RGB each, as a video with PyAV."""

    def make(
        path,
        pictures,
        *,
        codec="libx264",
        pixel_format="yuv420p",
        pts=None,
        time_base=Fraction(1, 30),
        options=None,
        colorspace=None,
        color_range=None,
        rate=30,
        sample_aspect_ratio=None,
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as output:
            stream = output.add_stream(codec, rate=rate, options={"threads": "1", **(options or {})})
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = pixel_format
            if sample_aspect_ratio is not None:
                stream.codec_context.sample_aspect_ratio = sample_aspect_ratio
            stream.time_base = stream.codec_context.time_base = time_base
            if colorspace is not None:
                stream.codec_context.colorspace = colorspace
            if color_range is not None:
                stream.codec_context.color_range = color_range
            for number, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                if colorspace is not None or color_range is not None:
                    frame = frame.reformat(
                        format=pixel_format,
                        dst_colorspace=colorspace,
                        dst_color_range=color_range,
                        interpolation="AREA",
                    )
                frame.pts, frame.time_base = pts[number] if pts else number, time_base
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return path

    return make


@pytest.fixture(scope="session")
def gameplay():
    """`gameplay(count, width, height, seed)`: pictures of a lit maze with a square that moves, uint8 [H, W, 3]."""

    def make(count, width=96, height=64, seed=0):
        random = np.random.default_rng(seed)
        maze = np.kron(
            random.integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8)
        )
        pictures = []
        for number in range(count):
            picture = maze[:height, :width].copy()
            left = (3 * number) % max(1, width - 12)
            picture[height // 4 : height // 4 + 12, left : left + 12] = (255, 255, 0)
            pictures.append(picture)
        return pictures

    return make


@pytest.fixture(scope="session")
def save_small():
    """`save_small(path, family)` saves a tiny model of 40x32 as it comes from its random start:
    conv4 (scale, raw), temporal or temporal-palette.
    """
    import torch

    from lvc.codecs.family import build
    from lvc.codecs.temporal.prediction import prediction_tables
    from lvc.frames import Geometry
    from lvc.weights.checkpoints import Checkpoint, Metadata, save

    def make(path, family):
        torch.manual_seed(4)
        options = {"features": 16, "detail": 8, "trunk": 16, "context": 8} if family == "temporal" else {}
        model = build(family, geometry=Geometry(40, 32), **options)
        tables, quantiser, entropy = {}, "scale", "raw"
        if family == "temporal":
            model, quantiser, entropy = model.exact(), "round", "prediction"
            tables = dict(zip(("copies", "residuals"), prediction_tables()))
        if family == "temporal-palette":
            quantiser, entropy = "round", "mixing"
        config = {name: value for name, value in vars(model.config).items() if name not in ("width", "height")}
        specs = {"quantiser": {"name": quantiser}, "entropy": {"name": entropy}}
        save(
            path,
            Checkpoint(
                Metadata(name=path.stem, model=family, config=config, geometry=Geometry(40, 32), **specs), model, tables
            ),
        )
        return path

    return make


@pytest.fixture(scope="session")
def trained_temporal(tmp_path_factory):
    """Weights of a tiny temporal model of 40x32 that has seen `small_maze` for 40 steps: a file."""
    from tests.builders.temporal import train_small

    folder = tmp_path_factory.mktemp("trained")
    train_small(folder, steps=40)
    return folder / "small.safetensors"


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """The first 8 seconds of the Ms. Pac-Man clip that ships: 240 frames of 960x720."""
    import av

    path = tmp_path_factory.mktemp("clip") / "ms_pacman.mp4"
    with av.open(str(ROOT / "datasets/clips/ms_pacman.mp4")) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is None or packet.pts * stream.time_base >= 8:
                break
            packet.stream = copied
            target.mux(packet)
    return path


@pytest.fixture(scope="session")
def until():
    """`until(condition)` waits for a condition to give something, and returns it."""

    def wait(condition, seconds=30.0):
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, "the program did not react"
            time.sleep(0.05)
        return found

    return wait


@contextmanager
def virtual_display():
    """The environment of programs that are to open windows on a display of their own."""
    read, write = os.pipe()
    # -noreset: otherwise the server starts anew whenever its last client leaves, as each xdotool does here.
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "900x720x24", "-noreset"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        if not number:
            pytest.skip("Xvfb does not start here")
        yield {**os.environ, "DISPLAY": f":{number}", "PYTHONPATH": str(ROOT)}
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def open_window(until):
    """`with open_window(command, title) as (process, press)`: a program's real window, and real keys pressed in it."""
    if sys.platform != "linux" or not all(map(shutil.which, ("Xvfb", "xdotool"))):
        pytest.skip("Xvfb and xdotool are needed to press real keys in a real window")

    @contextmanager
    def opened(command, title, **options):
        with virtual_display() as environment:
            process = subprocess.Popen(command, env=environment, **options)

            def windows():
                assert process.poll() is None, "the program ended before it opened a window"
                find = ["xdotool", "search", "--name", title]
                return subprocess.run(find, env=environment, capture_output=True, check=False).stdout.split()

            def press(*keys):
                subprocess.run(["xdotool", "key", "--delay", "70", *keys], env=environment, check=True)

            try:
                found = until(windows, 120)  # a busy machine takes its time to load torch
                subprocess.run(["xdotool", "windowfocus", "--sync", found[0]], env=environment, check=True)
                yield process, press
            finally:
                process.kill()
                process.wait()

    return opened
