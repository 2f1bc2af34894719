"""Levels that meet a target, and the model that serves best."""

from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lvc
from lvc.codecs.crf import crf_of_psnr
from lvc.codecs.family import open_codec
from lvc.encoding import encode as encoding
from lvc.encoding.encode import Search, encode, groups_of, settled_level
from lvc.encoding.search import Target, Trial, joined, level_for, tried
from lvc.errors import OptionError
from lvc.frames import Geometry
from lvc.video.sample import Sampling, sampled_frames
from lvc.weights import checkpoints
from tests.builders.temporal import SMALL

SAMPLING = Sampling(every=8, geometry=Geometry(200, 160))
SMALL_SAMPLING = Sampling(every=8, geometry=SMALL)  # for networks that know no game


def trial_of(bytes_per_frame: float, psnr: float, *, ssim: float = 0.9, frames: int = 1) -> Trial:
    """Frames of one PSNR."""
    return Trial(bytes_per_frame, frames * (255**2 / 10 ** (psnr / 10),), ssim)


def towards_hard(target: Target) -> int:
    return 1 if target.bytes_per_frame is None else -1


@given(st.lists(st.floats(20, 60), min_size=64, max_size=64).map(sorted), st.floats(15, 65))
@settings(deadline=None)  # a busy machine takes as long as it takes
def test_the_level_given_meets_the_target_and_its_neighbour_does_not(qualities, wanted):
    """For any falling quality, and for any falling size."""

    def trial_at(level: int) -> Trial:
        return trial_of(qualities[63 - level], qualities[63 - level])

    for target in (Target(min_psnr=wanted), Target(bytes_per_frame=wanted)):
        level = level_for(target, trial_at)
        met = [target.met(trial_at(one)) for one in range(64)]
        assert (level is None) == (not any(met))
        if level is not None:
            assert met[level]
            harder = level + towards_hard(target)
            assert not 0 <= harder <= 63 or not met[harder]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"min_psnr": 40, "min_ssim": 0.9},
        {"min_psnr": -1},
        {"min_ssim": 1.0},
        {"bytes_per_frame": 0},
        {"min_psnr": float("nan")},
    ],
)
def test_targets_that_make_no_sense_are_refused(wrong):
    with pytest.raises(OptionError):
        Target(**wrong)


def test_groups_count_by_their_frames():
    together = joined([trial_of(10.0, 30.0, ssim=0.9, frames=3), trial_of(50.0, 34.0, ssim=0.7)])
    assert together.frames == 4 and together.psnr == pytest.approx(31.0)
    assert together.mse == pytest.approx((3 * 255**2 / 10**3 + 255**2 / 10**3.4) / 4)
    assert together.bytes_per_frame == 20 + 800 / 4 and together.ssim == pytest.approx(0.85)


def test_identical_frames_are_left_out_of_the_mean_and_counted():
    half = Trial(10.0, (0.0, 255**2 / 10**3, 0.0, 255**2 / 10**4))
    assert half.psnr == pytest.approx(35) and (half.identical, half.frames) == (2, 4)
    assert Target(min_psnr=34).met(half) and not Target(min_psnr=36).met(half)
    whole = Trial(10.0, (0.0, 0.0))
    assert whole.psnr is None and Target(min_psnr=90).met(whole), "no error at all is as good as any PSNR"
    assert joined([whole, half]).psnr == pytest.approx(35) and joined([whole, half]).identical == 4


