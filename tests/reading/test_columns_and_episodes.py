"""Actions beside frames, episodes inside files, and the orders in which a trainer reads them."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import lvc
from lvc.frames import FrameBatch, Geometry
from lvc.reading.columns import READERS

SMALL = Geometry(40, 32)
TENTH = Fraction(1, 10)
COUNTS = {"a": 13, "b": 7}
# Episodes of 5, 4, 4 and 7 frames.
DONE = {"a": np.isin(np.arange(13), [4, 8, 12]), "b": np.arange(7) == 6}
NUMBER = {"a": np.repeat([3, 4, 5], [5, 4, 4]).astype(np.uint16), "b": np.full(7, 6, np.uint16)}
STARTS = [0, 5, 9, 13]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two recordings of ten frames a second in groups of four, with tables of each form beside them."""
    h5py, pyarrow = pytest.importorskip("h5py"), pytest.importorskip("pyarrow")
    from pyarrow import parquet

    folder = tmp_path_factory.mktemp("episodes")
    for name, count in COUNTS.items():
        frames = np.random.default_rng(count).integers(0, 256, (count, 32, 40, 3), np.uint8)
        with lvc.Writer(
            folder / f"{name}.lvc", geometry=SMALL, time_base=TENTH, frame_duration=1, model="lossless", keyint=4
        ) as writer:
            writer.write(FrameBatch(frames, tuple(range(count)), TENTH))
        table = {
            "action": 100 * count + np.arange(count),
            "stick": np.arange(2.0 * count, dtype=np.float32).reshape(count, 2),
            "done": DONE[name],
            "episode": NUMBER[name],
        }
        np.savez(folder / f"{name}.npz", text=np.array(["left"] * count), **table)
        with h5py.File(folder / f"{name}.h5", "w") as file:
            for column, values in table.items():
                file[column] = values
            file["text"] = "no column"
        parquet.write_table(
            pyarrow.table({column: values.tolist() for column, values in table.items()}), folder / f"{name}.parquet"
        )
    return folder


def dataset_of(folder, **options):
    return lvc.FrameDataset(folder, **options)


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".parquet"])
def test_columns_come_with_the_frames_of_a_window(folder, suffix):
    dataset = dataset_of(folder, columns=suffix, delta_timestamps=[-0.1, 0, 0.2])
    first, later = dataset.__getitems__([0, 15])
    assert first["action"].tolist() == [1300, 1300, 1302] and first["is_pad"].tolist() == [True, False, False]
    assert later["action"].tolist() == [701, 702, 704] and later["frame_index"] == 2
    assert later["stick"].tolist() == [[2, 3], [4, 5], [8, 9]]
    assert later["done"].dtype == torch.bool and "text" not in later
    batch = next(iter(DataLoader(dataset, batch_size=4)))
    assert batch["action"].shape == (4, 3) and batch["stick"].shape == (4, 3, 2)


def test_chosen_columns_alone(folder):
    item = dataset_of(folder, columns=lvc.Columns(".npz", names="action"))[3]
    assert item["action"].tolist() == [1303] and not {"stick", "done"} & item.keys()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_rows_at_times_of_their_own(folder, tmp_path, kind):
    """Actions every 1/20 s from half a frame before the first on, whose times were rounded."""
    for name, count in COUNTS.items():
        times = np.arange(-1, 2 * count) / 20
        np.savez(tmp_path / f"{name}.npz", timestamp=times.astype(kind), action=np.arange(-1, 2 * count))
    columns = lvc.Columns(lambda file: tmp_path / file.with_suffix(".npz").name, by="time")
    dataset = dataset_of(folder, columns=columns)
    assert [item["action"].item() for item in dataset] == [
        2 * number for count in COUNTS.values() for number in range(count)
    ]


