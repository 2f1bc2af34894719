import dataclasses
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from lvc.codecs import family as models
from lvc.entropy.tables import from_counts
from lvc.errors import ModelError, OptionError, OutputError
from lvc.frames import Geometry
from lvc.weights import checkpoints
from lvc.weights.checkpoints import Checkpoint, Metadata

GEOMETRY = Geometry(width=32, height=16)
FRAMES = torch.rand(2, 3, 16, 32, generator=torch.Generator().manual_seed(0))


def made(name="conv4", *, called="tiny", **options):
    options = options or {"stages": 2, "channels": 4}
    torch.manual_seed(3)
    model = models.build(name, geometry=GEOMETRY, **options).eval()
    metadata = Metadata(
        name=called,
        model=name,
        config=json.loads(json.dumps(dataclasses.asdict(model.config))),
        geometry=GEOMETRY,
        quantiser={"name": "naive", "low": 0.0, "high": 1.0},
        entropy={"name": "factorised"},
        description="a model of tests",
        training={"dataset": {"name": "squares"}},
        latents={"mean": 0.5},
    )
    tables = {"factorised": from_counts(np.arange(1, 13).reshape(2, 6), -2, escape=True)}
    return Checkpoint(metadata, model, tables)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "tiny.safetensors"
    checkpoints.save(path, made())
    return path


