"""What was used last stays in memory: values with sizes, under one limit."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator


class RecentlyUsed:
    """Keeps the values that were used last, as many as their sizes fit `limit`, and always the one put in last."""

    def __init__(self, limit: int):
        self.limit, self.total = limit, 0
        self._kept: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()

    def get(self, key: Hashable):
        """The value, which counts as used now; None where it is not kept."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def put(self, key: Hashable, value, size: int) -> list:
        """Keeps a value, in place of the key's value before; gives the values that had to go for it."""
        self.drop(key)
        self._kept[key] = value, size
        self.total += size
        gone = []
        while self.total > self.limit and len(self._kept) > 1:
            _, (oldest, freed) = self._kept.popitem(last=False)
            self.total -= freed
            gone.append(oldest)
        return gone

    def drop(self, key: Hashable) -> None:
        """Forgets a value; nothing happens where it is not kept."""
        self.total -= self._kept.pop(key, (None, 0))[1]

    def __iter__(self) -> Iterator:
        return iter([value for value, _ in self._kept.values()])

    def __len__(self) -> int:
        return len(self._kept)
