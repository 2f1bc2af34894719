"""Building data sets: what is found, kept, left out, and what an interruption leaves."""

import hashlib
import json
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from lvc.dataset.build import DatasetDone, VideoDone, VideoFailed, build_dataset, find_videos
from lvc.dataset.read import FrameStore
from lvc.dataset.split import NamedSplit, RatioSplit, RecipeSplit
from lvc.errors import InputError, OptionError, OutputError
from lvc.frames import Geometry
from lvc.video.sample import Sampling, sampled_frames

SAMPLING = Sampling(every=5, geometry=Geometry(48, 32))


@pytest.fixture
def recordings(tmp_path, make_recording, gameplay):
    folder = tmp_path / "recordings"
    make_recording(folder / "a.mp4", gameplay(41, seed=1))
    make_recording(folder / "b.mkv", gameplay(100, seed=2))
    make_recording(folder / "deeper" / "still" / "c.MP4", gameplay(7, seed=3))
    (folder / "notes.txt").write_text("no video")
    (folder / ".hidden.mp4").write_bytes(b"")
    return folder


def build(inputs, output, **options):
    options = {"sampling": SAMPLING, "split": RatioSplit((1, 1, 1)), **options}
    return list(build_dataset(find_videos(inputs), output, **options))


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


def test_folders_are_searched_to_any_depth(recordings):
    assert list(find_videos([recordings])) == ["a.mp4", "b.mkv", "deeper/still/c.MP4"]


def test_a_recording_given_twice_is_taken_once(recordings):
    assert list(find_videos([recordings / "a.mp4", recordings / "deeper" / ".." / "a.mp4"])) == ["a.mp4"]


def test_equal_names_are_told_apart_by_their_folders(tmp_path, make_recording, gameplay):
    for folder in ("x", "y"):
        make_recording(tmp_path / folder / "game.mp4", gameplay(3))
    assert list(find_videos([tmp_path / "x", tmp_path / "y"])) == ["x/game.mp4", "y/game.mp4"]


def test_a_folder_without_recordings_is_named(tmp_path):
    with pytest.raises(InputError, match="no recording in this folder"):
        find_videos([tmp_path])


@pytest.mark.parametrize("workers", [1, 2])
def test_frames_and_timestamps_are_those_of_sampling(recordings, tmp_path, workers):
    told = []
    events = build([recordings], tmp_path / "out", workers=workers, progress=told.append)
    assert {(event.name, event.frames, event.kept) for event in of_kind(events, VideoDone)} == {
        ("a.mp4", 9, False),
        ("b.mkv", 20, False),
        ("deeper/still/c.MP4", 2, False),
    }
    assert told[-1] == 31 and told == sorted(told)
    assert isinstance(events[-1], DatasetDone)
    everything = FrameStore(tmp_path / "out").everything()
    for name, path in find_videos([recordings]).items():
        batches = list(sampled_frames(path, SAMPLING))
        video = everything.video(name)
        assert np.array_equal(video.data, np.concatenate([batch.data for batch in batches]))
        assert video.pts_seconds == tuple(second for batch in batches for second in batch.pts_seconds)


