"""WHAM for several people online: tracks and camera motion in, motion in camera and world out.

The recurrent state of everybody is one :class:`~humor_ros.wham.state.WhamState`; people come
and go by indexing it. All world quantities that leave this module are in the z-up world; the
network's own world is y-down (spec of WHAM, section 0), and both differ by a constant rotation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from humor_ros.body import BodyModel
from humor_ros.geometry import ROTATION_FLU_OPTICAL, PinholeCamera
from humor_ros.types import Array, CameraMotion, Track
from humor_ros.wham.answer import Answer, answer_of
from humor_ros.wham.boxes import box_of_xyxy
from humor_ros.wham.correction import Correction
from humor_ros.wham.ground import Ground, share_ground
from humor_ros.wham.history import Branch, History, Moment
from humor_ros.wham.image_feature import PersonFeature
from humor_ros.wham.keypoint_memory import KeypointMemory
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.observation import (
    gravity_in_camera,
    network_inputs,
    smoothed_boxes,
    tight_box,
    virtual_keypoints,
)
from humor_ros.wham.person import PersonMemory, PersonMotion
from humor_ros.wham.resampling import (
    MAX_GAP_S,
    interpolate_keypoints,
    split_rotation,
    substep_count,
)
from humor_ros.wham.runner import StreamingNetwork, prepare_for_streaming
from humor_ros.wham.stepper import PeopleState, Stepper, cat_states
from humor_ros.wham.stream_config import StreamConfig
from humor_ros.wham.values import WhamInputs
from humor_ros.wham.world_place import place_person

__all__ = ["PersonMotion", "StreamConfig", "WhamStream"]


class WhamStream:
    """The state of all people and the step from one image to the next.

    Args:
        network: any size, in evaluation mode.
        body: body model whose shape space the network was trained for.
        config: how the world is made.
    """

    def __init__(
        self, network: WhamNetwork, body: BodyModel, config: StreamConfig | None = None
    ) -> None:
        packed = isinstance(network, StreamingNetwork)
        self._network = network if packed else prepare_for_streaming(network)
        self._body = body.eval()
        self._config = config = config or StreamConfig()
        self._pose_error = None
        if self._network.config.pose_error:
            self._pose_error = self._network.pose_error.double().numpy()
        #: How people begin and step; holds no state.
        self.stepper = Stepper(
            self._network,
            self._body,
            features=config.image_features,
            missing=config.missing_feature,
            flip=config.flip_averaging,
        )
        #: What happened lately; may be read by another thread.
        self.history = History(config.history_s)
        self._people: list[PersonMemory] = []
        self._state: PeopleState | None = None
        self._stamp_s: float | None = None
        self._ground: Ground | None = None
        self._image_size: tuple[int, int] | None = None

    @property
    def track_ids(self) -> tuple[int, ...]:
        """Ids of the people who have a state, in its order."""
        return tuple(person.track_id for person in self._people)

    @property
    def answers(self) -> dict[int, Answer]:
        """What the network said of everybody at the last image, by track id."""
        return {p.track_id: p.told for p in self._people if p.told is not None}

    def reset(self) -> None:
        """Forget everybody."""
        self._people, self._state, self._stamp_s = [], None, None
        self._ground = None
        self.history.clear()

    @property
    def stamp_s(self) -> float | None:
        """Of the last image, seconds."""
        return self._stamp_s

    @torch.inference_mode()
    def correct(self, branch: Branch) -> tuple[int, ...]:
        """Go on from a corrected path; what is told moves over to it without a jump.

        Args:
            branch: as far as the stream has come.

        Returns:
            Ids of those who did.

        Raises:
            ValueError: the branch ends at another image than the stream.
        """
        if branch.stamp_s != self._stamp_s:
            raise ValueError(
                f"the branch ends at {branch.stamp_s:.6f} s and the stream at {self._stamp_s} s; "
                "advance the branch first"
            )
        rows = {person.track_id: row for row, person in enumerate(self._people)}
        found = [i for i, track in enumerate(branch.track_ids) if track in rows]
        if self._state is None or not found:
            return ()
        states = [self._state, branch.state.select(found)]
        order = list(range(len(self._people)))
        for at, i in enumerate(found):
            row = rows[branch.track_ids[i]]
            order[row] = len(order) + at
            person, answer = self._people[row], branch.answers[i]
            correction = None if person.told is None else Correction.between(person.told, answer)
            self._people[row] = replace(person, correction=correction, image_started=True)
        self._state = cat_states(states).select(order)
        ids = tuple(branch.track_ids[i] for i in found)
        self.history.corrected(ids, branch.stamp_s)
        return ids

    @torch.inference_mode()
    def step(
        self,
        tracks: Sequence[Track],
        motion: CameraMotion,
        camera: PinholeCamera,
        features: Mapping[int, PersonFeature] | None = None,
    ) -> list[PersonMotion]:
        """Advance everybody to one image.

        Args:
            tracks: people to follow; somebody who is not in the list is forgotten, an
                OCCLUDED one is stepped with all key-points masked.
            motion: camera motion since the previous call.
            camera: the real camera; key-points are taken to its virtual pinhole.
            features: by track id, of this very image. Who begins with one begins from the
                encoder's pose. Features that come later enter by :meth:`correct`.

        Returns:
            One motion for each track, in order.
        """
        interval_s = 0.0 if self._stamp_s is None else motion.stamp_s - self._stamp_s
        size = (camera.width, camera.height)
        if not 0.0 <= interval_s <= MAX_GAP_S or size != self._image_size:
            self._state = None  # shape and place are remembered, motion is not
            self.history.clear()
        self._image_size = size
        self._stamp_s = motion.stamp_s
        virtual = camera.virtual()
        features = features or {}
        attitude = torch.as_tensor(
            ROTATION_FLU_OPTICAL.T @ motion.rotation_world_camera, dtype=torch.float32
        )
        keypoints = [virtual_keypoints(track, camera) for track in tracks]
        known = {person.track_id: person for person in self._people}
        rows = {person.track_id: row for row, person in enumerate(self._people)}
        stale = self._state is None
        olds = [i for i, track in enumerate(tracks) if track.track_id in known and not stale]
        news = [i for i in range(len(tracks)) if i not in olds]
        people: dict[int, PersonMemory] = {}
        answers: dict[int, Answer] = {}
        states: list[PeopleState] = []
        if olds and self._state is not None:
            before = [known[tracks[i].track_id] for i in olds]
            state = self._state.select([rows[tracks[i].track_id] for i in olds])
            count = substep_count(interval_s)
            memories = [
                p.memory.after(keypoints[i], motion.rotation_previous_current, virtual, interval_s)
                for p, i in zip(before, olds, strict=True)
            ]
            keep_s = self._config.keypoint_memory_s
            previous = [p.memory.told(keep_s) for p in before]
            way = [
                interpolate_keypoints(old, memory.told(keep_s), count)
                for old, memory in zip(previous, memories, strict=True)
            ]
            boxes = [
                smoothed_boxes(p.box, w, self._config.box_smoothing)
                for p, w in zip(before, way, strict=True)
            ]
            step = split_rotation(motion.rotation_previous_current, count)
            inputs = network_inputs(
                np.stack(way),
                np.stack(boxes),
                step,
                virtual,
                gravity_in_camera(motion),
                np.stack(previous),
            )
            ids = [tracks[i].track_id for i in olds]
            self._remember(False, ids, state, inputs, attitude, [p.image_started for p in before])
            state, outputs = self.stepper.step(state, inputs, _by_row(ids, features))
            states.append(state)
            for row, i in enumerate(olds):
                answer, correction = self._told(
                    answer_of(outputs, row), before[row].correction, interval_s
                )
                answers[i] = answer
                people[i] = replace(
                    before[row],
                    keypoints=keypoints[i],
                    memory=memories[row],
                    box=boxes[row][-1],
                    told=answer,
                    correction=correction,
                )
        seen = [i for i in news if tracks[i].track_id in features]
        news = seen + [i for i in news if i not in seen]
        for group, from_image in ((seen, True), (news[len(seen) :], False)):
            if not group:
                continue
            ids = [tracks[i].track_id for i in group]
            inputs, boxes_new = self._first_inputs(
                [keypoints[i] for i in group], [tracks[i].box_xyxy for i in group], motion, virtual
            )
            if from_image:
                state = self.stepper.from_image(inputs, [features[t] for t in ids], attitude)
            else:
                state = self.stepper.neutral(inputs, attitude)
            self._remember(True, ids, state, inputs, attitude, [from_image] * len(ids))
            state, outputs = self.stepper.step(state, inputs, _by_row(ids, features))
            states.append(state)
            for row, i in enumerate(group):
                answers[i] = answer_of(outputs, row)
                newcomer = self._newcomer(
                    tracks[i].track_id,
                    keypoints[i],
                    boxes_new[row],
                    answers[i],
                    motion,
                    known.get(tracks[i].track_id),
                )
                people[i] = replace(newcomer, image_started=from_image)
        order = olds + news
        motions: dict[int, PersonMotion] = {}
        self._people = []
        for i in order:
            person, motions[i] = place_person(
                self._config,
                self._body,
                people[i],
                answers[i],
                tracks[i],
                motion,
                virtual,
                interval_s,
                self._pose_error,
            )
            self._people.append(person)
        placed = motion.position_known or self._config.camera_fixed
        if self._config.common_ground and placed:
            self._ground, self._people, on_ground = share_ground(
                self._ground, self._people, [motions[i] for i in order], interval_s
            )
            motions = dict(zip(order, on_ground, strict=True))
        self._state = cat_states(states) if states else None
        return [motions[i] for i in range(len(tracks))]

    def _remember(
        self,
        begins: bool,
        track_ids: list[int],
        state: PeopleState,
        inputs: WhamInputs,
        attitude: Tensor,
        image_started: list[bool],
    ) -> None:
        if self._config.history_s > 0.0 and self._stamp_s is not None:
            self.history.add(
                Moment(
                    self._stamp_s,
                    begins,
                    tuple(track_ids),
                    state,
                    inputs,
                    attitude,
                    tuple(image_started),
                )
            )

    def _told(
        self, said: Answer, correction: Correction | None, interval_s: float
    ) -> tuple[Answer, Correction | None]:
        """What is told of what the network says, and what is left of the correction."""
        if correction is None:
            return said, None
        correction = correction.after(interval_s, self._config.correction_time_s)
        if correction.negligible:
            return said, None
        return correction.applied(said), correction

    def _first_inputs(
        self,
        keypoints: list[Array],
        boxes_xyxy: list[Array],
        motion: CameraMotion,
        virtual: PinholeCamera,
    ) -> tuple[WhamInputs, Array]:
        """Inputs of the first frame of new people, and their boxes."""
        boxes = np.stack(
            [
                tight if (tight := tight_box(points)) is not None else box_of_xyxy(xyxy)
                for points, xyxy in zip(keypoints, boxes_xyxy, strict=True)
            ]
        )
        way = np.stack(keypoints)[:, None]
        gravity = gravity_in_camera(motion)
        return network_inputs(way, boxes[:, None], np.eye(3), virtual, gravity), boxes

    def _newcomer(
        self,
        track_id: int,
        keypoints: Array,
        box: Array,
        answer: Answer,
        motion: CameraMotion,
        before: PersonMemory | None,
    ) -> PersonMemory:
        orientation = motion.rotation_world_camera @ answer.rotations[-1, 0]
        memory = KeypointMemory.start(keypoints)
        if before is not None:  # back after a gap: shape and place are remembered
            return replace(
                before,
                keypoints=keypoints,
                memory=memory,
                box=box,
                orientation_world=orientation,
                told=answer,
                correction=None,
            )
        return PersonMemory(
            track_id, keypoints, memory, box, answer.betas[-1], 0.0, orientation, None, told=answer
        )


def _by_row(
    track_ids: Sequence[int], features: Mapping[int, PersonFeature]
) -> dict[int, PersonFeature]:
    """Features of the people of a batch by its rows."""
    return {row: features[track] for row, track in enumerate(track_ids) if track in features}
