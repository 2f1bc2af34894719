"""`lvc convert --from lerobot`: datasets whose videos become `.lvc` files and mp4 again, with all else as it was."""

import json
import shutil

import numpy as np
import pytest

import lvc
from lvc.cli.main import main
from lvc.reading.lerobot_videos import NoFrameNear, frames_at_seconds
from tests.builders.lerobot import CAMERAS, EPISODES, RATE, TEMPLATES, make_lerobot, pictures


def convert(*arguments) -> int:
    return main(["convert", *map(str, arguments), "--from", "lerobot", "-q"])


def files_of(root):
    return {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}


@pytest.fixture(params=sorted(TEMPLATES))
def dataset(request, tmp_path):
    return make_lerobot(tmp_path / "set", request.param)


def test_there_and_back_without_a_loss(dataset, tmp_path):
    tiny, back = tmp_path / "tiny", tmp_path / "back"
    assert convert(dataset, "-o", tiny, "--lossless") == 0
    before, after = files_of(dataset), files_of(tiny)
    assert {name.replace(".mp4", ".lvc") for name in before} == set(after)
    for name in set(before) & set(after) - {"meta/info.json"}:
        assert before[name].read_bytes() == after[name].read_bytes(), name
    for camera in CAMERAS:
        mine = [after[name] for name in sorted(after) if camera in name]
        frames = []
        for path in mine:
            with lvc.open(path, dimension_order="NHWC") as reader:
                frames.append(reader[:].numpy())
                assert [reader.pts_seconds(n) for n in range(len(reader))] == [n / RATE for n in range(len(reader))]
        assert np.array_equal(np.concatenate(frames), pictures(camera, sum(EPISODES)))

    assert convert(tiny, "-o", back, "--to", "mp4") == 0
    assert set(files_of(back)) == set(before)
    assert json.loads((back / "meta/info.json").read_text()) == json.loads((dataset / "meta/info.json").read_text())
    again = tmp_path / "again"
    assert convert(back, "-o", again, "--lossless") == 0
    for name, path in files_of(again).items():
        if name.endswith(".lvc"):
            with lvc.open(path) as one, lvc.open(after[name]) as other:
                assert (one[:] == other[:]).all(), name


def test_the_new_info_says_where_videos_are_and_what_stood_there(dataset, tmp_path):
    assert convert(dataset, "-o", tmp_path / "tiny", "--codec-model", "hevc", "--crf", 40) == 0
    old, new = (json.loads((root / "meta/info.json").read_text()) for root in (dataset, tmp_path / "tiny"))
    assert new["video_path"] == old["video_path"].replace(".mp4", ".lvc")
    for camera in CAMERAS:
        assert new["features"][camera]["info"]["video.codec"] == "lvc"
        assert new["features"][camera]["info"]["video.fps"] == RATE
        assert new["lvc"][camera] == old["features"][camera]["info"]
    assert new["features"]["action"] == old["features"]["action"]


def test_an_interrupted_run_goes_on_and_a_folder_is_never_overwritten(dataset, tmp_path, capsys):
    videos = sorted(dataset.rglob("*.mp4"))
    aside = tmp_path / "aside.mp4"
    shutil.move(videos[-1], aside)
    videos[-1].write_bytes(b"no video")
    tiny, part = tmp_path / "tiny", tmp_path / "tiny.part"
    assert convert(dataset, "-o", tiny, "--lossless") == 3
    assert not tiny.exists() and videos[-1].name in capsys.readouterr().err
    made = {path: path.stat().st_mtime_ns for path in part.rglob("*.lvc")}
    assert len(made) == len(videos) - 1
    shutil.move(aside, videos[-1])
    assert convert(dataset, "-o", tiny, "--lossless") == 1
    assert "--resume" in capsys.readouterr().err
    assert convert(dataset, "-o", tiny, "--lossless", "--resume") == 0
    assert not part.exists() and len(list(tiny.rglob("*.lvc"))) == len(videos)
    for path, time in made.items():
        assert (tiny / path.relative_to(part)).stat().st_mtime_ns == time
    assert convert(dataset, "-o", tiny, "--lossless", "-y") == 1
    assert "never overwritten" in capsys.readouterr().err


