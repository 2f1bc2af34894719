"""What users get wrong, and what happens to them: one line that says what was expected, nothing half-written,
nothing lost.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lvc.container.reader import ContainerReader
from tests import ROOT

SAMPLING = ("--every", "2", "--size", "48x32")


@pytest.fixture
def refused(lvc):
    """Runs a command that must fail: its one line on stderr; all files beside are as they were."""

    def run(*arguments, code=1):
        before = contents()
        shown = lvc(*arguments)
        assert (shown.code, shown.out) == (code, ""), shown
        assert len(shown.err) == 1, shown.err
        command = f"lvc {arguments[0]}"
        assert shown.err[0].startswith((f"{command}: ", "lvc: "))
        assert contents() == before
        return shown.err[0]

    return run


def contents():
    """Names and bytes of all files under the working folder."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(Path().rglob("*"))}


@pytest.fixture
def encode(game, tiny_model):
    return ("encode", game, "-o", "out.lvc", "--model", tiny_model, *SAMPLING)


@pytest.fixture
def decode(coded, tiny_model):
    return ("decode", coded, "-o", "out.mp4", "--model", tiny_model)


# Inputs


def bad_recordings(game):
    whole = game.read_bytes()
    Path("empty.mp4").touch()
    Path("text.mp4").write_text("no video at all" * 100)
    Path("cut.mp4").write_bytes(whole[: len(whole) // 2])
    os.mkdir("folder")
    return {
        "missing.mp4": "No such file",
        "empty.mp4": "is empty (0 bytes); a video was expected",
        "text.mp4": "cannot be read as a video",
        "cut.mp4": "cannot be read as a video",
        "folder": "is a folder; a video was expected",
    }


def test_recordings_that_are_none(refused, coded, game, tiny_model):
    for name, reason in bad_recordings(game).items():
        line = refused("encode", name, "-o", "out.lvc", "--model", tiny_model)
        assert line.startswith(f"lvc encode: {name}: ") and reason in line
        assert name in refused("report", coded, name, "--model", tiny_model)


def test_a_recording_that_is_damaged_inside_leaves_what_was_coded(
    lvc, tmp_path, monkeypatch, tiny_model, long_recording
):
    monkeypatch.chdir(tmp_path)
    broken = bytearray(long_recording.read_bytes())
    middle = len(broken) // 2
    broken[middle : middle + 2000] = bytes(2000)
    Path("broken.mp4").write_bytes(broken)
    shown = lvc("encode", "broken.mp4", "-o", "out.lvc", "--model", tiny_model, *SAMPLING, "--keyint", 8)
    assert shown.code == 1 and len(shown.err) == 1
    assert "broken.mp4: " in shown.err[0] and "lvc verify --repair out.lvc.part" in shown.err[0]
    assert lvc("verify", "--repair", "out.lvc.part").code == 0
    assert ContainerReader("out.repaired.lvc").frame_count > 100


def bad_files(coded):
    """Each with what is said of it."""
    whole = coded.read_bytes()
    header_end = ContainerReader(coded).header_bytes
    version, header = bytearray(whole), bytearray(whole)
    version[8] = 9
    header[40] ^= 1
    for name, data in (
        ("empty", b""),
        ("text", b"no container at all" * 20),
        ("cut", whole[: header_end - 5]),
        ("no_frame", whole[: header_end + 20]),
        ("version", version),
        ("header", header),
    ):
        Path(f"{name}.lvc").write_bytes(data)
    os.mkdir("folder.lvc")
    return {
        "missing": "No such file",
        "empty": "the file is empty; a .lvc file was expected",
        "text": "no .lvc file: it starts with",
        "cut": "(at byte",
        "version": "format version 9; this program reads versions 1, 2",
        "header": "CRC-32",
        "folder": "a regular file was expected",
        "no_frame": "(at byte",
    }


def test_files_that_are_no_lvc(refused, coded, game, tiny_model):
    for name, reason in bad_files(coded).items():
        path = f"{name}.lvc"
        for line in (
            refused("decode", path, "-o", "out.mp4", "--model", tiny_model, "-q") if name != "no_frame" else "",
            refused("info", path) if name != "no_frame" else "",
            refused("report", path, game, "-o", "r.html", "--model", tiny_model, "-q") if name != "no_frame" else "",
        ):
            assert not line or (path in line and reason in line)


def test_verify_tells_on_stdout_and_the_exit_code(lvc, coded):
    for name in bad_files(coded):
        shown = lvc("verify", f"{name}.lvc", "-q")
        assert shown.code == 1
        assert len(shown.err) + len(shown.out.splitlines()) == 1


def test_nothing_is_decoded_of_a_file_without_a_frame(lvc, coded, tiny_model):
    bad_files(coded)
    before = contents()
    shown = lvc("decode", "no_frame.lvc", "-o", "out.mp4", "--model", tiny_model)
    assert shown.code == 1 and "no_frame.lvc: trailer" in shown.err[-1]
    assert contents() == before


@pytest.mark.parametrize("form", ["out.npy", "pictures"])
def test_what_holds_of_a_damaged_file_is_decoded_and_the_rest_named(lvc, coded, tiny_model, form):
    model = ("--model", tiny_model, "-q")
    assert lvc("decode", coded, "-o", "whole.npy", *model).code == 0
    data = bytearray(coded.read_bytes())
    data[ContainerReader(coded).index[1].offset + 30] ^= 1
    Path("flipped.lvc").write_bytes(data)
    shown = lvc("decode", "flipped.lvc", "-o", form, *model)
    assert shown.code == 3 and len(shown.err) == 1
    assert shown.err[0].startswith("lvc decode: flipped.lvc: group 1 (frames 8-15): CRC-32")
    if form == "out.npy":
        assert np.array_equal(np.load(form), np.delete(np.load("whole.npy"), range(8, 16), axis=0))
    else:
        assert len(list(Path(form).glob("*.png"))) == 22


def test_what_is_left_of_a_truncated_file_is_decoded_shown_and_measured(lvc, coded, game, tiny_model):
    Path("cut.lvc").write_bytes(coded.read_bytes()[: ContainerReader(coded).index[2].offset + 50])
    assert lvc("decode", "cut.lvc", "-o", "out.npy", "--model", tiny_model, "-q").code == 3
    assert np.load("out.npy").shape[0] == 16
    shown = lvc("info", "cut.lvc")
    assert shown.code == 3 and "16 of 48x32" in shown.out and "the file was cut, or is not finished" in shown.out
    assert len(json.loads(lvc("info", "--json", "cut.lvc").out)["damage"]) == 2
    shown = lvc("report", "cut.lvc", game, "--model", tiny_model, "-q")
    assert shown.code == 3 and shown.out.startswith("16 frames") and "the file was cut" in shown.err[0]


def test_info_goes_on_after_a_bad_file(lvc, coded):
    shown = lvc("info", "missing.lvc", coded, "--json")
    assert shown.code == 3 and json.loads(shown.out)["frames"] == 30
    assert shown.err == ["lvc info: missing.lvc: cannot be read: No such file or directory"]
    assert lvc("info", "missing.lvc", "gone.lvc").code == 1


def test_a_broken_recording_among_several_is_named_and_the_others_are_done(lvc, game, recordings, tiny_model):
    bad_recordings(game)
    os.mkdir("coded")
    inputs = (recordings / "game_1.mp4", "text.mp4", recordings / "game_2.mp4")
    shown = lvc("encode", *inputs, "-o", "coded", "--model", tiny_model, *SAMPLING, "-q")
    assert shown.code == 3 and len(shown.err) == 2
    assert shown.err[0].startswith("lvc encode: text.mp4: ") and shown.err[1] == "lvc encode: 1 of 3 recordings failed"
    assert sorted(os.listdir("coded")) == ["game_1.lvc", "game_2.lvc"]
    assert lvc("encode", "text.mp4", "missing.mp4", "-o", "coded", "--model", tiny_model, "-q").code == 1


# Weights


def test_missing_and_other_weights(refused, coded, dataset, tmp_path_factory, lvc):
    other = tmp_path_factory.mktemp("other") / "tiny.safetensors"
    small = (
        "--model",
        "conv4",
        "--option",
        "stages=2",
        "--option",
        "channels=4",
        "--steps",
        1,
        "--threads",
        1,
        "--seed",
        7,
    )
    assert lvc("train", dataset, "-o", other, *small, "-q").code == 0
    digest = ContainerReader(coded).header.model["sha256"][:16]
    for command in (
        ("decode", coded, "-o", "out.mp4"),
        ("report", coded, "game.mp4", "-o", "r.json"),
        ("verify", coded, "--symbols"),
    ):
        line = refused(*command)
        assert f"'tiny' with sha256 {digest}" in line and "--model FILE" in line
        line = refused(*command, "--model", other)
        assert f"'tiny' with sha256 {digest}" in line and str(other) in line
        assert "no weights file" in refused(*command, "--model", "missing.safetensors")


@pytest.mark.usefixtures("game")
def test_weights_that_are_none(refused, encode):
    Path("empty.safetensors").touch()
    for name, reason in (
        ("unknown", "shipped: "),
        ("empty.safetensors", "no weights file"),
        ("game.mp4", "no weights file"),
        (".", "no weights file"),
    ):
        line = refused(*encode, "--model", name)
        assert line.startswith(f"lvc encode: {name}: ") and reason in line
        if name != "unknown":
            assert refused("models", name).startswith("lvc models: ")


# Options


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--crf", "20"), "tiny has one rate"),
        (("--keyint", "0"), "keyint must be a whole number of frames from 1 to 4096"),
        (("--keyint", "5000"), "from 1 to 4096"),
        (("--keyint", "often"), "--keyint is a number of frames, or of seconds"),
        (("--keyint", "0s"), "--keyint is"),
        (("--keyint=-3s",), "--keyint is"),
        (("--keyint", "nans"), "--keyint is"),
        (("--keyint", "1e999s"), "--keyint is"),
        (("--every", "0"), "every must be a whole number from 1"),
        (("--fps", "3"), "two ways to choose frames"),
        (("--size", "small"), "WIDTHxHEIGHT"),
        (("--size", "0x32"), "width must be a whole number from 1"),
        (("--size", "48x99999"), "height must be"),
        (("--device", "toaster"), "no device 'toaster'"),
        (("--device", ""), "no device ''"),
        (("--quantiser", "floor"), "choose from none, naive, scale, kmeans, round"),
        (("--quantiser", ""), "choose from"),
        (("--quantiser", "round"), "was not; choose naive"),
        (("--quantiser", "none", "--entropy", "adaptive"), "choose raw"),
        (("--quantiser", "kmeans", "--entropy", "factorised"), "choose adaptive or raw"),
        (("--entropy", "huffman"), "choose from raw, adaptive, factorised"),
        (("--entropy", "prediction"), "comes with a model of its own"),
        (("--entropy", "mixing"), "comes with a model of its own"),
        (("--report", "r.pdf"), ".html, .json, .csv"),
        (("--report", "none/r.html"), "there is no folder none"),
    ],
)
def test_options_of_encode_that_make_no_sense(refused, encode, options, reason):
    assert reason in refused(*encode, *options)


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "1e999999999", "1/0", "three", "30/", "²"])
def test_frame_rates_that_are_none(refused, game, tiny_model, rate):
    words = "fps must be a positive fraction" if rate == "0" else "as in 3, 2.5 or 30000/1001"
    assert words in refused("encode", game, "-o", "out.lvc", "--model", tiny_model, f"--fps={rate}")
    assert words in refused("build-dataset", game, "-o", "set", f"--fps={rate}", "-q")


