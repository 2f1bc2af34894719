"""A sound file: opening, reading at random, times, processes."""

import io
import multiprocessing
import os
import pickle
import threading
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.container.layout import Group, Packet
from lvc.container.reader import ContainerReader
from lvc.container.writer import ContainerWriter
from lvc.errors import FormatError, InputError, OptionError


@pytest.fixture(params=["path", "string", "bytes", "memoryview", "file", "unbuffered file", "memory file"])
def opened(request, tmp_path, file_of):
    path = tmp_path / "game.lvc"
    path.write_bytes(file_of())
    if "file" not in request.param:
        source = {"path": path, "string": str(path), "bytes": file_of(), "memoryview": memoryview(file_of())}[
            request.param
        ]
        with ContainerReader(source) as reader:
            yield reader
    elif request.param == "memory file":
        yield ContainerReader(io.BytesIO(file_of()))
    else:
        with open(path, "rb", buffering=0 if "unbuffered" in request.param else -1) as file:
            with ContainerReader(file) as reader:
                yield reader
            assert not file.closed  # it is its owner's


def test_every_kind_of_source_gives_the_same(opened, header_of, groups_of):
    assert opened.header == header_of()
    assert opened.frame_count == 11
    assert opened.complete and opened.damage == ()
    assert list(opened.groups()) == groups_of()
    assert [opened.group(k) for k in (2, 0, 1, 1)] == [groups_of()[k] for k in (2, 0, 1, 1)]
    assert [(entry.first_frame, entry.frame_count, entry.first_pts) for entry in opened.index] == [
        (0, 4, 0),
        (4, 4, 20480),
        (8, 3, 40960),
    ]
    assert opened.index[0].offset == opened.header_bytes
    assert opened.index[-1].frames == range(8, 11)
    assert opened.file_bytes > opened.index[2].offset + opened.index[2].byte_size


def test_frames_groups_and_timestamps(file_of):
    reader = ContainerReader(file_of())
    assert [reader.group_of_frame(n) for n in range(11)] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
    assert [reader.pts_of(n) for n in range(11)] == [5120 * n for n in range(11)]
    assert [(reader.first_frame_of_group(k), reader.frames_in_group(k)) for k in range(3)] == [(0, 4), (4, 4), (8, 3)]
    for n in (-1, 11, 10**12):
        with pytest.raises(IndexError):
            reader.pts_of(n)
    for k in (-1, 3):
        with pytest.raises(IndexError):
            reader.group(k)


def test_a_file_without_frames(file_of):
    reader = ContainerReader(file_of([]))
    assert reader.complete
    assert (reader.frame_count, len(reader.index), list(reader.groups())) == (0, 0, [])
    with pytest.raises(IndexError):
        reader.pts_of(0)
    with pytest.raises(IndexError):
        reader.frame_at_seconds(0)


# --- times


def test_the_frame_shown_at_a_time(file_of):
    reader = ContainerReader(file_of())  # three frames a second
    third = Fraction(1, 3)
    assert [reader.frame_at_seconds(n * third) for n in range(11)] == list(range(11))
    assert [reader.frame_at_seconds(n * third + Fraction(1, 4)) for n in range(11)] == list(range(11))
    assert [reader.frame_at_seconds(n / 3) for n in range(11)] == list(range(11))
    assert reader.frame_at_seconds(0) == 0
    assert reader.frame_at_seconds(11 * third - Fraction(1, 10**12)) == 10
    for outside in (-1e-9, 11 * third, 1e300, -1e300):
        with pytest.raises(IndexError):
            reader.frame_at_seconds(outside)
    for nonsense in (float("nan"), float("inf")):
        with pytest.raises(OptionError):
            reader.frame_at_seconds(nonsense)


@settings(max_examples=60, deadline=None)
@given(
    deltas=st.lists(st.integers(1, 100_000), min_size=1, max_size=20),
    first=st.integers(-(10**9), 10**9),
    base=st.builds(Fraction, st.integers(1, 10**5), st.integers(1, 10**9)),
)
def test_a_timestamp_as_float_finds_its_own_frame(header_of, file_of, deltas, first, base):
    pts = [first]
    for delta in deltas:
        pts.append(pts[-1] + delta)
    groups = [Group(at, pts[at : at + 4], [Packet(1, b"")] * len(pts[at : at + 4]), 0) for at in range(0, len(pts), 4)]
    reader = ContainerReader(file_of(groups, header_of(time_base=base, frame_duration=1)))
    for n, one in enumerate(pts):
        assert reader.pts_of(n) == one
        assert reader.frame_at_seconds(one * base) == n
        seconds = float(one * base)
        found = reader.frame_at_seconds(seconds)
        assert float(pts[found] * base) == seconds and found >= n  # frames closer than floats can tell share one


# --- files that grow, large files, processes


