"""Windows of frames and latents from many files: which frames, in which shapes, in which process."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset

import lvc
from lvc.codecs.symbols import SymbolGroupDecoder
from lvc.frames import FrameBatch, Geometry

SMALL = Geometry(width=40, height=32)
MILLISECOND = Fraction(1, 1000)
FRAME = 100  # ms from frame to frame
COUNTS = {"a.lvc": 11, "deeper/b.lvc": 7}
LEVEL = 1  # batches of another size may sum floats in another order


def save_file(path, weights, pts, *, geometry=SMALL, seed=0, **options):
    path.parent.mkdir(exist_ok=True)
    frames = np.random.default_rng(seed).integers(0, 256, (len(pts), geometry.height, geometry.width, 3), np.uint8)
    with lvc.Writer(
        path, geometry=geometry, time_base=MILLISECOND, frame_duration=FRAME, model=weights, keyint=4, **options
    ) as writer:
        writer.write(FrameBatch(frames, tuple(pts), MILLISECOND))
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory, save_small):
    return save_small(tmp_path_factory.mktemp("weights") / "small.safetensors", "temporal")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, weights):
    folder = tmp_path_factory.mktemp("recordings")
    for seed, (name, count) in enumerate(COUNTS.items()):
        save_file(folder / name, weights, [50 + FRAME * number for number in range(count)], seed=seed)
    return folder


@pytest.fixture(scope="module")
def everything(folder, weights):
    """All frames of each file, by its path."""
    found = {}
    for name in COUNTS:
        with lvc.open(folder / name, model=weights) as reader:
            found[str(folder / name)] = reader[:]
    return found


def same(one, other) -> bool:
    return one.shape == other.shape and (one.int() - other.int()).abs().max() <= LEVEL


def check(item, everything, numbers, is_pad):
    assert same(item["frames"], everything[item["file"]][numbers])
    assert item["pts_seconds"].tolist() == [(50 + FRAME * number) / 1000 for number in numbers]
    assert item["is_pad"].tolist() == is_pad


def test_items_are_all_frames_of_all_files(folder, weights, everything):
    dataset = lvc.FrameDataset(folder, model=weights)
    assert len(dataset) == sum(COUNTS.values())
    items = list(dataset)
    assert [(item["index"], item["frame_index"], item["file"]) for item in items] == [
        (index, number, name)
        for index, (name, number) in enumerate(
            (name, number) for name in everything for number in range(len(everything[name]))
        )
    ]
    for item in items:
        assert item["frames"].shape == (1, 3, 32, 40) and item["frames"].dtype == torch.uint8
        check(item, everything, [item["frame_index"]], [False])
    with pytest.raises(IndexError):
        dataset[len(dataset)]
    assert dataset[-1]["index"] == len(dataset) - 1


def test_windows_are_padded_at_the_ends_of_their_own_file(folder, weights, everything):
    dataset = lvc.FrameDataset(folder, model=weights, delta_timestamps=[-0.2, -0.1, 0, 0.3])
    check(dataset[0], everything, [0, 0, 0, 3], [True, True, False, False])
    check(dataset[5], everything, [3, 4, 5, 8], [False] * 4)
    check(dataset[10], everything, [8, 9, 10, 10], [False, False, False, True])
    check(dataset[11], everything, [0, 0, 0, 3], [True, True, False, False])  # the second file's first frame


def test_a_batch_is_what_its_items_are(folder, weights):
    dataset = lvc.FrameDataset(folder, model=weights, delta_timestamps=[-0.1, 0])
    order = [17, 3, 3, 12, -1, 0]
    for item, alone in zip(dataset.__getitems__(order), (dataset[index] for index in order), strict=True):
        assert same(item.pop("frames"), alone.pop("frames"))
        assert item["index"] == alone["index"] and item["file"] == alone["file"]
        assert torch.equal(item["pts_seconds"], alone["pts_seconds"]) and torch.equal(item["is_pad"], alone["is_pad"])


@pytest.fixture(scope="module")
def irregular(tmp_path_factory, weights):
    """A file with a gap: frames at 0, 100, 200, 900, 1000 ms."""
    return save_file(tmp_path_factory.mktemp("irregular") / "gap.lvc", weights, [0, 100, 200, 900, 1000])


def numbers_at(dataset, index):
    """Which frames an item holds: those times are the file's own."""
    return [[0, 100, 200, 900, 1000].index(round(1000 * seconds)) for seconds in dataset[index]["pts_seconds"].tolist()]


