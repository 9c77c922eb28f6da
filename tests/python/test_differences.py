"""The list of places where heddle's answer is not MLX's is true, of both."""

import pytest

from engines import IS_HEDDLE, mx, reference
from samples.differences import DIFFERENCES, outcome

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="a list of heddle's differences")


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda d: d.code)
def test_heddle_gives_what_is_listed(difference):
    assert outcome(lambda: difference.run(mx)) == difference.gives


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda d: d.code)
def test_mlx_gives_something_else(difference):
    assert outcome(lambda: difference.run(reference)) != difference.gives