@pytest.mark.parametrize("column", ["done", "episode"])
def test_windows_stay_inside_their_episode(folder, column):
    dataset = dataset_of(folder, columns=".npz", episodes=column, delta_timestamps=[-0.2, 0, 0.1])
    assert dataset.episode_starts.tolist() == STARTS
    for index, (numbers, is_pad, episode) in {
        4: ([2, 4, 4], [False, False, True], 0),
        5: ([5, 5, 6], [True, False, False], 1),
        8: ([6, 8, 8], [False, False, True], 1),
        9: ([9, 9, 10], [True, False, False], 2),
        12: ([10, 12, 12], [False, False, True], 2),
        13: ([0, 0, 1], [True, False, False], 3),
    }.items():
        item = dataset[index]
        assert item["pts_seconds"].tolist() == [number / 10 for number in numbers]
        assert item["is_pad"].tolist() == is_pad and item["episode_index"] == episode


def test_a_frame_that_is_shown_long_does_not_reach_into_the_next_episode(folder):
    dataset = dataset_of(folder, columns=".npz", episodes="done", delta_timestamps=[0.04, 0.05, 0.14], match="shown")
    # Half a tick is the tolerance: 0.05 later the next frame is shown, unless that is of the next episode.
    assert dataset[3]["pts_seconds"].tolist() == [0.3, 0.4, 0.4] and not dataset[3]["is_pad"].any()
    assert dataset[4]["pts_seconds"].tolist() == [0.4, 0.4, 0.4] and dataset[4]["is_pad"].tolist() == [
        False,
        False,
        True,
    ]


def test_without_a_column_each_file_is_an_episode(folder):
    dataset = dataset_of(folder)
    assert dataset.episode_starts.tolist() == [0, 13] and dataset[13]["episode_index"] == 1


def test_tables_that_do_not_go_with_their_file(folder, tmp_path):
    def opened(**arrays):
        for name in COUNTS:
            np.savez(tmp_path / f"{name}.npz", **arrays)
        columns = {"beside": lambda file: tmp_path / file.with_suffix(".npz").name}
        return lambda episodes="done", **options: dataset_of(
            folder, columns=lvc.Columns(**columns, **options), episodes=episodes
        )

    flags = np.zeros(13, bool)
    with pytest.raises(lvc.InputError, match="12 rows for 13 frames"):
        opened(done=flags[:12])()
    with pytest.raises(lvc.InputError, match="no column 'done'"):
        opened(action=flags)()
    with pytest.raises(lvc.InputError, match="13 rows of 'done' and 14 of 'action'"):
        opened(done=flags, action=np.zeros(14))()
    with pytest.raises(lvc.OptionError, match="named 'index'"):
        opened(done=flags, index=np.arange(13))()
    with pytest.raises(lvc.OptionError, match="bool"):
        opened(done=np.zeros((13, 2)))()
    with pytest.raises(lvc.InputError, match="do not increase"):
        opened(done=flags, timestamp=np.arange(13)[::-1])(by="time")
    with pytest.raises(lvc.InputError, match="no row at 0 s"):
        opened(done=flags, timestamp=np.arange(1, 14))(by="time")
    with pytest.raises(lvc.InputError, match="numbers"):
        opened(done=flags, action=np.array(["left"] * 13))(names=("action", "done"))
    (tmp_path / "a.npz").write_bytes(b"no archive")
    with pytest.raises(lvc.InputError, match=r"a\.npz"):
        dataset_of(folder, columns=lvc.Columns(lambda _: tmp_path / "a.npz"), episodes="done")
    with pytest.raises(lvc.InputError, match="no such table"):
        dataset_of(folder, columns=lvc.Columns(lambda _: tmp_path / "none.npz"), episodes="done")
    with pytest.raises(lvc.OptionError, match="csv"):
        dataset_of(folder, columns=".csv")
    with pytest.raises(lvc.OptionError, match="no columns"):
        dataset_of(folder, episodes="done")


@pytest.mark.parametrize("suffix", sorted(READERS))
def test_tables_of_no_bytes_are_told_in_one_line(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"")
    with pytest.raises(lvc.InputError, match="cannot be read"):
        lvc.Columns(suffix).read(tmp_path / "a.lvc")


