"""A recording of 24 hours: coded in flat memory, opened at once, read anywhere; one of 11 minutes for every family."""

import os
import statistics
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import lvc
from lvc.codecs import family as families
from tests.builders import all_families

RATE, EVERY = 30, 10
SIZE = lvc.Geometry(40, 32)
LOOP = 9990  # frames, of which no two that are coded are alike
MEBIBYTE = 1 << 20
# Caches fill, and the allocator's arenas: the first tenth is no measure. What is kept of a frame, at 260,000 of them,
# has to be below 130 bytes to stay under this.
GROWN = 32 * MEBIBYTE


def numbered(number: int) -> np.ndarray:
    """A picture uint8 [H, W, 3] of tiles that shows a number from 0 to 1023, each bit in a block of 8x8."""
    tiles = np.kron(np.arange(20, dtype=np.uint8).reshape(4, 5)[..., None] * (4, 7, 10), np.ones((8, 8, 1), np.uint8))
    picture = tiles.astype(np.uint8)
    for bit in range(10):
        row, column = 8 * (bit // 5), 8 * (bit % 5)
        picture[row : row + 8, column : column + 8] = 255 * (number >> bit & 1)
    return picture


def shown(picture: np.ndarray) -> int:
    """The number that a decoded picture shows."""
    blocks = picture[:16].reshape(2, 8, 5, 8, 3)[:, 2:6, :, 2:6].mean((1, 3, 4)).ravel()
    return sum(1 << bit for bit, level in enumerate(blocks) if level > 128)


def repeated(path: Path, loops: int) -> int:
    """Makes a Matroska recording of as many loops of coded frames, whose times go on; gives the number of frames."""
    packets = []
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=RATE, options={"g": "90", "qscale": "2", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = SIZE.width, SIZE.height, "yuv420p"
        for number in range(LOOP):
            frame = av.VideoFrame.from_ndarray(numbered(number // EVERY), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        assert len(packets) == LOOP
        for loop in range(loops):
            for number, packet in enumerate(packets):
                packet.time_base = Fraction(1, RATE)
                packet.pts = packet.dts = loop * LOOP + number
                output.mux(packet)
    return loops * LOOP


def resident() -> int:
    """Bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def coded_and_read(folder: Path, *, loops: int, model, weights: Path | None, reads: int, keyint: int | None = None):
    """Codes a recording of so many loops, and checks what it took and what it became."""
    source, path = folder / "long.mkv", folder / "long.lvc"
    total = repeated(source, loops)
    coded, memory, done = total // EVERY, [], 0

    def progress(frames: int) -> None:
        nonlocal done
        done += frames
        if done >= (len(memory) + 1) * coded / 20:
            memory.append(resident())

    began = time.process_time()
    lvc.encode(
        source,
        path,
        sampling=lvc.Sampling(every=EVERY, geometry=SIZE),
        model=model,
        keyint=keyint,
        threads=1,
        progress=progress,
    )
    seconds = time.process_time() - began
    opening = []
    for _ in range(20):
        start = time.process_time()
        with lvc.open(path, model=weights) as reader:
            assert len(reader) == coded
        opening.append(time.process_time() - start)
    wrong = []
    with lvc.open(path, model=weights, dimension_order="NHWC") as reader:
        chosen = {0, coded - 1, *np.random.default_rng(5).integers(0, coded, reads).tolist()}
        start = time.process_time()
        for number in sorted(chosen, key=lambda number: hash((number, 7))):
            frame = reader.get_frame_at(number)
            assert frame.pts_seconds == pytest.approx(number * EVERY / RATE, abs=0.001)
            if shown(frame.data.numpy()) != number % (LOOP // EVERY):
                wrong.append(number)
        each = (time.process_time() - start) / len(chosen)
    first, last = memory[len(memory) // 10], max(memory[len(memory) // 10 :])
    print(
        f"\n{total:,} frames in, {coded:,} coded in {seconds:.0f} s of CPU, {path.stat().st_size:,} bytes; "
        f"resident MiB at each twentieth: {', '.join(str(round(one / MEBIBYTE)) for one in memory)}; opened in "
        f"{1000 * statistics.median(opening):.1f} ms of CPU; {len(chosen)} random frames, {1000 * each:.1f} ms each"
    )
    return wrong, last - first, statistics.median(opening)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_recording_of_24_hours(tmp_path):
    wrong, grown, opening = coded_and_read(tmp_path, loops=261, model="arcade", weights=None, reads=500)
    assert not wrong
    assert grown < GROWN and opening < 0.05


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("family", families.registrations())
def test_a_recording_of_eleven_minutes_by_every_family(family, tmp_path, save_small):
    model = all_families.model_of(family)
    _, weights = all_families.small_model(model, tmp_path, save_small)
    wrong, grown, opening = coded_and_read(
        tmp_path, loops=2, model=weights or model, weights=weights, reads=20, keyint=16
    )
    # Networks of random weights show no numbers; what they decode is under the checksums of their symbols.
    assert not wrong or weights is not None
    assert grown < GROWN and opening < 0.05
