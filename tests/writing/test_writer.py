"""Frames from memory become files: the same as `encode` makes, readable while they grow,
and never less than was there before.
"""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
import torch

import lvc
from lvc.codecs.neural.codec import NeuralCodec
from lvc.codecs.symbols import SymbolCodec
from lvc.container.reader import ContainerReader
from lvc.container.recover import repair, verify
from lvc.container.writer import ContainerWriter
from lvc.frames import FrameBatch, Geometry
from lvc.video.resize import resize
from lvc.video.sample import Sampling, sampled_frames
from lvc.weights import checkpoints
from tests import ROOT

SMALL = Geometry(40, 32)
KEYINT = 4
MILLISECOND = Fraction(1, 1000)
COUNT = 22


@pytest.fixture(scope="module")
def weights(tmp_path_factory, save_small):
    return save_small(tmp_path_factory.mktemp("weights") / "small.safetensors", "conv4")


@pytest.fixture(scope="module")
def checkpoint(weights):
    return checkpoints.load(weights)


@pytest.fixture(scope="module")
def frames():
    """uint8 [22, 32, 40, 3]."""
    return np.random.default_rng(3).integers(0, 256, (COUNT, 32, 40, 3), np.uint8)


@pytest.fixture
def writer_of(checkpoint, tmp_path):
    """`writer_of(name, **options)`: a Writer of the tiny model, 30 frames a second in groups of 4."""

    def make(name="game.lvc", **options):
        return lvc.Writer(tmp_path / name, **{"fps": 30, "model": checkpoint, "keyint": KEYINT} | options)

    return make


@pytest.fixture
def made(writer_of, frames):
    """`made(name, frames, **options)`: the path of a file of these frames (by default of all)."""

    def make(name="game.lvc", some=frames, **options):
        with writer_of(name, **options) as writer:
            writer.write(some)
        return writer.path

    return make


def contents(path):
    """Timestamps, symbol digests and payloads of all frames; also of a file that is not finished."""
    with ContainerReader(path) as reader:
        groups = list(reader.groups())
    return [(group.pts, group.digest, tuple(packet.payload for packet in group.packets)) for group in groups]


def times(path):
    return [pts for group, *_ in contents(path) for pts in group]


# What may be written


