"""`lvc encode` over folders: what is found, several processes, failures, and going on after an interruption."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from PIL import Image

SAMPLING = ("--every", "2", "--size", "48x32")


@pytest.fixture
def folder(recordings, gameplay, tmp_path, monkeypatch):
    """recordings/ with two recordings and a picture, one of the recordings and the picture in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    os.makedirs("recordings/deeper/still")
    shutil.copy(recordings / "game_0.mp4", "recordings/game.mp4")
    shutil.copy(recordings / "game_1.mp4", "recordings/deeper/game.MP4")
    Image.fromarray(gameplay(1, 48, 32)[0]).save("recordings/deeper/still/shot.png")
    (tmp_path / "recordings" / "notes.txt").write_text("no video")
    (tmp_path / "recordings" / ".hidden.mp4").write_bytes(b"")
    return tmp_path / "recordings"


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_folders_are_coded_to_any_depth_and_processes_make_the_same_files(lvc, folder, tiny_model, tmp_path):
    # Frames every second one: sampling is for recordings alone, so the picture is left to the test of pictures.
    (folder / "deeper" / "still" / "shot.png").unlink()
    (folder / "broken.mp4").write_text("no video")
    encode = ("encode", "recordings", "--model", tiny_model, *SAMPLING, "--json")
    one = lvc(*encode, "-o", "one")
    several = lvc(*encode, "-o", "several", "-w", "2", "-q")
    for shown in (one, several):
        assert shown.code == 3
        assert any("broken.mp4: cannot be read as a video" in line for line in shown.err)
        assert shown.err[-1] == "lvc encode: 1 of 3 recordings failed"
    assert len(several.err) == 2
    assert sorted(json.loads(line)["output"] for line in several.out.splitlines()) == [
        "several/deeper/game.lvc",
        "several/game.lvc",
    ]
    made = files(tmp_path / "one")
    assert list(made) == ["deeper/game.lvc", "game.lvc"]
    assert files(tmp_path / "several") == made
    assert lvc("verify", "one/game.lvc", "one/deeper/game.lvc", "--symbols", "--model", tiny_model, "-q").code == 0


@pytest.fixture
def faulty(monkeypatch):
    """A fault that nobody foresaw, in sampling recordings whose name says so."""
    from lvc.video import sample

    sound = sample.timed_frames

    def timed_frames(container, stream, path, **options):
        for number, frame in enumerate(sound(container, stream, path, **options)):
            if number == 3 and "faulty" in path.name:
                raise ZeroDivisionError("three frames")
            yield frame

    monkeypatch.setattr(sample, "timed_frames", timed_frames)


@pytest.mark.usefixtures("faulty")
def test_a_fault_of_any_kind_is_its_files_own(lvc, folder, tiny_model, tmp_path):
    shutil.copy(folder / "game.mp4", folder / "faulty.mp4")
    encode = ("encode", "recordings", "--model", tiny_model, *SAMPLING, "-q")
    (folder / "deeper" / "still" / "shot.png").unlink()
    shown = lvc(*encode, "-o", "coded")
    assert shown.code == 3 and list(files(tmp_path / "coded")) == ["deeper/game.lvc", "game.lvc"]
    told = "recordings/faulty.mp4: ZeroDivisionError: three frames"
    assert shown.err == [
        f"lvc encode: {told} (a fault of lvc: --debug says where)",
        "lvc encode: 1 of 3 recordings failed",
    ]
    shown = lvc("encode", "recordings/faulty.mp4", "-o", "x.lvc", "--model", tiny_model, *SAMPLING, "-q", "--debug")
    assert shown.code == 1 and shown.err[0] == f"lvc encode: {told}"
    assert shown.err[1] == "Traceback (most recent call last):" and any("in timed_frames" in line for line in shown.err)
    shown = lvc("build-dataset", "recordings", "-o", "frames", "--split", "1:0:0", "-w", "1", "-q", *SAMPLING)
    assert shown.code == 3 and shown.err == [
        f"lvc build-dataset: left out: {told} (a fault of lvc: --debug says where)"
    ]


@pytest.mark.usefixtures("folder")
def test_what_holds_for_all_files_is_said_once(lvc, tiny_model, monkeypatch):
    monkeypatch.setattr("lvc.encoding.encode.notes_of", lambda _: ("no ffmpeg is found",))
    shown = lvc("encode", "recordings", "-o", "coded", "--model", tiny_model, "--size", "48x32")
    assert shown.code == 0, shown.err
    assert [line for line in shown.err if "ffmpeg" in line] == ["lvc encode: no ffmpeg is found"]
    assert sum(" frame" in line and " bytes" in line for line in shown.err) == 3, "all files were made"


