"""Which model serves a recording: the cheapest that reaches the wanted quality, from frames of any writer."""

import numpy as np
import pytest

import lvc
from lvc.codecs.codec import Fit
from lvc.codecs.crf import CRF_LEVELS, crf_of_psnr, psnr_of_crf
from lvc.codecs.family import family_of
from lvc.codecs.standard import ffmpeg
from lvc.errors import OptionError
from lvc.frames import Geometry
from lvc.weights import checkpoints
from lvc.writing.choice import BYTES_A_DECIBEL, Run, candidates, cost_of, standard_models

SIZE = Geometry(64, 48)


def noisy(count: int, seed: int = 0) -> np.ndarray:
    """Frames of many colours that change little: no palette serves them."""
    random = np.random.default_rng(seed)
    ground = random.integers(0, 256, (48, 64, 3)).astype(float)
    for axis in (0, 1):
        ground = (ground + np.roll(ground, 1, axis) + np.roll(ground, 2, axis)) / 3
    return np.stack([np.clip(ground + 12 * np.sin(number / 3), 0, 255) for number in range(count)]).astype(np.uint8)


def blocks(count: int) -> np.ndarray:
    """Frames of four colours."""
    random = np.random.default_rng(4)
    picture = np.kron(random.integers(0, 4, (6, 8)), np.ones((8, 8), int))
    colours = np.array([[0, 0, 0], [250, 220, 20], [30, 60, 200], [255, 255, 255]], np.uint8)
    return np.stack([colours[np.roll(picture, number, 1)] for number in range(count)])


def test_levels_and_decibels_are_in_even_steps():
    steps = np.diff([psnr_of_crf(crf) for crf in range(CRF_LEVELS)])
    assert np.allclose(steps, -20 / 63) and (psnr_of_crf(0), psnr_of_crf(63)) == (48, 28)
    assert [crf_of_psnr(psnr_of_crf(crf)) for crf in range(CRF_LEVELS)] == list(range(CRF_LEVELS))
    assert (crf_of_psnr(90), crf_of_psnr(3)) == (0, 63)


def test_quality_above_the_wanted_is_worth_nothing_and_below_costs_bytes():
    assert cost_of(Fit(9, 45.0, 100.0), 40) == 100
    assert cost_of(Fit(9, 39.0, 100.0), 40) == pytest.approx(100 * BYTES_A_DECIBEL)
    assert cost_of(Fit(9, 30.0, 1.0), 40) == float("inf")


def test_few_colours_go_to_a_palette_and_many_to_a_standard_codec():
    few = candidates([Run(blocks(8))], SIZE, effort=0)
    many = candidates([Run(noisy(8))], SIZE, crf=10, effort=0)
    assert few[0].checkpoint.metadata.model == "temporal-palette"
    assert many[0].checkpoint.metadata.model == "hevc" and many[0].fit.quantiser["level"] > 0
    assert many[0].cost <= min(one.cost for one in many)


def test_the_standard_codec_follows_from_effort_and_from_what_is_at_hand(monkeypatch):
    assert standard_models(0) == ["hevc"]
    monkeypatch.setattr(ffmpeg, "found", lambda: ffmpeg.Encoder("ffmpeg", "libaom 9"))
    assert standard_models(1) == standard_models(None) == ["av1"]
    assert family_of("hevc").note("hevc") == ""
    monkeypatch.setattr(ffmpeg, "found", lambda: None)
    assert standard_models(2) == ["hevc"]
    assert "imageio-ffmpeg" in family_of("hevc").note("hevc")


@pytest.mark.parametrize("frames, model", [(noisy(60), "hevc"), (noisy(5), "hevc"), (blocks(20), "arcade")])
def test_a_writer_chooses_from_its_first_frames(tmp_path, frames, model):
    with lvc.Writer(tmp_path / "game.lvc", fps=10, geometry=SIZE, effort=0, crf=12) as writer:
        for frame in frames:
            writer.write(frame)
    with lvc.open(tmp_path / "game.lvc") as reader:
        assert len(reader) == len(frames) and reader.header.extra["crf"] == 12
        assert reader.header.model["name"] in (model, "pacman" if model == "arcade" else model)
        decoded = reader.frames(0, len(reader)).data
    error = np.square(decoded.astype(float) - frames).mean()
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > psnr_of_crf(12) - 1.5


def test_a_file_of_a_chosen_model_is_continued_with_it(tmp_path):
    path = tmp_path / "game.lvc"
    with lvc.Writer(path, fps=10, geometry=SIZE, effort=0) as writer:
        writer.write(noisy(6))
    with pytest.raises(OptionError, match="its own model"), lvc.Writer(path, append=True, model="auto"):
        pass
    with lvc.Writer(path, append=True) as writer:
        writer.write(noisy(4, seed=1))
    with lvc.open(path) as reader:
        assert len(reader) == 10


def test_a_writer_that_was_given_no_frame_makes_an_empty_file(tmp_path):
    lvc.Writer(tmp_path / "game.lvc", fps=10).close()
    with lvc.open(tmp_path / "game.lvc") as reader:
        assert len(reader) == 0


def test_a_writer_that_is_to_choose_takes_no_quantiser(tmp_path):
    with pytest.raises(OptionError, match="name one"):
        lvc.Writer(tmp_path / "game.lvc", fps=10, quantiser={"name": "scale"})
    assert not list(tmp_path.iterdir())


def test_a_shipped_model_of_one_rate_is_not_even_loaded(monkeypatch):
    """A network of single frames loses to all else, and loading one takes a second, as it brings torch along."""
    assert "conv4" in checkpoints.shipped()
    loaded = []
    load = checkpoints.load
    monkeypatch.setattr(checkpoints, "load", lambda name, **more: (loaded.append(name), load(name, **more))[1])
    assert candidates([Run(noisy(4))], SIZE, crf=0, effort=0)
    assert sorted(loaded) == ["arcade", "pacman"]
