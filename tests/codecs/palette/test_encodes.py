"""The shipped palette models code a real clip to the same bytes as ever:
golden/encodes-v1.json is of the coder that was compiled by Numba.
"""

import hashlib
import json

import pytest

import lvc
from lvc.container.reader import ContainerReader
from tests import ROOT

GOLDEN = json.loads((ROOT / "tests/golden/encodes-v1.json").read_text())


@pytest.mark.parametrize("name", GOLDEN)
def test_a_clip_is_coded_to_the_same_bytes_as_ever(name, clip, tmp_path):
    """A change of these bytes breaks no file, but needs a reason."""
    model, *options = name.split()
    options = {key: int(value) for key, value in (option.split("=") for option in options) if value != "None"}
    path = tmp_path / "clip.lvc"
    lvc.encode(clip, path, sampling=lvc.Sampling(every=10), model=model, **options)
    with ContainerReader(path) as container:
        payloads = b"".join(
            packet.payload for group in range(len(container.index)) for packet in container.group(group).packets
        )
    assert [hashlib.sha256(payloads).hexdigest(), len(payloads)] == GOLDEN[name]
