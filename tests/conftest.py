"""Recordings made on the spot, for the tests of all rooms."""

import os
from fractions import Fraction

# Before torch is imported: on tiny tensors and a busy machine, threads that wait for each other make tests 50 times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import av
import numpy as np
import pytest


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
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as output:
            stream = output.add_stream(codec, rate=30, options={"threads": "1", **(options or {})})
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = pixel_format
            stream.time_base = stream.codec_context.time_base = time_base
            if colorspace is not None:
                stream.codec_context.colorspace = colorspace
            if color_range is not None:
                stream.codec_context.color_range = color_range
            for number, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                if colorspace is not None or color_range is not None:
                    frame = frame.reformat(
                        format=pixel_format, dst_colorspace=colorspace, dst_color_range=color_range, interpolation="AREA"
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
        maze = np.kron(random.integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
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
    """`save_small(path, family)` saves a tiny model of 40x32 as it comes from its random start: conv4 (scale, raw) or temporal."""
    import torch

    from lvc.checkpoints import Checkpoint, Metadata, save
    from lvc.frames import Geometry
    from lvc.models.config import build
    from lvc.prediction import prediction_tables

    def make(path, family):
        torch.manual_seed(4)
        options = {"features": 16, "detail": 8, "trunk": 16, "context": 8} if family == "temporal" else {}
        model = build(family, geometry=Geometry(40, 32), **options)
        tables, quantiser, entropy = {}, "scale", "raw"
        if family == "temporal":
            model, quantiser, entropy = model.exact(), "round", "prediction"
            tables = dict(zip(("copies", "residuals"), prediction_tables()))
        config = {name: value for name, value in vars(model.config).items() if name not in ("width", "height")}
        specs = {"quantiser": {"name": quantiser}, "entropy": {"name": entropy}}
        save(path, Checkpoint(Metadata(name=path.stem, model=family, config=config, geometry=Geometry(40, 32), **specs), model, tables))
        return path

    return make
