import dataclasses
import json
import math
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from lvc.codecs.family import build, model_names, option_names
from lvc.codecs.networks.model import contexts, parameter_bytes
from lvc.errors import OptionError
from lvc.frames import Geometry

torch.set_num_threads(1)
SMALL = Geometry(48, 32)
# name: options that make each family small enough for a test
OPTIONS = {
    "fc-vanilla": {"code": 12},
    "fc-multilayer": {"code": 8, "hidden": (20, 14)},
    "conv4": {"channels": 4},
    "conv5": {"channels": 4},
    "vae": {"code": 20, "hidden": 16},
    "resnet18": {"channels": 6, "code": 16},
    "gdn-attention": {"channels": 8, "code": 12},
    "edge3": {"analysis": ("conv 8 k5 s2", "leaky_relu 0.01", "conv 12 k3 s2", "leaky_relu 0.01", "conv 16 k5 s2")},
    "edge5": {"analysis": ("conv 8 k5 s2", "relu", "conv 8 k5", "relu", "conv 12 k5 s2")},
    "chain": {
        "analysis": ("conv 8 k4 s2 p1", "prelu", "conv 8 k3 s2 p0,0,1,1", "batch_norm", "tanh", "conv 8 k3 d2 g2"),
        "synthesis": ("up 8 k4 s2", "elu", "up 6 k2 s2", "clip -1 6", "conv 3 k3", "sigmoid"),
    },
}
NAMES = list(OPTIONS)
CONVOLUTIONAL = ["conv4", "conv5", "resnet18", "gdn-attention"]


def small(name, *, geometry=SMALL, **options):
    torch.manual_seed(0)
    return build(name, geometry=geometry, **{**OPTIONS[name], **options})


def frames(count, geometry=SMALL, seed=0):
    return torch.rand(count, 3, geometry.height, geometry.width, generator=torch.Generator().manual_seed(seed))


def test_every_single_frame_model_is_held_to_the_contract():
    assert set(NAMES) == set(model_names(weights=True)) - {"temporal", "temporal-palette"}


@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_ranges(name):
    model = small(name).eval()
    latents = model.analyse(frames(3))
    assert latents.shape == (3, *model.latent_shape(SMALL)) and latents.dtype == torch.float32
    assert (model.latent_range is None) == model.rounded_latents
    if model.latent_range is not None:
        low, high = model.latent_range
        assert low <= latents.min() and latents.max() <= high
    made = model.synthesise(latents * 3)
    assert made.shape == (3, 3, SMALL.height, SMALL.width) and made.dtype == torch.float32
    assert 0 <= made.min() and made.max() <= 1


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("vae", "gdn-attention")])
def test_rounded_latents_have_no_bounds(name):
    model = small(name, latents="rounded").eval()
    assert model.rounded_latents and model.latent_range is None
    assert model.analyse(frames(2) * 50).abs().max() > 1


@pytest.mark.parametrize("name", NAMES)
def test_gradient_reaches_all_parameters(name):
    model = small(name).train()
    source = frames(4)
    made = model(source, perturb=lambda latents: latents + 0.01)
    loss = (made.frames - source).square().mean() + sum(made.extra_loss.values())
    loss.backward()
    for label, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), label
        # A bias before batch normalisation has no effect, by construction.
        before_norm = (name.startswith("conv") and label.endswith("bias") and ".0.bias" in label) or ".3.bias" in label
        before_norm = before_norm or (name, label) == ("chain", "g_a.2.bias")
        assert before_norm or parameter.grad.abs().max() > 0, label


@pytest.mark.parametrize("name", NAMES)
def test_forward_perturbs_the_latents(name):
    model = small(name).eval()
    source = frames(2)
    torch.manual_seed(1)
    plain = model(source)
    torch.manual_seed(1)
    noisy = model(source, perturb=lambda latents: latents + 0.5)
    assert not torch.allclose(plain.frames, noisy.frames)
    assert torch.equal(plain.latents, noisy.latents)
    assert plain.latents.shape == (2, *model.latent_shape())