FORMS = {
    "frame by frame, HWC": lambda frames: list(frames),
    "frame by frame, CHW": lambda frames: list(frames.transpose(0, 3, 1, 2).copy()),
    "one batch": lambda frames: [frames],
    "batches of 5, CHW views": lambda frames: [frames[at : at + 5].transpose(0, 3, 1, 2) for at in range(0, COUNT, 5)],
    "torch, HWC": lambda frames: [torch.from_numpy(frames)],
    "torch, CHW": lambda frames: list(torch.from_numpy(frames).permute(0, 3, 1, 2)),
    "FrameBatch": lambda frames: [FrameBatch(frames, tuple(range(COUNT)), Fraction(1, 30))],
    "with timestamps": lambda frames: [(frame, number) for number, frame in enumerate(frames)],
    "a batch with timestamps": lambda frames: [(frames, np.arange(COUNT))],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_file(writer_of, made, frames, form):
    with writer_of("other.lvc") as writer:
        for call in FORMS[form](frames):
            writer.write(*(call if isinstance(call, tuple) else (call,)))
    assert writer.path.read_bytes() == made().read_bytes()
    assert times(writer.path) == list(range(COUNT)) and not writer.part.exists()


def test_frames_are_copied(writer_of, made, frames):
    """Environments draw each frame into the same memory."""
    screen = np.empty_like(frames[0])
    with writer_of("other.lvc") as writer:
        for frame in frames:
            screen[:] = frame
            writer.write(screen)
        screen[:] = 0
    assert writer.path.read_bytes() == made().read_bytes()


def test_frames_of_another_size_are_area_averaged(made, frames):
    large = np.kron(frames, np.ones((1, 3, 2, 1), np.uint8))
    assert made("large.lvc", large, geometry=SMALL).read_bytes() == made().read_bytes()
    uneven = np.random.default_rng(0).integers(0, 256, (5, 40, 32, 3), np.uint8)
    assert made("uneven.lvc", uneven).read_bytes() == made("resized.lvc", resize(uneven, SMALL)).read_bytes()


@pytest.mark.parametrize("family", ["conv4", "temporal", "temporal-palette"])
def test_the_file_is_the_one_that_encode_makes(tmp_path, make_recording, gameplay, save_small, family):
    weights = save_small(tmp_path / "small.safetensors", family)
    recording = make_recording(tmp_path / "game.mp4", gameplay(40, 80, 64))
    sampling = Sampling(every=3, geometry=SMALL)
    lvc.encode(recording, tmp_path / "encoded.lvc", sampling=sampling, model=weights, keyint=5)
    header = ContainerReader(tmp_path / "encoded.lvc").header
    batches = list(sampled_frames(recording, sampling))
    pictures = np.concatenate([batch.data for batch in batches])
    pts = [pts for batch in batches for pts in batch.pts]
    options = {
        "model": weights,
        "keyint": 5,
        "frame_duration": header.frame_duration,
        "source": header.source,
        "geometry": SMALL,
    }
    with lvc.Writer(tmp_path / "written.lvc", time_base=header.time_base, **options) as writer:
        for frame, time in zip(pictures, pts):
            writer.write(frame, pts=time)
    assert (tmp_path / "written.lvc").read_bytes() == (tmp_path / "encoded.lvc").read_bytes()


@pytest.mark.parametrize("sizes", [(22,), (1,) * 22, (5, 1, 7, 2, 7)], ids=str)
def test_every_keeps_one_of_so_many_at_its_own_time(writer_of, made, frames, sizes):
    with writer_of(every=3) as writer:
        for batch in np.split(frames, np.cumsum(sizes)[:-1]):
            writer.write(batch)
    assert times(writer.path) == list(range(0, COUNT, 3))
    assert [one[1:] for one in contents(writer.path)] == [one[1:] for one in contents(made("kept.lvc", frames[::3]))]
    with lvc.open(writer.path) as reader:
        assert (reader.header.frame_duration, reader.header.source) == (3, {"every": 3})


def test_timestamps_are_exact(writer_of, made, frames):
    path = made(fps=Fraction(30000, 1001))
    with ContainerReader(path) as reader:
        assert reader.header.time_base == Fraction(1001, 30000)
    assert times(made("thirds.lvc", fps=3, time_base=MILLISECOND))[:4] == [0, 333, 667, 1000]
    pts = [7, 8, 100, 2**40]
    with writer_of("own.lvc", fps=None, time_base=MILLISECOND) as writer:
        for frame, time in zip(frames, pts):
            writer.write(frame, pts=time)
    assert times(writer.path) == pts


def test_what_does_not_fit_is_refused_and_nothing_of_it_taken(writer_of, frames):
    with writer_of(fps=None, time_base=MILLISECOND) as writer:
        writer.write(frames[:2], pts=(5, 6))
        for call, reason in [
            ((frames[2].astype(float), 7), "uint8"),
            ((frames[2:4], (7, 7)), "increase"),
            ((frames[2], 6), "increase"),
            ((frames[2:4], (7,)), "2 frames came with 1"),
            ((frames[2], 7.5), "whole numbers"),
            ((frames[2], 2**63), "64 bits"),
            ((frames[2], 5 + 2**50), "2\\*\\*50"),
            ((frames[2],), "pts"),
            ((FrameBatch(frames[2:3, :, :16], (7,), MILLISECOND),), "16x32"),
            ((FrameBatch(frames[2:3], (7,), Fraction(1, 30)),), "1/30"),
        ]:
            with pytest.raises(lvc.OptionError, match=reason):
                writer.write(*call)
        writer.write(frames[2:4], pts=(7, 8))
    assert times(writer.path) == [5, 6, 7, 8]
    with pytest.raises(lvc.OptionError, match="closed"):
        writer.write(frames[4], pts=9)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"fps": None}, "fps"),
        ({"fps": 0}, "fps"),
        ({"fps": 60, "time_base": Fraction(1, 30)}, "apart"),
        ({"time_base": 0.1}, "time_base"),
        ({"every": 0}, "every"),
        ({"every": 2.5}, "every"),
        ({"keyint": True}, "keyint"),
        ({"geometry": (40, 32)}, "Geometry"),
        ({"queue_frames": -1}, "queue_frames"),
        ({"dimension_order": "NCHW"}, "dimension_order"),
        ({"append": True, "overwrite": True}, "append"),
        ({"crf": 30}, "crf"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_leave_nothing_behind(writer_of, tmp_path, options, reason):
    with pytest.raises(lvc.OptionError, match=reason):
        writer_of(**options)
    assert list(tmp_path.iterdir()) == []


# While it is written


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def test_the_part_can_be_read_at_any_time(writer_of, made, weights, frames):
    whole = contents(made("whole.lvc"))
    with writer_of() as writer:
        assert contents(writer.part) == [] and not writer.path.exists()
        for number, frame in enumerate(frames, 1):
            writer.write(frame)
            coded = number // KEYINT * KEYINT
            until(lambda coded=coded: writer.frames_written == coded)
            found = contents(writer.part)
            assert len(found) == number // KEYINT and found == whole[: len(found)]
        with (
            lvc.open(writer.part, model=weights) as reader,
            lvc.open(writer.path.with_name("whole.lvc"), model=weights) as other,
        ):
            assert len(reader) == 20 and torch.equal(reader[17], other[17])
    assert contents(writer.path) == whole


def test_a_reader_never_sees_half_a_group(writer_of, made, frames):
    """Whatever the writer is at, what another thread reads is the beginning of the file."""
    whole, seen = contents(made("whole.lvc")), []
    with writer_of() as writer:
        ended = threading.Event()

        def look():
            while not ended.is_set():
                seen.append(contents(writer.part))

        looker = threading.Thread(target=look)
        looker.start()
        writer.write(frames)
        until(lambda: writer.frames_written == 20)
        ended.set()
        looker.join()
    assert seen and all(found == whole[: len(found)] for found in seen)


@pytest.fixture
def gate(monkeypatch):
    """Coding waits for this event."""
    event, analyse = threading.Event(), NeuralCodec.analyse

    def gated(self, frames):
        event.wait(60)
        return analyse(self, frames)

    monkeypatch.setattr(NeuralCodec, "analyse", gated)
    yield event
    event.set()


@pytest.mark.parametrize(("queue_frames", "room"), [(0, 2), (4, 2), (8, 3), (11, 3), (12, 4)])
def test_writing_blocks_when_the_queue_is_full(writer_of, frames, gate, queue_frames, room):
    """Groups that are taken: those that are coded or queued, one at least, and one that is being gathered."""
    taken = []
    with writer_of(queue_frames=queue_frames) as writer:

        def play():
            for number in range(5 * KEYINT):
                writer.write(frames[number])
                taken.append(number)

        player = threading.Thread(target=play, daemon=True)
        player.start()
        player.join(0.5)
        # The last frame of a group that has no room is not taken yet.
        assert len(taken) == room * KEYINT - 1 and player.is_alive()
        gate.set()
        player.join(60)
        assert len(taken) == 5 * KEYINT
    assert times(writer.path) == list(range(20))


def test_writing_does_not_wait_for_coding(writer_of, frames, gate):
    with writer_of() as writer:
        writer.write(frames)
        assert writer.frames_written == 0
        gate.set()
    assert len(times(writer.path)) == COUNT


# Errors


@pytest.fixture
def failing(monkeypatch):
    """`failing(error)`: the third group cannot be coded."""

    def make(error):
        encode, count = SymbolCodec.encode, []

        def fails(self, latents):
            count.append(1)
            if len(count) == 3:
                raise error
            return encode(self, latents)

        monkeypatch.setattr(SymbolCodec, "encode", fails)

    return make


def test_what_the_thread_meets_is_raised_by_the_next_write(writer_of, made, frames, failing):
    whole = contents(made("whole.lvc"))
    failing(MemoryError("no more"))
    with pytest.raises(MemoryError, match="no more"), writer_of() as writer:
        for number in range(10_000):
            writer.write(frames[number % COUNT])
            time.sleep(0.001)
    assert number < 9999 and not writer.path.exists()
    assert contents(writer.part) == whole[:2], "the groups before are there, and none after"


def test_what_the_thread_meets_is_raised_by_close(writer_of, frames, failing):
    failing(MemoryError("no more"))
    with pytest.raises(MemoryError, match="no more"), writer_of() as writer:
        writer.write(frames[: 3 * KEYINT])
    assert not writer.path.exists() and len(contents(writer.part)) == 2
    writer.close()  # a second time does nothing
    assert not writer.path.exists()


def test_a_disk_that_fails_is_an_output_error(writer_of, frames, monkeypatch):
    write_group, groups = ContainerWriter.write_group, []

    def full(self, group):
        groups.append(group)
        if len(groups) == 3:
            raise OSError(28, "No space left on device")
        write_group(self, group)

    monkeypatch.setattr(ContainerWriter, "write_group", full)
    with pytest.raises(lvc.OutputError, match="game.lvc: cannot be written: No space"), writer_of() as writer:
        writer.write(frames)
    assert not writer.path.exists() and len(contents(writer.part)) == 2


@pytest.mark.parametrize("error", [ValueError("of the game"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_block_that_fails_keeps_every_frame_in_the_part(writer_of, made, frames, tmp_path, error):
    whole = contents(made("whole.lvc", frames[:10]))
    with pytest.raises(type(error)), writer_of() as writer:
        writer.write(frames[:10])
        raise error
    assert not writer.path.exists() and contents(writer.part) == whole
    with pytest.raises(lvc.OutputError, match="--repair"):
        writer_of()
    repair(writer.part, tmp_path / "repaired.lvc")
    assert contents(tmp_path / "repaired.lvc") == whole and verify(tmp_path / "repaired.lvc").ok


def test_a_block_that_fails_without_a_frame_leaves_nothing(writer_of, tmp_path):
    with pytest.raises(ValueError, match="before anything"), writer_of():
        raise ValueError("before anything")
    assert list(tmp_path.iterdir()) == []


def test_a_block_without_a_frame_makes_a_file_without_frames(writer_of, weights):
    with writer_of() as writer:
        pass
    assert verify(writer.path).ok
    with lvc.open(writer.path, model=weights) as reader:
        assert len(reader) == 0


# Continuing a file


def test_a_file_that_is_continued_begins_with_its_old_bytes(writer_of, made, frames):
    path = made()
    os.chmod(path, 0o640)
    old, before = path.read_bytes(), contents(path)
    with writer_of(append=True) as writer:
        writer.write(frames[:6])
        assert path.read_bytes() == old, "until the longer one is whole"
    new, after = path.read_bytes(), contents(path)
    with ContainerReader(path) as reader:
        assert reader.complete and new[: reader.index[len(before)].offset] == old[: reader.index[len(before)].offset]
    assert after[: len(before)] == before
    assert [one[1:] for one in after[len(before) :]] == [one[1:] for one in contents(made("new.lvc", frames[:6]))]
    assert times(path) == list(range(28)) and verify(path).ok
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not writer.part.exists() and writer.frames_written == 28


def test_what_is_not_said_is_as_in_the_file(made, tmp_path, frames, weights, monkeypatch):
    monkeypatch.setenv("LVC_MODELS", str(weights.parent))
    made(
        every=2,
        fps=Fraction(25, 2),
        time_base=MILLISECOND,
        source={"every": 2, "name": "first"},
        quantiser={"name": "naive"},
    )
    before = ContainerReader(tmp_path / "game.lvc").header
    with lvc.Writer(tmp_path / "game.lvc", append=True) as writer:
        writer.write(frames[:4])
    assert ContainerReader(writer.path).header == before
    assert times(writer.path)[-3:] == [1600, 1760, 1920], "a frame of two, at 12.5 a second"


def test_timestamps_of_their_own_follow_the_old_ones(writer_of, made, frames):
    made()
    with writer_of(append=True) as writer:
        with pytest.raises(lvc.OptionError, match="increase"):
            writer.write(frames[0], pts=COUNT - 1)
        writer.write(frames[0], pts=COUNT + 100)
    assert times(writer.path)[-2:] == [COUNT - 1, COUNT + 100]


def test_continuing_what_is_not_there_makes_it(writer_of, made, frames):
    with writer_of(append=True) as writer:
        writer.write(frames)
    assert writer.path.read_bytes() == made("other.lvc").read_bytes()
    empty = made("empty.lvc", frames[:1], every=5)
    assert times(empty) == [0]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"fps": 25}, "another rate: it has 30 frames a second, and 25"),
        ({"time_base": Fraction(1, 30030)}, "another (rate|time_base)"),
        ({"fps": None, "frame_duration": 2}, "another frame_duration: it has 1, and 2"),
        ({"every": 2}, "another rate: it has 30 frames a second, and 15"),
        ({"keyint": 5}, "another keyint: it has 4, and 5"),
        ({"geometry": Geometry(48, 32)}, "another geometry: it has 40x32, and 48x32"),
        ({"quantiser": {"name": "naive"}}, "another quantiser"),
        ({"entropy": {"name": "adaptive"}}, "another entropy"),
        ({"source": {"name": "other"}}, "another source"),
        ({"model": "pacman", "keyint": None}, "another model: it has small"),
    ],
    ids=str,
)
def test_other_settings_are_refused_and_the_old_file_is_left_alone(writer_of, made, tmp_path, options, reason):
    path = made()
    before = path.read_bytes()
    with pytest.raises(lvc.OptionError, match=reason):
        writer_of(append=True, **options)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_only_a_whole_file_is_continued(writer_of, made, tmp_path):
    path = made()
    whole = path.read_bytes()
    with ContainerReader(path) as reader:
        inside = reader.index[1].offset + 30
    flipped = bytearray(whole)
    flipped[inside] ^= 1
    for damaged in (whole[:-1], whole[: inside + 3], bytes(flipped), b"", b"something else"):
        path.write_bytes(damaged)
        with pytest.raises(lvc.FormatError, match="game.lvc"):
            writer_of(append=True)
        assert path.read_bytes() == damaged and list(tmp_path.iterdir()) == [path]


