"""Which ranks can be given to jobs (CONTRACTS E0, H5)."""

from typing import Any

from fluxcore.modules.resource.drains import Drains
from fluxcore.resource.idset import IdSet


class Availability:
    """What is known of the ranks of an instance of ``size``.

    ``lost`` are those that were online and are not any more. With ``shrinking`` they do not come
    back: nobody has said which ranks there must be.
    """

    def __init__(self, size: int, drains: Drains, excluded: IdSet) -> None:
        self.all = IdSet.span(0, size - 1)
        self.drains = drains
        self.excluded = excluded
        self.online = IdSet()
        self.torpid = IdSet()
        self.lost = IdSet()
        self.shrinking = False

    @property
    def offline(self) -> IdSet:
        """The ranks that are not online."""
        return self.all - self.online

    @property
    def unusable(self) -> IdSet:
        """The ranks that no job may be given now."""
        return self.offline | self.torpid | self.drains.ranks | self.excluded

    def set_online(self, ranks: IdSet) -> tuple[IdSet, IdSet]:
        """Exactly ``ranks`` are online; those that have come and those that have gone."""
        came, left = ranks - self.online, self.online - ranks
        self.lost = (self.lost | left) - came
        self.online = ranks
        return came, left

    def set_torpid(self, ranks: IdSet) -> tuple[IdSet, IdSet]:
        """Exactly ``ranks`` are unresponsive; those that have become so and those no more."""
        came, left = ranks - self.torpid, self.torpid - ranks
        self.torpid = ranks
        return came, left


class Acquisition:
    """What a scheduler has been told about the ranks that it was given."""

    def __init__(self, ranks: IdSet, availability: Availability) -> None:
        self._availability = availability
        self._removed = availability.lost if availability.shrinking else IdSet()
        self._valid = ranks - self._removed
        self.up = self._valid - availability.unusable

    def update(self) -> dict[str, Any]:
        """What it is to be told now: ``{up?, down?, shrink?}``, idsets."""
        availability = self._availability
        up = self._valid - availability.unusable
        update = {"up": up - self.up, "down": self.up - up}
        if availability.shrinking:
            update["shrink"] = (availability.lost - self._removed) & self._valid
            self._removed |= update["shrink"]
            self._valid -= update["shrink"]
        self.up = up
        return {key: ranks.encode() for key, ranks in update.items() if ranks}