@pytest.mark.parametrize(
    ("written", "kept"), [("29.97002997002997", "30000/1001"), ("33.3333", "100/3"), ("2.5", "5/2"), ("30/2", "15")]
)
def test_frame_rates_are_those_that_are_meant(lvc, game, tiny_model, written, kept):
    assert lvc("encode", game, "-o", "out.lvc", "--model", tiny_model, "--size", "48x32", f"--fps={written}").code == 0
    with ContainerReader("out.lvc") as reader:
        assert reader.header.source["fps"] == kept


@pytest.mark.parametrize("crf", ["-1", "64"])
def test_crf_out_of_range(refused, game, temporal_model, crf):
    assert "from 0 (best) to 63" in refused(
        "encode", game, "-o", "out.lvc", "--model", temporal_model, *SAMPLING, "--crf", crf
    )


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("decode", "game.lvc"),
        ("encode", "game.mp4", "--crf", "good"),
        ("encode", "game.mp4", "--every", "1.5"),
        ("encode", "game.mp4", "--faster"),
        ("encode", "game.mp4", "-y", "-n"),
        ("transcode", "game.mp4"),
        ("info",),
    ],
)
@pytest.mark.usefixtures("game")
def test_usage_errors_are_one_line_too(lvc, arguments):
    shown = lvc(*arguments)
    assert (shown.code, shown.out, len(shown.err)) == (2, "", 1)
    assert shown.err[0].startswith("lvc") and "--help" in shown.err[0]