def test_a_failure_while_continuing_leaves_the_old_file_and_the_new_frames(writer_of, made, frames):
    path = made()
    old = path.read_bytes()
    with pytest.raises(ValueError, match="before a frame"), writer_of(append=True) as writer:
        raise ValueError("before a frame")
    assert path.read_bytes() == old and not writer.part.exists()
    with pytest.raises(ValueError, match="after three"), writer_of(append=True) as writer:
        writer.write(frames[:3])
        raise ValueError("after three")
    assert path.read_bytes() == old and times(writer.part) == list(range(25))
    with pytest.raises(lvc.OutputError, match="--repair"):
        writer_of(append=True)


def test_two_writers_do_not_continue_one_file(writer_of, made, frames):
    path = made()
    with writer_of(append=True) as writer:
        writer.write(frames[:4])
        with pytest.raises(lvc.OutputError, match="is being written"):
            writer_of(append=True)
    assert times(path) == list(range(26))


def test_a_file_that_somebody_replaced_is_not_lost(writer_of, made, frames):
    path = made()
    other = made("other.lvc", frames[:5])
    with pytest.raises(lvc.OutputError, match="changed by somebody else"), writer_of(append=True) as writer:
        writer.write(frames[:4])
        os.replace(other, path)
    assert times(path) == list(range(5)) and times(writer.part) == list(range(26))


