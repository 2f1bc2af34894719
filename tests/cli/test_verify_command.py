"""`lvc verify`: what it prints, its exit codes, what it writes."""

import argparse
import io
import os
from fractions import Fraction

import pytest

from lvc.cli import verify
from lvc.container.layout import Group, Header, Packet
from lvc.container.reader import ContainerReader
from lvc.container.writer import ContainerWriter


def whole_file() -> bytes:
    header = Header(
        width=200,
        height=160,
        time_base=Fraction(1, 30),
        frame_duration=10,
        keyint=4,
        model={"name": "conv4", "sha256": "0" * 64},
        quantiser={"name": "scale"},
        entropy={"name": "raw"},
    )
    file = io.BytesIO()
    writer = ContainerWriter(file, header)
    for first in (0, 4, 8):
        writer.write_group(Group(first, range(10 * first, 10 * first + 40, 10), [Packet(1, bytes(20))] * 4, 0))
    writer.finish()
    return file.getvalue()


@pytest.fixture
def game(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "game.lvc"
    path.write_bytes(whole_file())
    return path


@pytest.fixture
def lvc_verify(capsys):
    def run(*arguments):
        parser = argparse.ArgumentParser()
        verify.add_arguments(parser)
        code = verify.run(parser.parse_args([str(one) for one in arguments]))
        shown = capsys.readouterr()
        return (
            code,
            shown.out.splitlines(),
            [line for line in shown.err.replace("\r", "\n").splitlines() if line.startswith("lvc verify")],
        )

    return run


def damage(path, name="broken.lvc", *, at=None):
    data = bytearray(path.read_bytes())
    data[ContainerReader(path).index[1].offset + 20 if at is None else at] ^= 1
    broken = path.with_name(name)
    broken.write_bytes(data)
    return broken


def test_a_whole_file(game, lvc_verify):
    size = game.stat().st_size
    assert lvc_verify("game.lvc") == (0, [f"game.lvc: ok, 12 frames in 3 groups, {size} bytes"], [])
    assert lvc_verify("game.lvc", "game.lvc", "-q") == (0, [], [])


def test_a_damaged_file_is_one_line_that_says_what_and_where(game, lvc_verify):
    broken = damage(game)
    code, out, err = lvc_verify("broken.lvc", "-q")
    assert (code, err) == (1, [])
    [line] = out
    offset = ContainerReader(game).index[1].offset + 8
    assert line.startswith(
        "broken.lvc: damaged, 8 frames in 2 groups hold, 4 lost; group: group 1 (frames 4-7): CRC-32 "
    )
    assert line.endswith(f"(at byte {offset}), frames 4-7 lost")
    assert sorted(os.listdir()) == [broken.name, game.name]


def test_exit_codes_for_several_files(game, lvc_verify):
    damage(game)
    assert lvc_verify("game.lvc", "broken.lvc")[0] == 3
    assert lvc_verify("game.lvc", "missing.lvc")[0] == 3
    assert lvc_verify("broken.lvc", "missing.lvc")[0] == 1
    code, out, err = lvc_verify("missing.lvc")
    assert (code, out, err) == (1, [], ["lvc verify: missing.lvc: cannot be read: No such file or directory"])


def test_files_that_are_none(game, lvc_verify):
    (game.parent / "text.lvc").write_text("some text, and no container at all")
    (game.parent / "empty.lvc").touch()
    code, out, _ = lvc_verify("text.lvc", "empty.lvc")
    assert code == 1
    assert out[0].startswith("text.lvc: damaged, nothing can be read; header: no .lvc file")
    assert out[1].startswith("empty.lvc: damaged, nothing can be read; header: the file is empty")


def test_repair_with_loss(game, lvc_verify):
    broken = damage(game)
    before = broken.read_bytes()
    code, out, _ = lvc_verify("broken.lvc", "--repair")
    assert (code, len(out)) == (3, 1)
    assert broken.read_bytes() == before
    assert lvc_verify("broken.repaired.lvc")[:1] == (0,)
    assert ContainerReader("broken.repaired.lvc").frame_count == 8


def test_repair_without_loss(game, lvc_verify):
    damage(game, "header.lvc", at=30)
    damage(game, "trailer.lvc", at=-3)
    (game.parent / "died.lvc.part").write_bytes(game.read_bytes()[: ContainerReader(game).index[2].offset])
    code, out, _ = lvc_verify("header.lvc", "trailer.lvc", "died.lvc.part", "--repair")
    assert code == 0
    assert all("damaged" in line and "none lost" in line for line in out)
    assert (game.parent / "header.repaired.lvc").read_bytes() == whole_file()
    assert (game.parent / "trailer.repaired.lvc").read_bytes() == whole_file()
    assert ContainerReader("died.repaired.lvc").frame_count == 8


def test_repair_overwrites_only_when_asked(game, lvc_verify):
    damage(game)
    target = game.with_name("broken.repaired.lvc")
    target.write_text("precious")
    code, _, err = lvc_verify("broken.lvc", "--repair")
    assert (code, err) == (1, ["lvc verify: broken.repaired.lvc: exists already; overwrite it with -y"])
    code, _, err = lvc_verify("broken.lvc", "--repair", "-n")
    assert (code, err) == (1, ["lvc verify: broken.repaired.lvc: exists already, left as it is"])
    assert target.read_text() == "precious"
    assert lvc_verify("broken.lvc", "--repair", "-y")[0] == 3
    assert ContainerReader(target).complete


@pytest.mark.usefixtures("game")
def test_a_whole_file_is_not_repaired(lvc_verify):
    assert lvc_verify("game.lvc", "--repair")[0] == 0
    assert os.listdir() == ["game.lvc"]


def test_a_part_that_is_whole_becomes_a_file(game, lvc_verify):
    """Its encoder died between the last byte and the name."""
    os.rename("game.lvc", "game.lvc.part")
    assert lvc_verify("game.lvc.part")[0] == 0 and os.listdir() == ["game.lvc.part"]
    code, out, _ = lvc_verify("game.lvc.part", "--repair")
    assert code == 0 and "ok, 12 frames" in out[0]
    assert (
        (game.parent / "game.repaired.lvc").read_bytes() == (game.parent / "game.lvc.part").read_bytes() == whole_file()
    )


def test_nothing_left_to_repair(game, lvc_verify):
    for entry in ContainerReader(game).index:
        game.write_bytes(damage(game, "game.lvc", at=entry.offset + 20).read_bytes())
    code, _, err = lvc_verify("game.lvc", "--repair")
    assert code == 1
    assert err == ["lvc verify: game.lvc: no group holds; there is nothing to recover"]
    assert os.listdir() == ["game.lvc"]
