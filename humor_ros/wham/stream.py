"""WHAM for several people online: tracks and camera motion in, motion in camera and world out.

The recurrent state of everybody is one :class:`~humor_ros.wham.state.WhamState`; people come
and go by indexing it. All world quantities that leave this module are in the z-up world; the
network's own world is y-down (spec of WHAM, section 0), and both differ by a constant rotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from humor_ros.body import BodyModel
from humor_ros.geometry import ROTATION_FLU_OPTICAL, PinholeCamera, rotation_6d_to_matrix
from humor_ros.types import Array, CameraMotion, Track
from humor_ros.wham.answer import Answer, answer_of
from humor_ros.wham.boxes import box_of_xyxy
from humor_ros.wham.initialisation import initial_root, neutral_initialisation
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.observation import (
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
from humor_ros.wham.state import WhamState
from humor_ros.wham.stream_config import StreamConfig
from humor_ros.wham.values import WhamOutputs
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
        self._config = config or StreamConfig()
        self._people: list[PersonMemory] = []
        self._state: WhamState | None = None
        self._stamp_s: float | None = None
        self._image_size: tuple[int, int] | None = None

    @property
    def track_ids(self) -> tuple[int, ...]:
        """Ids of the people who have a state, in its order."""
        return tuple(person.track_id for person in self._people)

    def reset(self) -> None:
        """Forget everybody."""
        self._people, self._state, self._stamp_s = [], None, None

    @torch.inference_mode()
    def step(
        self, tracks: Sequence[Track], motion: CameraMotion, camera: PinholeCamera
    ) -> list[PersonMotion]:
        """Advance everybody to one image.

        Args:
            tracks: people to follow; somebody who is not in the list is forgotten, an
                OCCLUDED one is stepped with all key-points masked.
            motion: camera motion since the previous call.
            camera: the real camera; key-points are taken to its virtual pinhole.

        Returns:
            One motion for each track, in order.
        """
        interval_s = 0.0 if self._stamp_s is None else motion.stamp_s - self._stamp_s
        size = (camera.width, camera.height)
        if not 0.0 <= interval_s <= MAX_GAP_S or size != self._image_size:
            self._state = None  # shape and place are remembered, motion is not
        self._image_size = size
        self._stamp_s = motion.stamp_s
        virtual = camera.virtual()
        keypoints = [virtual_keypoints(track, camera) for track in tracks]
        known = {person.track_id: person for person in self._people}
        rows = {person.track_id: row for row, person in enumerate(self._people)}
        stale = self._state is None
        olds = [i for i, track in enumerate(tracks) if track.track_id in known and not stale]
        news = [i for i in range(len(tracks)) if i not in olds]
        people: dict[int, PersonMemory] = {}
        answers: dict[int, Answer] = {}
        states: list[WhamState] = []
        if olds and self._state is not None:
            before = [known[tracks[i].track_id] for i in olds]
            state = self._state.select([rows[tracks[i].track_id] for i in olds])
            count = substep_count(interval_s)
            way = [
                interpolate_keypoints(p.keypoints, keypoints[i], count)
                for p, i in zip(before, olds, strict=True)
            ]
            boxes = [
                smoothed_boxes(p.box, w, self._config.box_smoothing)
                for p, w in zip(before, way, strict=True)
            ]
            step = split_rotation(motion.rotation_previous_current, count)
            inputs = network_inputs(np.stack(way), np.stack(boxes), step, virtual)
            state, outputs = self._network.step(state, inputs, self._body)
            states.append(state)
            for row, i in enumerate(olds):
                answers[i] = answer_of(outputs, row)
                people[i] = replace(before[row], keypoints=keypoints[i], box=boxes[row][-1])
        if news:
            state, outputs, boxes_new = self._begin(
                [keypoints[i] for i in news], [tracks[i].box_xyxy for i in news], motion, virtual
            )
            states.append(state)
            for row, i in enumerate(news):
                answers[i] = answer_of(outputs, row)
                people[i] = self._newcomer(
                    tracks[i].track_id,
                    keypoints[i],
                    boxes_new[row],
                    answers[i],
                    motion,
                    known.get(tracks[i].track_id),
                )
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
            )
            self._people.append(person)
        self._state = WhamState.cat(states) if states else None
        return [motions[i] for i in range(len(tracks))]

    def _begin(
        self,
        keypoints: list[Array],
        boxes_xyxy: list[Array],
        motion: CameraMotion,
        virtual: PinholeCamera,
    ) -> tuple[WhamState, WhamOutputs, Array]:
        """First frame of new people: a first pass finds the root, a second starts the world."""
        boxes = np.stack(
            [
                tight if (tight := tight_box(points)) is not None else box_of_xyxy(xyxy)
                for points, xyxy in zip(keypoints, boxes_xyxy, strict=True)
            ]
        )
        way = np.stack(keypoints)[:, None]
        inputs = network_inputs(way, boxes[:, None], np.eye(3), virtual)
        start = neutral_initialisation(self._body, inputs.x[:, 0], inputs.mask[:, 0])
        attitude = ROTATION_FLU_OPTICAL.T @ motion.rotation_world_camera
        rotation = torch.as_tensor(attitude, dtype=inputs.x.dtype).expand(len(boxes), 3, 3)
        facing = rotation_6d_to_matrix(start.init_smpl[:, 0, 0])
        root = initial_root(rotation, facing)
        state = self._network.initial_state(start.init_kp, start.init_smpl, root)
        _, outputs = self._network.step(state, inputs, self._body)
        facing = outputs.rotations[:, 0, 0]
        root = initial_root(rotation, facing)
        state = self._network.initial_state(start.init_kp, start.init_smpl, root)
        state, outputs = self._network.step(state, inputs, self._body)
        return state, outputs, boxes

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
        if before is not None:  # back after a gap: shape and place are remembered
            return replace(before, keypoints=keypoints, box=box, orientation_world=orientation)
        return PersonMemory(track_id, keypoints, box, answer.betas[-1], 0.0, orientation, None)