# kill -9

PROGRAM = """
import sys
import numpy as np
import lvc
path, model, append = sys.argv[1:]
frames = np.random.default_rng(9).integers(0, 256, (8, 32, 40, 3), np.uint8)
with lvc.Writer(path, fps=30, model=model, keyint=4, append=append == "append") as writer:
    while True:
        writer.write(frames)
"""


@pytest.mark.parametrize("append", [False, True], ids=["writing", "appending"])
def test_what_was_coded_outlives_a_kill(made, weights, tmp_path, append):
    path = tmp_path / "game.lvc"
    old = made().read_bytes() if append else b""
    before = contents(path) if append else []
    part = tmp_path / "game.lvc.part"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), str(weights), "append" if append else "new"], env=environment
    ) as process:
        until(
            lambda: process.poll() is not None or (part.exists() and part.stat().st_size > len(old) + 50_000),
            seconds=200,
        )
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert path.read_bytes() == old if append else not path.exists()
    found = contents(part)
    assert found[: len(before)] == before and len(found) > len(before)
    repair(part, tmp_path / "repaired.lvc")
    assert contents(tmp_path / "repaired.lvc") == found and verify(tmp_path / "repaired.lvc").ok
    # All that was coded but the group in work.
    assert part.stat().st_size - ContainerReader(part).index[-1].offset < 2 * ContainerReader(part).index[-1].byte_size


