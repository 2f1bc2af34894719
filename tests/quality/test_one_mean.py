"""PSNR of several frames means the same wherever it is told: of frames half of which come back as they were."""

import json

import numpy as np
import pytest

import lvc
from lvc.cli.main import main
from lvc.codecs.family import open_codec
from lvc.codecs.learning.progress import Validation
from lvc.encoding.search import tried
from lvc.frames import Geometry
from lvc.quality.metrics import mean_of_psnr, mean_squared_error
from lvc.weights import checkpoints


@pytest.fixture(scope="module")
def half(make_recording, tmp_path_factory):
    """A recording, and a `.lvc` file of it: every other frame is of few colours, which the coder keeps as they are;
    the others are noisy.
    """
    folder = tmp_path_factory.mktemp("half")
    random = np.random.default_rng(1)
    pictures = []
    for number in range(4):
        flat = np.full((32, 40, 3), (30, 60 * number, 90), np.uint8)
        pictures += [flat, np.clip(flat + random.normal(0, 12, flat.shape), 0, 255).astype(np.uint8)]
    # Without loss, and without a conversion of colours.
    make_recording(folder / "game.mkv", pictures, codec="ffv1", pixel_format="bgra")
    assert (
        main(
            [
                "encode",
                str(folder / "game.mkv"),
                "-o",
                str(folder / "game.lvc"),
                "--every",
                "1",
                "--size",
                "40x32",
                "--model",
                "arcade",
                "--crf",
                "40",
                "--keyint",
                "1",
                "-q",
            ]
        )
        == 0
    )
    return folder, np.stack(pictures)


def test_half_of_the_frames_identical(half, capsys):
    folder, pictures = half
    with lvc.open(folder / "game.lvc", dimension_order="NHWC") as reader:
        decoded = reader[:].numpy()
    errors = [mean_squared_error(*pair) for pair in zip(pictures, decoded)]
    assert [error == 0 for error in errors] == 4 * [True, False]
    expected = mean_of_psnr(errors)
    # The search: one group a frame, as the file has.
    codec = open_codec(checkpoints.load("arcade"), geometry=Geometry(40, 32), crf=40)
    trials = [tried(codec, pictures[place : place + 1]) for place in range(8)]
    searched = mean_of_psnr(error for trial in trials for error in trial.errors)
    assert searched == expected and sum(trial.identical for trial in trials) == 4
    # The report.
    assert main(["report", str(folder / "game.lvc"), str(folder / "game.mkv"), "--json", "-q"]) == 0
    totals = json.loads(capsys.readouterr().out)["lvc"]["totals"]
    assert totals["psnr_mean_of_frames"] == pytest.approx(expected, abs=1e-6) and totals["identical_frames"] == 4
    # Training's validation, and the Writer's sample.
    figures = Validation.of(errors, bits=None)
    assert (figures.psnr, figures.identical, figures.frames) == (expected, 4, 8)
    assert figures.psnr_lowest < expected
    with lvc.Writer(
        folder / "again.lvc", fps=30, geometry=Geometry(40, 32), model="arcade", crf=40, keyint=8
    ) as writer:
        writer.write(pictures[[0, 1, 0, 1, 0, 1, 0, 1]])
    with lvc.open(folder / "again.lvc", dimension_order="NHWC") as reader:
        sampled = reader.get_frames_at([0, 2, 4, 7]).data.numpy()
    assert writer.sample_psnr == mean_of_psnr(
        mean_squared_error(*pair) for pair in zip(pictures[[0, 0, 0, 1]], sampled)
    )


def test_a_clip_without_loss_is_said_to_be_one(half):
    folder, pictures = half
    with lvc.Writer(folder / "flat.lvc", fps=30, geometry=Geometry(40, 32), model="arcade") as writer:
        writer.write(pictures[::2])
    assert writer.sample_psnr is None
    figures = Validation.of([0.0, 0.0], bits=1.0)
    assert (figures.psnr, figures.psnr_lowest, figures.identical, figures.told()) == (None, None, 2, "without loss")
