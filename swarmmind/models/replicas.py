"""Several servers behind one name: a request goes to the one that has most of its prompt's head in its cache.

Where a head was first sent is where it belongs; new ones are spread by an order of replicas of their own (rendezvous
hashing, Thaler and Ravishankar 1998): when one is lost, only what belongs to it moves, to where each head goes next;
when it is back, so is that. A replica takes at most `_SLACK` times its share of what is under way (consistent hashing
with bounded loads, arXiv:1608.01350), the rest goes to the least busy: one hot prefix fills all replicas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b

import anyio

from swarmmind.models.endpoint import Endpoint
from swarmmind.models.prefixes import DIGEST_BYTES, heads

_SLACK = 1.25
_MOST_REMEMBERED = 65_536


class Replicas:
    """Endpoints that answer alike (satisfies `Route`).

    Args:
        endpoints: at least one; a prefix knows them by their place in this list, whatever their ports.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self._rose = anyio.Event()
        for endpoint in self.endpoints:
            endpoint.join([other for other in self.endpoints if other is not endpoint])
            endpoint.pulse.listen(self._risen)
        self._orders: dict[bytes, list[Endpoint]] = {}
        self._homes: dict[bytes, Endpoint] = {}  # by heads of prefixes
        self._older: dict[bytes, Endpoint] = {}  # those that were not asked for since there are so many others

    def __repr__(self) -> str:
        return f"Replicas({list(self.endpoints)!r})"

    def choose(self, prefix: bytes) -> Endpoint:
        """The replica for a request: where most of its head belongs, of those that are up and have room.

        If those are full it is the least busy, if they are down the next in the head's order. Those that were given up
        are chosen if there is no other. If none is up it is where the head belongs.
        """
        up = [endpoint for endpoint in self.endpoints if endpoint.up]
        live = [endpoint for endpoint in up if not endpoint.given_up] or up
        if live and not prefix:
            return min(live, key=_load)
        most = math.ceil(_SLACK * (sum(endpoint.load for endpoint in live) + 1) / max(1, len(live)))
        known, full = b"", False
        for head in heads(prefix):
            home = self._home(head)
            if home is None:
                continue
            known, full = known or head, full or home in live
            if home in live and home.load < most:
                return self._settled(prefix, home)
        order = self._order(known or prefix[:DIGEST_BYTES])
        if not live:
            return self._home(known) or order[0]
        chosen = None if full else next((one for one in order if one in live and one.load < most), None)
        return self._settled(prefix, chosen or min(live, key=_load))

    async def wait(self) -> None:
        """Until one of them is up."""
        while not any(endpoint.up for endpoint in self.endpoints):
            await self._rose.wait()

    def _risen(self) -> None:
        self._rose.set()
        self._rose = anyio.Event()

    def _home(self, head: bytes) -> Endpoint | None:
        home = self._homes.get(head)
        if home is None and head in self._older:
            home = self._homes[head] = self._older[head]
        return home

    def _settled(self, prefix: bytes, endpoint: Endpoint) -> Endpoint:
        """What of a prefix belongs nowhere yet, belongs there."""
        if len(self._homes) >= _MOST_REMEMBERED:
            self._homes, self._older = {}, self._homes
        for head in heads(prefix):
            if self._home(head) is not None:
                break
            self._homes[head] = endpoint
        return endpoint

    def _order(self, prefix: bytes) -> list[Endpoint]:
        order = self._orders.get(prefix)
        if order is None:
            if len(self._orders) >= _MOST_REMEMBERED:
                self._orders.clear()
            digests = {
                at: blake2b(b"%d/%b" % (at, prefix), digest_size=8).digest() for at in range(len(self.endpoints))
            }
            order = [self.endpoints[at] for at in sorted(digests, key=digests.__getitem__)]
            self._orders[prefix] = order
        return order


def _load(endpoint: Endpoint) -> int:
    return endpoint.load
