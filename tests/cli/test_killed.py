"""`kill -9` at random moments of an encode: the name has what it had or the whole file,
and the part gives back all that was coded.
"""

import multiprocessing
import os
import random
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import lvc as library
from lvc.cli.main import main
from lvc.container.reader import ContainerReader
from lvc.errors import FormatError
from tests.builders import all_families

KEYINT = 4
SECONDS = 60  # an encode that takes longer hangs


@pytest.fixture(scope="module")
def recording(tmp_path_factory, make_recording, gameplay):
    return make_recording(
        tmp_path_factory.mktemp("long") / "long.mp4", gameplay(60) * 10, options={"preset": "ultrafast", "g": "30"}
    )


@pytest.fixture(scope="module")
def processes():
    """Forked from one that has torch and all else loaded: starting an encoder takes milliseconds, not seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lvc.cli.encode", "lvc.encoding.encode", "lvc.writing.writer"])
    return context


@pytest.fixture
def encoder(processes, recording, tiny_model, tmp_path, monkeypatch):
    """`encoder(overwrite)` starts `lvc encode … -o out.lvc` in the working folder."""
    monkeypatch.chdir(tmp_path)

    def start(model=tiny_model, every=1, size="48x32", overwrite=False):
        command = ["encode", str(recording), "-o", str(tmp_path / "out.lvc"), "--model", str(model)]
        command += [
            "--every",
            str(every),
            "--size",
            size,
            "--keyint",
            str(KEYINT),
            "-q",
            *(["-y"] if overwrite else []),
        ]
        process = processes.Process(target=with_toy, args=(command,), daemon=True)
        process.start()
        return process

    return start


def with_toy(command):
    """A command of a process that knows the family of tests as well."""
    with all_families.toy():
        raise SystemExit(main(command))


def groups(path):
    with ContainerReader(path) as reader:
        return list(reader.groups())


def frames(path, model):
    with library.open(path, model=model) as reader:
        return np.stack([frame.numpy() for frame in reader])


def kill_at(process, part: Path, moment: random.Random, seconds: float, whole_bytes: int) -> None:
    """By the clock anywhere in the run, when the part has some size, or when all groups are written and the name is
    near.
    """
    kind = moment.randrange(4)
    deadline = time.monotonic() + SECONDS
    if kind == 0:
        time.sleep(moment.uniform(0, 1.1 * seconds))
    else:
        size = whole_bytes - 600 if kind == 1 else moment.uniform(0, whole_bytes)
        while process.is_alive() and not (part.exists() and part.stat().st_size >= size):
            assert time.monotonic() < deadline
            time.sleep(0.0005)
        time.sleep(moment.uniform(0, 0.02))
    process.kill()
    process.join()


@pytest.mark.parametrize("moments", [4, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_nothing_is_lost_whenever_an_encoder_is_killed(encoder, lvc, recording, tmp_path, tiny_model, moments):
    path, part, repaired = (tmp_path / name for name in ("out.lvc", "out.lvc.part", "out.repaired.lvc"))
    process, start = encoder(), time.monotonic()
    process.join(SECONDS)
    seconds = time.monotonic() - start
    assert process.exitcode == 0
    whole, whole_groups, whole_frames = path.read_bytes(), groups(path), frames(path, tiny_model)
    assert len(whole_frames) == 600
    path.unlink()
    moment, seen = random.Random(20241121), Counter()
    for number in range(moments):
        before = b"precious" if number % 2 else None
        if before:
            path.write_bytes(before)
        process = encoder(overwrite=bool(before))
        kill_at(process, part, moment, seconds, len(whole))
        left = sorted(os.listdir(tmp_path))
        now = path.read_bytes() if path.exists() else None
        assert now in (before, whole), "half a file under the final name"
        assert set(left) <= {"out.lvc", "out.lvc.part"}
        if now == whole:
            assert not part.exists()
            seen["after it had its name"] += 1
        elif not part.exists():
            seen["before the first byte"] += 1
        else:
            try:
                kept = len(groups(part))
            except FormatError:
                assert part.stat().st_size < ContainerReader(whole).header_bytes
                kept = 0
            if kept:
                # Refused until it is told what to do with the frames that are there.
                if not before:
                    shown = lvc("encode", recording, "-o", path, "--model", tiny_model)
                    assert shown.code == 1 and f"lvc verify --repair {part}" in shown.err[0]
                assert lvc("verify", "--repair", part, "-q").code in (0, 3)
                assert groups(repaired) == whole_groups[:kept]
                assert ContainerReader(repaired).complete
                assert np.array_equal(frames(repaired, tiny_model), whole_frames[: KEYINT * kept])
                last = ContainerReader(part).index[-1]
                rest = part.stat().st_size - last.offset - last.byte_size
                assert rest < max(map(len_of, whole_groups)) or kept == len(whole_groups), "all but the group in work"
                repaired.unlink()
            seen[
                "with all groups"
                if kept == len(whole_groups)
                else "with some groups"
                if kept
                else "before the first group"
            ] += 1
            part.unlink()
        if path.exists():
            path.unlink()
    print(f"\n{moments} kills of an encode of {seconds:.2f} s: {dict(seen)}")
    assert seen["with some groups"] >= moments / 4


@pytest.mark.parametrize("model", all_families.models())
def test_every_family_gives_back_what_was_coded_before_a_kill(encoder, lvc, tmp_path, save_small, model):
    path, part, repaired = (tmp_path / name for name in ("out.lvc", "out.lvc.part", "out.repaired.lvc"))
    with all_families.toy():
        _, weights = all_families.small_model(model, tmp_path, save_small)
        start = partial(encoder, weights or model, every=12, size=str(all_families.SIZE), overwrite=True)
        process = start()
        process.join(SECONDS)
        assert process.exitcode == 0
        whole, whole_groups, whole_frames = path.read_bytes(), groups(path), frames(path, weights)
        for seed in range(5):  # a fast one may be done before it is seen at work
            path.write_bytes(b"precious")
            process = start()
            kill_at(process, part, Moment(seed), 0, len(whole))
            if path.read_bytes() == whole:
                continue
            assert path.read_bytes() == b"precious"
            assert lvc("verify", "--repair", part, "-q").code in (0, 3)
            kept = len(groups(repaired))
            assert kept and groups(repaired) == whole_groups[:kept] and ContainerReader(repaired).complete
            assert np.abs(frames(repaired, weights).astype(int) - whole_frames[: KEYINT * kept]).max() <= 1
            return
        pytest.fail("was never seen at work")


class Moment(random.Random):
    """When there are a group or more, and not all."""

    def randrange(self, *_bounds):
        return 2

    def uniform(self, low, high):
        return 0 if high < 1 else super().uniform(0.3 * high, 0.6 * high)


def len_of(group) -> int:
    return group.payload_bytes + 60  # numbers and lengths of four packets take less
