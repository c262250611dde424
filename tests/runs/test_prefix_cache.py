from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import swarmmind
from swarmmind.models.served import Served
from swarmmind.runs.folder import JOURNAL
from swarmmind.runs.prefix_cache import misses

from .projects import task


def served(cached: int | None, **setup: Any) -> Served:
    return Served("http://here/v1", answered=3, cached_tokens=cached, server=setup)


@pytest.fixture
def journal(work: Path) -> Path:
    """Three agents of one card, which is some 550 characters long, were asked the same."""
    return Path(swarmmind.run_sync(task(), env={}).folder) / JOURNAL


def test_a_cache_that_never_hits_is_told_where_prompts_share_a_block(journal: Path) -> None:
    [told] = misses([served(0, block_size="16")], journal)
    assert told.startswith("http://here/v1: its prefix cache never hit, though 3 prompts began with the same ")
    assert "without one" not in told
    [told] = misses([served(0, block_size=16, enable_prefix_caching="False")], journal)
    assert told.endswith("it was started without one")


def test_one_that_hits_or_counts_nothing_or_could_not_hit_is_not(journal: Path) -> None:
    assert misses([served(1), served(None), Served("http://never/asked", cached_tokens=0)], journal) == []
    assert misses([served(0, block_size="256")], journal) == []  # no block of that size is shared


def test_who_is_alone_shares_nothing(work: Path) -> None:
    alone = swarmmind.run_sync(task(swarm={"agents": {"solver": 1}, "topology": "solo"}), env={})
    assert misses([served(0)], Path(alone.folder) / JOURNAL) == []
