"""The same bytes and symbols on every machine: threads, instruction sets, batches, devices,
and a file from the past.
"""

import dataclasses
import gzip
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import lvc
from lvc.codecs.family import open_codec
from lvc.codecs.integer.layers import ACTIVATION_LIMIT
from lvc.codecs.temporal import prediction
from lvc.codecs.temporal.integer_prior import CodingPrior
from lvc.codecs.temporal.model import HISTORY, LATENT_LIMIT, MODE_PHASES, MODE_UNIT, MODES, PREDICTED, References
from lvc.codecs.temporal.prediction import Chain, prediction_tables
from lvc.errors import ModelError
from lvc.frames import Geometry, Latents, symbols_digest
from lvc.kernels.build import LIBRARY, build
from lvc.native.pixel_grid import Blur, PixelGrid
from lvc.weights import checkpoints
from lvc.weights.checkpoints import Checkpoint, Metadata
from tests import GOLDEN, ROOT
from tests.builders.palette import golden_motion, golden_sprites, random_palette, random_pictures
from tests.builders.temporal import random_model, random_symbols
from tests.golden.make_mixing import NAME as MIXING_NAME
from tests.golden.make_prediction import NAME

MODELS = {
    # name: geometry, frames, sizes of the networks
    "small": (
        Geometry(72, 40),
        7,
        {
            "channels": 6,
            "groups": (2, 1, 3),
            "phases": (1, 4, 2),
            "features": 4,
            "detail": 2,
            "trunk": 24,
            "context": 12,
            "placed": 2,
        },
    ),
    "palette": (Geometry(200, 160), 5, {}),
    "game": (Geometry(200, 160), 5, {"colours": 30, "sprites": 60, "scenes": 2}),  # in its own pixels, shown by GRID
    "real": (
        Geometry(200, 160),
        3,
        {"channels": 24, "groups": (8, 8, 8), "phases": (1, 4, 2), "features": 16, "detail": 8, "placed": 8},
    ),
}
GRID = PixelGrid(Geometry(160, 210), Geometry(960, 720), chroma=Blur(2, 2, (-20, 60, 176, 60, -20), (0, 128, 128)))
MACHINES = [
    {"THREADS": "1"},
    {"THREADS": "2"},
    {"THREADS": "3"},
    {"ATEN_CPU_CAPABILITY": "default"},
    {"ATEN_CPU_CAPABILITY": "avx2"},
    {"ATEN_CPU_CAPABILITY": "avx512"},
    {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "THREADS": "2"},
    {"LVC_KERNELS": "plain"},  # built without optimisation
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights and symbols of each model, for this process and others."""
    folder = tmp_path_factory.mktemp("exactness")
    for name, (geometry, count, sizes) in MODELS.items():
        if name in ("palette", "game"):
            size = GRID.native if name == "game" else geometry
            checkpoints.save(folder / f"{name}.safetensors", random_palette(size, **sizes))
            np.save(folder / f"{name}.npy", random_pictures(count, size, seed=2))
            continue
        model = random_model(seed=1, geometry=geometry, **sizes)
        config = dataclasses.asdict(model.config)
        metadata = Metadata(
            name=name,
            model="temporal",
            config=config,
            geometry=geometry,
            quantiser={"name": "round"},
            entropy={"name": "prediction"},
        )
        checkpoint = Checkpoint(metadata, model, dict(zip(("copies", "residuals"), prediction_tables())))
        checkpoints.save(folder / f"{name}.safetensors", checkpoint)
        np.save(folder / f"{name}.npy", random_symbols(count, model.latent_shape(geometry), seed=2))
    return folder


def coded(folder: Path, name: str, device: str = "cpu") -> list[str]:
    """Digests of the payloads that one model's symbols give, of the symbols that these give,
    and of the frames that whole numbers make of them.
    """
    checkpoint = checkpoints.load(folder / f"{name}.safetensors", device=device)
    codec = open_codec(
        checkpoint, geometry=MODELS[name][0], crf=20, device=device, grid=GRID if name == "game" else None
    )
    symbols, plans = np.load(folder / f"{name}.npy"), ()
    if name == "palette":
        plans = tuple(golden_motion(symbols.shape))
    elif name == "game":
        plans = tuple(golden_sprites(symbols.shape, MODELS[name][2]["sprites"]))
    packets = codec.encode(Latents(symbols, np.zeros((len(symbols), 0), np.float32), plans)).packets
    decoded = codec.decode(packets)
    parts = [b"".join(packet.payload for packet in packets), decoded.symbols.tobytes()]
    if not codec.traits.needs_torch:
        parts.append(codec.render(decoded).tobytes())
    return [hashlib.sha256(part).hexdigest() for part in parts]


@pytest.fixture(scope="module")
def expected(folder):
    found = {name: coded(folder, name) for name in MODELS}
    for name, (_, symbols, *_) in found.items():
        assert symbols == hashlib.sha256(np.load(folder / f"{name}.npy").tobytes()).hexdigest()
    return found


@pytest.mark.parametrize(
    "machine", MACHINES, ids=lambda machine: " ".join(f"{key}={value}" for key, value in machine.items())
)
def test_other_processors_and_threads_give_the_same_bytes_and_symbols(folder, expected, machine, tmp_path):
    machine = dict(machine)
    if "LVC_KERNELS" in machine:
        machine["LVC_KERNELS"] = str(build(tmp_path / LIBRARY.name, flags=["-O0"]))
    threads = machine.pop("THREADS", "1")
    environment = {**os.environ, **machine, "OMP_NUM_THREADS": threads, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", __name__, str(folder)]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=True)
    assert json.loads(answer.stdout) == expected


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("at_once", [1, 3])
def test_how_many_frames_are_coded_at_once_does_not_matter(folder, expected, name, at_once, monkeypatch):
    monkeypatch.setattr(prediction, "ENCODED_AT_ONCE", at_once)
    assert coded(folder, name) == expected[name]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("tf32", [False, True])
def test_a_gpu_gives_the_same_bytes_and_symbols(folder, expected, name, tf32):
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    try:
        assert coded(folder, name, "cuda") == expected[name]
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.parametrize("rows, columns", [(20, 25), (5, 4), (1, 3), (1, 1)])
@pytest.mark.parametrize("eight_bits", [None, False])
def test_the_prior_laid_out_for_coding_says_what_the_layers_say(rows, columns, eight_bits):
    prior = random_model(
        seed=4,
        geometry=Geometry(200, 160),
        channels=6,
        groups=(2, 1, 3),
        phases=(1, 4, 2),
        trunk=24,
        context=12,
        placed=2,
    ).prior
    prior.prepare()
    quick = CodingPrior(prior, activation_limit=ACTIVATION_LIMIT, eight_bits=eight_bits)
    generator = torch.Generator().manual_seed(7)
    *recent, background, now = torch.randint(
        -LATENT_LIMIT, LATENT_LIMIT + 1, (HISTORY + 2, 2, 6, rows, columns), generator=generator
    ).float()
    near = recent[0]
    relation = torch.full((2,), PREDICTED)
    features = prior.trunk(References(tuple(recent), background), relation, torch.full((2,), 30))
    assert 10 < len(features.unique()), "saturated everywhere, the trunk would show nothing"

    def last(x):
        return x.permute(0, 2, 3, 1).to(torch.int32).numpy()

    found = quick.features(last(torch.cat((*recent, background), dim=1)).astype(np.int8), relation.numpy(), 30)
    assert np.array_equal(found, last(features).reshape(found.shape))

    modes = torch.nn.functional.one_hot(
        torch.randint(0, MODES, (2, rows, columns), generator=generator), MODES
    ).permute(0, 3, 1, 2) * float(MODE_UNIT)

    def around(x):
        unfolded = torch.nn.functional.unfold(x, 3, padding=1).view(2, -1, 9, rows * columns)
        return unfolded.permute(0, 3, 2, 1).flatten(2).flatten(0, 1).numpy()

    rows_of_all = found.reshape(-1, found.shape[2])
    for phase in range(MODE_PHASES):
        predicted = torch.stack(prior.mode_head(phase, features, modes), dim=-1)
        assert np.array_equal(quick.predict_modes(phase, rows_of_all, around(modes)), predicted.reshape(-1, 2).numpy())
    for index, step in enumerate(prior.schedule):
        known = torch.where(prior.known_mask(index, rows, columns), now, near)
        predicted = prior.head(index, features, known, near, modes)
        found = quick.predict(index, rows_of_all, around(torch.cat((known, known - near, modes), dim=1)))
        mean = predicted.mean - near[:, step.start : step.stop] * 16
        for one, other in zip(found.transpose(1, 0, 2), (predicted.copy, mean, predicted.scale)):
            assert np.array_equal(one, other.permute(0, 2, 3, 1).reshape(one.shape).numpy())


def test_the_symbols_of_these_tests_come_in_every_mode():
    symbols = random_symbols(7, (6, 5, 9), seed=2).reshape(7, 6, -1).transpose(0, 2, 1)
    chain, seen = None, set()
    for frame in symbols:
        if chain is not None:
            same, back = (frame == chain.near).all(axis=1), (frame == chain.background).all(axis=1)
            seen |= set(np.where(same, "same", np.where(back, "back", "new")))
        chain = Chain.after(chain, frame)
    assert seen == {"same", "back", "new"}


def test_a_prior_whose_sums_could_leave_the_exact_range_is_refused_on_load(folder, tmp_path):
    checkpoint = checkpoints.load(folder / "real.safetensors")
    prior = checkpoint.model.prior
    # Each entry is a legal 8-bit weight; together they could reach 255 * 127 * 96 * 9 > 2**24.
    prior.blocks[1].weight.fill_(127)
    checkpoints.save(tmp_path / "bad.safetensors", checkpoint)
    with pytest.raises(ModelError, match="stay below 16777216"):
        open_codec(checkpoints.load(tmp_path / "bad.safetensors"), geometry=MODELS["real"][0])
    # Within the range as a sum, and out of it where the half is added that rounds.
    prior.blocks[1].weight.fill_(0)
    prior.blocks[1].bias.fill_(2**24 - 2)
    prior.blocks[1].shift.fill_(4)
    checkpoints.save(tmp_path / "worse.safetensors", checkpoint)
    with pytest.raises(ModelError, match="stay below 16777216"):
        open_codec(checkpoints.load(tmp_path / "worse.safetensors"), geometry=MODELS["real"][0])


@pytest.mark.parametrize("name", [NAME, MIXING_NAME])
def test_a_golden_file_decodes_to_the_symbols_that_were_coded(tmp_path, name):
    weights = tmp_path / "golden.safetensors"
    weights.write_bytes(gzip.decompress((GOLDEN / f"{name}.safetensors.gz").read_bytes()))
    expected = json.loads((GOLDEN / f"{name}.json").read_text())
    with lvc.open(GOLDEN / f"{name}.lvc", model=weights) as reader:
        found = [reader.latents(group).symbols for group in range(len(expected["frames"]))]
        assert [len(symbols) for symbols in found] == expected["frames"]
        assert [symbols_digest(symbols) for symbols in found] == expected["symbols_crc32"]
        # And they code to the same bytes.
        for group, symbols in enumerate(found):
            plans = tuple(golden_motion(symbols.shape)) if name == MIXING_NAME else ()
            assert (
                reader.codec.encode(Latents(symbols, np.zeros((len(symbols), 0), np.float32), plans)).packets
                == reader.container.group(group).packets
            )


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    print(json.dumps({name: coded(Path(sys.argv[1]), name) for name in MODELS}))
