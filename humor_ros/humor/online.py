"""The smoother of everybody in a stream of the tracker's images, without ROS and without a clock.

Images come in (``add``), hops are begun, solved and ended one at a time (``begin_hop``, the hop's
``solve``, ``end_hop``), and refined images come out in order (``ready``). Only ``solve`` takes
long, and it touches nothing that the others do: it may run in a thread of its own.

Under load hops grow and leave solutions out, up to what a window can take; people beyond what
the measured solving time allows are told as the tracker tells them; and an image never waits
longer than ``max_lag_s`` for anybody.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace

import numpy as np

from humor_ros.body import BodyModel
from humor_ros.humor.common_ground import CommonGround
from humor_ros.humor.footing import Footing
from humor_ros.humor.hop import Hop
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.newest_motion import RECENT_ROWS, NewestMotion, SolvedEnd, newest_motion
from humor_ros.humor.observations import MAX_GAP_S
from humor_ros.humor.online_config import OnlineConfig
from humor_ros.humor.online_person import OnlinePerson, hands_of
from humor_ros.humor.pace import Pace
from humor_ros.humor.refined_image import (
    RefinedHuman,
    RefinedImage,
    as_tracked,
    refined_human,
)
from humor_ros.humor.refined_rows import RefinedRows, refine_rows
from humor_ros.humor.seen import SeenImage
from humor_ros.humor.state import FRAME_RATE
from humor_ros.humor.window import HopReport, SlidingWindow, SmoothedFrames
from humor_ros.humor.window_body import SolverBody
from humor_ros.humor.window_config import WindowConfig
from humor_ros.humor.window_values import WindowObservations
from humor_ros.late_images import LateImages
from humor_ros.types import HumanState, TrackingState

__all__ = ["ImageRejected", "OnlineSmoother"]

#: A person who is in none of the images of this time is gone.
_ABSENT_S = 0.5


class ImageRejected(ValueError):
    """An image was not taken in; everything is as before.

    Attributes:
        kind: short name under which it is counted.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(eq=False)
class _Waiting:
    """An image, who is still to be refined in it, and who has been."""

    image: SeenImage
    open: dict[int, str] = field(default_factory=dict)  # key of the stay: name
    done: dict[str, RefinedHuman] = field(default_factory=dict)


