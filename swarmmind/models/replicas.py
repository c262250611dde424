"""Several servers behind one name: what shares a prefix goes to the same one, as long as that one is not swamped.

Each prefix has its own order of replicas (rendezvous hashing, Thaler and Ravishankar 1998): when one is lost, only its
prefixes move, to where each of them goes next; when it is back, so are they. A replica takes at most `_SLACK` times
its share of what is under way, then the next in the order is asked (consistent hashing with bounded loads,
arXiv:1608.01350): one hot prefix fills all replicas rather than one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b

from swarmmind.models.endpoint import Endpoint

_SLACK = 1.25
_MOST_REMEMBERED = 65_536


class Replicas:
    """Endpoints that answer alike (satisfies `Route`).

    Args:
        endpoints: at least one; a prefix knows them by their place in this list, whatever their ports.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self._orders: dict[bytes, list[Endpoint]] = {}

    def __repr__(self) -> str:
        return f"Replicas({list(self.endpoints)!r})"

    def choose(self, prefix: bytes) -> Endpoint:
        """The replica for a request: the first of its prefix's order that is up and has room, else the least busy.

        If none is up it is the first in the order, where the request waits, or fails.
        """
        live = [endpoint for endpoint in self.endpoints if endpoint.up]
        if not live:
            return self._order(prefix)[0]
        if prefix:
            most = math.ceil(_SLACK * (sum(endpoint.load for endpoint in live) + 1) / len(live))
            for endpoint in self._order(prefix):
                if endpoint.up and endpoint.load < most:
                    return endpoint
        return min(live, key=_load)

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