# After a kill, and two at once


def died(part, data):
    """Leaves a part as a writer that was killed leaves it."""
    part.write_bytes(data)


def run_in_shell(message, folder):
    """Follows the error's advice to the letter."""
    commands = message.partition("first run ")[2]
    lvc_command = f"{sys.executable} -m lvc"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["sh", "-c", f'lvc() {{ {lvc_command} "$@"; }}; {commands}'],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["game.lvc", "it's a $game; -n.lvc"])
def test_what_a_killed_writer_left_is_continued_as_the_error_says(writer_of, made, frames, tmp_path, name):
    path = made(name, frames[:8])
    longer = made("longer.lvc").read_bytes()
    with ContainerReader(longer) as reader:
        died(tmp_path / f"{name}.part", longer[: reader.index[4].offset + 9])
    (tmp_path / "longer.lvc").unlink()
    with pytest.raises(
        lvc.OutputError, match="a writer died while it wrote it.*holds its frames and 8 more"
    ) as refused:
        writer_of(name, append=True)
    assert "\n" not in str(refused.value) and times(path) == list(range(8)), (
        "nothing is touched before somebody says so"
    )
    done = run_in_shell(str(refused.value), tmp_path)
    assert done.returncode == 0, done.stderr
    assert times(path) == list(range(16)) and os.listdir(tmp_path) == [name]
    with writer_of(name, append=True) as writer:
        writer.write(frames[16:])
    assert times(path) == list(range(22))