# Layouts


@pytest.mark.parametrize("order", ["NCHW", "NHWC"])
def test_floats_and_transforms(folder, order):
    plain = dataset_of(folder, dimension_order=order)[5]["frames"]
    floats = dataset_of(folder, dimension_order=order, output_dtype=torch.float32, frame_cache_bytes=1 << 20)
    for _ in range(2):  # decoded, and kept
        assert torch.equal(floats[5]["frames"], plain.float() / 255)
    assert dataset_of(folder, transform=lambda item: (item["frames"].shape, item["index"]))[5] == ((1, 3, 32, 40), 5)
    for wrong in ({"output_dtype": torch.float64}, {"transform": "crop"}):
        with pytest.raises(lvc.OptionError):
            dataset_of(folder, **wrong)


# Orders


def test_episodes_are_sampled_in_order_or_mixed(folder):
    dataset = dataset_of(folder, columns=".npz", episodes="done")
    assert list(lvc.EpisodeSampler(dataset)) == list(range(20))
    assert list(lvc.EpisodeSampler(dataset, episodes=[2, 0], drop_first=1, drop_last=2)) == [10, 1, 2]
    mixed = lvc.EpisodeSampler(dataset, episodes=[1, 3], shuffle=True, seed=4)
    first = list(mixed)
    assert (
        sorted(first) == [*range(5, 9), *range(13, 20)]
        and first == list(mixed)
        and first != sorted(first)
        and len(mixed) == 11
    )
    mixed.set_epoch(1)
    assert sorted(mixed) == sorted(first) and list(mixed) != first
    assert [
        item["action"].item()
        for item in map(dataset.__getitem__, lvc.EpisodeSampler(dataset, episodes=[3], drop_last=5))
    ] == [700, 701]
    for wrong in ({"episodes": [4]}, {"drop_first": -1}, {"drop_last": 9}):
        with pytest.raises(lvc.OptionError):
            lvc.EpisodeSampler(dataset, **wrong)


def numbers_of(loader):
    return [index for batch in loader for index in batch["index"].tolist()]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_buffer_gives_each_item_once_an_epoch(folder, workers):
    mixed = lvc.ShuffledFrames(dataset_of(folder), buffer_items=6, seed=1)
    loader = DataLoader(mixed, batch_size=3, num_workers=workers)
    first = numbers_of(loader)
    assert sorted(first) == list(range(20)) and first != sorted(first) and first == numbers_of(loader)
    mixed.set_epoch(1)
    assert sorted(second := numbers_of(loader)) == list(range(20)) and second != first


def test_ranks_share_the_groups(folder):
    dataset = dataset_of(folder, columns=".npz", episodes="done")
    parts = [lvc.ShuffledFrames(dataset, buffer_items=1, seed=2, rank=rank, world_size=3) for rank in range(3)]
    found = [[item["index"] for item in part] for part in parts]
    assert sorted(index for part in found for index in part) == list(range(20)) and [
        len(part) for part in parts
    ] == list(map(len, found))
    chosen = lvc.ShuffledFrames(dataset, sampler=lvc.EpisodeSampler(dataset, episodes=[1], drop_first=1))
    assert sorted(item["index"] for item in chosen) == [6, 7, 8] and len(chosen) == 3
    for wrong in ({"buffer_items": 0}, {"rank": 1}):
        with pytest.raises(lvc.OptionError):
            lvc.ShuffledFrames(dataset, **wrong)


def test_a_buffer_decodes_each_group_once(folder, monkeypatch):
    dataset, asked = dataset_of(folder), []
    read = lvc.FrameDataset.__getitems__
    monkeypatch.setattr(
        lvc.FrameDataset, "__getitems__", lambda self, indices: asked.append(indices) or read(self, indices)
    )
    list(lvc.ShuffledFrames(dataset, buffer_items=2))
    assert sorted(asked) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12], [13, 14, 15, 16], [17, 18, 19]]
