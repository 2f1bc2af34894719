"""What a machine does to files, by every family that is registered: bytes lost and flipped, and power that fails."""

import os
import stat

import numpy as np
import pytest

import lvc
from lvc.container.reader import ContainerReader
from tests.builders import all_families
from tests.builders.all_families import SIZE, frames_of

COUNT, KEYINT = 22, 4
# Of networks' pixels alone: floats that are summed in batches of another size may end up a level apart.
APART = 1


@pytest.fixture(scope="module", autouse=True)
def toy():
    with all_families.toy():
        yield


@pytest.fixture(scope="module", params=all_families.models())
def family(request, tmp_path_factory, save_small):
    """The model's name, its checkpoint, and the weights' file, None where it has none."""
    return request.param, *all_families.small_model(request.param, tmp_path_factory.mktemp("weights"), save_small)


def written(path, checkpoint, **options):
    with lvc.Writer(path, fps=30, geometry=SIZE, model=checkpoint, keyint=KEYINT, **options) as writer:
        writer.write(frames_of(COUNT))
    return path


@pytest.fixture(scope="module")
def coded(family, tmp_path_factory):
    """A file of six groups, and its frames."""
    path = written(tmp_path_factory.mktemp("coded") / "game.lvc", family[1])
    return path.read_bytes(), read(path.read_bytes(), family[2])[0]


def read(content, weights) -> tuple[dict, list[int]]:
    """The frames of a file by their time, group by group, and numbers of those that cannot be read; none of it raises
    anything but our errors.
    """
    frames, lost = {}, []
    with lvc.open(content, model=weights, dimension_order="NHWC") as reader:
        for first in range(0, len(reader), KEYINT):
            numbers = range(first, min(first + KEYINT, len(reader)))
            try:
                batch = reader.get_frames_at(list(numbers))
            except lvc.LvcError:
                lost += numbers
                continue
            frames |= dict(zip(batch.pts_seconds.tolist(), batch.data.numpy().astype(int)))
    return frames, lost


def check_same(found: dict, whole: dict) -> None:
    for time, frame in found.items():
        assert np.abs(frame - whole[time]).max() <= APART


def test_flipped_bytes_cost_one_group_and_show_nothing_false(family, coded):
    content, whole = coded
    random = np.random.default_rng(11)
    # What is flipped in a header is refused, and can be mended: tests/container/test_container_recover.py.
    places = np.arange(ContainerReader(content).header_bytes, len(content))
    for place in random.choice(places, 24, replace=False).tolist():
        damaged = bytearray(content)
        damaged[place] ^= int(random.integers(1, 256))
        found, _ = read(bytes(damaged), family[2])
        assert len(found) >= COUNT - KEYINT
        check_same(found, whole)


def test_a_file_that_was_cut_gives_its_whole_groups(family, coded):
    content, whole = coded
    seen = set()
    for stop in np.linspace(len(content) // 8, len(content) - 1, 10).astype(int).tolist():
        try:
            found, lost = read(content[:stop], family[2])
        except lvc.FormatError:  # not even the header is there
            found, lost = {}, []
        assert not lost and sorted(found) == sorted(whole)[: len(found)]
        assert len(found) % KEYINT == 0 or len(found) == COUNT
        check_same(found, whole)
        seen.add(len(found))
    assert len(seen) > 2


def test_before_a_loss_of_power_bytes_are_on_the_disk_and_then_the_name(family, tmp_path, monkeypatch):
    calls, path = [], tmp_path / "game.lvc"

    def fsync(descriptor, synchronise=os.fsync):
        status = os.fstat(descriptor)
        calls.append("folder" if stat.S_ISDIR(status.st_mode) else status.st_size)
        return synchronise(descriptor)

    def replace(*names, rename=os.replace):
        calls.append("replace")
        return rename(*names)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    written(path, family[1])
    assert calls == [path.stat().st_size, "replace", "folder"]
