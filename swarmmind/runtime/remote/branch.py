"""What a work on a worker may spend: its programs' own limits are walls here, all others stand at the head."""

from __future__ import annotations

from collections.abc import Callable

from swarmmind.effects import Limits
from swarmmind.errors import Spent
from swarmmind.runtime.budget import Cost, Purse
from swarmmind.runtime.remote.desk import Desk


class Branch(Purse):
    """A purse that draws on the head's.

    Args:
        desk: where it asks.
        work: the id of the work that it belongs to.
        asks: whether the head must be asked before anything is spent; if not, it is told after.
        limits: its own, if it is a nested program's.
        trunk: the branch that it draws on; of a work's own, none.

    Attributes:
        when_settled: called whenever nothing of the work is in flight any more.
    """

    __slots__ = ("_asks", "_desk", "_work", "when_settled")

    def __init__(
        self, desk: Desk, work: int, *, asks: bool, limits: Limits | None = None, trunk: Branch | None = None
    ) -> None:
        super().__init__(limits, trunk)
        self._desk, self._work, self._asks = desk, work, asks
        self.when_settled: Callable[[], None] | None = None

    def nested(self, limits: Limits) -> Branch:
        """See `Purse.nested`."""
        return Branch(self._desk, self._work, asks=self._asks, limits=limits, trunk=self)

    def try_reserve(self, worst: Cost) -> bool:
        """See `Purse.try_reserve`; where the head must be asked it never succeeds."""
        limit = self.out_of()
        if limit is not None:
            raise Spent(limit)
        return not self._asks and super().try_reserve(worst)

    async def reserve(self, worst: Cost) -> None:
        """See `Purse.reserve`."""
        while not super().try_reserve(worst):
            await self._room()
        if not self._asks:
            return
        try:
            await self._desk.reserve(self._work, worst)
        except BaseException as error:
            super().settle(worst, Cost())
            if isinstance(error, Spent):
                self.root.broken = self.root.broken or error.limit
            self._tell_settled()
            raise

    def settle(self, worst: Cost, cost: Cost) -> None:
        """See `Purse.settle`."""
        super().settle(worst, cost)
        if self._asks:
            self._desk.settle(self._work, worst, cost)
        else:
            self._desk.owe(self._work, cost)
        self._tell_settled()

    def _tell_settled(self) -> None:
        root = self.root
        if isinstance(root, Branch) and root.when_settled is not None and not root.reserved.calls:
            root.when_settled()
