import io
from fractions import Fraction

import pytest

from lvc.container.layout import Group, Header, Packet
from lvc.container.writer import ContainerWriter


def make_header(**changes) -> Header:
    values = {
        "width": 200,
        "height": 160,
        "time_base": Fraction(1, 15360),
        "frame_duration": 5120,
        "keyint": 4,
        "model": {"name": "conv4", "sha256": "0123456789abcdef" * 4},
        "quantiser": {"name": "scale"},
        "entropy": {"name": "adaptive"},
        "source": {"name": "pacman.mp4", "every": 10},
        "encoder": "lvc 0.1.0",
    }
    return Header(**(values | changes))


def make_groups(counts=(4, 4, 3), size=20) -> list[Group]:
    groups, frame = [], 0
    for k, count in enumerate(counts):
        pts = [5120 * n for n in range(frame, frame + count)]
        packets = [Packet(1, bytes((37 * k + 11 * i + j) % 256 for j in range(size + i))) for i in range(count)]
        groups.append(Group(first_frame=frame, pts=pts, packets=packets, digest=1000 + k))
        frame += count
    return groups


def make_file(groups=None, header=None, *, finish=True) -> bytes:
    file = io.BytesIO()
    writer = ContainerWriter(file, header or make_header())
    for group in make_groups() if groups is None else groups:
        writer.write_group(group)
    if finish:
        writer.finish()
    return file.getvalue()


# Fixtures that give functions, for the whole session: hypothesis calls a test many times with one fixture.
@pytest.fixture(scope="session")
def header_of():
    return make_header


@pytest.fixture(scope="session")
def groups_of():
    return make_groups


@pytest.fixture(scope="session")
def file_of():
    return make_file
