import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lvc.codecs.neural import quantize
from lvc.errors import FormatError, ModelError, OptionError

torch.set_num_threads(1)
NAMES = list(quantize.QUANTISERS)
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 60)) | st.tuples(
    st.integers(1, 3), st.integers(1, 300)
)
FLOATS = (
    st.floats(-(2.0**20), 2.0**20, width=32)
    | st.floats(0, 1, width=32)
    | st.just(0.0)
    | st.floats(-(2.0**-126), 2.0**-126, width=32)
)
LATENTS = SHAPES.flatmap(lambda shape: arrays(np.float32, shape, elements=FLOATS))


def bound(quantiser, latents):
    """The largest error [T] that the quantiser may make on latents [T, N]."""
    spread = latents.max(1) - latents.min(1)
    ulp = np.abs(latents).max(1) * 2.0**-22 + 1e-44
    match quantiser.name:
        case "none":
            return np.zeros(len(latents))
        case "naive":
            outside = np.maximum(np.maximum(-latents, latents - 1), 0).max(1)
            return outside + 0.5001 / 255
        case "bits":
            # The greatest symbol is a step below the upper bound.
            highest = quantiser.high - quantiser.step
            return np.maximum(np.maximum(quantiser.low - latents, latents - highest), quantiser.step / 2).max(1) + ulp
        case "scale":
            return spread / 255 / 2 + ulp
        case "kmeans":
            return spread + ulp
        case "round":
            return np.full(len(latents), quantiser.step / 2) + ulp


@pytest.mark.parametrize("name", NAMES)
@given(latents=LATENTS)
@settings(max_examples=60, deadline=None)
def test_contract(name, latents):
    quantiser = quantize.build(name)
    quantised = quantiser.quantise(torch.from_numpy(latents))
    assert quantised.symbols.dtype == torch.int32 and quantised.symbols.shape == latents.shape
    assert quantised.parameters.dtype == torch.float32
    assert quantised.parameters.shape == (len(latents), quantiser.parameter_count)
    if quantiser.alphabet:
        assert quantiser.alphabet[0] <= quantised.symbols.min() and quantised.symbols.max() <= quantiser.alphabet[1]
    again = quantiser.dequantise(quantised.symbols, quantised.parameters)
    assert again.dtype == torch.float32 and again.shape == latents.shape
    flat = latents.reshape(len(latents), -1).astype(np.float64)
    error = np.abs(again.numpy().reshape(flat.shape) - flat).max(1)
    assert (error <= bound(quantiser, flat)).all()


