"""verify and repair."""

import subprocess
import sys
import time
from fractions import Fraction

import pytest

from lvc.container.mend import mend_header
from lvc.container.reader import ContainerReader
from lvc.container.recover import repair, verify
from lvc.container.source import ByteSource
from lvc.errors import FormatError, InputError, ModelError, OutputError
from tests import ROOT


@pytest.fixture
def game(tmp_path, file_of):
    path = tmp_path / "game.lvc"
    path.write_bytes(file_of())
    return path


def flip(path, at, value=0x40):
    data = bytearray(path.read_bytes())
    data[at] ^= value
    path.write_bytes(data)


def test_a_whole_file(game, header_of, groups_of):
    seen = []
    report = verify(game, progress=lambda done, total: seen.append((done, total)))
    assert report.ok
    assert (report.groups, report.frames, report.lost_frames) == (3, 11, 0)
    assert report.payload_bytes == sum(group.payload_bytes for group in groups_of())
    assert report.file_bytes == game.stat().st_size
    assert report.header == header_of()
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_damaged_group(game, tmp_path, groups_of):
    entry = ContainerReader(game).index[1]
    flip(game, entry.offset + 30)
    before = game.read_bytes()
    report = verify(game)
    assert (report.groups, report.frames, report.lost_frames) == (2, 7, 4)
    assert [(damage.part, damage.frames) for damage in report.damage] == [("group", range(4, 8))]
    assert "group 1 (frames 4-7): CRC-32" in report.damage[0].expected
    repaired = repair(game, tmp_path / "good.lvc")
    assert (repaired.groups, repaired.frames) == (2, 7)
    assert repaired.damage == report.damage
    assert game.read_bytes() == before
    with ContainerReader(tmp_path / "good.lvc") as reader:
        assert reader.complete
        first, _, third = groups_of()
        assert [group.pts for group in reader.groups()] == [first.pts, third.pts]
        assert [group.first_frame for group in reader.groups()] == [0, 4]
        assert [group.packets for group in reader.groups()] == [first.packets, third.packets]
        assert [group.digest for group in reader.groups()] == [first.digest, third.digest]


def test_a_repaired_whole_file_is_the_same_file(game, tmp_path):
    repair(game, tmp_path / "copy.lvc")
    assert (tmp_path / "copy.lvc").read_bytes() == game.read_bytes()


def test_a_missing_index_comes_back_byte_by_byte(game, tmp_path):
    whole = game.read_bytes()
    entry = ContainerReader(game).index[2]
    for size in (entry.offset + entry.byte_size, len(whole) - 1, len(whole) - 25):
        game.write_bytes(whole[:size])
        report = verify(game)
        assert not report.ok and report.frames == 11
        repair(game, tmp_path / "copy.lvc", overwrite=True)
        assert (tmp_path / "copy.lvc").read_bytes() == whole


def test_what_an_encoder_that_died_left_is_recovered(game, tmp_path, groups_of):
    entry = ContainerReader(game).index[2]
    part = tmp_path / "died.lvc.part"
    part.write_bytes(game.read_bytes()[: entry.offset + 40])
    report = verify(part)
    assert (report.groups, report.frames, report.lost_frames) == (2, 8, None)
    repair(part, tmp_path / "recovered.lvc")
    assert list(ContainerReader(tmp_path / "recovered.lvc").groups()) == groups_of()[:2]
    # `died.lvc` would be written as `died.lvc.part`, which is all that there is.
    before = part.read_bytes()
    with pytest.raises(OutputError, match="temporary name"):
        repair(part, tmp_path / "died.lvc")
    assert part.read_bytes() == before


PROGRAM = """
import sys
from lvc.container.layout import Group, Packet
from lvc.container.reader import ContainerReader
from lvc.container.writer import ContainerWriter
header = ContainerReader(sys.argv[1]).header
with open(sys.argv[2], "wb") as file:
    writer = ContainerWriter(file, header)
    while True:
        n = writer.frame_count
        writer.write_group(Group(n, range(n, n + 4), [Packet(4, bytes(5000))], n))
"""