@pytest.mark.usefixtures("game")
def test_nothing_to_do(refused):
    assert "lvc encode game.mp4 -o game.lvc" in refused("encode", "-q")
    assert "lvc decode game.lvc -o out.mp4" in refused("decode", "-o", "out.mp4")


# Outputs


def test_an_output_that_is_the_input_by_whatever_name(refused, coded, game, tiny_model):
    shutil.copy(game, "film.lvc")
    os.symlink("film.lvc", "link.lvc")
    os.link("film.lvc", "hard.lvc")
    for output in ("film.lvc", "link.lvc", "hard.lvc", "./film.lvc"):
        assert "the output is also the input" in refused(
            "encode", "film.lvc", "-o", output, "-y", "--model", tiny_model, *SAMPLING
        )
    shutil.copy(coded, "file.mp4")
    os.symlink("file.mp4", "link.mp4")
    os.link("file.mp4", "hard.npy")
    for output in ("file.mp4", "link.mp4", "hard.npy"):
        assert "the output is also the input" in refused(
            "decode", "file.mp4", "-o", output, "-y", "--model", tiny_model, "-q"
        )
    shutil.copy(game, "page.json")
    os.symlink("page.json", "link.json")
    for output in ("page.json", "link.json"):
        assert "also the input" in refused(
            "report", coded, "page.json", "-o", output, "-y", "--model", tiny_model, "-q"
        )
    shutil.copy(game, "film.lvc.part")
    os.remove("film.lvc")
    assert "temporary name film.lvc.part is the input" in refused(
        "encode", "film.lvc.part", "-o", "film.lvc", "-y", "--model", tiny_model
    )


