from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lvc.entropy import priors
from lvc.entropy.coder import SymbolReader, SymbolWriter
from lvc.entropy.tables import Tables
from lvc.errors import FormatError, ModelError, OptionError

BYTES = SimpleNamespace(alphabet=(0, 255))
GOLDEN_BYTES = [
    "0007ba7d7282fadef48d4393e626436ab488a986d72c11378d",
    "884200808fc09528c0265e617cff0f",
    "7fffff76dc42d201693acb4cb9",
]
GOLDEN_OPEN = ["7f226fe78aef22da23415954a8ae1c", "7ffee2a9274f13bbff63ac57fff957ffffffb639fb49"]
FOUR, TEN_BITS = SimpleNamespace(alphabet=(0, 3)), SimpleNamespace(alphabet=(0, 1023))
OPEN = SimpleNamespace(alphabet=None)
BITS = SimpleNamespace(alphabet=(-(2**31), 2**31 - 1))
SHAPES = st.sampled_from([(1,), (40,), (3, 7), (16, 25), (4, 3, 5), (1, 1, 1)])


def training_symbols(shape, alphabet, seed=0, frames=60):
    rng = np.random.default_rng(seed)
    symbols = np.rint(rng.laplace(0, 1 + 3 * rng.random(shape), (frames, *shape)) + 8 * rng.standard_normal(shape))
    return (np.clip(symbols + 128, 0, 255) if alphabet else symbols).astype(np.int32)


def fresh(name, quantiser, shape):
    name, *options = name.split(",")
    spec = {"name": name, **({"forget": int(options[0])} if options else {})}
    tables = (
        priors.learned(training_symbols(shape, quantiser.alphabet), quantiser.alphabet, tables=4)
        if name == "factorised"
        else None
    )
    return lambda: priors.build(spec, quantiser=quantiser, tables=tables)


def coded(make, frames):
    """Payloads of frames in order, each a stream of its own, as in a group."""
    model, payloads = make(), []
    for frame in frames:
        writer = SymbolWriter()
        assert np.array_equal(model.code_frame(frame, writer, frame.shape), frame)
        payloads.append(writer.finish())
    return payloads


def found(make, payloads, shape):
    model = make()
    return [model.code_frame(None, SymbolReader(payload), shape) for payload in payloads]


CASES = [
    ("raw", BYTES, st.integers(0, 255)),
    ("raw", OPEN, st.integers(-(2**31), 2**31 - 1)),
    ("raw", BITS, st.integers(-(2**31), 2**31 - 1)),
    ("adaptive", BYTES, st.integers(0, 255)),
    ("adaptive", OPEN, st.integers(-(2**31), 2**31 - 1) | st.integers(-3, 3)),
    ("adaptive,1", FOUR, st.integers(0, 3)),
    ("adaptive,8", TEN_BITS, st.integers(0, 1023)),
    ("factorised", BYTES, st.integers(0, 255)),
    ("factorised", OPEN, st.integers(-(2**31), 2**31 - 1) | st.integers(-3, 3)),
]


@pytest.mark.parametrize("name, quantiser, elements", CASES)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_round_trip(name, quantiser, elements, data):
    shape = data.draw(SHAPES)
    frames = [data.draw(arrays(np.int32, shape, elements=elements)) for _ in range(data.draw(st.integers(1, 4)))]
    make = fresh(name, quantiser, shape)
    for frame, again in zip(frames, found(make, coded(make, frames), shape), strict=True):
        assert again.dtype == np.int32 and np.array_equal(again, frame)


