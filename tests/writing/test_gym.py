"""Episodes of environments as files: which are recorded, what is in them, and what is told when something is amiss."""

import subprocess
import sys
from fractions import Fraction
from types import SimpleNamespace
from typing import ClassVar

import gymnasium
import numpy as np
import pytest

import lvc
from lvc.container.recover import verify
from lvc.weights import checkpoints
from lvc.writing.record_video import RecordVideo, seldom

EPISODE = 6  # steps, so that an episode shows seven pictures


class Counting(gymnasium.Env):
    """Shows how many steps were made in all, as a shade of grey; always draws into the same memory."""

    metadata: ClassVar = {"render_modes": ["rgb_array", "ansi"], "render_fps": 15}
    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, render_mode="rgb_array"):
        self.render_mode, self.steps, self.shown = render_mode, 0, 0
        self.screen = np.empty((32, 40, 3), np.uint8)
        self.closed = False

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed, options=options)
        self.steps = 0
        return 0, {"seed": seed}

    def step(self, _action):
        self.steps, self.shown = self.steps + 1, self.shown + 1
        return 1, 0.5, self.steps == EPISODE, False, {}

    def render(self):
        self.screen[:] = 3 * self.shown
        return self.screen

    def close(self):
        self.closed = True


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, save_small):
    return checkpoints.load(save_small(tmp_path_factory.mktemp("weights") / "small.safetensors", "conv4"))


@pytest.fixture
def recorded(tmp_path, checkpoint):
    """`recorded(episodes, **options)`: plays them; gives names and frame counts of the files, and the environment."""

    def play(episodes, **options):
        env = RecordVideo(Counting(), tmp_path / "videos", model=checkpoint, keyint=4, **options)
        for _ in range(episodes):
            env.reset()
            while not env.step(0)[2]:
                pass
        env.close()
        return SimpleNamespace(
            env=env, counts={path.name: frame_count(path) for path in (tmp_path / "videos").iterdir()}
        )

    return play


def frame_count(path):
    report = verify(path)
    assert report.ok
    return report.frames


def test_episodes_that_the_trigger_names(recorded):
    found = recorded(4, episode_trigger=lambda number: number % 2 == 1)
    assert found.counts == {"rl-video-episode-1.lvc": EPISODE + 1, "rl-video-episode-3.lvc": EPISODE + 1}
    assert found.env.unwrapped.closed


def test_steps_that_the_trigger_names(recorded):
    """Steps are counted over all episodes from 0; a recording that starts at one goes to its episode's end."""
    found = recorded(3, step_trigger=lambda number: number == 8, name_prefix="play")
    assert found.counts == {"play-step-8.lvc": 4}


def test_a_length_cuts_and_spans_episodes(recorded):
    counts = recorded(
        3, episode_trigger=lambda number: number == 0, step_trigger=lambda number: number == 10, video_length=5
    ).counts
    assert counts == {"rl-video-episode-0.lvc": 5, "rl-video-step-10.lvc": 5}


def test_a_recording_that_starts_ends_the_one_before(recorded):
    counts = recorded(1, step_trigger=lambda number: number in (0, 2), video_length=100).counts
    assert counts == {"rl-video-step-0.lvc": 2, "rl-video-step-2.lvc": 4}


def test_without_a_trigger_episodes_are_recorded_seldom(recorded):
    assert [number for number in range(3001) if seldom(number)] == [*(n**3 for n in range(11)), 2000, 3000]
    assert set(recorded(9).counts) == {f"rl-video-episode-{number}.lvc" for number in (0, 1, 8)}


def test_pictures_and_times_are_those_of_the_environment(tmp_path, checkpoint, recorded):
    recorded(2, episode_trigger=lambda number: number == 1)
    shades = np.arange(EPISODE, 2 * EPISODE + 1, dtype=np.uint8)
    wanted = tmp_path / "wanted.lvc"
    with lvc.open(tmp_path / "videos" / "rl-video-episode-1.lvc") as reader:
        header = reader.header
        with lvc.Writer(wanted, fps=15, model=checkpoint, keyint=4, source=header.source) as writer:
            writer.write(np.broadcast_to(3 * shades[:, None, None, None], (7, 32, 40, 3)))
        assert wanted.read_bytes() == (tmp_path / "videos" / "rl-video-episode-1.lvc").read_bytes()
    assert header.time_base == Fraction(1, 15)
    assert header.source == {"name": "rl-video-episode-1", "environment": None, "episode": 1, "step": 6, "every": 1}


def test_options_reach_the_writer(recorded, tmp_path):
    counts = recorded(1, fps=60, every=3).counts
    assert counts == {"rl-video-episode-0.lvc": 3}
    with lvc.open(tmp_path / "videos" / "rl-video-episode-0.lvc") as reader:
        assert reader.pts == (0, 3, 6) and reader.time_base == Fraction(1, 60)