def test_a_writer_that_is_killed_leaves_all_but_its_last_group(game, tmp_path):
    part = tmp_path / "killed.lvc.part"
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(game), str(part)], cwd=ROOT) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until and not (part.exists() and part.stat().st_size > 500_000):
            time.sleep(0.005)
        process.kill()
    repaired = repair(part, tmp_path / "killed.lvc.whole")
    assert repaired.groups >= 90
    assert part.stat().st_size - ContainerReader(part).index[-1].offset < 2 * 5100
    assert verify(tmp_path / "killed.lvc.whole").ok


def test_the_original_is_replaced_only_when_asked(game):
    flip(game, len(game.read_bytes()) - 1)
    before = game.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        repair(game, game)
    assert game.read_bytes() == before
    repair(game, game, overwrite=True)
    assert verify(game).ok
    assert list(game.parent.iterdir()) == [game]


def test_nothing_to_recover(game, tmp_path):
    reader = ContainerReader(game)
    for entry in reader.index:
        flip(game, entry.offset + 20)
    with pytest.raises(FormatError, match="no group holds"):
        repair(game, tmp_path / "good.lvc")
    assert sorted(tmp_path.iterdir()) == [game]
    (tmp_path / "text.lvc").write_text("hello, this is no container at all, only some text")
    with pytest.raises(FormatError, match=r"text\.lvc: no \.lvc file"):
        repair(tmp_path / "text.lvc", tmp_path / "good.lvc")
    report = verify(tmp_path / "text.lvc")
    assert (report.header, report.groups, report.lost_frames) == (None, 0, None)
    assert report.damage[0].part == "header"
    with pytest.raises(InputError, match="No such file"):
        verify(tmp_path / "none.lvc")


def test_a_header_with_one_flipped_byte_is_mended(game, tmp_path):
    whole = game.read_bytes()
    size = ContainerReader(game).header_bytes
    for at in (0, 5, 8, 9, 10, 11, 13, 14, 40, size - 5, size - 4, size - 1):
        game.write_bytes(whole)
        flip(game, at)
        report = verify(game)
        assert not report.ok
        assert (report.frames, report.lost_frames) == (11, 0)
        assert report.damage[0].part == "header"
        repair(game, tmp_path / "good.lvc", overwrite=True)
        assert (tmp_path / "good.lvc").read_bytes() == whole


def test_a_header_with_two_flipped_bytes_is_not_guessed(game):
    size = ContainerReader(game).header_bytes
    whole = game.read_bytes()
    for one, other in ((20, 60), (14, size - 6), (100, 101), (40, 30)):
        game.write_bytes(whole)
        flip(game, one)
        flip(game, other)
        with pytest.raises(FormatError):
            ContainerReader(game, mend=True)


def test_a_header_is_mended_where_the_first_group_is_gone_too(game):
    entry = ContainerReader(game).index[0]
    flip(game, 30)
    flip(game, entry.offset + 1)
    header, first_group = mend_header(ByteSource(game), FormatError("the reason"))
    assert first_group == entry.offset
    assert header.time_base == Fraction(1, 15360)
    assert verify(game).frames == 7


def test_symbols_are_checked_by_whoever_can_decode_them(game, header_of):
    seen = []

    def check(header, group):
        assert header == header_of()
        seen.append(group.first_frame)
        if group.first_frame == 4:
            raise FormatError("symbol digest 1001 was expected, not 5")

    report = verify(game, check_symbols=check)
    assert seen == [0, 4, 8]
    assert (report.groups, report.frames, report.lost_frames) == (2, 7, 4)
    assert "symbol digest 1001" in report.damage[0].expected
    assert report.damage[0].offset == ContainerReader(game).index[1].offset

    def no_model(_header, _group):
        raise ModelError("the model conv4 is missing")

    with pytest.raises(ModelError):
        verify(game, check_symbols=no_model)