def test_the_nearest_frame_within_the_tolerance(irregular, weights):
    dataset = lvc.FrameDataset(irregular, model=weights, delta_timestamps=[0.06])
    assert [numbers_at(dataset, index) for index in (0, 1, 3)] == [[1], [2], [4]]
    with pytest.raises(
        lvc.InputError, match=r"gap\.lvc: no frame within 0.05 s of 0.26.*frame 2 at 0.2.*tolerance_seconds"
    ):
        dataset[2]
    wider = lvc.FrameDataset(irregular, model=weights, delta_timestamps=[0.06, 0.3], tolerance_seconds=0.4)
    assert numbers_at(wider, 2) == [2, 2]
    assert numbers_at(lvc.FrameDataset(irregular, model=weights, delta_timestamps=[0.4], tolerance_seconds=0.4), 2) == [
        3
    ]
    strict = lvc.FrameDataset(irregular, model=weights, delta_timestamps=[0.1001], tolerance_seconds=1e-4)
    assert numbers_at(strict, 0) == [1]
    with pytest.raises(lvc.InputError):
        lvc.FrameDataset(irregular, model=weights, delta_timestamps=[0.1002], tolerance_seconds=1e-4)[0]


def test_the_frame_that_is_shown(irregular, weights):
    dataset = lvc.FrameDataset(irregular, model=weights, delta_timestamps=[-0.05, 0.09, 0.69, 0.7], match="shown")
    assert numbers_at(dataset, 2) == [1, 2, 2, 3]
    assert dataset[2]["is_pad"].tolist() == [False] * 4
    assert dataset[4]["is_pad"].tolist() == [False, False, True, True]  # the last frame is shown for its 100 ms
    assert dataset[0]["is_pad"].tolist() == [True, False, False, False]
    # Half a tick is what the time base has rounded off.
    assert numbers_at(lvc.FrameDataset(irregular, model=weights, delta_timestamps=[0.0995], match="shown"), 0) == [1]
    assert numbers_at(lvc.FrameDataset(irregular, model=weights, delta_timestamps=[0.0994], match="shown"), 0) == [0]


def test_latents_make_the_same_pixels(folder, weights):
    options = {"model": weights, "delta_timestamps": [-0.1, 0]}
    pixels, latents = lvc.FrameDataset(folder, **options), lvc.FrameDataset(folder, latents=True, **options)
    item = latents[4]
    assert "frames" not in item and item["latents"].dtype == torch.int32
    assert item["latents"].shape == (2, *item["latents"].shape[1:]) and item["parameters"].shape == (2, 0)
    assert same(latents.synthesise(item["latents"]), pixels[4]["frames"])
    batch = next(iter(DataLoader(latents, batch_size=3)))
    made = latents.synthesise(batch["latents"], parameters=batch["parameters"])
    assert made.shape == (3, 2, 3, 32, 40)
    assert same(made[2], pixels[2]["frames"])
    with pytest.raises(lvc.OptionError, match="whole numbers"):
        latents.synthesise(item["latents"].float())
    with pytest.raises(lvc.OptionError, match="whole numbers"):
        latents.synthesise(item["latents"][..., :1])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_data_loader(folder, weights, everything, method):
    dataset = lvc.FrameDataset(folder, model=weights, delta_timestamps=[-0.1, 0])
    dataset[0]  # open files and loaded weights: forked along, left out of a pickle
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(3)).tolist()
    loader = DataLoader(
        dataset, batch_size=5, sampler=order, num_workers=2, multiprocessing_context=method, timeout=120
    )
    seen = []
    for batch in loader:
        seen += batch["index"].tolist()
        assert batch["frames"].shape[1:] == (2, 3, 32, 40)
        for frames, number, file in zip(batch["frames"], batch["frame_index"].tolist(), batch["file"]):
            assert same(frames, everything[file][[max(0, number - 1), number]])
    assert seen == order


def test_pickles_and_few_open_files(folder, weights, everything):
    dataset = lvc.FrameDataset(folder, model=weights, open_files=1, cache_bytes=0)
    dataset[3]
    copied = pickle.loads(pickle.dumps(dataset))
    for item in copied.__getitems__([0, 17, 5, 12]):
        check(item, everything, [item["frame_index"]], [False])
    assert len(Subset(copied, [1, 2])) == 2


def test_dimension_order(folder, weights, everything):
    dataset = lvc.FrameDataset(folder, model=weights, dimension_order="NHWC")
    item = dataset[2]
    assert same(item["frames"], everything[item["file"]][[2]].permute(0, 2, 3, 1))


def test_files_that_do_not_go_together(folder, weights, tmp_path):
    wide = save_file(tmp_path / "wide.lvc", weights, [0], geometry=Geometry(48, 32))
    with pytest.raises(lvc.OptionError, match="wide.*48x32.*40x32"):
        lvc.FrameDataset([folder, wide])
    coarse = save_file(tmp_path / "coarse.lvc", weights, [0], crf=40)
    assert len(lvc.FrameDataset([folder, coarse], model=weights).__getitems__([0, -1])) == 2
    with pytest.raises(lvc.OptionError, match="coarse.*crf"):
        lvc.FrameDataset([folder, coarse], latents=True)