@pytest.mark.parametrize("name", NAMES)
def test_frames_do_not_depend_on_their_batch(name):
    model = small(name).eval()
    with torch.inference_mode():
        together, alone = model.analyse(frames(5)), model.analyse(frames(5)[2:3])
        assert torch.allclose(together[2:3], alone, atol=1e-5)
        assert torch.allclose(model.synthesise(together)[2:3], model.synthesise(alone), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_few_steps_of_adam_learn(name):
    """From `initialise`, the error falls below that of the mean frame, which is what a model knows at first."""
    geometry = Geometry(32, 32)
    rng = torch.Generator().manual_seed(3)
    scenes = F.interpolate(torch.rand(2, 3, 4, 4, generator=rng), (32, 32), mode="bilinear")
    mix = torch.rand(16, 1, 1, 1, generator=rng)
    source = scenes[0] * mix + scenes[1] * (1 - mix)
    model = small(name, geometry=geometry).train()
    model.initialise(source)
    spread = (source - source.mean(dim=0)).square().mean().item()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3 if name.startswith(("fc", "vae", "gdn")) else 1e-2)
    best = math.inf
    for _ in range(110):
        made = model(source)
        loss = (made.frames - source).square().mean()
        best = min(best, loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert best < 0.7 * spread


@pytest.mark.parametrize("name", ["fc-vanilla", "fc-multilayer"])
def test_initialised_models_start_at_the_mean_frame(name):
    source = frames(6) * 0.5 + 0.25
    model = small(name).eval()
    model.initialise(source)
    error = (model.synthesise(model.analyse(source)) - source.mean(dim=0)).abs().mean()
    assert error < 0.1


def test_the_variational_model_starts_as_an_analysis_of_what_frames_differ_by():
    """Frames in one line through the mean frame come back; the latent of that line has the prior's variance,
    the others say nothing.
    """
    line, place = frames(1) - 0.5, torch.linspace(-1, 1, 12)[:, None, None, None]
    source = torch.sigmoid(line * place)
    model = small("vae").eval()
    model.initialise(source)
    latents = model.analyse(source)
    assert (model.synthesise(latents) - source).abs().max() < 0.02 < (source - source.mean(dim=0)).abs().max()
    strongest = latents.square().mean(dim=0).sort(descending=True).values
    assert strongest[0].sub(1).abs() < 0.05 and strongest[1] < 0.1


def scenes(count, geometry=SMALL, seed=3):
    """Smooth frames, so that a few directions of each block hold nearly all of them."""
    noise = torch.rand(count, 3, 2, 3, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, (geometry.height, geometry.width), mode="bicubic").clamp(0.02, 0.98)


@pytest.mark.parametrize("name", ["gdn-attention", "edge3", "edge5"])
def test_models_that_start_as_a_transform_draw_frames_at_once(name):
    """Frames that the start has not seen, too; the mean colour alone leaves an error of 1."""
    model = small(name, **({"latents": "rounded"} if name == "edge5" else {})).eval()
    model.initialise(scenes(24))
    for source in scenes(24), scenes(8, seed=4):
        made = model.synthesise(model.analyse(source))
        error = (made - source).square().mean() / (source - source.mean(dim=(0, 2, 3), keepdim=True)).square().mean()
        assert error < 0.2  # codes pass a sigmoid, which no linear way back undoes


def test_chains_that_cannot_be_a_transform_start_with_signals_of_one_size():
    source = frames(4) * 0.02 + 0.4
    model = small("chain").eval()
    model.initialise(source)
    latents = model.analyse(source)
    made = model.synthesise(latents)
    assert 0.1 < latents.std(dim=(0, 2, 3)).mean() < 0.4
    assert (made.mean(dim=(0, 2, 3)) - source.mean(dim=(0, 2, 3))).abs().max() < 0.1 and made.std(
        dim=(0, 2, 3)
    ).max() < 0.2


@pytest.mark.parametrize("name", [*CONVOLUTIONAL, "edge3"])
def test_models_start_from_frames_that_say_nothing(name):
    model = small(name, **({"hyper": 4} if name == "gdn-attention" else {})).eval()
    source = torch.full((3, 3, SMALL.height, SMALL.width), 0.25)
    model.initialise(source)
    made = model.synthesise(model.analyse(source))
    assert torch.isfinite(made).all()
    if name in ("gdn-attention", "edge3"):
        assert (made - 0.25).abs().max() < 0.01


@pytest.mark.parametrize("name", ["fc-vanilla", "fc-multilayer", "vae"])
def test_other_geometries_are_refused_with_the_reason(name):
    model = small(name).eval()
    other = Geometry(64, 32)
    with pytest.raises(OptionError, match="48x32"):
        model.analyse(frames(1, other))
    with pytest.raises(OptionError, match="48x32"):
        model.latent_shape(other)
    with pytest.raises(OptionError, match="48x32"):
        model.synthesise(torch.zeros(1, *model.latent_shape()), geometry=other)


@pytest.mark.parametrize("name", [*CONVOLUTIONAL, "edge3", "edge5", "chain"])
@pytest.mark.parametrize("width, height", [(1, 1), (33, 17), (48, 32), (50, 70), (200, 160)])
def test_models_of_convolutions_take_any_geometry(name, width, height):
    model, geometry = small(name).eval(), Geometry(width, height)
    with torch.inference_mode():
        latents = model.analyse(frames(2, geometry))
        assert tuple(latents.shape[1:]) == model.latent_shape(geometry)
        assert model.synthesise(latents, geometry=geometry).shape == (2, 3, height, width)
        padded = model.synthesise(latents).shape
        assert padded[2] >= height and padded[3] >= width


@pytest.mark.parametrize("name", NAMES)
def test_the_model_for_coding_computes_the_same(name):
    model = small(name).train()
    with torch.no_grad():
        for seed in range(3):  # so that the normalisations have statistics
            model(frames(8, seed=seed) * 0.5)
    model.eval()
    quick = model.for_coding()
    with torch.inference_mode():
        latents = model.analyse(frames(2))
        assert torch.allclose(quick.analyse(frames(2)), latents, atol=1e-4)
        assert torch.allclose(quick.synthesise(latents), model.synthesise(latents), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_latents_and_frames_of_a_wrong_shape_are_refused(name):
    model = small(name).eval()
    with pytest.raises(OptionError):
        model.synthesise(torch.zeros(1, 7))
    with pytest.raises(OptionError):
        model.analyse(torch.zeros(1, 1, 32, 48))
    with pytest.raises(OptionError):
        model.analyse(torch.zeros(3, 32, 48))


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_autocast_stays_close(name):
    model = small(name).eval()
    with torch.inference_mode():
        exact = model.synthesise(model.analyse(frames(2)))
        with torch.autocast("cpu", torch.bfloat16):
            rough = model.synthesise(model.analyse(frames(2)))
    assert rough.dtype == torch.float32
    assert (exact - rough).abs().max() < 0.1


@pytest.mark.parametrize("name", NAMES)
def test_config_goes_through_json(name):
    model = small(name)
    stored = json.loads(json.dumps(dataclasses.asdict(model.config)))
    again = build(name, geometry=SMALL, **stored)
    assert again.config == model.config and again.name == name
    again.load_state_dict(model.state_dict())


S1 = [
    # name, options, latents a frame, weights in MB as S1 reports them
    ("fc-vanilla", {}, 16_000, 768),
    ("fc-vanilla", {"code": 500}, 8_000, 385),
    ("fc-multilayer", {}, 16_000, 3_300),
    ("fc-multilayer", {"code": 500}, 8_000, 3_200),
    ("conv4", {}, 16_640, 2.4),
    ("conv5", {}, 8_960, 9.5),
    ("vae", {}, 2_048, 410),
]


@pytest.mark.parametrize("name, options, entries, megabytes", S1)
def test_counts_of_s1(name, options, entries, megabytes):
    with torch.device("meta"):
        model = build(name, geometry=Geometry(200, 160), **options)
    assert math.prod(model.latent_shape()) == entries
    assert parameter_bytes(model) / 1e6 == pytest.approx(megabytes, rel=0.02)


def test_blocks_see_only_their_own_pixels():
    model = small("fc-vanilla").eval()
    source = frames(1)
    changed = source.clone()
    changed[:, :, 8:16, 12:24] = 0.0  # the block of row 1, column 1
    differs = (model.analyse(source) != model.analyse(changed)).any(dim=2)[0]
    assert differs.nonzero().flatten().tolist() == [5]
    latents = model.analyse(source)
    moved = latents.clone()
    moved[:, 5] = 0
    touched = (model.synthesise(latents) != model.synthesise(moved)).any(dim=1)[0]
    assert touched[8:16, 12:24].any() and not touched[:8].any() and not touched[:, 24:].any()


def test_vae_latents_are_drawn_in_training_and_the_mean_in_coding():
    model = small("vae").train()
    source = frames(2)
    assert not torch.equal(model(source).frames, model(source).frames)
    assert torch.equal(model.analyse(source), model.analyse(source))
    assert model(source).extra_loss["kl"].item() > 0


@pytest.mark.parametrize("name", ["resnet18", "gdn-attention"])
def test_a_step_at_full_size_survives_in_a_process_of_its_own(name):
    """torch's strided 1x1 convolutions of 3 channels wrote beyond their memory, which small frames did not show."""
    code = f"""
import torch
from lvc.codecs.family import build
from lvc.frames import Geometry
torch.set_num_threads(1)
model = build({name!r}, geometry=Geometry(200, 160), channels=24, code=32).train()
for _ in range(3):
    frames = torch.rand(2, 3, 160, 200)
    (model(frames).frames - frames).square().mean().backward()
    [torch.rand(1000) for _ in range(50)]  # so that a damaged heap is noticed
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_counts_of_s4():
    """32,768 entries for 512x512, and the encoder of the well-known ResNet18:
    11,689,512 parameters less its 513,000 of classes.
    """
    with torch.device("meta"):
        model = build("resnet18", geometry=Geometry(512, 512))
    assert math.prod(model.latent_shape()) == 32_768
    assert sum(parameter.numel() for parameter in model.encoder.parameters()) == 11_689_512 - 513_000


def test_contexts_are_channels_or_blocks():
    assert contexts((128, 10, 13)) == 128
    assert contexts((16, 1000)) == 16
    assert contexts((2048,)) == 1


@pytest.mark.parametrize(
    "name, options",
    [
        ("nosuch", {}),
        ("conv4", {"code": 5}),
        ("conv4", {"channels": 0}),
        ("conv4", {"channels": True}),
        ("conv4", {"stages": 100}),
        ("conv4", {"latents": "sharp"}),
        ("fc-vanilla", {"code": 1.5}),
        ("fc-vanilla", {"rows": 5}),
        ("fc-vanilla", {"hidden": 3}),
        ("fc-vanilla", {"hidden": (3, 0)}),
        ("vae", {"code": -1}),
        ("vae", {"width": 64}),
    ],
)
def test_bad_options_are_refused(name, options):
    with pytest.raises(OptionError):
        build(name, geometry=SMALL, **options)


def test_models_too_large_are_refused_before_they_are_allocated():
    with pytest.raises(OptionError, match="parameters"):
        build("vae", geometry=Geometry(16_384, 16_384), hidden=1 << 16)


def test_option_names_leave_out_the_geometry():
    assert option_names("vae") == ("code", "hidden")
