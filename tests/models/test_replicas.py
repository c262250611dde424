from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from swarmmind.models.endpoint import Endpoint
from swarmmind.models.limiter import Limiter
from swarmmind.models.prefixes import DIGEST_BYTES
from swarmmind.models.pulse import Pulse
from swarmmind.models.replicas import Replicas
from swarmmind.models.transports.aiohttp_transport import AiohttpTransport


def replicas(count: int) -> Replicas:
    urls = [f"http://127.0.0.1:{at + 1}/v1" for at in range(count)]
    return Replicas([Endpoint(url, AiohttpTransport(url), Limiter(), Pulse()) for url in urls])


def prefixes(count: int) -> list[bytes]:
    """Prompts of one part each, all different."""
    return [at.to_bytes(DIGEST_BYTES, "big") for at in range(count)]


def test_a_prefix_stays_with_its_replica_and_prefixes_are_spread() -> None:
    route = replicas(4)
    first = [route.choose(prefix) for prefix in prefixes(400)]
    assert first == [route.choose(prefix) for prefix in prefixes(400)]
    assert min(Counter(map(id, first)).values()) > 60


def test_only_the_prefixes_of_a_lost_replica_move_and_they_come_back() -> None:
    route = replicas(4)
    before = [route.choose(prefix) for prefix in prefixes(400)]
    lost = route.endpoints[2]
    lost.pulse.fall()
    during = [route.choose(prefix) for prefix in prefixes(400)]
    assert lost not in during
    assert [now for now, then in zip(during, before, strict=True) if then is not lost] == [
        then for then in before if then is not lost
    ]
    assert len({id(now) for now, then in zip(during, before, strict=True) if then is lost}) == 3  # not one heir for all
    lost.pulse.rise()
    assert [route.choose(prefix) for prefix in prefixes(400)] == before


def test_one_hot_prefix_fills_all_replicas() -> None:
    route = replicas(4)
    for _ in range(100):
        route.choose(b"hot").load += 1
    loads = sorted(endpoint.load for endpoint in route.endpoints)
    assert loads[-1] <= 1.25 * 100 / 4 + 1
    assert loads[0] > 0


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=80), st.integers(1, 5))
def test_no_replica_is_given_much_more_than_its_share(steps: list[tuple[int, bool]], count: int) -> None:
    route = replicas(count)
    for number, busy in steps:
        chosen = route.choose(b"%d" % number if number else b"")
        if busy:
            chosen.load += 1
        total = sum(endpoint.load for endpoint in route.endpoints)
        assert chosen.load <= 1.25 * (total + 1) / count + 1


def test_without_a_prefix_the_least_busy_is_asked() -> None:
    route = replicas(3)
    for endpoint, load in zip(route.endpoints, (5, 2, 4), strict=True):
        endpoint.load = load
    assert route.choose(b"") is route.endpoints[1]


def test_when_none_is_up_the_request_waits_at_its_own() -> None:
    route = replicas(3)
    own = route.choose(b"x")
    for endpoint in route.endpoints:
        endpoint.pulse.fall()
    assert route.choose(b"x") is own
    assert not own.up


def test_a_conversation_stays_where_it_began_and_groups_that_share_their_instructions_are_spread() -> None:
    route = replicas(4)
    rules, groups = b"rule", prefixes(40)
    began: dict[tuple[bytes, bytes], Endpoint] = {}
    for tail in prefixes(10):
        for group in groups:
            chosen = began[group, tail] = route.choose(rules + group + tail)
            chosen.load += 1
    assert all(75 <= endpoint.load <= 126 for endpoint in route.endpoints)
    apart = [len({id(began[group, tail]) for tail in prefixes(10)}) for group in groups]
    assert sum(apart) < 2 * len(groups)  # most of a group is together: 4 replicas would be 4 each by chance
    for endpoint in route.endpoints:
        endpoint.load = 0
    for (group, tail), where in began.items():
        assert route.choose(rules + group + tail + b"said" + b"next") is where


def test_what_is_remembered_is_bounded() -> None:
    route, own = replicas(2), b"mine" + b"tail"
    home = route.choose(own)
    for at in range(200_000):
        route.choose(b"many" + at.to_bytes(DIGEST_BYTES, "big"))
        if not at % 50_000:
            assert route.choose(own) is home
    assert sum(len(kept) for name, kept in vars(route).items() if name in ("_homes", "_older", "_orders")) < 200_000