def test_files_that_are_there_are_not_overwritten(recorded, tmp_path):
    recorded(1)
    path = tmp_path / "videos" / "rl-video-episode-0.lvc"
    before = path.read_bytes()
    with pytest.raises(lvc.OutputError, match="exists already"):
        recorded(1, every=2, overwrite=False)
    assert path.read_bytes() == before
    with pytest.warns(UserWarning, match="written over"):
        assert recorded(1, every=2).counts == {path.name: 4}


class Lists(Counting):
    """Gives all pictures since it was last asked, as render_mode rgb_array_list."""

    def __init__(self):
        super().__init__("rgb_array_list")
        self.since = []

    def reset(self, **options):
        self.since.append(Counting.render(self).copy())
        return super().reset(**options)

    def step(self, action):
        result = super().step(action)
        self.since.append(Counting.render(self).copy())
        return result

    def render(self):
        since, self.since = self.since, []
        return since


def test_of_several_pictures_the_last_is_recorded_and_all_are_given(tmp_path, checkpoint):
    env = RecordVideo(Lists(), tmp_path / "videos", model=checkpoint, keyint=4)
    env.reset()
    for _ in range(EPISODE):
        env.step(0)
    assert [int(picture[0, 0, 0]) for picture in env.render()] == [3 * number for number in range(EPISODE + 1)]
    env.close()
    assert frame_count(tmp_path / "videos" / "rl-video-episode-0.lvc") == EPISODE + 1


class Seldom(Counting):
    """Has no picture at first, as some have before the first step."""

    def render(self):
        return super().render() if self.steps else None


def test_no_picture_ends_a_recording_with_a_warning(tmp_path, checkpoint):
    env = RecordVideo(
        Seldom(),
        tmp_path / "videos",
        model=checkpoint,
        step_trigger=lambda step: step == 1,
        episode_trigger=lambda _episode: True,
    )
    with pytest.warns(UserWarning, match="the recording ends: render\\(\\) gives NoneType"):
        env.reset()
    for _ in range(EPISODE):
        env.step(0)
    env.close()
    assert [path.name for path in (tmp_path / "videos").iterdir()] == ["rl-video-step-1.lvc"]


@pytest.mark.parametrize(
    ("mode", "options", "reason"),
    [
        ("ansi", {}, "rgb_array.*ansi"),
        (None, {}, "rgb_array.*None"),
        ("rgb_array", {"video_length": -1}, "video_length"),
        ("rgb_array", {"fps": 0}, "fps"),
    ],
)
def test_what_cannot_be_recorded_is_refused_at_once(tmp_path, checkpoint, mode, options, reason):
    with pytest.raises(lvc.OptionError, match=reason):
        RecordVideo(Counting(mode), tmp_path / "videos", model=checkpoint, **options)
    (tmp_path / "file").touch()
    with pytest.raises(lvc.OutputError, match="no folder"):
        RecordVideo(Counting(), tmp_path / "file", model=checkpoint)


def test_what_the_coding_met_is_told(recorded, monkeypatch):
    from lvc.container.writer import ContainerWriter

    def full(_self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ContainerWriter, "finish", full)
    with pytest.raises(lvc.OutputError, match="episode-0.lvc: cannot be written: No space"):
        recorded(1)


def test_a_real_game(tmp_path, checkpoint):
    ale_py = pytest.importorskip("ale_py")
    gymnasium.register_envs(ale_py)
    game = gymnasium.make("ALE/MsPacman-v5", render_mode="rgb_array", max_episode_steps=20)
    env = RecordVideo(game, tmp_path, episode_trigger=lambda _number: True, model=checkpoint)
    env.action_space.seed(1)
    shown = []
    for episode in range(2):
        env.reset(seed=episode)
        shown.append(env.render())
        for _ in range(20):
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            shown.append(env.render())
        assert truncated and not terminated
    env.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rl-video-episode-0.lvc", "rl-video-episode-1.lvc"]
    for episode in range(2):
        path, wanted = tmp_path / f"rl-video-episode-{episode}.lvc", tmp_path / f"wanted-{episode}.lvc"
        with lvc.open(path) as reader:
            assert reader.header.source["environment"] == "ALE/MsPacman-v5"
            with lvc.Writer(wanted, fps=30, model=checkpoint, source=reader.header.source) as writer:
                writer.write(np.stack(shown[21 * episode : 21 * episode + 21]))
        assert path.read_bytes() == wanted.read_bytes()


def test_gymnasium_is_needed_for_this_alone():
    code = """
import sys
sys.modules["gymnasium"] = None
import lvc
lvc.Writer, lvc.open
try:
    import lvc.gym
except ImportError as error:
    assert "pip install lvc[gym]" in str(error)
else:
    raise SystemExit("gymnasium was not missed")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