def test_a_first_file_that_was_not_finished_is_continued_as_the_error_says(writer_of, made, tmp_path):
    died(tmp_path / "game.lvc.part", made("whole.lvc").read_bytes()[:-1])
    (tmp_path / "whole.lvc").unlink()
    with pytest.raises(lvc.OutputError, match="holds 22 frames") as refused:
        writer_of(append=True)
    assert run_in_shell(str(refused.value), tmp_path).returncode == 0
    assert times(tmp_path / "game.lvc") == list(range(22)) and os.listdir(tmp_path) == ["game.lvc"]


@pytest.mark.parametrize("left", ["nothing", "header", "some"])
def test_a_part_with_fewer_frames_than_the_file_never_takes_its_place(writer_of, made, tmp_path, left):
    """A writer that is killed while it copies the old frames."""
    path = made()
    whole = path.read_bytes()
    with ContainerReader(whole) as reader:
        size = {"nothing": 0, "header": reader.header_bytes, "some": reader.index[2].offset}[left]
    died(tmp_path / "game.lvc.part", whole[:size])
    with pytest.raises(lvc.OutputError, match="holds no more frames") as refused:
        writer_of(append=True)
    assert run_in_shell(str(refused.value), tmp_path).returncode == 0
    assert path.read_bytes() == whole and os.listdir(tmp_path) == ["game.lvc"]
    with writer_of(append=True):
        pass


@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"append": True}], ids=str)
def test_two_writers_of_one_file(writer_of, made, frames, options):
    """The second one is refused whatever it asks for, and the first does not notice."""
    with writer_of() as writer:
        writer.write(frames[:9])
        with pytest.raises(lvc.OutputError, match="is being written by another program"):
            writer_of(**options)
        writer.write(frames[9:])
    assert writer.path.read_bytes() == made("other.lvc").read_bytes()
    assert not writer.part.exists()


# A file that grows


def test_a_reader_sees_what_was_added(writer_of, weights, frames):
    with writer_of() as writer, lvc.open(writer.part, model=weights, cache_bytes=1 << 20) as reader:
        assert len(reader) == reader.refresh() == 0
        for count in range(4, 21, 4):
            writer.write(frames[count - 4 : count])
            until(lambda count=count: writer.frames_written == count)
            assert (reader.refresh(), reader.refresh(), len(reader)) == (4, 0, count)
            assert reader[-1].shape == (3, 32, 40) and reader.damage
        early = reader[:]
        writer.write(frames[20:])
        writer.close()
        # The file has another name now, and the reader the same file.
        assert not writer.part.exists() and reader.refresh() == 2
        assert len(reader) == COUNT and reader.damage == ()
        with lvc.open(writer.path, model=weights) as whole:
            assert torch.equal(reader[:], whole[:]) and torch.equal(reader[:20], early)


def test_a_group_that_comes_to_light_does_not_mix_up_the_others(made, weights, tmp_path):
    """A damaged file whose index appears: groups get other numbers, and what was kept of them goes."""
    data = bytearray(made().read_bytes())
    with ContainerReader(bytes(data)) as whole, lvc.open(bytes(data), model=weights) as sound:
        offsets, pictures = whole.index.offsets, sound[:]
    data[offsets[1] + 30] ^= 1
    growing = tmp_path / "growing.lvc"
    growing.write_bytes(data[: offsets[4]])
    with lvc.open(growing, model=weights, cache_bytes=1 << 20) as reader:
        assert torch.equal(reader[8:12], pictures[8:12])
        with open(growing, "ab") as file:
            file.write(data[offsets[4] :])
        assert reader.refresh() == 6
        for numbers in (slice(0, 4), slice(8, 22)):
            assert torch.equal(reader[numbers], pictures[numbers])
        with pytest.raises(lvc.FormatError, match="frames 4-7"):
            reader[5]