@pytest.mark.parametrize("name, quantiser", [case[:2] for case in CASES])
@given(payloads=st.lists(st.binary(max_size=80), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_any_bytes_give_symbols_or_a_format_error(name, quantiser, payloads):
    make = fresh(name, quantiser, (4, 3, 5))
    try:
        for frame in found(make, payloads, (4, 3, 5)):
            low, high = quantiser.alphabet or (-(2**31), 2**31 - 1)
            assert low <= frame.min() and frame.max() <= high
    except FormatError:
        pass


def still_game(frames, seed=1):
    """Symbols that mostly stand still: a picture of codes, in which a few change in each frame."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(60, 200, (8, 10, 12))
    result = []
    for _ in range(frames):
        picture = picture.copy()
        moving = rng.random(picture.shape) < 0.05
        picture[moving] = np.clip(picture[moving] + rng.integers(-20, 21, moving.sum()), 0, 255)
        result.append(picture.astype(np.int32))
    return result


def test_adaptive_learns_that_a_picture_stands_still():
    frames = still_game(60)
    payloads = coded(fresh("adaptive", BYTES, frames[0].shape), frames)
    changes = 0.05 * 960
    ideal = 960 * -(0.05 * np.log2(0.05) + 0.95 * np.log2(0.95)) + changes * np.log2(41)
    assert len(payloads[0]) < 1.1 * 960
    assert np.mean([len(payload) for payload in payloads[40:]]) * 8 < 1.35 * ideal


def test_adaptive_follows_channels_without_time():
    rng = np.random.default_rng(2)
    centres = rng.integers(40, 200, 6)
    frames = [
        np.clip(np.rint(rng.laplace(0, 2, (6, 200)) + centres[:, None]), 0, 255).astype(np.int32) for _ in range(12)
    ]
    payloads = coded(fresh("adaptive", BYTES, (6, 200)), frames)
    values = np.arange(-40, 41)
    mass = np.exp(-np.abs(values) / 2)
    entropy = -(mass / mass.sum() * np.log2(mass / mass.sum())).sum() * 1200 / 8
    assert np.mean([len(payload) for payload in payloads[4:]]) < 1.06 * entropy


def test_adaptive_forgets():
    rng = np.random.default_rng(3)
    first = [rng.integers(0, 8, (1, 400)).astype(np.int32) for _ in range(60)]
    then = [rng.integers(200, 208, (1, 400)).astype(np.int32) for _ in range(60)]
    payloads = coded(fresh("adaptive", BYTES, (1, 400)), first + then)
    assert np.mean([len(payload) for payload in payloads[-5:]]) < 1.2 * 400 * 3 / 8


def test_the_less_is_forgotten_the_better_what_never_changes_is_coded():
    rng = np.random.default_rng(4)
    frames = [rng.binomial(1023, 0.3, (1, 30)).astype(np.int32) for _ in range(100)]
    sizes = [
        np.mean([len(payload) for payload in coded(fresh(f"adaptive,{forget}", TEN_BITS, (1, 30)), frames)[40:]])
        for forget in (1, 5, 8)
    ]
    assert sizes[0] > 1.1 * sizes[1] and sizes[1] > sizes[2]


def test_adaptive_golden_bytes():
    """Pinned: these bytes must decode for ever; a change here is a change of the format."""
    place = np.arange(24).reshape(2, 12)
    frames = [(place * 7 + frame * (place % 5 == 0)) % 256 for frame in range(3)]
    payloads = coded(fresh("adaptive", BYTES, (2, 12)), [frame.astype(np.int32) for frame in frames])
    assert [payload.hex() for payload in payloads] == GOLDEN_BYTES
    wide = [np.array([0, 5, -70, 1000, 2**31 - 1], np.int32), np.array([0, 5, -71, -(2**31), 3], np.int32)]
    payloads = coded(fresh("adaptive", OPEN, (5,)), wide)
    assert [payload.hex() for payload in payloads] == GOLDEN_OPEN


def test_learned_prior_is_within_two_percent_of_real_bytes():
    shape = (8, 10, 12)
    symbols = training_symbols(shape, True, frames=340)
    training, test = symbols[:300], symbols[300:]
    tables = priors.learned(training, (0, 255), tables=32)
    model = priors.build({"name": "factorised"}, quantiser=BYTES, tables=tables)
    estimate = sum(tables.bits(frame.ravel(), model.indices(shape)) for frame in test)
    payloads = coded(lambda: model, test)
    assert sum(map(len, payloads)) * 8 == pytest.approx(estimate, rel=0.02)
    # and learning pays: below what one table for all would take
    together = priors.learned(training, (0, 255), tables=1)
    assert estimate < 0.85 * sum(together.bits(frame.ravel(), np.zeros(960, int)) for frame in test)


def test_learned_prior_survives_a_checkpoint():
    symbols = training_symbols((4, 6), None)
    tables = priors.learned(symbols, None, tables=3)
    again = Tables.from_arrays(tables.to_arrays())
    frames = [symbols[0], symbols[1] + 5000]
    one, other = (
        (lambda made=made: priors.build({"name": "factorised"}, quantiser=OPEN, tables=made))
        for made in (tables, again)
    )
    assert coded(one, frames) == coded(other, frames)


def test_a_learned_prior_of_another_shape_is_refused():
    tables = priors.learned(training_symbols((4, 6), True), (0, 255))
    with pytest.raises(OptionError, match="24 latents"):
        priors.build({"name": "factorised"}, quantiser=BYTES, tables=tables).code_frame(None, SymbolReader(b""), (4, 7))


def test_tables_without_places_stand_for_channels():
    made = priors.learned(training_symbols((3, 5), True), (0, 255), tables=3)
    tables = Tables(made.frequencies, made.sizes, made.lows, made.escapes)
    model = priors.build({"name": "factorised"}, quantiser=BYTES, tables=tables)
    assert model.indices((len(tables), 2)).tolist() == np.repeat(np.arange(len(tables)), 2).tolist()
    with pytest.raises(OptionError, match="channels"):
        model.indices((len(tables) + 1, 2))


def test_tables_learned_by_channel_take_any_size_and_come_near_the_entropy():
    rng = np.random.default_rng(5)
    scales = np.array([0.5, 3.0, 9.0])

    def drawn(frames, rows, columns):
        return np.rint(rng.laplace(0, scales[:, None, None], (frames, 3, rows, columns))).astype(np.int32)

    tables = priors.learned_by_channel(drawn(60, 10, 12), None)
    model = priors.build({"name": "factorised"}, quantiser=OPEN, tables=tables)
    frame = drawn(1, 33, 21)[0]
    (payload,) = coded(lambda: model, [frame])
    entropy = 0.0
    for channel in frame:
        shares = np.unique(channel, return_counts=True)[1] / channel.size
        entropy += channel.size * -(shares * np.log2(shares)).sum()
    # Tables of 7,200 symbols a channel know the laws to a few percent;
    # the frame's own histogram flatters it by as much.
    assert len(payload) * 8 == pytest.approx(entropy, rel=0.05)


def test_raw_takes_the_bits_of_the_alphabet():
    frame = np.arange(256, dtype=np.int32)
    (payload,) = coded(fresh("raw", BYTES, (256,)), [frame])
    assert 255 <= len(payload) <= 257
    (payload,) = coded(fresh("raw", OPEN, (256,)), [frame % 4 - 2])
    assert len(payload) <= 66


def test_a_learned_prior_that_is_missing_is_a_model_error():
    with pytest.raises(ModelError, match="adaptive"):
        priors.build({"name": "factorised"}, quantiser=BYTES)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"name": "nosuch"},
        {"name": "raw", "level": 3},
        {"name": "adaptive", "forget": 0},
        {"name": "adaptive", "forget": 9},
        {"name": "adaptive", "forget": "5"},
    ],
)
def test_bad_specs_are_refused(spec):
    with pytest.raises(OptionError):
        priors.build(spec, quantiser=BYTES)
