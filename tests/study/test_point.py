import dataclasses
import math

import pytest

from lvc.errors import OptionError
from lvc.study.point import Case, Settings, curve, measure_point
from lvc.study.systems import SYSTEMS


@pytest.mark.parametrize("system", SYSTEMS)
def test_figures_are_of_real_files(make_set, settings, system):
    """Unquantised codes cost their 4 bytes each, and decode to what the networks make of the picture."""
    settings = dataclasses.replace(settings, quantiser={"name": "none"}, entropy={"name": "raw"})
    own, other = make_set(), make_set("others", 5)
    steps = []
    figures = measure_point(
        Case("scenes", system, 5), {one.name: one for one in (own, other)}, settings, on_step=steps.append
    )
    assert steps == list(range(1, 13))
    assert figures["raw_bytes"] == 16 * 8 * 3 and figures["ratio_of_dimensions"] == 16 * 8 * 3 / 5
    # The coder's last bytes may be zeros, which are left out.
    assert 4 * 5 - 0.5 <= figures["packet_bytes"] <= 4 * 5
    assert figures["file_bytes"] > figures["packet_bytes"]
    assert figures["packet_ratio"] * figures["packet_bytes"] == pytest.approx(figures["raw_bytes"])
    assert figures["file_ratio"] * figures["file_bytes"] == pytest.approx(figures["raw_bytes"])
    # Pixels are rounded to 8 bits in the file: a twelfth of a level squared, in all directions.
    assert figures["psnr"] == pytest.approx(-10 * math.log10(figures["test_loss"]), abs=0.05)
    assert figures["gained_db"] == pytest.approx(figures["denoised_psnr"] - figures["noisy_psnr"])
    assert set(figures["elsewhere"]) == {"others"} and figures["elsewhere"]["others"]["psnr"] != figures["psnr"]
    assert [step for step, _ in figures["loss_curve"]] == steps and figures["validation_curve"][-1][0] == 12
    assert figures["step_ms"] > 0 and figures["training_seconds"] > 0


def test_a_larger_code_says_more_and_costs_more(make_set, settings):
    settings = dataclasses.replace(settings, steps=150)
    sets = {"scenes": make_set()}
    small, large = (measure_point(Case("scenes", "mlp1", code), sets, settings) for code in (1, 8))
    assert large["test_loss"] < 0.7 * small["test_loss"] and large["psnr"] > small["psnr"]
    assert large["packet_bytes"] > 3 * small["packet_bytes"]
    assert small["loss_curve"][0][1] > small["loss_curve"][-1][1]


def test_grey_pictures_have_a_byte_a_pixel(make_set, settings):
    figures = measure_point(Case("grey", "mlp1", 4), {"grey": make_set("grey", grey=True)}, settings)
    assert figures["raw_bytes"] == 16 * 8 and figures["ratio_of_dimensions"] == 16 * 8 / 4


def test_models_that_are_trained_to_denoise_do_it_better(make_set):
    settings = Settings(steps=200, batch=16, noise=0.25)
    sets = {"scenes": make_set()}
    clean, denoising = (measure_point(Case("scenes", "mlp2", 8, goal), sets, settings) for goal in (False, True))
    # 12 dB, more where it is cut off
    assert clean["noisy_psnr"] == denoising["noisy_psnr"] == pytest.approx(13, abs=1.5)
    assert denoising["gained_db"] > clean["gained_db"] + 0.1
    assert denoising["gained_db"] > 3


@pytest.mark.parametrize(
    "quantiser, entropy",
    [("round", "factorised"), ("scale", "factorised"), ("kmeans", "adaptive"), ("bits", "adaptive")],
)
def test_the_codecs_own_quantisers_and_entropy_models(make_set, settings, quantiser, entropy):
    settings = dataclasses.replace(settings, quantiser={"name": quantiser}, entropy={"name": entropy})
    figures = measure_point(Case("scenes", "conv1", 6), {"scenes": make_set()}, settings)
    assert figures["psnr"] > 5 and figures["packet_bytes"] > 0


def test_the_same_point_gives_the_same_figures(make_set, settings):
    sets = {"scenes": make_set()}
    first, again = (measure_point(Case("scenes", "conv2", 3, True), sets, settings) for _ in range(2))
    for name in ("seconds", "step_ms", "training_seconds"):
        del first[name], again[name]
    assert first == again


def test_curves_are_means_over_pieces():
    assert curve([3.0, 1.0]) == [[1, 3.0], [2, 1.0]]
    pieces = curve([float(step) for step in range(400)])
    assert len(pieces) == 40 and pieces[0] == [10, 4.5] and pieces[-1] == [400, 394.5]


@pytest.mark.parametrize(
    "option, value", [("steps", 0), ("batch", 0), ("lr", -1.0), ("seed", -1), ("noise", 0.0), ("noise", float("nan"))]
)
def test_settings_that_make_no_sense(option, value):
    with pytest.raises(OptionError, match=option):
        Settings(**{option: value})