def test_outputs_that_exist_stay(refused, encode, decode, coded, game, tiny_model, dataset):
    for name in ("out.lvc", "out.mp4", "out.npy", "out.timestamps.json", "r.html", "a.safetensors"):
        Path(name).write_text("precious")
    os.mkdir("pictures")
    Path("pictures/mine.png").write_text("precious")
    for command in (
        encode,
        decode,
        ("decode", coded, "-o", "out.npy", "--model", tiny_model),
        ("report", coded, game, "-o", "r.html", "--model", tiny_model),
        (*encode[:2], "-o", "new.lvc", "--report", "r.html", *encode[4:]),
        ("train", dataset, "-o", "a.safetensors", "--model", "conv4"),
    ):
        assert "exists already; overwrite it with -y" in refused(*command)
    for more in ((), ("-y",)):
        assert "holds other files, such as mine.png" in refused(
            "decode", coded, "-o", "pictures", "--model", tiny_model, *more
        )


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("none/out{}", "there is no folder none"),
        ("game.mp4/out{}", "there is no folder game.mp4"),
        ("/proc/out{}", "cannot be written"),
        ("x" * 300 + "{}", "File name too long"),
    ],
)
def test_outputs_that_cannot_be_written(refused, coded, game, tiny_model, output, reason):
    model = ("--model", tiny_model)
    assert reason in refused("encode", game, "-o", output.format(".lvc"), *model, *SAMPLING)
    for suffix in (".mp4", ".mkv", ".npy", ""):
        assert reason in refused("decode", coded, "-o", output.format(suffix), *model)
    assert reason in refused("report", coded, game, "-o", output.format(".html"), *model, "-q")


