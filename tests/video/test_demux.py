"""Opening recordings: what probe says, and that each bad file is refused by name with its reason."""

import wave
from fractions import Fraction

import av
import pytest

from lvc.errors import InputError, OptionError
from lvc.video.demux import probe, source_digest


def test_probe_says_what_the_file_holds(tmp_path, make_recording, gameplay):
    info = probe(make_recording(tmp_path / "game.mp4", gameplay(45, 96, 64)))
    assert (info.width, info.height, info.rotation, info.frames, info.codec) == (96, 64, 0, 45, "h264")
    assert info.average_rate == 30
    assert info.duration_seconds == pytest.approx(1.5)
    assert info.pixel_format == "yuv420p"
    assert isinstance(info.time_base, Fraction)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.mp4: No such file"):
        probe(tmp_path / "nowhere.mp4")


def test_a_folder_is_no_video(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        probe(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"hello, I am a text\n" * 50, "cannot be read as a video"),
        (b"\x00" * 4096, "cannot be read as a video"),
    ],
    ids=["empty", "text", "zeros"],
)
def test_what_is_no_video_is_refused(tmp_path, content, reason):
    path = tmp_path / "fake.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"fake\.mp4: {reason}"):
        probe(path)


@pytest.mark.parametrize(
    "script",
    [
        "ffconcat version 1.0\nfile real.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nreal.mp4\n#EXT-X-ENDLIST\n",
    ],
    ids=["concat", "playlist"],
)
def test_scripts_cannot_make_us_open_other_files(tmp_path, make_recording, gameplay, script):
    make_recording(tmp_path / "real.mp4", gameplay(5))
    path = tmp_path / "script.mp4"
    path.write_text(script)
    with pytest.raises(InputError, match="cannot be read as a video"):
        probe(path)


def test_a_name_that_looks_like_an_address_is_a_name(tmp_path, make_recording, gameplay, monkeypatch):
    make_recording(tmp_path / "game.mp4", gameplay(5)).rename(tmp_path / "http:game.mp4")
    monkeypatch.chdir(tmp_path)
    assert probe("http:game.mp4").frames == 5


def test_sound_alone_is_refused(tmp_path):
    path = tmp_path / "sound.mkv"
    sound = tmp_path / "sound.wav"
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    with av.open(str(sound)) as source, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    with pytest.raises(InputError, match=r"sound\.mkv: has no video stream, only: audio"):
        probe(path)


def test_digest_is_sha256(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert source_digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1


def test_digest_of_nothing_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        source_digest(tmp_path / "nowhere")


def test_an_old_pyav_is_refused_by_name(make_recording, gameplay, tmp_path, monkeypatch):
    path = tmp_path / "game.mp4"
    make_recording(path, gameplay(3))
    monkeypatch.setattr("av.__version__", "16.1.0")
    with pytest.raises(OptionError, match=r"PyAV 17 or newer was expected.*16\.1\.0 is installed"):
        probe(path)