def test_frames_that_are_missing_are_counted(dataset, tmp_path, capsys):
    info = json.loads((dataset / "meta/info.json").read_text())
    info["total_frames"] += 1
    (dataset / "meta/info.json").write_text(json.dumps(info))
    assert convert(dataset, "-o", tmp_path / "tiny", "--lossless") == 1
    assert "24 frames, and meta/info.json says 26: 13 of each of 2 cameras" in capsys.readouterr().err
    assert not (tmp_path / "tiny").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"codebase_version": "v1.6"}, "codebase_version"),
        ({"codebase_version": None}, "codebase_version"),
        ({"features": {}}, "no videos"),
        ({"features": [1]}, "no videos"),
        ({"video_path": None}, "video_path"),
        ({"video_path": "../{video_key}.mp4"}, "video_path"),
        ({"video_path": "/x/{video_key}.mp4"}, "video_path"),
        ({"video_path": "videos/{video_key}.avi"}, "has no video"),
        ({"video_path": "videos/{video_key}.lvc"}, "already"),
        ({"total_frames": "12"}, "total_frames"),
    ],
    ids=str,
)
def test_what_is_no_such_dataset_is_refused_by_name(tmp_path, capsys, change, words):
    root = make_lerobot(tmp_path / "set", "v3.0")
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps({**info, **change}))
    assert convert(root, "-o", tmp_path / "tiny") == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "tiny").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\xff"], ids=range(5))
def test_info_that_is_no_json_object(tmp_path, capsys, text):
    root = make_lerobot(tmp_path / "set", "v3.0")
    (root / "meta/info.json").write_text(text, encoding="latin-1")
    assert convert(root, "-o", tmp_path / "tiny") == 1
    assert "info.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["--list"], ["--key", "*"], ["--size", "24x16"], ["--to", "h5"], ["--episode-ends", "ends"]],
    ids=lambda one: one[0],
)
def test_options_without_a_meaning_here_are_refused(tmp_path, capsys, arguments):
    root = make_lerobot(tmp_path / "set", "v3.0")
    assert convert(root, "-o", tmp_path / "tiny", *arguments) == 1
    assert arguments[0].lstrip("-") in capsys.readouterr().err


def test_an_output_inside_of_the_dataset_is_refused(tmp_path, capsys):
    root = make_lerobot(tmp_path / "set", "v3.0")
    assert convert(root, "-o", root / "tiny") == 1
    assert "stands inside" in capsys.readouterr().err


# Frames by time, as LeRobot's loader asks for them


@pytest.fixture
def video(tmp_path):
    root = make_lerobot(tmp_path / "set", "v3.0")
    assert convert(root, "-o", tmp_path / "tiny", "--lossless") == 0
    return tmp_path / "tiny/videos" / CAMERAS[0] / "chunk-000/file-000.lvc"


def test_frames_by_time_are_the_nearest_ones_from_0_to_1(video):
    wanted = [0.3, 0.1, 0.1 + 4e-5, 1.1, float(np.float32(0.7))]
    frames = frames_at_seconds(video, wanted, 1e-4)
    expected = pictures(CAMERAS[0], sum(EPISODES))[[3, 1, 1, 11, 7]].transpose(0, 3, 1, 2)
    assert frames.shape == (5, 3, 32, 48) and str(frames.dtype) == "torch.float32"
    assert np.array_equal(np.rint(frames.numpy() * 255), expected)


@pytest.mark.parametrize("second", [0.05, -0.1, 1.2, float("nan"), float("inf")])
def test_a_time_without_a_frame_is_an_error(video, second):
    with pytest.raises(NoFrameNear, match=r"no frame within 0\.0001 s"):
        frames_at_seconds(video, [0.0, second], 1e-4)