@pytest.mark.parametrize("name", ["min_psnr", "min_ssim", "bytes_per_frame"])
def test_a_file_meets_its_target_as_cheaply_as_a_level_can(tmp_path, clip, trained_temporal, name):
    checkpoint = checkpoints.load(trained_temporal)

    def measured(level: int) -> Trial:
        codec = open_codec(checkpoint, geometry=SMALL, crf=level, effort=0)
        return joined(
            [tried(codec, group.data, similarity=True) for group in groups_of(sampled_frames(clip, SMALL_SAMPLING), 64)]
        )

    # What level 30 comes to can be reached, and is not what the ends of the range come to.
    middle = measured(30)
    target = Target(**{name: getattr(middle, {"min_psnr": "psnr", "min_ssim": "ssim"}.get(name, name))})
    made = encode(clip, tmp_path / "a.lvc", sampling=SMALL_SAMPLING, model=trained_temporal, target=target, effort=0)
    here = measured(made.crf)
    assert target.met(here) and not target.met(measured(made.crf + towards_hard(target)))
    # The estimate may be a little above the file, never below: a file must not miss its target of bytes.
    assert made.file_bytes <= here.bytes_per_frame * made.frames


@given(st.integers(-1, 63), st.integers(0, 63), st.booleans())
@settings(deadline=None)
def test_the_search_over_all_frames_ends_at_the_best_level_wherever_it_begins(best, begins, by_bytes):
    """best: the last level (for bytes: from the other end) that meets the target; -1 for none."""
    target = Target(bytes_per_frame=50) if by_bytes else Target(min_psnr=50)

    def depth(level: int) -> int:
        """How hard a level is."""
        return 63 - level if by_bytes else level

    def trial(level: int, last: int) -> Trial:
        return trial_of(49 if depth(level) <= last else 51, 51 if depth(level) <= last else 49)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            encoding,
            "tried",
            lambda level, frames, *_, **__: trial(level, begins if frames is None else best),
        )
        patch.setattr(encoding, "joined", lambda trials: trials[0])
        group, every = (SimpleNamespace(data=data, native=None) for data in (None, 0))
        search = partial(settled_level, group, target, lambda level: level, lambda: [every])
        if best < 0:
            with pytest.raises(OptionError, match="cannot be reached"):
                search()
        else:
            assert depth(search()[0]) == best


def test_what_cannot_be_reached_is_said(clip, trained_temporal):
    codec_at = Search(checkpoints.load(trained_temporal), SMALL, effort=0, device="cpu").codec_at
    frames = next(groups_of(sampled_frames(clip, SMALL_SAMPLING), 4))
    for target in (Target(min_psnr=80), Target(bytes_per_frame=1)):
        with pytest.raises(OptionError, match="cannot be reached"):
            settled_level(frames, target, codec_at, lambda: [frames])
    with pytest.raises(OptionError, match="give one of them"):
        Search(checkpoints.load(trained_temporal), SMALL, crf=3, effort=0, device="cpu")


def test_the_model_of_the_game_is_taken_for_its_game(tmp_path, clip):
    made = encode(clip, tmp_path / "a.lvc", sampling=SAMPLING, effort=0)
    assert made.model == "pacman"
    names = [candidate.checkpoint.name for candidate in made.tried]
    assert names[:2] == ["pacman", "arcade"], "others come after what tells the game's own pixels"
    assert "conv4" not in names, "where few colours serve, no network is loaded"


@pytest.mark.parametrize("target", [Target(min_psnr=36), Target(bytes_per_frame=700)])
def test_a_standard_codec_meets_its_target_as_cheaply_as_a_level_can(tmp_path, clip, target):
    made = encode(clip, tmp_path / "a.lvc", sampling=SAMPLING, model="hevc", target=target, effort=0)
    with lvc.open(tmp_path / "a.lvc") as reader:
        level = reader.header.quantiser["level"]
    codec_at = Search(checkpoints.load("hevc"), SAMPLING.geometry, effort=0, device="cpu").codec_at
    here, beyond = (
        joined([tried(codec_at(one), group.data) for group in groups_of(sampled_frames(clip, SAMPLING), 256)])
        for one in (level, level + towards_hard(target))
    )
    assert target.met(here) and not target.met(beyond)
    assert made.file_bytes <= here.bytes_per_frame * made.frames
    assert made.crf == crf_of_psnr(here.psnr)