@pytest.mark.parametrize("name", NAMES)
def test_frames_do_not_depend_on_their_batch(name):
    latents = torch.randn(4, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    together = quantize.build(name).quantise(latents)
    alone = quantize.build(name).quantise(latents[2:3])
    assert torch.equal(together.symbols[2:3], alone.symbols)
    assert torch.equal(together.parameters[2:3], alone.parameters)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_latents_that_are_not_finite_are_refused(name, value):
    latents = torch.zeros(2, 8)
    latents[1, 3] = value
    with pytest.raises(ModelError, match="finite"):
        quantize.build(name).quantise(latents)


@pytest.mark.parametrize("name", ["none", "scale", "kmeans"])
def test_huge_latents_survive(name):
    quantiser = quantize.build(name)
    latents = torch.tensor([[-3.4e38, 0.0, 3.4e38], [3e38, 3e38, 3e38]])
    quantised = quantiser.quantise(latents)
    again = quantiser.dequantise(quantised.symbols, quantised.parameters)
    assert torch.isfinite(again).all()
    assert torch.allclose(again[:, [0, 2]], latents[:, [0, 2]])


def test_round_refuses_what_needs_more_than_32_bits():
    with pytest.raises(ModelError, match="32 bits"):
        quantize.build("round").quantise(torch.full((1, 1), 3e9))


@pytest.mark.parametrize("name", ["none", "scale", "kmeans"])
def test_a_constant_frame_is_exact(name):
    quantiser = quantize.build(name)
    latents = torch.full((2, 3, 4), 0.3)
    quantised = quantiser.quantise(latents)
    assert torch.equal(quantiser.dequantise(quantised.symbols, quantised.parameters), latents)


def test_naive_is_times_255_and_follows_the_range_given():
    latents = torch.tensor([[0.0, 0.5, 1.0, 1.7, -0.2]])
    assert quantize.build("naive").quantise(latents).symbols.tolist() == [[0, 128, 255, 255, 0]]
    wide = quantize.build("naive", latent_range=(-6, 6)).quantise(torch.tensor([[-6.0, 0.0, 6.0]]))
    assert wide.symbols.tolist() == [[0, 128, 255]]


def test_kmeans_is_exact_for_up_to_128_values_and_beats_scale_on_clusters():
    generator = torch.Generator().manual_seed(1)
    few = torch.randint(0, 100, (1, 5000), generator=generator) ** 2 * 0.37
    kmeans, scale = quantize.build("kmeans"), quantize.build("scale")

    def error(quantiser, latents):
        quantised = quantiser.quantise(latents)
        return (quantiser.dequantise(quantised.symbols, quantised.parameters) - latents).square().mean().item()

    assert error(kmeans, few) < 1e-9
    normal = torch.randn(1, 20_000, generator=generator)
    assert error(kmeans, normal) < 0.6 * error(scale, normal)


def test_kmeans_labels_are_the_nearest_centroids():
    latents = torch.randn(2, 3000, generator=torch.Generator().manual_seed(2))
    quantised = quantize.build("kmeans").quantise(latents)
    distance = (latents[:, :, None] - quantised.parameters[:, None]).abs()
    chosen = distance.gather(2, quantised.symbols.long()[:, :, None])[..., 0]
    assert torch.allclose(chosen, distance.min(2).values, atol=1e-6)


def test_round_noise_has_the_width_of_the_step():
    quantiser = quantize.build("round", step=0.5)
    noise = quantiser.perturb(torch.zeros(20_000))
    assert noise.abs().max() <= 0.25
    assert noise.var().item() == pytest.approx(0.5**2 / 12, rel=0.05)
    latents = torch.zeros(4, requires_grad=True)
    quantiser.perturb(latents).sum().backward()
    assert latents.grad.tolist() == [1, 1, 1, 1]


def test_bits_are_the_formula_of_s4_and_b_bits():
    latents = torch.tensor([[0.0, 0.124, 0.126, 0.5, 0.7, 1.0, -3.0, 9.0]])
    quantised = quantize.build("bits", bits=2).quantise(latents)
    assert quantised.symbols.tolist() == [[0, 0, 1, 2, 3, 3, 0, 3]]
    assert quantize.build("bits", bits=10).alphabet == (0, 1023)
    wide = quantize.build("bits", bits=2, latent_range=(-6, 6))
    assert wide.dequantise(wide.quantise(torch.tensor([[-6.0, 0.0, 6.0]])).symbols, torch.zeros(1, 0)).tolist() == [
        [-6, 0, 3]
    ]


def test_bits_noise_has_the_width_of_a_step_below_the_greatest_symbol():
    quantiser = quantize.build("bits", bits=2)
    noisy = quantiser.perturb(torch.full((20_000,), 0.5))
    assert (noisy - 0.5).abs().max() <= 0.125 and noisy.var().item() == pytest.approx(0.25**2 / 12, rel=0.05)
    assert quantiser.perturb(torch.ones(1000)).max() <= 0.75 + 0.125


@pytest.mark.parametrize("name", [name for name in NAMES if not quantize.QUANTISERS[name].noisy])
def test_others_leave_training_alone(name):
    latents = torch.randn(3, 4)
    assert quantize.build(name).perturb(latents) is latents


@pytest.mark.parametrize(
    "quantiser", [quantize.build(name) for name in NAMES] + [quantize.Round(step=0.25), quantize.Naive(low=-2, high=3)]
)
def test_spec_goes_through_json(quantiser):
    assert quantize.build(**json.loads(json.dumps(quantiser.spec()))) == quantiser


@pytest.mark.parametrize(
    "name, options",
    [
        ("nosuch", {}),
        ("none", {"step": 1.0}),
        ("round", {"step": 0}),
        ("round", {"step": float("nan")}),
        ("round", {"step": "1"}),
        ("naive", {"low": 1, "high": 1}),
        ("kmeans", {"rounds": -1}),
        ("bits", {"bits": 0}),
        ("bits", {"bits": 13}),
        ("bits", {"bits": 2.0}),
        ("bits", {"low": 1, "high": 0}),
    ],
)
def test_bad_options_are_refused(name, options):
    with pytest.raises(OptionError):
        quantize.build(name, **options)


@pytest.mark.parametrize(
    "name, symbol, parameters",
    [
        ("naive", 256, []),
        ("naive", -1, []),
        ("bits", 4, []),
        ("scale", 256, [0.0, 1.0]),
        ("scale", 3, [1.0, 0.0]),
        ("scale", 3, [0.0, float("nan")]),
        ("scale", 3, [0.0]),
        ("kmeans", 256, [0.0] * 256),
        ("kmeans", 1, [0.0]),
        ("none", 0x7FC00000, []),
        ("round", 1, [1.0]),
    ],
)
def test_damaged_symbols_and_parameters_are_format_errors(name, symbol, parameters):
    with pytest.raises(FormatError):
        quantize.build(name).dequantise(
            torch.tensor([[symbol]], dtype=torch.int32), torch.tensor([parameters]).reshape(1, -1)
        )


def weights(*, rounded=False, quantiser="naive"):
    model = SimpleNamespace(rounded_latents=rounded, latent_range=None if rounded else (0.0, 1.0))
    return SimpleNamespace(name="weights", model=model, quantiser={"name": quantiser}, entropy={"name": "adaptive"})


REFUSED = [
    (weights(), {"name": "none"}, "adaptive", "floats"),
    (weights(), {"name": "none"}, "factorised", "floats"),
    (weights(), {"name": "kmeans"}, "factorised", "label"),
    (weights(), {"name": "round"}, "adaptive", "noise"),
    (weights(rounded=True, quantiser="round"), {"name": "naive"}, "adaptive", "bounds"),
    (weights(rounded=True, quantiser="round"), {"name": "bits", "bits": 2}, "adaptive", "bounds"),
    (weights(quantiser="bits"), {"name": "bits", "bits": 10}, "factorised", "learned for quantiser bits"),
    (weights(rounded=True, quantiser="round"), {"name": "naive", "low": 0.0, "high": 1.0}, "adaptive", "bounds"),
    (weights(quantiser="scale"), {"name": "naive"}, "factorised", "learned for quantiser scale"),
    (weights(rounded=True, quantiser="round"), {"name": "round", "step": 0.5}, "factorised", "step=0.5"),
]
TAKEN = [
    *((weights(), {"name": name}, "raw") for name in ("none", "naive", "scale", "kmeans")),
    *((weights(), {"name": name}, "adaptive") for name in ("naive", "scale", "kmeans")),
    (weights(), {"name": "naive"}, "factorised"),
    (weights(), {"name": "bits", "bits": 10}, "adaptive"),
    (weights(), {"name": "naive", "low": 0.0, "high": 1.0}, "factorised"),
    (weights(rounded=True, quantiser="round"), {"name": "round"}, "factorised"),
    (weights(rounded=True, quantiser="round"), {"name": "scale"}, "adaptive"),
    (weights(rounded=True, quantiser="round"), {"name": "naive", "low": -3, "high": 3}, "raw"),
]


@pytest.mark.parametrize("checkpoint, quantiser, entropy, reason", REFUSED)
def test_what_cannot_go_together_is_refused_with_the_reason(checkpoint, quantiser, entropy, reason):
    with pytest.raises(OptionError, match=reason):
        quantize.check_combination(checkpoint, quantiser, {"name": entropy})


@pytest.mark.parametrize("checkpoint, quantiser, entropy", TAKEN)
def test_what_goes_together_is_taken(checkpoint, quantiser, entropy):
    assert quantize.check_combination(checkpoint, quantiser, {"name": entropy}) is None
