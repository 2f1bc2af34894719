"""LeRobot's own loader on a dataset that it made itself, and on what `lvc convert` makes of it and back.

Runs where LeRobot is installed, an environment of its own: `make test-lerobot LEROBOT=PYTHON`. LVC_PYTHON names the
Python that converts, since LeRobot's environment has an older PyAV.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("lerobot")
pytest.importorskip("torchcodec")

import inspect

import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset

import lvc.lerobot  # noqa: F401  its import lets the loader read .lvc files

RATE, EPISODES = 10, (11, 7, 14)
CAMERAS = "observation.images.front", "observation.images.wrist"
DELTAS = {CAMERAS[0]: [-0.2, -0.1, 0.0], "observation.state": [-0.1, 0.0], "action": [0.0, 0.1, 0.2]}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A dataset of LeRobot's own making, in the version of the release that is installed, and what it became."""
    folder = tmp_path_factory.mktemp("lerobot")
    picture = {"dtype": "video", "shape": (64, 72, 3), "names": ["height", "width", "channels"]}
    features = dict.fromkeys(CAMERAS, picture) | {
        "observation.state": {"dtype": "float32", "shape": (4,), "names": None},
        "action": {"dtype": "float32", "shape": (2,), "names": None},
    }
    made = LeRobotDataset.create("me/game", fps=RATE, root=folder / "set", features=features, use_videos=True)
    random, task_apart = np.random.default_rng(0), "task" in inspect.signature(made.add_frame).parameters
    for number, count in enumerate(EPISODES):
        for _ in range(count):
            frame = {
                camera: random.integers(0, 256, (8, 9, 3), np.uint8).repeat(8, 0).repeat(8, 1) for camera in CAMERAS
            }
            frame["observation.state"] = random.normal(size=4).astype(np.float32)
            frame["action"] = random.normal(size=2).astype(np.float32)
            task = ("run", "jump")[number % 2]
            made.add_frame(frame, task=task) if task_apart else made.add_frame({**frame, "task": task})
        made.save_episode()
    if hasattr(made, "finalize"):
        made.finalize()
    for arguments in (["set", "-o", "tiny", "--lossless"], ["tiny", "-o", "back", "--to", "mp4"]):
        command = [
            os.environ.get("LVC_PYTHON", sys.executable),
            "-m",
            "lvc",
            "convert",
            *arguments,
            "--from",
            "lerobot",
            "-q",
        ]
        subprocess.run(command, cwd=folder, check=True)
    return folder


def opened(folder, name, **options):
    return LeRobotDataset("me/game", root=folder / name, video_backend="torchcodec", **options)


@pytest.mark.parametrize("name", ["tiny", "back"])
@pytest.mark.parametrize("deltas", [None, DELTAS], ids=["frames", "windows"])
def test_the_same_keys_and_values(dataset, name, deltas):
    before, after = (opened(dataset, one, delta_timestamps=deltas) for one in ("set", name))
    assert len(before) == len(after) == sum(EPISODES)
    for number in range(len(before)):
        expected, found = before[number], after[number]
        assert list(expected) == list(found)
        for key, value in expected.items():
            if isinstance(value, torch.Tensor):
                assert value.dtype == found[key].dtype and torch.equal(value, found[key]), (number, key)
            else:
                assert value == found[key]


def test_the_backend_by_its_name(dataset):
    by_name = LeRobotDataset("me/game", root=dataset / "tiny", video_backend="lvc")
    assert torch.equal(by_name[3][CAMERAS[0]], opened(dataset, "set")[3][CAMERAS[0]])


def test_windows_are_padded_at_the_ends_of_episodes(dataset):
    first, last = (opened(dataset, "tiny", delta_timestamps=DELTAS)[number] for number in (0, EPISODES[0] - 1))
    assert first[f"{CAMERAS[0]}_is_pad"].tolist() == [True, True, False]
    assert last["action_is_pad"].tolist() == [False, True, True]
    assert torch.equal(first[CAMERAS[0]][0], first[CAMERAS[0]][2])


@pytest.mark.parametrize("episodes", [[1], [0, 2]], ids=str)
def test_some_episodes(dataset, episodes):
    before, after = (opened(dataset, name, episodes=episodes) for name in ("set", "tiny"))
    assert len(before) == len(after) == sum(EPISODES[one] for one in episodes)
    assert all(torch.equal(before[n][CAMERAS[1]], after[n][CAMERAS[1]]) for n in (0, len(before) - 1))


def test_a_tolerance_that_no_frame_meets(dataset):
    from lerobot.datasets import video_utils

    path = next((dataset / "tiny").rglob("*.lvc"))
    expected = getattr(video_utils, "FrameTimestampError", AssertionError)
    with pytest.raises(expected, match="no frame within"):
        video_utils.decode_video_frames(path, [0.05], 1e-4, "torchcodec")


WORKERS = """
import sys
import torch
import lvc.lerobot
from lerobot.datasets.lerobot_dataset import LeRobotDataset

if __name__ == "__main__":
    root, method = sys.argv[1:]
    dataset = LeRobotDataset("me/game", root=root)
    loader = torch.utils.data.DataLoader(dataset, batch_size=8, num_workers=2, multiprocessing_context=method)
    firsts = [batch["observation.images.front"][0] for batch in loader]
    assert all(torch.equal(frame, dataset[8 * place]["observation.images.front"]) for place, frame in enumerate(firsts))
    print(len(firsts))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_loader_with_workers(dataset, method):
    """In a program of its own, whose imports the workers that are spawned repeat."""
    program = dataset / "program.py"
    program.write_text(WORKERS)
    done = subprocess.run(
        [sys.executable, program, dataset / "tiny", method], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == [str(-(-sum(EPISODES) // 8))], done.stderr