def test_other_kinds_of_output(refused, coded, game, tiny_model):
    assert "a name ending in .lvc was expected" in refused("encode", game, "-o", "out.mp4", "--model", tiny_model)
    assert ".mp4, .mkv or .npy" in refused("decode", coded, "-o", "out.avi", "--model", tiny_model)
    os.mkdir("folder.lvc")
    os.mkfifo("pipe.lvc")
    assert "is no regular file" in refused("encode", game, "-o", "pipe.lvc", "-y", "--model", tiny_model, *SAMPLING)
    os.mkdir("folder.mp4")
    Path("folder.mp4/mine").touch()
    assert "holds other files" in refused("decode", coded, "-o", "folder.mp4", "--model", tiny_model)
    assert "a folder that exists was expected" in refused(
        "encode", game, "copy.mp4", "-o", "none", "--model", tiny_model
    )


def test_two_recordings_of_one_name_do_not_write_over_each_other(refused, game, recordings, tiny_model):
    os.mkdir("coded")
    os.mkdir("b")
    shutil.copy(recordings / "game_1.mp4", "b/game.mp4")
    line = refused("encode", game, "b/game.mp4", "-o", "coded", "-y", "--model", tiny_model, *SAMPLING)
    assert "coded/game.lvc: both " in line


@pytest.mark.parametrize("suffix", [".lvc", ".mp4", ".mkv", ".npy", "", ".html", ".safetensors"])
def test_a_disk_that_is_full(lvc, coded, game, tiny_model, dataset, suffix):
    command = {
        ".lvc": ("encode", game, *SAMPLING, "--keyint", 2, "--model", tiny_model),
        ".html": ("report", coded, game, "--model", tiny_model),
        ".safetensors": ("train", dataset, "--model", "conv4", "--steps", 1, "--threads", 1, "--option", "stages=2"),
    }.get(suffix, ("decode", coded, "--model", tiny_model))
    os.mkdir("disk")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000 if suffix == ".lvc" else 900, limit[1]))
    try:
        shown = lvc(*command, "-o", f"disk/out{suffix}", "-q")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert (shown.code, shown.out, len(shown.err)) == (1, "", 1), shown
    assert f"disk/out{suffix}: cannot be written" in shown.err[0] and "File too large" in shown.err[0]
    # Of a .lvc file the groups that were written before stay for `verify --repair`.
    assert os.listdir("disk") == (["out.lvc.part"] if suffix == ".lvc" else [])


# Names


