"""Who stands on the ground that all share, and who on something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import torch
from torch import Tensor

from humor_ros.humor.common_ground import CommonGround, is_apart
from humor_ros.humor.newest_motion import NewestMotion
from humor_ros.humor.online_person import OnlinePerson
from humor_ros.humor.window import SlidingWindow, guess_ground
from humor_ros.humor.window_body import SolverBody
from humor_ros.humor.window_values import WindowObservations, ground_height

__all__ = ["Footing"]

#: Frames after which the common ground is that of the people who are there, where nobody of them
#: stands on the old one any more: ten seconds.
_RENEWED_AFTER = 300


class Footing:
    """Keeps the common ground, and each person on it or on a level of its own.

    Args:
        body: kinematics.
        counts: where changes are counted.
        height_m: of a level ground that is known; None finds it.

    Attributes:
        ground: the common one.
    """

    def __init__(
        self, body: SolverBody, counts: Counter[str], height_m: float | None = None
    ) -> None:
        known = None if height_m is None else torch.tensor([height_m, 0, 0], dtype=torch.float64)
        self.ground = CommonGround(known)
        self._body = body
        self._counts = counts

    def prepare(
        self, person: OnlinePerson, window: SlidingWindow, seen: WindowObservations
    ) -> None:
        """Tell a window of the common ground, unless its person stands on something else.

        Args:
            person: whose.
            window: of the person; one that starts afresh decides anew.
            seen: frames that it is given next.
        """
        common = self.ground.mean(without=person.name)
        if window.motion is None:
            person.other_level = common is not None and is_apart(
                guess_ground(self._body, seen), common, seen.root[0, :2]
            )
            person.level_since = person.frames
            self._counts["people_on_other_levels"] += person.other_level
        if person.other_level:
            common = None
        window.given_ground = common
        window.ground_information = (
            None if common is None else CommonGround.information(window.config)
        )

    def learn(
        self,
        person: OnlinePerson,
        window: SlidingWindow,
        seen: WindowObservations,
        people: Collection[OnlinePerson],
    ) -> None:
        """Take what a solution says of the ground; whoever has left it starts on another one.

        Args:
            person: whose.
            window: of the person, solved.
            seen: its newest frames.
            people: everybody in view.
        """
        if window.ground is None:
            return
        if person.other_level and self._forsaken(person, people):
            self._counts["grounds_renewed"] += 1
            self.ground = CommonGround()
            for other in people:
                other.other_level = False
        common = None if person.other_level else self.ground.mean()
        if person.level.left(self._body, seen, window.ground if common is None else common):
            self._counts["levels_changed"] += 1
            self.ground.forget(person.name)
            window.restart()
        elif not person.other_level and not person.level.in_doubt:
            self.ground.see(person.name, window.ground, person.frames)

    def height_below(self, motion: NewestMotion, person: OnlinePerson | None) -> float:
        """Height of the ground under a person, metres: the common one, or that of its feet."""
        common = self.ground.mean()
        if common is not None and not (person is not None and person.other_level):
            return float(ground_height(common, torch.as_tensor(motion.root[-1])))
        betas, root = torch.as_tensor(motion.betas), torch.as_tensor(motion.root[-1:])
        feet: Tensor = self._body(betas, torch.as_tensor(motion.rotations[-1:]), root).feet
        return float(feet[..., 2].min())

    def _forsaken(self, person: OnlinePerson, people: Collection[OnlinePerson]) -> bool:
        """Whether nobody has stood on the common ground for long; a known one is never left."""
        if self.ground.known is not None:
            return False
        nobody = all(other.other_level for other in people if other.admitted)
        return nobody and person.frames - person.level_since > _RENEWED_AFTER
