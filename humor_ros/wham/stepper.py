"""One way to begin and to step people: with or without image features, averaged or not.

**Image features and the frames between them.** A feature enters the integrator at the frame of its
own image and at no other. The integrator was trained on context and feature of one frame; a
feature that is held tells a pose that the person has left. Its effect lasts beyond its frame in
the motion decoder's recurrent state and fed-back pose.

A frame without a feature is a defined input of the published network: in its second stage of
training a fifth of the clips (AMASS) had no image, and gave the integrator an all-zero feature
without the residual, so that the decoder learned to run on the integrator's output alone there.
``missing="zero"`` does the same, frame by frame. ``missing="context"`` hands the bare context on,
as the published code does where a whole run has no features; the decoder was trained on that in
its first stage only, before the integrator was there, and has moved since. Which is better with
the published weights was not measured here: no one had them. Without an encoder the integrator
is left out altogether.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from humor_ros.body import BodyModel
from humor_ros.geometry import rotation_6d_to_matrix
from humor_ros.wham.flip_averaging import FlipState, mirror_inputs, step_averaged
from humor_ros.wham.image_feature import PersonFeature
from humor_ros.wham.initialisation import (
    initial_root,
    neutral_initialisation,
    start_from_pose,
)
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.state import WhamState
from humor_ros.wham.values import WhamInputs, WhamOutputs

__all__ = ["MissingFeature", "PeopleState", "Stepper", "cat_states"]

PeopleState = WhamState | FlipState
MissingFeature = Literal["zero", "context"]


def cat_states(states: Sequence[PeopleState]) -> PeopleState:
    """Everybody of several states of one kind, in order."""
    flips = [state for state in states if isinstance(state, FlipState)]
    if flips:
        return FlipState.cat(flips)
    return WhamState.cat([state for state in states if isinstance(state, WhamState)])


class Stepper:
    """Begins and steps people; it holds no state and may be used from several threads.

    Args:
        network: of either form.
        body: of the network's shape space.
        features: an image encoder is in use; without one the integrator is left out.
        missing: what the integrator does at a frame without a feature, see the module.
        flip: average with the mirrored image; doubles the work.
    """

    def __init__(
        self,
        network: WhamNetwork,
        body: BodyModel,
        *,
        features: bool = False,
        missing: MissingFeature = "zero",
        flip: bool = False,
    ) -> None:
        self._network, self._body = network, body
        self._features, self._missing, self._flip = features, missing, flip

    def neutral(self, inputs: WhamInputs, rotation_world_camera: Tensor) -> PeopleState:
        """State before the first frame of people of whom only key-points are known.

        A first pass from a neutral pose finds how people face, which starts the world.

        Args:
            inputs: of P people at their first frame, T = 1.
            rotation_world_camera: (3, 3) camera to the y-down world.
        """
        rotation = rotation_world_camera.to(inputs.x).expand(inputs.n_people, 3, 3)
        start = neutral_initialisation(self._body, inputs.x[:, 0], inputs.mask[:, 0])
        root = initial_root(rotation, rotation_6d_to_matrix(start.init_smpl[:, 0, 0]))
        state = self._network.initial_state(start.init_kp, start.init_smpl, root)
        _, outputs = self._network.step(state, inputs, self._body)
        root = initial_root(rotation, outputs.rotations[:, 0, 0])
        state = self._network.initial_state(start.init_kp, start.init_smpl, root)
        if not self._flip:
            return state
        other = mirror_inputs(inputs, None)
        start = neutral_initialisation(self._body, other.x[:, 0], other.mask[:, 0])
        return FlipState(state, self._network.initial_state(start.init_kp, start.init_smpl, root))

    def from_image(
        self,
        inputs: WhamInputs,
        people: Sequence[PersonFeature],
        rotation_world_camera: Tensor,
    ) -> PeopleState:
        """State before the first frame of people whose pose the encoder has seen in it.

        Args:
            inputs: of P people at that frame, T = 1.
            people: what it saw, P of them.
            rotation_world_camera: (3, 3) camera to the y-down, gravity-true world.
        """
        state = self._start(inputs, people, rotation_world_camera)
        if not self._flip:
            return state
        mirrored = [person.mirror_image for person in people]
        other = mirror_inputs(inputs, None)
        return FlipState(state, self._start(other, mirrored, rotation_world_camera))

    def _start(
        self, inputs: WhamInputs, people: Sequence[PersonFeature], rotation: Tensor
    ) -> WhamState:
        start = start_from_pose(
            self._body,
            torch.stack([person.betas for person in people]),
            torch.stack([person.rotations for person in people]),
            inputs.x[:, 0],
            rotation,
        )
        return self._network.initial_state(start.init_kp, start.init_smpl, start.init_root)

    def step(
        self,
        state: PeopleState,
        inputs: WhamInputs,
        features: Mapping[int, PersonFeature] | None = None,
    ) -> tuple[PeopleState, WhamOutputs]:
        """Advance P people by T >= 1 frames.

        Args:
            state: before the frames.
            inputs: measurements, without features.
            features: by row, of the image at the last frame; rows without one have none.
        """
        features = features or {}
        inputs = self._with_features(inputs, features)
        if isinstance(state, FlipState):
            mirrored = None
            if inputs.img_features is not None:
                others = {row: feature.mirror_image for row, feature in features.items()}
                mirrored = self._feature_tensor(inputs, others)
            return step_averaged(
                self._network, state, inputs, mirror_inputs(inputs, mirrored), self._body
            )
        return self._network.step(state, inputs, self._body)

    def _with_features(
        self, inputs: WhamInputs, features: Mapping[int, PersonFeature]
    ) -> WhamInputs:
        if not self._features or (self._missing == "context" and not features):
            return inputs
        mask = None
        if self._missing == "context":
            mask = torch.zeros(inputs.n_people, inputs.n_frames, dtype=torch.bool)
            mask[list(features), -1] = True
        return replace(
            inputs, img_features=self._feature_tensor(inputs, features), feature_mask=mask
        )

    def _feature_tensor(self, inputs: WhamInputs, features: Mapping[int, PersonFeature]) -> Tensor:
        size = self._network.config.d_feat
        tensor = inputs.x.new_zeros(inputs.n_people, inputs.n_frames, size)
        for row, person in features.items():
            tensor[row, -1] = person.feature
        return tensor
