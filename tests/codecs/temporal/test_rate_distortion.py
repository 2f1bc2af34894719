"""The encoder's choice of symbols: never dearer than rounding or keeping, and real in the file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.codecs.family import open_codec
from lvc.codecs.temporal.prediction import BACK, NEW, SAME, Chain
from lvc.codecs.temporal.rate_distortion import LASTING, Choice, Tape, logistic_bits
from lvc.errors import OptionError
from lvc.weights import checkpoints
from tests.builders.recordings_in_memory import small_maze
from tests.builders.temporal import SMALL


def cost(latents, symbols, weights, predicted, reference, limited):
    """Bits with the error's worth, of whole numbers as the prior says them in sixteenths."""
    odds, mean, scale = predicted.transpose(1, 0, 2) / 16
    odds = np.clip(odds, -32 / 3, 32 / 3)
    bits = np.where(
        symbols == reference,
        np.log2(1 + np.exp(-odds)),
        np.log2(1 + np.exp(odds)) + logistic_bits(symbols - mean - limited, np.exp2(np.clip(scale, -3, 5.75))),
    )
    return LASTING * weights * np.square(latents - symbols) + bits


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 50))
@settings(max_examples=50, deadline=None)
def test_no_symbol_costs_more_than_rounding_or_keeping(seed, worth):
    random = np.random.default_rng(seed)
    latents, weights = random.normal(0, 4, (9, 6)), worth * random.uniform(0.5, 2, 6)
    reference = np.rint(latents + random.normal(0, 1, latents.shape)).astype(np.int32)
    predicted = np.stack(
        (random.integers(-100, 100, (9, 6)), random.integers(-80, 80, (9, 6)), random.integers(-60, 60, (9, 6))), axis=1
    )
    limited = np.clip(reference, -127, 127)
    here, span = np.arange(9), slice(0, 6)
    picked = Choice(latents, weights).pick(here, span, predicted, reference, limited)
    found = cost(latents, picked, weights, predicted, reference, limited)
    for other in (np.rint(latents), reference):
        # 1e-9: the same sums in another order.
        assert (found <= cost(latents, other, weights, predicted, reference, limited) + 1e-9).all()


def test_a_position_that_did_not_move_is_the_same_and_one_that_comes_back_is_back():
    random = np.random.default_rng(1)
    background = random.integers(-9, 9, (4, 6)).astype(np.int32)
    near = background.copy()
    near[1:3] += 5
    chain = Chain.after(Chain(near=background, background=background, narrow=(background.astype(np.int8),) * 5), near)
    latents = near + 0.1
    latents[1] = background[1] - 0.1
    latents[2] += 40
    assert Choice(latents, np.ones(6)).modes(chain).tolist() == [SAME, BACK, NEW, SAME]


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_coded_while_it_is_chosen_is_what_is_coded_once_it_is_known(trained_temporal, kept):
    """Also where positions get other modes once all their symbols are known: then what was coded is coded again."""
    codec = open_codec(checkpoints.load(trained_temporal), geometry=SMALL, effort=1)
    frames = small_maze(12).data.transpose(0, 2, 3, 1)
    for pictures in (frames, 255 - frames):
        played = []
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(
                Tape, "play", lambda tape, coder, play=Tape.play, played=played: (played.append(1), play(tape, coder))
            )
            # Weights that were trained for minutes do so for some frames; 40 steps do not tell modes apart so well.
            if not kept:
                patched.setattr(Choice, "keeps_to", lambda _choice, _chain, _symbols: False)
            coded = codec.encode_group(pictures)
        assert len(played) == (len(pictures) if kept else 0)
        again = codec.encode(coded.latents)
        assert (again.packets, again.digest) == (coded.packets, coded.digest)


@pytest.mark.parametrize("crf", [0, 20, 40, 60])
def test_effort_makes_files_cheaper_and_any_other_number_is_refused(trained_temporal, crf):
    """By what effort weighs: bits, and the error's worth of them."""
    checkpoint = checkpoints.load(trained_temporal)
    frames = small_maze(40).data.transpose(0, 2, 3, 1)
    costs = []
    for effort in (0, 1):
        codec = open_codec(checkpoint, geometry=SMALL, effort=effort, crf=crf)
        latents = codec.analyse(frames)
        packets = codec.encode(latents).packets
        assert np.array_equal(codec.decode(packets).symbols, latents.symbols)
        error = np.mean(np.square(np.asarray(codec.render(latents), float) - frames))
        bits = 8 * sum(len(packet.payload) for packet in packets) / len(frames)
        costs.append(bits + codec.distortion_weight * error)
    assert costs[1] < costs[0]
    assert open_codec(checkpoint, geometry=SMALL, effort=2).settings.effort == 1, "the most that it has"
    for wrong in (3, -1, 0.5, True):
        with pytest.raises(OptionError, match="effort must be a whole number from 0 to 2"):
            open_codec(checkpoint, geometry=SMALL, effort=wrong)
