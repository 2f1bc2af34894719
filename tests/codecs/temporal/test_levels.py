"""The levels of a temporal model, and what its configuration refuses."""

import pytest

from lvc.codecs.temporal.model import TemporalConfig
from lvc.errors import OptionError


def test_crf_0_stands_for_the_finest_level_and_63_for_the_last():
    config = TemporalConfig(finest=12)
    assert (config.trained_level(0), config.trained_level(63)) == (12, 63)
    assert config.trained_level(31) < config.trained_level(32)
    assert TemporalConfig().trained_level(17) == 17


@pytest.mark.parametrize(
    "wrong",
    [{"finest": 63}, {"finest": -1}, {"placed": 48}, {"phases": (4, 2, 3)}, {"phases": (1, 1)}, {"groups": (4, 4)}],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(OptionError):
        TemporalConfig(**wrong)
