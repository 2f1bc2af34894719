import bjontegaard
import pytest

from lvc.errors import OptionError
from lvc.quality.bdrate import bd_psnr, bd_rate

ANCHOR = ([180.0, 310.0, 526.0, 900.0], [34.8, 40.6, 46.3, 50.0])
OTHER = ([75.0, 112.0, 167.0, 255.0], [37.0, 41.4, 45.1, 48.1])
NEAR = ([150.0, 290.0, 500.0, 800.0], [34.0, 40.9, 46.5, 49.0])


@pytest.mark.parametrize("interpolation", ["pchip", "akima"])
@pytest.mark.parametrize("other", [OTHER, NEAR])
def test_bd_rate_equals_the_reference_package(interpolation, other):
    expected = bjontegaard.bd_rate(*ANCHOR, *other, method=interpolation, require_matching_points=False, min_overlap=0)
    assert bd_rate(*ANCHOR, *other, interpolation=interpolation) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("interpolation", ["pchip", "akima"])
def test_bd_psnr_equals_the_reference_package(interpolation):
    expected = bjontegaard.bd_psnr(*ANCHOR, *NEAR, method=interpolation, require_matching_points=False, min_overlap=0)
    assert bd_psnr(*ANCHOR, *NEAR, interpolation=interpolation) == pytest.approx(expected, rel=1e-9)


def test_half_the_rate_at_each_quality_saves_half():
    rates, qualities = ANCHOR
    assert bd_rate(rates, qualities, [rate / 2 for rate in rates], qualities) == pytest.approx(-50)
    assert bd_psnr(rates, qualities, rates, [quality + 1 for quality in qualities]) == pytest.approx(1)


def test_points_may_come_in_any_order():
    assert bd_rate(ANCHOR[0][::-1], ANCHOR[1][::-1], *NEAR) == pytest.approx(bd_rate(*ANCHOR, *NEAR))


def test_curves_without_overlap_are_refused():
    with pytest.raises(OptionError, match="share no range of quality"):
        bd_rate([1, 2, 3], [30, 31, 32], [1, 2, 3], [40, 41, 42])
    with pytest.raises(OptionError, match="share no range of rate"):
        bd_psnr([1, 2, 3], [30, 31, 32], [10, 20, 30], [30, 31, 32])


@pytest.mark.parametrize(
    ("rates", "qualities", "reason"),
    [
        ([1.0], [30.0], "at least"),
        ([1, 2, 3], [30, 31], "as many"),
        ([0, 2, 3], [30, 31, 32], "above 0"),
        ([1, 2, 3], [30, float("inf"), 32], "finite"),
        ([1, 2, 3], [30, 29, 32], "does not rise"),
        ([1, 1, 3], [30, 31, 32], "does not rise"),
    ],
)
def test_what_is_no_curve_is_refused_with_the_reason(rates, qualities, reason):
    with pytest.raises(OptionError, match=reason):
        bd_rate(*ANCHOR, rates, qualities)


def test_an_unknown_interpolation_is_refused():
    with pytest.raises(OptionError, match="pchip, akima"):
        bd_rate(*ANCHOR, *NEAR, interpolation="cubic")