class OnlineSmoother:
    """See the module.

    Args:
        network: HuMoR's networks; None smooths by accelerations alone.
        body: of the tracker's shape space.
        config: how to cope with time.

    Attributes:
        counts: what happened, by name, since the start.
        pace: what the processor can take.
    """

    def __init__(
        self, network: HumorNetwork | None, body: BodyModel, config: OnlineConfig | None = None
    ) -> None:
        self.config = config or OnlineConfig()
        self.body = body
        self.solver_body = SolverBody(body)
        self.counts: Counter[str] = Counter()
        self.pace = Pace(self.config)
        self._network = network
        self._keys = 0
        self._clear()

    def _clear(self) -> None:
        self._footing = Footing(self.solver_body, self.counts, self.config.ground_height_m)
        self.newest: SeenImage | None = None
        self._people: dict[str, OnlinePerson] = {}
        self._closing: list[OnlinePerson] = []
        self._waiting: deque[_Waiting] = deque()
        self._paused_until_s = float("-inf")  # by the images' stamps
        self._late = LateImages()

    @property
    def people(self) -> list[OnlinePerson]:
        """Everybody in view."""
        return list(self._people.values())

    @property
    def ground(self) -> CommonGround:
        """What all people share."""
        return self._footing.ground

    @property
    def paused(self) -> bool:
        """Whether there is no time to smooth anybody for now."""
        return self.newest is not None and self.newest.stamp_s < self._paused_until_s

    @property
    def waiting(self) -> int:
        """Images that are not told yet."""
        return len(self._waiting)

    def reset(self) -> None:
        """Forget everybody, and images that were not told."""
        self.counts["resets"] += 1
        self.counts["images_forgotten"] += len(self._waiting)
        self._clear()

    def add(self, image: SeenImage) -> None:
        """Take the next image in.

        Raises:
            ImageRejected: its stamp is that of an earlier image, or before one. After a step back
                of more than a second, in another world, or where the stream goes on from an earlier
                stamp, everybody is smoothed anew instead.
        """
        if self.newest is not None:
            back_s = self.newest.stamp_s - image.stamp_s
            late = back_s >= 0.0
            if image.world_frame != self.newest.world_frame or (
                late and self._late.starts_anew(image.stamp_s, self.newest.stamp_s)
            ):
                self.reset()
            elif late:
                kind = "stamp_twice" if back_s == 0.0 else "stamp_reversed"
                raise ImageRejected(
                    kind,
                    f"its stamp {image.stamp_s:.6f} s is {back_s:.3f} s before that of the last "
                    "image; only later ones are taken",
                )
        self.newest = image
        self._late.forget()
        self.counts["images"] += 1
        entry = _Waiting(image)
        for human in image.humans:
            if human.tracking_state is TrackingState.LOST:
                self._close(human.person_id)
            elif self._last_stamp(human.person_id) == image.stamp_s:
                self.counts["people_twice"] += 1
            else:
                self._add_row(entry, human)
        self._close_absent(image.stamp_s)
        self._waiting.append(entry)

    def close_all(self) -> None:
        """Nobody is there any more, the stream has ended: tell everything that waits."""
        self._late.expect_restart()
        for name in list(self._people):
            self._close(name)

    def _add_row(self, entry: _Waiting, human: HumanState) -> None:
        stamp_s = entry.image.stamp_s
        person = self._people.get(human.person_id)
        if person is not None and stamp_s - person.last_stamp_s > MAX_GAP_S:
            self._close(person.name)
            self.counts["long_gaps"] += 1
            person = None
        if person is None:
            self._keys += 1
            person = self._people[human.person_id] = OnlinePerson(self._keys, human.person_id)
        row = person.add(entry.image, human)
        starting = person.window is not None and person.tail is None  # the first hop is long
        if person.admitted and not starting and person.pending > self.pace.most_behind:
            self._shed(person, stamp_s)
        held_s = max(person.held_until_s, self._paused_until_s)
        if not person.admitted and stamp_s >= held_s and self._has_room:
            person.begin()
        if person.admitted and not person.is_done(row):
            entry.open[person.key] = person.name

    def _last_stamp(self, name: str) -> float:
        person = self._people.get(name)
        return float("-inf") if person is None else person.last_stamp_s

    @property
    def _has_room(self) -> bool:
        return sum(p.admitted for p in self._people.values()) < self.pace.capacity

    def _shed(self, person: OnlinePerson, stamp_s: float) -> None:
        """Stop smoothing a person who fell too far behind."""
        self.counts["people_shed"] += 1
        person.admitted = False
        person.held_until_s = stamp_s + self.pace.hold_s
        person.restart(0)
        self.ground.leave(person.name)
        self._give_up(person)
        if not any(other.admitted for other in self._people.values()):
            self.counts["pauses"] += 1
            self._paused_until_s = stamp_s + self.pace.pause_s()

    def _shed_surplus(self) -> None:
        """Stop smoothing the latest comers where all together cannot be smoothed in time."""
        admitted = [person for person in self._people.values() if person.admitted]
        behind = max((person.pending for person in admitted), default=0)
        for person in admitted[self.pace.bearable(behind) :]:
            self._shed(person, person.last_stamp_s)

    def _close(self, name: str) -> None:
        person = self._people.pop(name, None)
        if person is None:
            return
        person.closing = True
        if person.admitted and person.pending > 0:
            self._closing.append(person)
        else:
            self._end(person)

    def _close_absent(self, stamp_s: float) -> None:
        present = set() if self.newest is None else {h.person_id for h in self.newest.humans}
        for name, person in list(self._people.items()):
            if name not in present and stamp_s - person.last_stamp_s > _ABSENT_S:
                self.counts["people_vanished"] += 1
                self._close(name)

    def _end(self, person: OnlinePerson) -> None:
        """Nothing more comes of this person."""
        self._give_up(person)
        self.ground.leave(person.name)

    def _give_up(self, person: OnlinePerson) -> None:
        """Images wait for this person no longer."""
        for entry in self._waiting:
            entry.open.pop(person.key, None)

    def begin_hop(self) -> Hop | None:
        """The hop that waits longest, prepared; None while nobody has enough new frames."""
        window = self.config.window
        self._drop_untold()
        waiting = [(person.pending, person) for person in self._closing]
        waiting += [
            (person.pending, person)
            for person in self._people.values()
            if person.admitted and person.due(window)
        ]
        if not waiting:
            return None
        _, person = max(waiting, key=lambda entry: entry[0])
        count = person.due(window)
        if person.window is None and person.closing and count < window.lag:
            self._closing.remove(person)  # too short a stay
            self.counts["short_stays"] += 1
            self._end(person)
            return self.begin_hop()
        if person.window is None:
            person.window = SlidingWindow(self._network, self.solver_body, window)
        self.counts["hops_skipped"] += max(0, count // window.hop - 1) if person.tail else 0
        person.window.config = self._settings(person)
        seen = person.take(count)
        self._footing.prepare(person, person.window, seen)
        return Hop(person, seen, person.closing and person.pending == 0, person.window)

    def _drop_untold(self) -> None:
        """Whoever is gone, and whose images have all been told late, is not solved for."""
        awaited = {key for entry in self._waiting for key in entry.open}
        for person in [person for person in self._closing if person.key not in awaited]:
            self._closing.remove(person)
            self._end(person)

    def _settings(self, person: OnlinePerson) -> WindowConfig:
        """One step is taken in place of several while somebody is behind."""
        window = self.config.window
        behind = person.pending > 2 * window.hop + window.lag
        if not behind or person.window is None or person.window.motion is None:
            return window
        self.counts["hops_hurried"] += 1
        return replace(window, iterations=1)

    def end_hop(self, hop: Hop) -> None:
        """Take a solved hop's frames to their images."""
        person = hop.person
        report, told = hop.report, hop.told
        known = person in self._closing or self._people.get(person.name) is person
        current = known and person.window is hop.window  # not reset or shed meanwhile
        if report is None:
            self.counts["hops_failed"] += 1
            if current:
                person.restart(0)
                self._give_up(person)
        else:
            self.counts["hops"] += 1
            self.counts["iterations"] += report.iterations
            self.counts["fallbacks"] += report.fallback
            self.counts["cold_starts"] += report.cold
            self.pace.note(report)
            if current and person.pending <= self.config.window.hop:
                self.pace.kept_up()
            if current:
                self._note(person, hop.seen, report, told)
        if person.closing and (hop.last or report is None) and person in self._closing:
            self._closing.remove(person)
            self._end(person)
        self._shed_surplus()

    def _note(
        self,
        person: OnlinePerson,
        seen: WindowObservations,
        report: HopReport,
        told: SmoothedFrames | None,
    ) -> None:
        window = person.window
        person.end = None
        if window is not None and window.ground is not None and not report.fallback:
            person.end = SolvedEnd.of(window, person.frames - 1)
            self._footing.learn(person, window, seen, self._people.values())
        if told is None:
            return
        rows, frames, times_s = person.told(told)
        places = np.array([row.place for row in rows]) / FRAME_RATE
        refined: RefinedRows | None = None
        if rows and not told.fallback:
            refined = refine_rows(frames, times_s, places, hands_of(rows), self.body)
        by_image = {id(row.image): index for index, row in enumerate(rows)}
        for entry in self._waiting:
            if person.key not in entry.open:
                continue
            index = by_image.get(id(entry.image))
            if index is not None:
                del entry.open[person.key]
                if refined is not None:
                    entry.done[person.name] = refined_human(
                        rows[index], refined, index, person.camera_centre(rows[index])
                    )

    def newest_motions(self) -> list[NewestMotion]:
        """The last moments of everybody in the newest image, for forecasts."""
        newest_s = None if self.newest is None else self.newest.stamp_s
        return [
            newest_motion(person.name, person.rows[-RECENT_ROWS:], person.end)
            for person in self._people.values()
            if person.last_stamp_s == newest_s
        ]

    def ground_height(self, motion: NewestMotion) -> float:
        """Height of the ground under a person, metres: the common one, or that of its feet."""
        return self._footing.height_below(motion, self._people.get(motion.name))

    def ready(self) -> list[RefinedImage]:
        """Images that everybody has been told of, or that have waited long enough, in order."""
        out: list[RefinedImage] = []
        newest_s = float("-inf") if self.newest is None else self.newest.stamp_s
        while self._waiting:
            entry = self._waiting[0]
            late = newest_s - entry.image.stamp_s > self.config.max_lag_s
            if entry.open and not late:
                break
            self.counts["images_told_late"] += bool(entry.open)
            out.append(self._finished(self._waiting.popleft()))
        return out

    def _finished(self, entry: _Waiting) -> RefinedImage:
        humans = []
        for human in entry.image.humans:
            refined = entry.done.get(human.person_id)
            if refined is None or human.tracking_state is TrackingState.LOST:
                refined = as_tracked(human)
            self.counts["states_smoothed" if refined.smoothed else "states_as_tracked"] += 1
            humans.append(refined)
        return RefinedImage(entry.image, tuple(humans))
