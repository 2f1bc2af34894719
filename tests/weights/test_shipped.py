"""What ships: few megabytes, and a network of single frames that codes its game out of the box."""

import numpy as np

import lvc
from lvc.cli.main import main
from lvc.quality.metrics import mean_squared_error, psnr_of_mse
from lvc.video.sample import Sampling, sampled_frames
from lvc.weights import checkpoints

MOST_BYTES = 12_000_000


def test_all_that_ships_is_small():
    files = [checkpoints.path_of(name) for name in checkpoints.shipped()]
    assert checkpoints.shipped() == ["arcade", "conv4", "pacman"]
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES


def test_a_network_of_single_frames_codes_its_game_by_name(tmp_path, clip):
    path = tmp_path / "game.lvc"
    assert main(["encode", str(clip), "-o", str(path), "--model", "conv4", "-q"]) == 0
    frames = np.concatenate([batch.data for batch in sampled_frames(clip, Sampling(every=10))])
    with lvc.open(path) as reader:
        assert reader.header.model["name"] == "conv4" and len(reader) == len(frames) == 24
        decoded = reader.frames_at(range(24)).data
    quality = np.mean([psnr_of_mse(mean_squared_error(one, other)) for one, other in zip(frames, np.asarray(decoded))])
    # The floor is a decibel below what it gave when it was made,
    # and the ceiling counts the file's 2 kB of header, trailer and index among the 24 frames.
    assert quality > 36
    assert path.stat().st_size / 24 < 300
