from __future__ import annotations

import pytest

from swarmmind.evals.environments import ENVIRONMENTS
from swarmmind.evals.published import published
from swarmmind.evals.swarmbench.published import PAPER_ROWS

NAMES = ("swarmbench", "swarmbench-noise", "swarmbench-scalability")
NOISY_AVERAGES = {
    "claude-3.7-sonnet": 3.44, "deepseek-v3": 2.48, "o4-mini": 5.34, "gemini-2.0-flash": 2.62, "llama-4-scout": 2.00,
    "llama-3.1-70b": 1.40, "gpt-4.1-mini": 1.62, "gpt-4.1": 3.94, "qwq-32b": 1.58, "deepseek-r1": 2.28, "gpt-4o": 1.54,
    "claude-3.5-haiku": 0.82, "o3-mini": 1.24,
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_environments_and_totals_are_sums(name: str) -> None:
    rows = published(name)
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert set(row.columns) <= set(ENVIRONMENTS)
        assert row.source.startswith("arXiv 2505.04364v4, Table S.")
        if row.total is not None:
            assert row.total == pytest.approx(sum(mean for mean, _ in row.columns.values()), abs=0.006)
            assert len(row.columns) == 5


def test_the_main_table_comes_first_best_first_with_humans_central_control_and_rules() -> None:
    rows = published("swarmbench")
    totals = [row.total for row in rows[:13]]
    assert totals == sorted(totals, key=lambda total: -(total or 0))
    assert [row.name for row in rows[:13]] == list(PAPER_ROWS)
    assert [len(row.columns) for row in rows[13:]] == [4, 5, 5]  # nobody hunted by hand
    assert [row.total for row in rows[13:]] == [None] * 3


def test_noisy_rows_have_the_averages_that_the_paper_prints() -> None:
    rows = published("swarmbench-noise")
    for noisy, clean in zip(rows[::2], rows[1::2], strict=True):
        assert noisy.name == f"{clean.name}, noisy"
        assert (noisy.total or 0) / 5 == pytest.approx(NOISY_AVERAGES[clean.name], abs=1e-9)
    assert {row.name for row in rows[1::2]} == set(NOISY_AVERAGES)


def test_the_settings_of_scalability_and_their_mean() -> None:
    over_all, *settings = published("swarmbench-scalability")
    assert len(settings) == 4
    for column, (mean, deviation) in over_all.columns.items():
        assert mean == pytest.approx(sum(row.columns[column][0] for row in settings) / 4, abs=0.006)
        assert deviation is None