@pytest.mark.usefixtures("folder")
def test_one_file_that_cannot_be_decoded_does_not_end_a_folder(lvc, tiny_model, tmp_path, monkeypatch):
    from lvc.reading import decoding

    assert lvc("encode", "recordings", "-o", "coded", "--model", tiny_model, "--size", "48x32", "-q").code == 0
    sound = decoding.sound_batches

    def sound_batches(reader, **options):
        if reader.header.source["name"] == "game.mp4":
            raise RecursionError("so deep")
        yield from sound(reader, **options)

    monkeypatch.setattr(decoding, "sound_batches", sound_batches)
    os.rename("coded/deeper/game.lvc", "coded/other.lvc")
    shown = lvc("decode", "coded", "-o", "pictures", "-q", "--model", tiny_model)
    assert shown.code == 3 and (tmp_path / "pictures" / "other.mp4").exists()
    assert shown.err[0] == "lvc decode: coded/game.lvc: RecursionError: so deep (a fault of lvc: --debug says where)"


def test_pictures_and_recordings_of_a_folder_beside_their_sources(lvc, folder, tiny_model):
    assert (
        lvc("encode", "recordings", "--size", "48x32", "--model", tiny_model, "--entropy", "adaptive", "-q").code == 0
    )
    assert {name for name in files(folder) if name.endswith(".lvc")} == {
        "game.lvc",
        "deeper/game.lvc",
        "deeper/still/shot.lvc",
    }


@pytest.mark.usefixtures("folder")
def test_resume_leaves_what_is_done_and_begins_the_rest_again(lvc, tiny_model, tmp_path):
    encode = ("encode", "recordings", "-o", "coded", "--size", "48x32", "--model", tiny_model, "--entropy", "adaptive")
    assert lvc(*encode).code == 0
    whole, made = files(tmp_path / "coded"), tmp_path / "coded" / "game.lvc"
    before = made.stat().st_mtime_ns
    deeper = tmp_path / "coded" / "deeper" / "game.lvc"
    deeper.with_name("game.lvc.part").write_bytes(deeper.read_bytes()[:200])
    deeper.unlink()
    refused = lvc(*encode, "-n")
    assert refused.code == 3 and any("verify --repair coded/deeper/game.lvc.part" in line for line in refused.err)
    shown = lvc(*encode, "--resume")
    assert shown.code == 0 and any(line == "coded/game.lvc: exists already, left as it is" for line in shown.err)
    assert files(tmp_path / "coded") == whole
    assert made.stat().st_mtime_ns == before


def test_resume_never_takes_the_input_for_a_part(lvc, folder, tiny_model, tmp_path):
    source = tmp_path / "game.lvc.part"
    (folder / "game.mp4").rename(source)
    before = source.read_bytes()
    shown = lvc("encode", source, "-o", "game.lvc", "--model", tiny_model, "--resume")
    assert shown.code == 1 and "its temporary name" in shown.err[-1]
    assert source.read_bytes() == before


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_interruption_ends_all_processes_and_resume_goes_on(
    lvc, folder, make_recording, gameplay, tiny_model, tmp_path, until
):
    for name in ("long", "longer"):
        make_recording(folder / f"{name}.mp4", gameplay(3000))
    arguments = [
        "encode",
        "recordings",
        "-o",
        "coded",
        "--every",
        "1",
        "--size",
        "48x32",
        "--keyint",
        "4",
        "--model",
        str(tiny_model),
        "-w",
        "2",
    ]
    (folder / "deeper" / "still" / "shot.png").unlink()
    process = subprocess.Popen(
        [sys.executable, "-m", "lvc", *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        until(lambda: (tmp_path / "coded" / "long.lvc.part").exists(), 250)  # three processes load torch
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process
        _, errors = process.communicate(timeout=100)
    finally:
        process.kill()
    assert (process.returncode, errors.splitlines()[-1].strip()) == (
        130,
        "lvc encode: interrupted; go on with --resume",
    )
    assert "Traceback" not in errors
    assert not (tmp_path / "coded" / "long.lvc").exists()
    shutil.copy(folder / "game.mp4", folder / "long.mp4")  # shorter, for the rest of the test
    shutil.copy(folder / "game.mp4", folder / "longer.mp4")
    assert lvc(*arguments[:-2], "--resume", "-q").code == 0
    assert list(files(tmp_path / "coded")) == ["deeper/game.lvc", "game.lvc", "long.lvc", "longer.lvc"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [(("-w", "0"), "--workers must be"), (("--resume", "-y"), "not allowed with"), (("--ray", "127.0.0.1:1"), "Ray")],
)
@pytest.mark.usefixtures("folder")
def test_options_that_make_no_sense(lvc, tiny_model, tmp_path, options, reason):
    shown = lvc("encode", "recordings", "-o", "coded", "--model", tiny_model, *options)
    assert shown.code in (1, 2) and reason in shown.err[-1]
    assert not any((tmp_path / "coded").rglob("*.lvc*"))
