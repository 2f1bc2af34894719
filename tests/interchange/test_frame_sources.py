"""Recordings of frames in other programs' files: what is found in them, and every frame of it."""

import io
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

from lvc.errors import InputError, OptionError
from lvc.interchange.frame_arrays import layout_of
from lvc.interchange.frame_sources import recordings_in

COUNT = 12
FRAMES = np.random.default_rng(1).integers(0, 256, (COUNT, 16, 24, 3), np.uint8)


def frames_of(recording, lost=None):
    parts = list(pickle.loads(pickle.dumps(recording)).frames(lost))
    return np.concatenate([pictures for pictures, _ in parts]), [tick for _, ticks in parts for tick in ticks or ()]


def only(source, **options):
    (found,) = recordings_in(source, **options)
    return found


def check(recording, frames=FRAMES):
    assert (recording.count, recording.width, recording.height) == (len(frames), 24, 16)
    assert np.array_equal(frames_of(recording)[0], frames)


def image_bytes(frame, form="PNG"):
    file = io.BytesIO()
    Image.fromarray(frame).save(file, form)
    return file.getvalue()


# HDF5


@pytest.fixture
def h5py():
    return pytest.importorskip("h5py")


def test_demonstrations_of_robots(tmp_path, h5py):
    with h5py.File(tmp_path / "demos.hdf5", "w") as file:
        for number in (10, 2):
            demo = file.create_group(f"data/demo_{number}")
            demo["obs/agentview_image"] = FRAMES[:number]
            demo["obs/wrist_image"] = FRAMES[:number].transpose(0, 3, 1, 2)
            demo["actions"] = np.zeros((number, 7))
            demo["states"] = np.zeros((number, 45))
    found = recordings_in(tmp_path / "demos.hdf5")
    assert [one.key for one in found] == [
        f"data/demo_{number}/obs/{name}_image" for number in (2, 10) for name in ("agentview", "wrist")
    ]
    for one, number in zip(found, (2, 2, 10, 10)):
        check(one, FRAMES[:number])
    chosen = recordings_in(tmp_path / "demos.hdf5", key="data/*/obs/agentview_image")
    assert [one.name for one in chosen] == [
        "demos_data_demo_2_obs_agentview_image",
        "demos_data_demo_10_obs_agentview_image",
    ]
    with pytest.raises(InputError, match="none_such"):
        recordings_in(tmp_path / "demos.hdf5", key="none_such*")


def test_a_data_set_for_each_frame(tmp_path, h5py):
    with h5py.File(tmp_path / "shooter.hdf5", "w") as file:
        for number in range(COUNT):
            file[f"frame_{number}_x"] = FRAMES[number]
            file[f"frame_{number}_y"] = np.zeros(51)
    recording = only(tmp_path / "shooter.hdf5")
    assert recording.key == "frame_#_x"
    check(recording)


def test_minaris_folder(tmp_path, h5py):
    (tmp_path / "set/data").mkdir(parents=True)
    with h5py.File(tmp_path / "set/data/main_data.hdf5", "w") as file:
        for number in range(2):
            file[f"episode_{number}/observations/image"] = FRAMES[number:]
            file[f"episode_{number}/rewards"] = np.zeros(COUNT)
    found = recordings_in(tmp_path / "set")
    assert [one.key for one in found] == [f"episode_{number}/observations/image" for number in range(2)]
    check(found[1], FRAMES[1:])


def test_grey_floats_and_a_fourth_channel(tmp_path, h5py):
    grey = np.repeat(FRAMES[..., :1], 3, axis=3)
    with h5py.File(tmp_path / "layouts.h5", "w") as file:
        file["grey"] = FRAMES[..., 0]
        file["ones"] = (FRAMES / 255).astype(np.float32)
        file["levels"] = FRAMES.astype(np.float32)
        file["between"] = (FRAMES[:, :, :, :] / 255 * 0.9).astype(np.float32)
        file["opaque"] = np.concatenate([FRAMES, np.full((COUNT, 16, 24, 1), 255, np.uint8)], axis=3)
        file["clear"] = np.concatenate([FRAMES, np.zeros((COUNT, 16, 24, 1), np.uint8)], axis=3)
        file["beyond"] = FRAMES.astype(np.float32) * 2
        file["nan"] = np.full((2, 16, 24, 3), np.nan)
    found = {one.key: one for one in recordings_in(tmp_path / "layouts.h5")}
    check(found["grey"], grey)
    for name, expected in (("ones", FRAMES), ("levels", FRAMES), ("opaque", FRAMES)):
        lost = set()
        assert np.array_equal(frames_of(found[name], lost)[0], expected)
    lost = set()
    recording = found["between"]
    pictures = np.concatenate([pictures for pictures, _ in recording.frames(lost)])
    assert np.array_equal(pictures, np.rint(FRAMES * 0.9)) and any("8 bits" in one for one in lost)
    for name in ("clear", "beyond", "nan"):
        with pytest.raises(InputError):
            frames_of(found[name])