def test_a_file_that_is_still_written_is_readable_up_to_its_last_group(tmp_path, header_of, groups_of):
    path = tmp_path / "game.lvc.part"
    groups = groups_of()
    with open(path, "wb") as file:
        writer = ContainerWriter(file, header_of())
        for written in range(len(groups) + 1):
            with ContainerReader(path) as reader:
                assert list(reader.groups()) == groups[:written]
                assert not reader.complete
                assert [(damage.part, damage.lost_frames) for damage in reader.damage] == [("trailer", 0)]
            if written < len(groups):
                writer.write_group(groups[written])
        writer.finish()
        with ContainerReader(path) as reader:
            assert reader.complete


def test_a_million_frames_open_at_once(tmp_path, header_of):
    path = tmp_path / "long.lvc"
    groups = 15_625
    with open(path, "wb", buffering=1 << 20) as file:
        file.flush, flush = lambda: None, file.flush
        writer = ContainerWriter(file, header_of(keyint=64))
        packets = (Packet(64, bytes(64)),)
        for k in range(groups):
            writer.write_group(Group(64 * k, range(5120 * 64 * k, 5120 * 64 * (k + 1), 5120), packets, 0))
        writer.finish()
        flush()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        with ContainerReader(path) as reader:
            times.append(time.perf_counter() - start)
            assert reader.frame_count == 1_000_000
            assert reader.complete
    start = time.perf_counter()
    with ContainerReader(path) as reader:
        assert reader.pts_of(777_777) == 5120 * 777_777
        assert reader.frame_at_seconds(Fraction(999_999, 3)) == 999_999
    times_of_a_seek = time.perf_counter() - start
    assert min(times) < 0.05, f"opening took {min(times) * 1e3:.1f} ms"
    assert times_of_a_seek < 0.1


def test_opening_reads_no_group(file_of, groups_of):
    class Counted(io.BytesIO):
        count = 0

        def read(self, size=-1):
            data = super().read(size)
            self.count += len(data)
            return data

    file = Counted(file_of(groups_of((4,) * 50, size=5000)))
    reader = ContainerReader(file)
    assert file.count < 2000
    reader.group(17)
    assert file.count < 2000 + 25_000


def test_pickled_and_sent_to_another_process(tmp_path, file_of, groups_of):
    path = tmp_path / "game.lvc"
    path.write_bytes(file_of())
    for source in (path, file_of()):
        copy = pickle.loads(pickle.dumps(ContainerReader(source)))
        assert list(copy.groups()) == groups_of()
        assert copy.header == ContainerReader(source).header
    with open(path, "rb") as file, pytest.raises(TypeError, match="file object"):
        pickle.dumps(ContainerReader(file))


def _read_backwards(reader, answer):
    answer.put([reader.pts_of(n) for n in reversed(range(reader.frame_count))])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_read_after_a_fork_by_parent_and_children_at_once(tmp_path, file_of, groups_of):
    path = tmp_path / "game.lvc"
    path.write_bytes(file_of(groups_of((4,) * 100)))
    reader = ContainerReader(path)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    children = [context.Process(target=_read_backwards, args=(reader, answers)) for _ in range(2)]
    for child in children:
        child.start()
    assert [reader.pts_of(n) for n in range(400)] == [5120 * n for n in range(400)]
    for child in children:
        assert answers.get(timeout=30) == [5120 * n for n in reversed(range(400))]
        child.join()


@pytest.mark.parametrize("kind", ["path", "file"])
def test_threads_share_a_reader(tmp_path, file_of, groups_of, kind):
    groups = groups_of((4,) * 40)
    path = tmp_path / "game.lvc"
    path.write_bytes(file_of(groups))
    reader = ContainerReader(path if kind == "path" else io.BytesIO(path.read_bytes()))
    wrong = []

    def read(start):
        for k in range(start, start + 200):
            if reader.group(k * 7 % 40) != groups[k * 7 % 40]:
                wrong.append(k)

    threads = [threading.Thread(target=read, args=(one,)) for one in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- sources that cannot be read


def test_sources_that_cannot_be_read(tmp_path):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    for source, complaint in (
        (tmp_path / "none.lvc", "No such file"),
        (tmp_path, "regular file"),
        (fifo, "regular file"),
        ("a\0b", "cannot be read"),
    ):
        with pytest.raises(InputError, match=complaint):
            ContainerReader(source)
    for source in (5, None, ["a"]):
        with pytest.raises(TypeError):
            ContainerReader(source)
    read_end, write_end = os.pipe()
    with open(read_end, "rb") as pipe, open(write_end, "wb"), pytest.raises(InputError, match="seek"):
        ContainerReader(pipe)


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "empty.lvc"
    path.touch()
    with pytest.raises(FormatError, match=r"empty\.lvc: the file is empty"):
        ContainerReader(path)


def test_a_file_cut_while_it_is_read(tmp_path, file_of):
    path = tmp_path / "game.lvc"
    path.write_bytes(file_of())
    with ContainerReader(path) as reader:
        os.truncate(path, reader.index[1].offset + 5)
        with pytest.raises(FormatError, match=r"game\.lvc: group 1 \(frames 4-7\): .* cut while it was read"):
            reader.group(1)
        assert reader.group(0).frame_count == 4
