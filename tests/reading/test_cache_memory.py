"""What a frame costs in a reader's cache, for every model that needs no weights, as docs/guide.md says."""

import numpy as np
import pytest

import lvc
from lvc.codecs.family import model_names
from lvc.frames import Geometry

HEIGHT, WIDTH, FRAMES, KEYINT = 48, 64, 12, 4


@pytest.mark.parametrize("model", model_names(weights=False))
def test_a_kept_frame_of_a_codec_without_latents_costs_its_picture(tmp_path, model):
    ramp = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)).astype(np.uint8)[..., None].repeat(3, axis=2)
    path = tmp_path / "ramp.lvc"
    crf, effort = (None, None) if model == "lossless" else (40, 0)
    with lvc.Writer(
        path, model=model, geometry=Geometry(WIDTH, HEIGHT), keyint=KEYINT, fps=30, crf=crf, effort=effort
    ) as writer:
        for number in range(FRAMES):
            writer.write(ramp + np.uint8(number))
    with lvc.open(path, cache_bytes=1 << 24) as reader:
        for number in range(FRAMES):
            reader[number]
        held = reader._decoders.total
    assert held == FRAMES * HEIGHT * WIDTH * 3
