"""Reading data sets at random, in this process and in others."""

import json
import multiprocessing
import pickle

import numpy as np
import pytest

from lvc.dataset.build import build_dataset, find_videos
from lvc.dataset.read import FrameSource, FrameStore
from lvc.dataset.split import NamedSplit
from lvc.errors import InputError, OptionError
from lvc.frames import Geometry
from lvc.video.sample import Sampling, sampled_frames

SAMPLING = Sampling(every=1, geometry=Geometry(48, 32))


@pytest.fixture(scope="module")
def store(tmp_path_factory, make_recording, gameplay):
    folder = tmp_path_factory.mktemp("read")
    for number, count in enumerate((20, 35, 3, 18)):
        make_recording(folder / "in" / f"{number}.mp4", gameplay(count, seed=number))
    sources = find_videos([folder / "in"])
    for _ in build_dataset(sources, folder / "out", sampling=SAMPLING, split=NamedSplit(validation=("3.mp4",))):
        pass
    return FrameStore(folder / "out")


@pytest.fixture(scope="module")
def truth(store):
    """All training frames as sampling gives them."""
    paths = [store.folder.parent / "in" / f"{number}.mp4" for number in range(3)]
    return np.concatenate([batch.data for path in paths for batch in sampled_frames(path, SAMPLING)]).transpose(
        0, 3, 1, 2
    )


def test_frames_are_numbered_through_the_recordings_of_a_split(store, truth):
    train = store.split("train")
    assert len(train) == 58
    assert train.videos == [("0.mp4", 20), ("1.mp4", 35), ("2.mp4", 3)]
    assert np.array_equal(train.frames(range(58)), truth)
    assert len(store.split("validation")) == 18
    assert len(store.split("test")) == 0
    assert train.geometry == Geometry(48, 32)


def test_random_frames_in_any_order_and_repeated(store, truth):
    chosen = np.random.default_rng(0).integers(0, 58, 200)
    assert np.array_equal(store.split("train").frames(chosen), truth[chosen])


def test_no_frames_of_no_numbers(store):
    assert store.split("train").frames([]).shape == (0, 3, 32, 48)


@pytest.mark.parametrize("number", [-1, 58, 10**12])
def test_numbers_outside_are_index_errors(store, number):
    with pytest.raises(IndexError, match=f"frame {number} of 58"):
        store.split("train").frames([0, number])


def test_clips_stay_within_a_recording(store):
    train = store.split("train")
    assert train.clips(4) == [*range(17), *range(20, 52)]
    assert train.clips(4, stride=4) == [0, 4, 8, 12, 16, *range(20, 52, 4)]
    assert train.clips(36) == []
    with pytest.raises(OptionError):
        train.clips(0)


def test_a_recording_by_name_with_timestamps(store, truth):
    batch = store.split("train").video("1.mp4", 5, 9)
    assert np.array_equal(batch.data, truth[25:29].transpose(0, 2, 3, 1))
    assert [float(second) for second in batch.pts_seconds] == pytest.approx([5 / 30, 6 / 30, 7 / 30, 8 / 30])
    with pytest.raises(KeyError):
        store.split("train").video("3.mp4")


def test_unknown_splits_are_refused(store):
    with pytest.raises(OptionError, match="train, validation, test"):
        store.split("training")


def test_a_small_cache_changes_no_frame(store, truth):
    train = store.split("train")
    poor = FrameSource(train.folder, train.entries, train.geometry, cache_bytes=0)
    chosen = np.random.default_rng(1).integers(0, 58, 100)
    assert np.array_equal(poor.frames(chosen), truth[chosen])
    assert len(poor.stills) == 1


def test_many_recordings_keep_few_files_open(store, truth, monkeypatch):
    monkeypatch.setattr("lvc.dataset.read.OPEN_FILES", 2)
    train = store.split("train")
    chosen = np.random.default_rng(2).integers(0, 58, 100)
    assert np.array_equal(train.frames(chosen), truth[chosen])
    assert len(train.files) == 2


def send_frames(source, numbers, pipe):
    pipe.send(source.frames(numbers))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_read_beside_each_other(store, truth, method):
    train = store.split("train")
    train.frames([0, 30])  # files are open and backgrounds cached when the copies are made
    context = multiprocessing.get_context(method)
    chosen = np.random.default_rng(3).integers(0, 58, 50).tolist()
    ends = []
    for _ in range(2):
        here, there = context.Pipe()
        process = context.Process(target=send_frames, args=(train, chosen, there))
        process.start()
        ends.append((process, here))
    mine = train.frames(chosen)
    for process, end in ends:
        assert np.array_equal(end.recv(), truth[chosen])
        process.join(20)
        assert process.exitcode == 0
    assert np.array_equal(mine, truth[chosen])


def test_pickles_carry_no_files_and_no_frames(store):
    train = store.split("train")
    empty = len(pickle.dumps(train))
    train.frames(range(58))
    assert len(pickle.dumps(train)) == empty


def test_a_folder_that_is_no_data_set(tmp_path):
    with pytest.raises(InputError, match=r"no data set: it has no manifest\.json"):
        FrameStore(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(version=2),
        lambda content: content.update(format="other"),
        lambda content: content.pop("videos"),
        lambda content: content["videos"][0].update(file="../../etc/passwd"),
        lambda content: content["videos"][0].update(file="/etc/passwd"),
        lambda content: content["videos"][0].update(split="holiday"),
        lambda content: content["videos"][0].update(time_base="1/0"),
        lambda content: content["videos"][0].update(pts=None),
        lambda content: content["sampling"].update(width=0),
    ],
)
def test_damaged_manifests_are_refused(store, tmp_path, change):
    content = json.loads((store.folder / "manifest.json").read_text())
    change(content)
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"manifest\.json: "):
        FrameStore(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000])
def test_manifests_that_are_no_json_objects_are_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json: "):
        FrameStore(tmp_path)


def test_a_frame_file_that_does_not_fit_the_manifest_is_named(store, tmp_path):
    content = json.loads((store.folder / "manifest.json").read_text())
    content["videos"][0]["pts"].append(10**9)
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    (tmp_path / "frames").symlink_to(store.folder / "frames")
    with pytest.raises(InputError, match=r"0\.mp4\.frames: 20 frames of 48x32, where the manifest says 21"):
        FrameStore(tmp_path).split("train").frames([0])
