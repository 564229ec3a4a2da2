"""What people went through lately, so that late news of an image enters at its own frame.

An image encoder takes longer than a frame. What it says of an image enters where it belongs: the
network runs again from the state before that image, with the feature in it, through the
measurements since, beside the loop; the loop then goes on from the corrected state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.wham.answer import Answer, answer_of
from humor_ros.wham.image_feature import PersonFeature
from humor_ros.wham.stepper import PeopleState, Stepper, cat_states
from humor_ros.wham.values import WhamInputs

__all__ = ["Branch", "History", "Moment", "advance_branch", "begin_branch"]


@dataclass(frozen=True)
class Moment:
    """One step of some people.

    Attributes:
        stamp_s: of the image.
        begins: these people begin here; else they continue from the moment before.
        track_ids: who.
        state: before the step.
        inputs: of the step, without features.
        rotation_world_camera: (3, 3) camera to the y-down world.
        image_started: whether each person's state began from an image.
    """

    stamp_s: float
    begins: bool
    track_ids: tuple[int, ...]
    state: PeopleState
    inputs: WhamInputs
    rotation_world_camera: Tensor
    image_started: tuple[bool, ...]


@dataclass(frozen=True)
class Branch:
    """People on a corrected path, at most as far as the stream has come.

    Attributes:
        stamp_s: of the last image that was stepped.
        track_ids: who.
        state: after it.
        answers: the network's answer at it, of each.
    """

    stamp_s: float
    track_ids: tuple[int, ...]
    state: PeopleState
    answers: tuple[Answer, ...]

    def of(self, index: int) -> PeopleState:
        """State of one of them."""
        return self.state.select([index])


class History:
    """The moments of the last seconds.

    One thread writes; any may read, without locks, for what is read is replaced and never changed.

    Args:
        span_s: how far back, seconds.
    """

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._moments: tuple[Moment, ...] = ()
        self._corrected_s: Mapping[int, float] = {}

    def add(self, moment: Moment) -> None:
        """Append the newest moment."""
        horizon_s = moment.stamp_s - self._span_s
        self._moments = (*(m for m in self._moments if m.stamp_s >= horizon_s), moment)

    def corrected(self, track_ids: Sequence[int], stamp_s: float) -> None:
        """Note that these people were put on another path at this image: earlier moments of them
        are of the path that was left."""
        known = {track for moment in self._moments for track in moment.track_ids}
        kept = {t: s for t, s in self._corrected_s.items() if t in known}
        self._corrected_s = {**kept, **dict.fromkeys(track_ids, stamp_s)}

    def clear(self) -> None:
        """Forget all."""
        self._moments, self._corrected_s = (), {}

    @property
    def newest_s(self) -> float:
        """Stamp of the newest moment, or minus infinity."""
        moments = self._moments
        return moments[-1].stamp_s if moments else float("-inf")

    def at(self, stamp_s: float) -> tuple[Moment, ...]:
        """Moments of one image."""
        return tuple(moment for moment in self._moments if moment.stamp_s == stamp_s)

    def after(self, stamp_s: float) -> tuple[Moment, ...]:
        """Moments of later images, in order."""
        return tuple(moment for moment in self._moments if moment.stamp_s > stamp_s)

    def is_current(self, track_id: int, stamp_s: float) -> bool:
        """Whether a person's moment at this image is of the path that the person is on."""
        return stamp_s > self._corrected_s.get(track_id, float("-inf"))


@torch.inference_mode()
def begin_branch(
    stepper: Stepper, history: History, stamp_s: float, features: Mapping[int, PersonFeature]
) -> Branch | None:
    """Step the people of one image anew, with their features.

    Somebody whose state began without an image begins here anew, from the encoder's pose,
    key-points and gravity-true root.

    Args:
        stepper: of the stream.
        history: of the stream.
        stamp_s: of the image.
        features: by track id.

    Returns:
        Everybody who was found, None if nobody was: too long ago, or on another path since.
    """
    ids: list[int] = []
    states: list[PeopleState] = []
    answers: list[Answer] = []
    for moment in history.at(stamp_s):
        rows = {track: row for row, track in enumerate(moment.track_ids)}
        found = [t for t in rows if t in features and history.is_current(t, stamp_s)]
        for started in (False, True):
            group = [t for t in found if moment.image_started[rows[t]] is started]
            if not group:
                continue
            inputs = moment.inputs.people([rows[t] for t in group])
            given = [features[t] for t in group]
            if started:
                state = moment.state.select([rows[t] for t in group])
            else:
                inputs = inputs.frames(inputs.n_frames - 1, inputs.n_frames)
                state = stepper.from_image(inputs, given, moment.rotation_world_camera)
            state, outputs = stepper.step(state, inputs, dict(enumerate(given)))
            ids += group
            states.append(state)
            answers += [answer_of(outputs, row) for row in range(len(group))]
    if not ids:
        return None
    return Branch(stamp_s, tuple(ids), cat_states(states), tuple(answers))


@torch.inference_mode()
def advance_branch(stepper: Stepper, history: History, branch: Branch) -> Branch | None:
    """Step a branch through all that the stream has stepped since.

    Returns:
        The branch at the newest image; without those who have left, or begun anew, since; None
        if nobody is left, or the branch is farther behind than the history reaches.
    """
    later = history.after(branch.stamp_s)  # held, for the history goes on and forgets meanwhile
    if later and not history.at(branch.stamp_s):
        return None
    for stamp_s in sorted({moment.stamp_s for moment in later}):
        moment = next((m for m in later if m.stamp_s == stamp_s and not m.begins), None)
        rows = {} if moment is None else {t: row for row, t in enumerate(moment.track_ids)}
        left = [i for i, track in enumerate(branch.track_ids) if track in rows]
        if moment is None or not left:
            return None
        ids = tuple(branch.track_ids[i] for i in left)
        state = branch.state if len(left) == len(branch.track_ids) else branch.state.select(left)
        inputs = moment.inputs.people([rows[track] for track in ids])
        state, outputs = stepper.step(state, inputs)
        answers = tuple(answer_of(outputs, row) for row in range(len(ids)))
        branch = Branch(stamp_s, ids, state, answers)
    return branch
