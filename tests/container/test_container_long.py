"""A file of a million frames opens at once, and its last frame is as near as its first."""

import io
import time

import pytest

from lvc.container.layout import Group, Packet
from lvc.container.reader import ContainerReader
from lvc.container.writer import ContainerWriter

FRAMES, KEYINT = 1_000_000, 64
SECONDS = 0.5  # to open it: the goal is a tenth of that, on a machine that does nothing else


class Counting(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.fixture(scope="module")
def million(header_of):
    file = io.BytesIO()
    writer = ContainerWriter(file, header_of(keyint=KEYINT))
    for first in range(0, FRAMES, KEYINT):
        packets = (Packet(1, bytes(600)), Packet(KEYINT - 1, bytes(2400)))
        writer.write_group(
            Group(
                first_frame=first, pts=range(5120 * first, 5120 * (first + KEYINT), 5120), packets=packets, digest=first
            )
        )
    writer.finish()
    return file.getvalue()


def test_opening_reads_the_header_and_the_index_alone(million):
    file = Counting(million)
    with ContainerReader(file) as reader:
        assert reader.frame_count == FRAMES
        index_bytes = 16 * len(reader.index)
    assert file.count < index_bytes + 2000  # what is not the index is the header, the trailer and the record's head


def test_the_last_frame_costs_the_bytes_of_its_group_as_the_first_does(million):
    file = Counting(million)
    with ContainerReader(file) as reader:
        costs = []
        for number in (0, FRAMES - 1):
            file.count = 0
            assert reader.pts_of(number) == 5120 * number
            assert reader.frame_at_seconds(number / 3) == number
            costs.append(file.count)
    assert max(costs) < 3200 and abs(costs[0] - costs[1]) < 16  # of larger numbers in more bytes


def test_opening_takes_no_time_worth_mentioning(million):
    times = []
    for _ in range(5):
        started = time.process_time()
        ContainerReader(million).close()
        times.append(time.process_time() - started)
    assert min(times) < SECONDS