def parts(path):
    """Header (as JSON) and data of a safetensors file."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def write_parts(path, header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def change(path, edit):
    header, data = parts(path)
    edit(header)
    write_parts(path, header, data)


def change_metadata(path, edit):
    def outer(header):
        content = json.loads(header["__metadata__"]["lvc"])
        edit(content)
        header["__metadata__"]["lvc"] = json.dumps(content)

    change(path, outer)


# Round trips


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("conv4", {"stages": 2, "channels": 4}),
        ("conv5", {"stages": 3, "channels": 4, "latents": "rounded"}),
        ("fc-vanilla", {"code": 5}),
        ("fc-multilayer", {"code": 5, "hidden": (9, 7)}),
        ("vae", {"code": 4, "hidden": 6}),
        ("resnet18", {"channels": 4, "code": 6}),
        ("gdn-attention", {"channels": 4, "code": 6, "hyper": 3}),
    ],
)
def test_what_is_saved_is_loaded(tmp_path, name, options):
    before = made(name, **options)
    checkpoints.save(tmp_path / "a.safetensors", before)
    after = checkpoints.load(tmp_path / "a.safetensors")
    assert after.metadata == before.metadata
    assert (after.name, after.geometry, after.quantiser, after.entropy) == (
        "tiny",
        GEOMETRY,
        before.quantiser,
        before.entropy,
    )
    assert after.model.config == before.model.config
    assert after.sha256 == checkpoints.file_digest(tmp_path / "a.safetensors")
    for array, value in before.tables["factorised"].to_arrays().items():
        assert np.array_equal(after.tables["factorised"].to_arrays()[array], value)
    with torch.no_grad():
        latents = before.model.analyse(FRAMES)
        # Weights that were laid out channels last are read as plain rows, which may change a float's last bits.
        assert torch.allclose(after.model.analyse(FRAMES), latents, atol=1e-5)
        assert torch.allclose(after.model.synthesise(latents), before.model.synthesise(latents), atol=1e-5)
    for name, tensor in before.model.state_dict().items():
        assert torch.equal(after.model.state_dict()[name], tensor), name


def test_a_loaded_model_can_be_trained_and_leaves_the_file_alone(saved):
    before = saved.read_bytes()
    model = checkpoints.load(saved).model.train()
    model(FRAMES).frames.square().mean().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= parameter.grad
    assert saved.read_bytes() == before


def test_others_may_read_what_is_saved_as_any_new_file(saved, tmp_path):
    (tmp_path / "plain").touch()
    assert saved.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_saving_twice_gives_the_same_bytes(tmp_path):
    for name in "ab":
        checkpoints.save(tmp_path / f"{name}.safetensors", made())
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_the_file_is_a_safetensors_file_for_others(saved):
    with safe_open(saved, framework="np") as file:
        names = list(file.keys())
        assert json.loads(file.metadata()["lvc"])["model"] == "conv4"
    assert {name.split(".")[0] for name in names} == {"model", "entropy"}


def test_half_is_half_the_size_and_close(tmp_path, saved):
    half = tmp_path / "half.safetensors"
    checkpoints.save(half, made(), half=True)
    full, halved = checkpoints.load(saved).model, checkpoints.load(half).model
    assert half.stat().st_size < 0.7 * saved.stat().st_size
    for name, tensor in halved.state_dict().items():
        assert tensor.dtype == full.state_dict()[name].dtype
        assert torch.allclose(tensor.float(), full.state_dict()[name].float(), rtol=1e-3, atol=1e-6)


def test_state_comes_back_and_does_not_disturb(tmp_path, saved):
    path = tmp_path / "state.safetensors"
    state = {"optimiser.0.step": torch.tensor(7.0), "optimiser.0.exp_avg": torch.rand(2, 3)}
    checkpoints.save(path, made(), state=state)
    loaded = checkpoints.load_state(path)
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    assert checkpoints.load(path).name == "tiny"
    assert checkpoints.load_state(saved) == {}


def test_the_header_alone_tells_what_a_file_is(saved):
    header = checkpoints.read_header(saved)
    model = made().model
    assert header.parameters == sum(tensor.numel() for tensor in model.state_dict().values())
    assert header.metadata.description == "a model of tests"
    assert header.file_bytes == saved.stat().st_size


def test_large_weights_are_mapped_not_read(tmp_path):
    """256 MB of weights must cost no such memory when loaded; the peak is that of another process."""
    path = tmp_path / "large.safetensors"
    geometry = Geometry(width=200, height=160)
    with torch.device("meta"):
        model = models.build("fc-vanilla", geometry=geometry, code=333)
    metadata = dataclasses.replace(
        made().metadata,
        model="fc-vanilla",
        geometry=geometry,
        config=json.loads(json.dumps(dataclasses.asdict(model.config))),
    )
    # Written as a hole, so that the test costs no disk either.
    header, begin = {"__metadata__": {"lvc": metadata.to_json()}}, 0
    for name, tensor in model.state_dict().items():
        header[f"model.{name}"] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [begin, begin + 4 * tensor.numel()],
        }
        begin += 4 * tensor.numel()
    write_parts(path, header, b"")
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size + begin)
    program = (
        "import sys, torch; from lvc.weights import checkpoints\n"
        "def private(): return next(int(line.split()[1]) for line in open('/proc/self/status') if "
        "line.startswith('RssAnon'))\n"
        "before = private(); c = checkpoints.load_file(sys.argv[1], sha256='0' * 64)\n"
        "print((private() - before) // 1024, sum(t.numel() for t in c.model.state_dict().values()))"
    )
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    grown, numbers = map(int, done.stdout.split())
    assert numbers * 4 == begin > 250e6
    assert grown < 60


# Writing


def test_nothing_is_overwritten_unasked(saved):
    before = saved.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        checkpoints.save(saved, made(called="other"))
    assert saved.read_bytes() == before
    checkpoints.save(saved, made(called="other"), overwrite=True)
    assert checkpoints.load(saved).name == "other"


def test_weights_that_are_no_numbers_are_not_written(tmp_path):
    checkpoint = made()
    with torch.no_grad():
        next(checkpoint.model.parameters())[0] = float("nan")
    with pytest.raises(ModelError, match="not finite"):
        checkpoints.save(tmp_path / "a.safetensors", checkpoint)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "näme", "two words"])
def test_names_are_plain(name):
    with pytest.raises(ModelError, match="name has up to 64"):
        dataclasses.replace(made().metadata, name=name)


# Hostile files


def refused(path, *words):
    with pytest.raises(ModelError) as caught:
        checkpoints.load(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


def test_missing_empty_and_foreign_files(tmp_path):
    path = tmp_path / "a.safetensors"
    refused(path, "no weights file")
    for content in (b"", b"1234567", b"not a safetensors file at all", bytes(100)):
        path.write_bytes(content)
        refused(path)


def test_truncated_at_many_places(saved, tmp_path):
    data = saved.read_bytes()
    path = tmp_path / "cut.safetensors"
    for length in [*range(64), *range(64, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        refused(path)
    path.write_bytes(data + b"\0")
    refused(path, "cut short or damaged")


def test_a_huge_header_is_not_read(saved):
    data = saved.read_bytes()
    saved.write_bytes(struct.pack("<Q", 2**63) + data[8:])
    refused(saved, "cut short")
    with open(saved, "wb") as file:
        file.write(struct.pack("<Q", 5 << 20))
        file.truncate(6 << 20)
    refused(saved, "at most 4,194,304 expected")


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b"null",
        b'{"__metadata__": 3}',
        b'{"__metadata__": {"other": "1"}}',
        b"[" * 100_000,
        b"\xff\xfe{}",
        b'{"a": 1' + b"0" * 5000 + b"}",
    ],
)
def test_headers_that_are_no_headers(saved, text):
    write_parts(saved, text, b"")
    refused(saved)


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        (lambda m: m.update(format="other"), "format"),
        (lambda m: m.update(version=2), "version 2"),
        (lambda m: m.pop("config"), "config"),
        (lambda m: m.update(more=1), "more"),
        (lambda m: m.update(name=7), "name"),
        (lambda m: m.update(name="../../etc"), "name"),
        (lambda m: m.update(geometry=[10**6, 16]), "geometry"),
        (lambda m: m.update(geometry=["32", 16]), "geometry"),
        (lambda m: m.update(geometry=[32]), "geometry"),
        (lambda m: m.update(quantiser=[]), "quantiser"),
        (lambda m: m.update(entropy={"name": 3}), "entropy"),
        (lambda m: m.update(model="resnet"), "resnet"),
        (lambda m: m["config"].update(stages=10**9), "stages"),
        (lambda m: m["config"].update(stages="2"), "stages"),
        (lambda m: m["config"].update(channels=64), "shape"),
        (lambda m: m["config"].update(stages=3), "lacks"),
        (lambda m: m["config"].update(stages=1), "has not"),
        (lambda m: m["config"].update(width=64), "width"),
        (lambda m: m["config"].update(wings=2), "wings"),
        (lambda m: m["config"].update(stages={"a": []}), "stages"),
        (lambda m: m["config"].update(latents=[[]]), "latents"),
    ],
)
def test_metadata_that_is_wrong_is_named(saved, edit, word):
    change_metadata(saved, edit)
    refused(saved, word)


def test_a_model_too_large_is_refused_before_anything_is_allocated(saved):
    def edit(metadata):
        metadata["model"], metadata["geometry"] = "fc-multilayer", [16384, 16384]
        metadata["config"] = {"width": 16384, "height": 16384, "code": 65536, "hidden": [65536] * 8}

    change_metadata(saved, edit)
    refused(saved, "parameters")


def test_tensors_that_are_wrong_are_named(saved):
    data = saved.read_bytes()
    name = "model.down.0.0.weight"

    def with_edit(edit, *words):
        saved.write_bytes(data)
        change(saved, edit)
        refused(saved, *words)

    with_edit(lambda h: h[name].update(shape=[3, 4, 3, 3]), name, "[4, 3, 3, 3] expected")
    with_edit(lambda h: h[name].update(shape=[4, 3, 3, 4]), name)
    with_edit(lambda h: h[name].update(dtype="I32"), name, "F32 expected")
    with_edit(lambda h: h[name].update(dtype="F64"), name)
    with_edit(lambda h: h[name].update(shape=[-4, -3, 3, 3]), name)
    with_edit(lambda h: h[name].update(shape=[2**62, 2**62]), name)
    with_edit(lambda h: h[name].update(shape=[1] * 9), name)
    with_edit(lambda h: h[name].update(data_offsets=[0, 10**18]), name)
    with_edit(lambda h: h[name].pop("data_offsets"), name)
    with_edit(lambda h: h.update({name: 3}), name)
    with_edit(lambda h: h.update({"model.extra": h.pop(name)}), name, "lacks")
    with_edit(lambda h: h.update(virus=h["entropy.factorised.lows"]))
    with_edit(
        lambda h: h.update({"entropy.factorised.odd.name": h.pop("entropy.factorised.lows")}),
        "entropy.factorised.odd.name",
    )
    with_edit(lambda h: h.update({"virus.lows": h.pop("entropy.factorised.lows")}), "virus.lows", "has not")
    with_edit(lambda h: h.update({"entropy.factorised.highs": h.pop("entropy.factorised.lows")}), "lows")


def test_tensors_may_not_overlap_or_leave_holes(saved):
    header, data = parts(saved)
    first, second = "model.down.0.0.weight", "model.up.1.0.weight"
    start, stop = header[second]["data_offsets"]
    place = header[first]["data_offsets"][0]
    header[second]["data_offsets"] = [place, place + stop - start]
    write_parts(saved, header, data)
    refused(saved, "expected")


def test_frequency_tables_are_checked(saved):
    header, data = parts(saved)
    begin, end = header["entropy.factorised.frequencies"]["data_offsets"]
    write_parts(saved, header, data[:begin] + bytes(end - begin) + data[end:])
    refused(saved, "frequency")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 1 << 20), value=st.integers(1, 255))
def test_a_flipped_byte_anywhere_gives_a_model_error_or_another_digest(saved, tmp_path, place, value):
    data = bytearray(saved.read_bytes())
    before = checkpoints.file_digest(saved)
    length = struct.unpack("<Q", data[:8])[0]
    data[place % (length + 8)] ^= value
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(data)
    try:
        assert checkpoints.load(path).sha256 != before
    except ModelError as error:
        assert str(path) in str(error)


# Finding


@pytest.fixture
def shelves(tmp_path, monkeypatch):
    """A folder of shipped weights and one in $LVC_MODELS, both empty."""
    shipped, mine = tmp_path / "shipped", tmp_path / "mine"
    shipped.mkdir()
    mine.mkdir()
    monkeypatch.setattr(checkpoints, "weights_folder", lambda: shipped)
    monkeypatch.setenv("LVC_MODELS", f"{tmp_path / 'absent'}:{mine}")
    return shipped, mine


def test_models_are_loaded_by_name(shelves):
    shipped, mine = shelves
    checkpoints.save(shipped / "pong.safetensors", made(called="pong"))
    checkpoints.save(mine / "own.safetensors", made(called="own"))
    assert checkpoints.shipped() == ["pong"]
    assert checkpoints.load("pong").name == "pong"
    assert checkpoints.load("own").name == "own"
    with pytest.raises(ModelError, match="shipped: pong"):
        checkpoints.load("chess")


def test_decoding_finds_the_very_weights(shelves, saved):
    shipped, mine = shelves
    wanted = checkpoints.file_digest(saved)

    def found():
        return checkpoints.find("tiny", wanted).sha256

    with pytest.raises(ModelError, match=rf"'tiny' with sha256 {wanted[:16]}.*none of that name.*--model FILE"):
        found()
    checkpoints.save(shipped / "tiny.safetensors", made("vae", code=4, hidden=6))
    other = checkpoints.file_digest(shipped / "tiny.safetensors")
    with pytest.raises(ModelError) as caught:
        found()
    assert wanted[:16] in str(caught.value) and other[:16] in str(caught.value)
    # Under another file name too, and beside files that are no weights.
    (mine / "junk.safetensors").write_bytes(b"junk")
    (mine / "renamed.safetensors").write_bytes(saved.read_bytes())
    assert found() == wanted


@pytest.mark.usefixtures("shelves")
def test_the_given_file_must_be_the_right_one(saved, tmp_path):
    wanted = checkpoints.file_digest(saved)
    assert checkpoints.find("tiny", wanted, file=saved).sha256 == wanted
    checkpoints.save(tmp_path / "wrong.safetensors", made("vae", code=4, hidden=6))
    with pytest.raises(ModelError, match="wrong.safetensors is .*give the right file"):
        checkpoints.find("tiny", wanted, file=tmp_path / "wrong.safetensors")


@pytest.mark.usefixtures("shelves")
def test_a_header_from_a_hostile_file_cannot_name_a_path():
    with pytest.raises(ModelError, match="are needed"):
        checkpoints.find("../tiny", "0" * 64)


@pytest.mark.usefixtures("shelves")
def test_extra_folders_are_searched(saved):
    wanted = checkpoints.file_digest(saved)
    assert checkpoints.find("tiny", wanted, extra_folders=[saved.parent]).sha256 == wanted


@pytest.mark.parametrize("device", ["cuda:99", "toaster", "", "meta", 3.5])
def test_devices_that_are_not_there(saved, device):
    with pytest.raises(OptionError, match="no device"):
        checkpoints.load(saved, device=device)


@pytest.mark.parametrize("name", models.model_names(weights=True))
def test_a_model_without_memory_has_the_tensors_of_one_with_it(name):
    empty, weights = models.build_empty(name, geometry=Geometry(200, 160)), models.family_of(name).tensors()
    with torch.device("meta"):
        whole = type(empty)(name, empty.config)
    assert weights.parts(empty) == weights.parts(whole)
    if not models.family_of(name).traits.needs_torch:
        assert not any(any(part.strides) for part in empty.arrays().values())
    else:
        assert all(part.device.type == "meta" for part in empty.state_dict().values())


def test_models_of_colours_are_loaded_and_code_without_torch(tmp_path):
    """torch takes a second to import, and 200 MB."""
    code = f"""
import sys
import numpy as np
import lvc
from lvc.weights import checkpoints
for name in ("arcade", "pacman"):
    assert not checkpoints.needs_torch(name)
    with lvc.Writer({str(tmp_path / "a.lvc")!r}, fps=3, model=name, overwrite=True) as writer:
        writer.write(np.zeros((2, 160, 200, 3), np.uint8))
    with lvc.open(writer.path) as reader:
        assert reader.frames_at([1, 0, 1]).data.shape == (3, 160, 200, 3)
assert checkpoints.needs_torch("conv4")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_loading_weights_leaves_what_compiles_models_alone():
    """torch fills tensors without memory by kernels in Python, which bring along a thousand modules, sympy among them:
    2 s to load a model of 0.1 s.
    """
    code = """
import sys
from lvc.weights import checkpoints
from lvc.codecs.family import build_empty, model_names
from lvc.frames import Geometry
for name in checkpoints.shipped():
    checkpoints.load(name)
for name in model_names(weights=True):
    build_empty(name, geometry=Geometry(200, 160))
    assert "sympy" not in sys.modules, name
"""
    subprocess.run([sys.executable, "-c", code], check=True)