def test_manifest_says_hash_size_and_timestamps(recordings, tmp_path):
    build([recordings], tmp_path / "out")
    content = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert content["sampling"] == {"every": 5, "fps": None, "width": 48, "height": 32}
    video = next(video for video in content["videos"] if video["name"] == "b.mkv")
    source = (recordings / "b.mkv").read_bytes()
    assert video["source"]["sha256"] == hashlib.sha256(source).hexdigest()
    assert video["source"]["bytes"] == len(source)
    assert (video["source"]["width"], video["source"]["height"]) == (96, 64)
    seconds = [pts * Fraction(video["time_base"]) for pts in video["pts"]]
    assert seconds == [Fraction(round(1000 * number / 30), 1000) for number in range(0, 100, 5)]  # mkv: milliseconds


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_recordings_are_left_out_and_the_others_go_on(recordings, tmp_path, workers):
    (recordings / "empty.mp4").write_bytes(b"")
    (recordings / "text.mp4").write_text("hello")
    cut = (recordings / "a.mp4").read_bytes()
    (recordings / "cut.mp4").write_bytes(cut[: len(cut) // 2])
    events = build([recordings], tmp_path / "out", workers=workers)
    assert {event.name for event in of_kind(events, VideoFailed)} == {"empty.mp4", "text.mp4", "cut.mp4"}
    assert all(event.name in event.reason for event in of_kind(events, VideoFailed))
    manifest = events[-1].manifest
    assert [video.name for video in manifest.videos] == ["a.mp4", "b.mkv", "deeper/still/c.MP4"]
    assert [name for name, _ in manifest.failed] == ["cut.mp4", "empty.mp4", "text.mp4"]
    assert sorted(path.name for path in (tmp_path / "out" / "frames").rglob("*.*")) == [
        "a.mp4.frames",
        "b.mkv.frames",
        "c.MP4.frames",
    ]


def test_a_folder_of_bad_recordings_alone_makes_no_data_set(tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(InputError, match="none of the recordings could be read"):
        build([tmp_path], tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_built_again_nothing_is_read_again(recordings, tmp_path):
    build([recordings], tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "frames").rglob("*.frames")}
    events = build([recordings], tmp_path / "out")
    assert all(event.kept for event in of_kind(events, VideoDone))
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_changed_recording_is_read_again_a_touched_one_is_not(recordings, tmp_path, make_recording, gameplay):
    build([recordings], tmp_path / "out")
    make_recording(recordings / "a.mp4", gameplay(50, seed=9))
    os.utime(recordings / "b.mkv", ns=(1, 1))
    kept = {event.name: event.kept for event in of_kind(build([recordings], tmp_path / "out"), VideoDone)}
    assert kept == {"a.mp4": False, "b.mkv": True, "deeper/still/c.MP4": True}
    assert dict(FrameStore(tmp_path / "out").everything().videos)["a.mp4"] == 10


def test_a_damaged_frame_file_is_built_again(recordings, tmp_path):
    build([recordings], tmp_path / "out")
    damaged = tmp_path / "out" / "frames" / "a.mp4.frames"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-3])
    kept = {event.name: event.kept for event in of_kind(build([recordings], tmp_path / "out"), VideoDone)}
    assert kept["a.mp4"] is False
    assert damaged.read_bytes() == whole


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interruption_keeps_what_is_done_and_leaves_nothing_half(tmp_path, make_recording, gameplay, workers):
    for number in range(4):
        make_recording(tmp_path / "in" / f"{number}.mp4", gameplay(160, seed=number))
    events = build_dataset(
        find_videos([tmp_path / "in"]), tmp_path / "out", sampling=SAMPLING, split=RatioSplit(), workers=workers
    )
    done = next(event.name for event in events if isinstance(event, VideoDone))
    events.close()
    files = [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert f"{done}.frames" in files
    assert all(name.endswith(".frames") for name in files)
    events = build([tmp_path / "in"], tmp_path / "out", workers=workers)
    assert {event.name: event.kept for event in of_kind(events, VideoDone)}[done]
    assert len(FrameStore(tmp_path / "out").everything()) == 4 * 32


def test_another_sampling_needs_overwriting(recordings, tmp_path):
    build([recordings], tmp_path / "out")
    other = Sampling(every=7, geometry=Geometry(48, 32))
    with pytest.raises(OutputError, match=r"every 5, 48x32, not every 7, 48x32.*-y"):
        build([recordings], tmp_path / "out", sampling=other)
    events = build([recordings], tmp_path / "out", sampling=other, overwrite=True)
    assert not any(event.kept for event in of_kind(events, VideoDone))
    assert FrameStore(tmp_path / "out").manifest.sampling == other


def test_an_output_that_is_a_file_is_refused(recordings, tmp_path):
    (tmp_path / "out").write_text("precious")
    with pytest.raises(OutputError, match="is a file"):
        build([recordings], tmp_path / "out")
    assert (tmp_path / "out").read_text() == "precious"


def test_a_split_that_names_nobody_is_told_before_any_work(recordings, tmp_path):
    with pytest.raises(OptionError, match="none of the recordings"):
        build([recordings], tmp_path / "out", split=NamedSplit(test=("z.mp4",)))
    assert not (tmp_path / "out").exists()


def test_recordings_missing_from_a_recipe_are_named(recordings, tmp_path):
    recipe = {"a.mp4": "train", "b.mkv": "test", "c.MP4": "validation", "lost.mp4": "test"}
    events = build([recordings], tmp_path / "out", split=RecipeSplit(recipe, tmp_path / "recipe.json"))
    assert [event.name for event in of_kind(events, VideoFailed)] == ["lost.mp4"]
    assert {video.name: video.split for video in events[-1].manifest.videos} == {
        "a.mp4": "train",
        "b.mkv": "test",
        "deeper/still/c.MP4": "validation",
    }


def test_a_process_that_crashes_takes_no_other_recording_along(recordings, tmp_path):
    # A recording that kills the process that reads it, as a fault in FFmpeg would: sitecustomize is run by each worker.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "def crash(event, arguments):\n"
        "    if event == 'open' and str(arguments[0]).endswith('a.mp4.frames.part'):\n"
        "        os._exit(139)\n"
        "sys.addaudithook(crash)\n"
    )
    program = (
        "from pathlib import Path\n"
        "from lvc.dataset.build import *\n"
        "from lvc.dataset.split import RatioSplit\n"
        "from lvc.video.sample import Sampling\n"
        "if __name__ == '__main__':\n"
        f"    for event in build_dataset(find_videos([Path({str(recordings)!r})]), Path({str(tmp_path / 'out')!r}),\n"
        "            sampling=Sampling(), split=RatioSplit(), workers=2):\n"
        "        print(type(event).__name__, getattr(event, 'name', ''), getattr(event, 'reason', ''))\n"
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()])}
    finished = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment, timeout=60, check=True
    )
    assert "VideoFailed a.mp4" in finished.stdout
    assert "a.mp4: crashed each of the 3 workers that had it" in finished.stdout
    assert finished.stdout.count("VideoDone") == 2
    assert "DatasetDone" in finished.stdout


def test_workers_need_no_torch():
    program = "import sys, lvc.dataset.build, lvc.dataset.read; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
