"""Restoration: the filters as their page tells them, coefficients there and back, and groups that are no worse."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.codecs.restoration import choice, coding, filters, group, training
from lvc.codecs.restoration.statistics import statistics_of
from lvc.errors import FormatError, ModelError
from lvc.frames import Geometry

# fmt: off
PAIRS = (
    (0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0), (1, 2), (2, 1), (1, -2), (2, -1), (2, 2), (2, -2), (0, 3), (3, 0),
)
# fmt: on
# Of each shipped basis its name, and what it makes of made-up planes
GOLDEN = {"rich": ("rich-d75f83465b674e72", 2945277075), "colours": ("colours-a0528eb0f3eadae4", 938722265)}
# A head as files had before there were colours, and what its filters make of made-up planes (made at f2703fe)
EARLIER_HEAD, EARLIER_RESTORED = bytes([41, 120]) + bytes(range(1, 121)), 2381143827
SIZES = [(1, 1), (2, 3), (5, 70), (9, 64), (7, 131)]


def planes_of(count: int, height: int, width: int, seed: int = 0, spread: int = 40) -> np.ndarray:
    """Planes uint16 [T, 3, H, W] that differ a little from frame to frame, and reach both ends."""
    random = np.random.default_rng(seed)
    ground = random.integers(-spread, 1024 + spread, (1, 3, height, width))
    return np.clip(ground + random.integers(-spread, spread + 1, (count, 3, height, width)), 0, 1023).astype(np.uint16)


def chosen_of(seed: int = 0, most: int = 3000, colours: int = 5, sets: int = 3) -> filters.Chosen:
    random = np.random.default_rng(seed)
    return filters.Chosen(
        random.integers(0, 1024, (colours, 3)).astype(np.int16),
        random.integers(0, sets, colours).astype(np.uint8),
        random.integers(-most, most + 1, (sets, 3, 6, 108)).astype(np.int16),
    )


def reference(before, current, after, chosen, threshold):
    """docs/format/restoration.md in numpy, a sample at a time in arrays of 64 bits."""
    wide = [
        np.pad(one.astype(np.int64) * 16, ((0, 0), (3, 3), (3, 3)), mode="edge") for one in (before, current, after)
    ]
    height, width = current.shape[1:]

    def at(which, plane, down=0, right=0):
        return wide[which][plane, 3 + down : 3 + down + height, 3 + right : 3 + right + width]

    def near(values):  # sums over 3x3
        padded_height, padded_width = values.shape
        return sum(values[i : padded_height - 2 + i, j : padded_width - 2 + j] for i in range(3) for j in range(3))

    inner = (slice(None), slice(2, -2), slice(2, -2))
    unlike = {side: near(np.abs(wide[side][inner] - wide[1][inner]).sum(0)) for side in (0, 2)}
    limits = (threshold + 3) // 4, (threshold + 1) // 2, threshold, 2 * threshold, 4 * threshold
    restored = np.empty_like(current)
    palette = chosen.palette.astype(np.int64)
    nearest = np.abs(current[:, None].astype(np.int64) - palette.T[..., None, None]).sum(0).argmin(0)
    lacks = 16 * np.moveaxis(palette[nearest], 2, 0) - wide[1][:, 3:-3, 3:-3]
    far = np.abs(lacks).max(0)
    for plane in range(3):
        features = []
        for which, pairs, some in ((plane, PAIRS, limits), (int(plane == 0), PAIRS[:6], (limits[1], limits[3]))):
            centre = at(1, which)
            for down, right in pairs:
                one, other = at(1, which, down, right) - centre, at(1, which, -down, -right) - centre
                features += [np.clip(one, -limit, limit) + np.clip(other, -limit, limit) for limit in some]
        for side in (0, 2):
            beside = at(side, plane) - at(1, plane)
            features += [np.clip(beside, -limit, limit) for limit in limits]
            for limit in limits[:4]:
                gate = 256 - ((np.minimum(unlike[side], 54 * threshold) * ((256 << 12) // (27 * limit))) >> 12)
                features.append((beside * np.maximum(gate, 0)) >> 8)
            mean = (near(wide[side][inner][plane] - wide[1][inner][plane]) * 7282) >> 16
            features += [np.clip(mean, -limit, limit) for limit in (limits[1], limits[3])]
        gate = 256 - ((np.minimum(far, 2 * threshold) * ((256 << 12) // (2 * threshold))) >> 12)
        features.append(np.full((height, width), threshold))
        features += [np.clip(lacks[plane], -limit, limit) for limit in (limits[1], limits[3])]
        features.append((lacks[plane] * gate) >> 8)
        activity = sum(np.abs(at(1, plane, i, j) - at(1, plane)) for i in (-1, 0, 1) for j in (-1, 0, 1))
        least = np.minimum(unlike[0], unlike[2])
        limits_of_classes = least > 81 * threshold // 20, least > 108 * threshold // 5, activity > 12 * threshold
        classes = np.einsum("nhw,n->hw", np.stack(limits_of_classes).astype(np.int64), np.array([1, 1, 3]))
        weights = chosen.weights[chosen.set_of[nearest], plane, classes].astype(np.int64)
        sums = np.einsum("fhw,hwf->hw", np.stack(features), weights)
        restored[plane] = np.clip(current[plane].astype(np.int64) + ((sums + (1 << 16)) >> 17), 0, 1023)
    return restored


@pytest.mark.parametrize("height, width", SIZES)
@pytest.mark.parametrize("strength", [0, 30, 63])
def test_the_kernel_does_as_the_page_says(height, width, strength):
    planes, chosen = planes_of(3, height, width), chosen_of()
    threshold = filters.THRESHOLDS[strength]
    three = tuple(map(filters.widened, planes))
    found = filters.Filters(height, width).restored(three, chosen, threshold)
    assert np.array_equal(found, reference(*planes, chosen, threshold))


def test_the_first_frame_and_the_last_have_one_beside_them_and_a_lone_one_itself():
    planes, chosen = planes_of(4, 6, 9), chosen_of()
    found = list(filters.Filters(6, 9).all_restored(planes, chosen, 40))
    around = [(1, 0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 2)]
    for frame, places in zip(found, around, strict=True):
        assert np.array_equal(frame, reference(*planes[list(places)], chosen, filters.THRESHOLDS[40]))
    (alone,) = filters.Filters(6, 9).all_restored(planes[:1], chosen, 40)
    assert np.array_equal(alone, reference(*planes[[0, 0, 0]], chosen, filters.THRESHOLDS[40]))


def test_restored_frames_are_those_of_every_machine():
    """With the shipped bases, whose digests stand in headers: these files decode for ever."""
    for name, golden in GOLDEN.items():
        basis = group.shipped(name)
        sets = 3 if basis.has_colours else 1
        coefficients = np.random.default_rng(5).integers(-2, 3, (18 * sets, len(basis.vectors)))
        weights = basis.weights(coefficients.reshape(sets, 18, -1))
        made = chosen_of(colours=7, sets=sets)
        chosen = filters.Chosen(made.palette, made.set_of, weights)
        out = filters.Filters(24, 40).all_restored(planes_of(5, 24, 40, spread=200), chosen, 44)
        assert (basis.name, zlib.crc32(np.stack(list(out)).tobytes())) == golden


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000))
def test_filters_come_back(seed):
    basis = group.shipped()
    random = np.random.default_rng(seed)
    sets = int(random.integers(1, 17))
    made = chosen_of(seed, colours=int(random.integers(1, 65)), sets=sets)
    coefficients = np.rint(random.laplace(0, random.choice([0.01, 0.1, 1, 6]), (sets, 18, len(basis.vectors))))
    coefficients = np.clip(coefficients.astype(np.int64), -group.MOST, group.MOST)
    found = group.decoded(basis, group.coded(basis, made.palette, made.set_of, coefficients))
    assert np.array_equal(found.palette, made.palette) and np.array_equal(found.set_of, made.set_of)
    assert np.array_equal(found.weights, basis.weights(coefficients))


def test_a_colour_of_a_set_that_is_not_there_is_refused():
    basis = group.shipped()
    made = chosen_of(colours=4, sets=3)
    content = group.coded(basis, made.palette, np.full(4, 3), np.zeros((3, 18, len(basis.vectors)), np.int64))
    with pytest.raises(FormatError, match="set below 3"):
        group.decoded(basis, content)


def test_heads_of_files_without_colours_are_read():
    """The basis of files made before there were colours: 18 rows of coefficients, and nothing else."""
    basis = group.shipped("rich")
    restored, rest = coding.parted(basis, EARLIER_HEAD + b"stream", Geometry(48, 40))
    assert rest == b"stream"
    out = np.stack(list(restored(planes_of(3, 40, 48, spread=200))))
    assert zlib.crc32(out.tobytes()) == EARLIER_RESTORED


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_any_head_restores_or_is_refused(data):
    planes = planes_of(2, 4, 5)
    try:
        restored, rest = coding.parted(group.shipped(), data, Geometry(5, 4))
    except FormatError:
        return
    assert data.endswith(rest) and all(frame.shape == (3, 4, 5) for frame in restored(planes))


def blurred_group(count: int = 6):
    """Source planes, and what a coder that blurs them leaves."""
    source = planes_of(count, 40, 48, spread=3).astype(float)
    decoded = sum(np.roll(source, (i, j), (2, 3)) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 9
    return source.astype(np.uint16), np.rint(0.6 * source + 0.4 * decoded).astype(np.uint16)


def head_of(source, decoded, stream_bytes: int) -> bytes:
    return coding.head_of(
        group.shipped(), lambda: decoded, source.__getitem__, strength=40,
        stream_bytes=stream_bytes, effort=1,
    )  # fmt: skip


def test_filters_are_chosen_where_they_help_and_are_worth_their_bytes():
    source, decoded = blurred_group()
    head = head_of(source, decoded, 100_000)
    restored, rest = coding.parted(group.shipped(), head + b"stream", Geometry(48, 40))
    better = np.stack(list(restored(decoded)))
    assert rest == b"stream" and 50 < len(head) < 800
    error = [np.square(source.astype(float) - planes).mean() for planes in (decoded, better)]
    assert error[1] < 0.7 * error[0]
    assert head_of(source, decoded, 10) == coding.NOTHING, "no filter is worth its bytes in a group of ten"
    assert head_of(source, source, 100_000) == coding.NOTHING, "nothing is lacking"


def test_colours_are_those_that_pictures_have():
    colours = np.array([[100, 500, 520], [900, 512, 512], [400, 700, 300]], np.int16)
    planes = np.repeat(np.moveaxis(colours[np.random.default_rng(1).integers(0, 3, (30, 40))], 2, 0)[None], 2, 0)
    found = choice.palette_of(planes.astype(np.uint16), 16)
    assert len(found) == 3, "there are no more"
    assert np.abs(found[:, None] - colours).max(2).min(0).max() <= 8, "bins of colours are 16 wide"
    assert len(choice.palette_of(planes_of(1, 30, 40), 5)) == 5


def test_a_basis_is_learned_and_kept(tmp_path):
    groups = []
    for seed in range(3):
        source, decoded = blurred_group(4)
        decoded = np.clip(decoded + np.random.default_rng(seed).integers(-3, 4, decoded.shape), 0, 1023)
        decoded = decoded.astype(np.uint16)
        palette = choice.palette_of(decoded, 6)
        groups.append(statistics_of(decoded, source.__getitem__, 40, palette, row_step=1))
    basis = training.learned(groups, 8, "test")
    training.save(basis, tmp_path / "test.safetensors")
    kept = group.basis_of((tmp_path / "test.safetensors").read_bytes(), "test")
    assert np.array_equal(kept.vectors, basis.vectors) and np.array_equal(kept.probabilities, basis.probabilities)
    assert kept.name.startswith("test-") and len(kept.name) == 21
    candidates = list(choice.candidates_of(kept, palette, groups[-1], 20_000))
    assert [len(one.chosen.weights) for one in candidates] == [6, 4, 3, 2, 1]
    gains = choice.tried(candidates, decoded, source.__getitem__, 40, 1)
    assert min(gains) > 1 and gains[0] >= gains[-1]


@pytest.mark.parametrize("content", [b"", b"{}", bytes(100), bytes(1 << 21)])
def test_other_weights_are_refused(content):
    with pytest.raises(ModelError):
        group.basis_of(content, "test")


@pytest.mark.parametrize("name", ["rich-0000000000000000", "colours-0", "x", "", None, 7, ["rich"]])
def test_a_basis_that_is_not_here_is_refused(name):
    with pytest.raises(ModelError, match="does not have"):
        group.named(name)