def test_what_is_no_data_set_is_told(tmp_path, folder, weights):
    for files in (tmp_path, [], tmp_path / "none.lvc"):
        with pytest.raises(lvc.InputError):
            lvc.FrameDataset(files)
    empty = save_file(tmp_path / "empty.lvc", weights, [])
    with pytest.raises(lvc.InputError, match="no frames"):
        lvc.FrameDataset(empty)
    assert len(lvc.FrameDataset([empty, folder], model=weights)[0]["frames"]) == 1
    for wrong in (
        {"delta_timestamps": []},
        {"delta_timestamps": [float("nan")]},
        {"delta_timestamps": ["0.1"]},
        {"match": "last"},
        {"tolerance_seconds": -1},
        {"cache_bytes": -1},
        {"frame_cache_bytes": 1.5},
        {"open_files": 0},
        {"dimension_order": "HW"},
    ):
        with pytest.raises(lvc.OptionError, match=next(iter(wrong))):
            lvc.FrameDataset(folder, **wrong)


def test_a_file_that_shrank_since(weights, tmp_path):
    path = save_file(tmp_path / "game.lvc", weights, range(0, 900, FRAME))
    dataset = lvc.FrameDataset(path, model=weights)
    save_file(path, weights, range(0, 300, FRAME), overwrite=True)
    with pytest.raises(lvc.InputError, match="3 frames, and 9"):
        dataset[0]


@pytest.mark.parametrize("open_files", [1, 64])
def test_each_group_is_decoded_once_however_frames_are_drawn_and_files_close(
    folder, weights, everything, monkeypatch, open_files
):
    decoded = []
    advance = SymbolGroupDecoder.advance

    def counted(self, stop):
        before = self.decoded
        advance(self, stop)
        decoded.append(self.decoded - before)

    monkeypatch.setattr(SymbolGroupDecoder, "advance", counted)
    dataset = lvc.FrameDataset(folder, model=weights, open_files=open_files)
    for epoch in range(2):
        for index in np.random.default_rng(epoch).permutation(len(dataset)):
            item = dataset[index]
            assert same(item["frames"], everything[item["file"]][[item["frame_index"]]])
    assert sum(decoded) == len(dataset)
    decoded.clear()
    forgetful = lvc.FrameDataset(folder, model=weights, open_files=open_files, cache_bytes=0)
    for index in (3, 14, 3):
        forgetful[index]
    assert sum(decoded) == 3 * 4
    again = pickle.loads(pickle.dumps(dataset))
    decoded.clear()
    again[3]
    assert sum(decoded) == 4


@pytest.mark.parametrize("order", ["NCHW", "NHWC"])
def test_kept_frames_cost_no_decoding_and_are_the_same(folder, weights, monkeypatch, order):
    options = {"model": weights, "delta_timestamps": [-0.1, 0, 0.2], "dimension_order": order, "open_files": 1}
    plain, keeping = lvc.FrameDataset(folder, **options), lvc.FrameDataset(folder, frame_cache_bytes=1 << 24, **options)
    random = np.random.default_rng(3)
    first = {index: keeping[int(index)] for index in random.permutation(len(keeping))}
    for index, item in first.items():
        assert same(item["frames"], plain[int(index)]["frames"])
    decode = lvc.Reader.latents_at
    monkeypatch.setattr(lvc.Reader, "latents_at", lambda *_: pytest.fail("a frame was decoded again"))
    batch = [int(index) for index in random.permutation(len(keeping))]
    for index, item in zip(batch, keeping.__getitems__(batch), strict=True):
        for name in ("frames", "pts_seconds", "is_pad"):
            assert torch.equal(item[name], first[index][name])
    monkeypatch.setattr(lvc.Reader, "latents_at", decode)
    smaller = lvc.FrameDataset(folder, frame_cache_bytes=1, **options)  # one group is kept at any time
    for index in [0, 12, 1, 17, 4, 4, 0]:
        mixed = smaller.__getitems__([index, 2])  # of which some frames are kept and others are not
        assert same(mixed[0]["frames"], first[index]["frames"]) and mixed[0]["index"] == index
        assert same(mixed[1]["frames"], first[2]["frames"])


def test_a_file_that_is_replaced_is_read_anew(weights, tmp_path):
    path = save_file(tmp_path / "game.lvc", weights, [0, 100, 200])
    dataset = lvc.FrameDataset(
        [path, save_file(tmp_path / "other.lvc", weights, [0], seed=7)], model=weights, open_files=1
    )
    before = dataset[1]["frames"]
    save_file(path, weights, [0, 100, 200], seed=1, overwrite=True)
    dataset[3]  # the first file is closed
    with lvc.open(path, model=weights) as reader:
        assert same(dataset[1]["frames"][0], reader[1])
    assert not same(dataset[1]["frames"], before)
