"""What is known of a mean, and of sums of means."""

from __future__ import annotations

import pytest

from swarmmind.evals.statistics.moments import combined, moments


def test_a_sum_of_means_is_no_surer_than_its_least_sure_part_allows() -> None:
    wide, narrow = moments([[0.0], [30.0], [60.0]]), moments([[5.0 + 0.001 * at] for at in range(30)])
    alone, much = wide.freedom, narrow.freedom
    assert combined([(1.0, wide), (1.0, narrow)]).freedom == pytest.approx(alone, abs=0.01)
    equal = moments([[at] for at in range(10)])
    assert alone < much
    assert 9 < combined([(0.5, equal), (0.5, equal)]).freedom <= 2 * equal.freedom