def test_zarr_with_episodes(tmp_path):
    zarr = pytest.importorskip("zarr")
    root = zarr.open(str(tmp_path / "replay.zarr"), mode="w")
    for name, values in (
        ("data/img", FRAMES.astype(np.float32)),
        ("data/action", np.zeros((COUNT, 2))),
        ("meta/episode_ends", np.array([5, 12])),
    ):
        root[name] = values
    check(only(tmp_path / "replay.zarr"))
    first, second = recordings_in(tmp_path / "replay.zarr", episode_ends="meta/episode_ends")
    check(first, FRAMES[:5])
    check(second, FRAMES[5:])
    assert second.name == "replay_data_img_episode_000001"
    root["meta/wrong"] = np.array([5, 11])
    with pytest.raises(InputError, match="frame 11 of 12"):
        recordings_in(tmp_path / "replay.zarr", episode_ends="meta/wrong")
    with pytest.raises(InputError):
        recordings_in(tmp_path / "replay.zarr", episode_ends="meta/none")


# numpy's files


def test_arrays_of_numpy_are_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("lvc.interchange.frame_arrays.BLOCK_BYTES", 5 * FRAMES[0].nbytes)
    np.savez_compressed(
        tmp_path / "a.npz",
        frames=FRAMES,
        planes=FRAMES.transpose(0, 3, 1, 2),
        columns=np.asfortranarray(FRAMES),
        action=np.zeros(COUNT),
    )
    np.save(tmp_path / "a.npy", FRAMES)
    found = recordings_in(tmp_path / "a.npz")
    assert [one.key for one in found] == ["frames", "planes", "columns"]
    for one in (*found, only(tmp_path / "a.npy")):
        check(one)
    assert [len(pictures) for pictures, _ in found[0].frames()] == [5, 5, 2]


def test_objects_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "objects.npz", frames=np.array([FRAMES, None], dtype=object))
    np.save(tmp_path / "objects.npy", np.array([None]))
    for name in ("objects.npz", "objects.npy"):
        with pytest.raises(InputError):
            recordings_in(tmp_path / name)


# Pictures


def test_folders_of_pictures(tmp_path):
    for folder, count in (("run 1", 11), ("run 2", 3)):
        (tmp_path / "runs" / folder).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "runs" / folder / f"frame_{number}.png").write_bytes(image_bytes(FRAMES[number]))
    first, second = recordings_in(tmp_path / "runs")
    check(first, FRAMES[:11])
    check(second, FRAMES[:3])
    assert (first.name, second.name) == ("runs_run_1", "runs_run_2")
    check(only(tmp_path / "runs", key="run 2"), FRAMES[:3])
    (tmp_path / "runs/run 2/frame_9.png").write_bytes(image_bytes(FRAMES[0, :8]))
    with pytest.raises(InputError, match="24x8 among"):
        frames_of(recordings_in(tmp_path / "runs", key="run 2")[0])


def test_tars_of_samples(tmp_path):
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        for number in range(COUNT):
            for name, data in (
                (f"{number:04d}.png", image_bytes(FRAMES[number])),
                (f"{number:04d}.json", b"{}"),
                (f"side/{number:04d}.png", image_bytes(FRAMES[-1 - number])),
            ):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    front, side = recordings_in(tmp_path / "shard.tar")
    check(front)
    check(side, FRAMES[::-1])
    assert (front.name, side.name) == ("shard", "shard_side")


@pytest.mark.parametrize(
    ("suffix", "options"), [(".gif", {}), (".webp", {"lossless": True, "method": 0, "minimize_size": False})]
)
def test_moving_pictures_have_times(tmp_path, suffix, options):
    few = FRAMES // 128 * 255  # eight colours, which GIF keeps
    durations = [40, 100, 20, 50] * 3
    path = tmp_path / f"moving{suffix}"
    Image.fromarray(few[0]).save(
        path,
        save_all=True,
        append_images=[Image.fromarray(frame) for frame in few[1:]],
        duration=durations,
        loop=0,
        **options,
    )
    recording = only(path)
    check(recording, few)
    assert (
        frames_of(recording)[1] == [sum(durations[:number]) for number in range(COUNT)]
        and recording.frame_duration == 40
    )


# What is no such thing


@pytest.mark.parametrize("name", ["a.h5", "a.npz", "a.npy", "a.tar", "a.gif", "a.webp", "a.zip"])
@pytest.mark.parametrize("data", [b"", b"no such thing" * 50], ids=["empty", "other"])
def test_damaged_sources_are_told_in_one_line(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises((InputError, OptionError)) as error:
        recordings_in(tmp_path / name)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_sources_without_frames(tmp_path):
    np.save(tmp_path / "table.npy", np.zeros((12, 16, 24, 3), np.int64))
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "table.npy", tmp_path / "empty", tmp_path / "none.h5", tmp_path / "notes.txt"):
        with pytest.raises(InputError, match=source.name):
            recordings_in(source)


def test_layouts():
    def order(*shape, kind=np.uint8):
        found = layout_of(shape, np.dtype(kind))
        return None if found is None else (found.order, found.count, found.height, found.width, found.channels)

    assert order(5, 16, 24, 3) == ("HWC", 5, 16, 24, 3)
    assert order(5, 3, 16, 24) == ("CHW", 5, 16, 24, 3)
    assert order(5, 16, 24) == ("HW", 5, 16, 24, 1)
    assert order(16, 24, 3) == ("HWC", 1, 16, 24, 3)
    assert order(5, 16, 24, 1, kind=np.float32) == ("HWC", 5, 16, 24, 1)
    for shape in ((5,), (5, 16), (0, 16, 24, 3), (5, 16, 24, 2), (5, 4, 4, 3), (5, 1, 16, 24, 3)):
        assert order(*shape) is None
    assert order(5, 16, 24, kind=np.float32) is None and order(5, 16, 24, 3, kind=np.uint16) is None