@pytest.mark.parametrize(
    "stem",
    ["two words", "two\nlines", "-dash", "http:game", "%d", "snow ☃", "\x1b[31mred", os.fsdecode(b"\xff\xfe")],
    ids=["space", "line end", "dash", "scheme", "percent", "snow", "escape", "no UTF-8"],
)
def test_strange_names(lvc, recordings, tiny_model, tmp_path, monkeypatch, stem):
    monkeypatch.chdir(tmp_path)
    model = ("--model", tiny_model)
    shutil.copy(recordings / "game_0.mp4", f"{stem}.mp4")
    shown = lvc("encode", f"--input={stem}.mp4", f"--output={stem}.lvc", *model, *SAMPLING)
    assert shown.code == 0 and len([line for line in shown.err if "30 frames in" in line]) == 1
    assert "\x1b" not in shown.err[-1]
    shown = lvc("info", "--", f"{stem}.lvc")
    assert shown.code == 0 and len(shown.out.splitlines()) == 8
    shown.out.encode()  # whatever the name, text that any file can take
    assert json.loads(lvc("info", "--json", "--", f"{stem}.lvc").out)["file"] == f"{stem}.lvc"
    assert lvc("verify", "-q", "--", f"{stem}.lvc").code == 0
    for name in (f"{stem}.out.mp4", f"{stem}.npy", f"{stem} pictures"):
        assert lvc("decode", f"--output={name}", *model, "-q", "--", f"{stem}.lvc").code == 0
    outputs = [f"--output={stem}.{suffix}" for suffix in ("html", "json", "csv")]
    assert lvc("report", *outputs, *model, "-q", "--", f"{stem}.lvc", f"{stem}.mp4").code == 0
    assert len(os.listdir()) == 9
    shown = lvc("encode", f"--input={stem}.mp4", f"--output={stem}.lvc", *model, *SAMPLING)
    assert shown.code == 1 and len(shown.err) == 1 and "exists already" in shown.err[0]


# Ends


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory, make_recording, gameplay):
    return make_recording(
        tmp_path_factory.mktemp("long") / "long.mp4", gameplay(60) * 120, options={"preset": "ultrafast", "g": "30"}
    )


def started(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "lvc", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell that runs the tests in the background has SIGINT ignored, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_encoder_that_ends_early_loses_nothing(
    lvc, refused, tmp_path, monkeypatch, tiny_model, long_recording, number
):
    monkeypatch.chdir(tmp_path)
    command = (
        "encode",
        long_recording,
        "-o",
        "out.lvc",
        "--model",
        tiny_model,
        "--every",
        1,
        "--size",
        "48x32",
        "--keyint",
        4,
        "-q",
    )
    process = started(*command)
    deadline = time.monotonic() + 200  # a busy machine takes its time to load torch
    while time.monotonic() < deadline and not (
        os.path.exists("out.lvc.part") and os.path.getsize("out.lvc.part") > 10_000
    ):
        time.sleep(0.005)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert os.listdir() == ["out.lvc.part"]
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert errors == b"lvc encode: interrupted; what was coded can be recovered: lvc verify --repair out.lvc.part\n"
    # The next try does not write over what is left, unless it is told to.
    assert "lvc verify --repair out.lvc.part" in refused(*command)
    assert lvc("verify", "out.lvc.part").code == 1
    assert lvc("verify", "--repair", "out.lvc.part", "-q").code in (0, 3)
    with ContainerReader("out.repaired.lvc") as container:
        assert container.complete and 4 <= container.frame_count < 7200
        assert {container.frames_in_group(group) for group in range(len(container.index) - 1)} <= {4}, (
            "an interrupt may end the last one early"
        )
    assert lvc("decode", "out.repaired.lvc", "-o", "out.npy", "--model", tiny_model, "-q").code == 0
    assert lvc(*command, "-y", "--fps", "1").code == 1, "two ways to choose frames: still nothing is touched"
    assert os.path.exists("out.lvc.part")
    again = [one for one in command if one not in ("--every", 1)]
    assert lvc(*again, "--every", 100, "-y").code == 0
    assert sorted(os.listdir()) == ["out.lvc", "out.npy", "out.repaired.lvc", "out.timestamps.json"]


def test_readers_that_go_away(coded):
    for arguments in (("info", coded), ("info", "--json", coded), ("verify", coded, "-q")):
        process = started(*arguments)
        process.stdout.close()
        errors = process.stderr.read()
        process.stderr.close()
        assert process.wait(timeout=60) == (0 if arguments[-1] == "-q" else 1)
        assert errors == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_results_that_nobody_can_take_are_an_error(coded):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lvc", "info", str(coded)],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
    assert done.returncode == 1 and done.stderr == b"lvc info: No space left on device\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a window server")
def test_no_display(refused, coded, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert "there is no display" in refused("play", coded)
