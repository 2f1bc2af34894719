from functools import partial

import pytest

from tests.builders.recordings_in_memory import squares
from tests.builders.small_runs import trained_in


@pytest.fixture
def training_frames():
    return squares(2, 24, seed=1)


@pytest.fixture
def validation_frames():
    return squares(1, 10, seed=1)


@pytest.fixture
def trained(training_frames, validation_frames, tmp_path):
    """`trained_in` the test's own folder."""
    return partial(trained_in, tmp_path, training_frames, validation_frames)
