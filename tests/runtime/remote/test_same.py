"""What comes of a run does not depend on where its pieces are made, or on who died on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from swarmmind.runtime.journal import content
from swarmmind.testing.fake_endpoint import FakeEndpoint

from .near import Near
from .site import Piece, Ran, real, rehearsal, run

PIECES = [Piece(f"p{number}", seed) for number in range(4) for seed in range(2)]


class Result:
    """What is the same wherever a run is executed."""

    def __init__(self, ran: Ran, journal: Path) -> None:
        self.outcome, self.journal = ran.outcome, list(content(journal))
        self.counted, self.spent = (ran.meter.total(), ran.meter.usage), ran.purse.spent


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Result:
    path = tmp_path_factory.mktemp("local") / "journal.sqlite"
    return Result(run(path, PIECES, rehearsal), path)


def test_a_rehearsal_is_the_same_on_workers(tmp_path: Path, local: Result) -> None:
    ran = run(tmp_path / "journal.sqlite", PIECES, rehearsal, engine=Near(2))
    result = Result(ran, tmp_path / "journal.sqlite")
    assert result.outcome == local.outcome
    assert result.journal == local.journal
    assert (result.counted, result.spent) == (local.counted, local.spent)
    assert ran.purse.reserved.calls == 0
    assert ran.handler.known == len(PIECES)


@settings(max_examples=12, phases=[Phase.explicit, Phase.generate])
@given(lives=st.lists(st.integers(0, 12), min_size=1, max_size=2))
def test_whoever_dies_whenever_it_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, local: Result, lives: list[int]
) -> None:
    path = tmp_path_factory.mktemp("dies") / "journal.sqlite"
    ran = run(path, PIECES, rehearsal, engine=Near(2, lives))
    result = Result(ran, path)
    assert result.outcome == local.outcome
    assert result.journal == local.journal
    assert result.counted[0] == local.counted[0]  # what a quorum dropped is not asked again, nor paid for again


def test_a_run_against_a_server_is_the_same_on_workers(tmp_path: Path) -> None:
    here, there = FakeEndpoint(), FakeEndpoint()
    alone = run(tmp_path / "a.sqlite", PIECES, real, server=here)
    ran = run(tmp_path / "b.sqlite", PIECES, real, server=there, engine=Near(2))
    assert ran.outcome == alone.outcome
    assert list(content(tmp_path / "b.sqlite")) == list(content(tmp_path / "a.sqlite"))
    assert there.bodies == here.bodies
    assert (ran.meter.total(), ran.meter.usage, ran.purse.spent) == (
        alone.meter.total(),
        alone.meter.usage,
        alone.purse.spent,
    )
    assert ran.purse.reserved.calls == 0


@settings(max_examples=8, phases=[Phase.explicit, Phase.generate])
@given(lives=st.lists(st.integers(2, 40), min_size=1, max_size=2))
def test_no_finished_call_is_made_again_after_a_death(
    tmp_path_factory: pytest.TempPathFactory, lives: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("paid")
    server, places = FakeEndpoint(latency_seconds=0.005), 6
    engine = Near(2, lives)
    ran = run(folder / "b.sqlite", PIECES, real, server=server, concurrency=places, engine=engine)
    here = FakeEndpoint()
    alone = run(folder / "a.sqlite", PIECES, real, server=here)
    assert ran.outcome == alone.outcome
    assert list(content(folder / "b.sqlite")) == list(content(folder / "a.sqlite"))
    deaths = engine.hired - 2
    again = server.received - here.received
    assert again <= deaths * places
    assert server.most_in_flight <= places
    assert ran.servants.limiter("0").in_flight == 0
    assert ran.purse.reserved.calls == 0
    assert ran.purse.spent.calls >= server.received  # what may have been paid is charged
    assert ran.purse.spent.calls <= alone.purse.spent.calls + deaths * places
