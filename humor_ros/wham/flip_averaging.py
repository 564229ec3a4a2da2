"""Flip averaging frame by frame: WHAM runs on the image and on its mirror image side by side.

The published test-time option merges two runs over a whole video. Each frame is merged from the
two states at that frame alone, so two states that are stepped together give the same online.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from humor_ros.body.skeleton import COCO17_FLIP
from humor_ros.wham.flip import merge_flipped
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.state import WhamState
from humor_ros.wham.values import Body, MotionPrediction, WhamInputs, WhamOutputs

__all__ = ["FlipState", "mirror_input", "mirror_inputs", "step_averaged"]


@dataclass(frozen=True)
class FlipState:
    """The states of the same people in the image and in its mirror image.

    Attributes:
        normal: what the outputs continue from.
        mirrored: started from the mirrored crops (``start_from_pose`` of the mirrored people
            and inputs); its trajectory is never used.
    """

    normal: WhamState
    mirrored: WhamState

    def select(self, people: int | Sequence[int] | Tensor) -> FlipState:
        """Of the people at these indices, copied."""
        return FlipState(self.normal.select(people), self.mirrored.select(people))

    @staticmethod
    def cat(states: Sequence[FlipState]) -> FlipState:
        """Everybody of several states, in order."""
        return FlipState(
            WhamState.cat([state.normal for state in states]),
            WhamState.cat([state.mirrored for state in states]),
        )


def mirror_input(x: Tensor) -> Tensor:
    """Mirror the network's input (..., 37), as if it had been made of the mirrored image."""
    sign = x.new_tensor((-1.0, 1.0))
    points = x[..., :34].unflatten(-1, (17, 2))[..., list(COCO17_FLIP), :] * sign
    return torch.cat((points.flatten(-2), -x[..., 34:35], x[..., 35:]), dim=-1)


def mirror_inputs(inputs: WhamInputs, img_features: Tensor | None) -> WhamInputs:
    """The inputs of the mirrored pass.

    The camera's rotation is not mirrored: as published, the mirrored pass gives no trajectory.
    Gravity (not published) is, for it tells how the mirrored person leans in the image.

    Args:
        inputs: of the image as it is.
        img_features: (P, T, d_feat) of the mirrored crops; None leaves the integrator out.
    """
    bbox, x = inputs.bbox, inputs.x
    if bbox is not None and inputs.res is not None:
        width = inputs.res[:, None, :1]
        bbox = torch.cat((width - bbox[..., :1], bbox[..., 1:]), dim=-1)
    moved = inputs.motion
    if moved is not None:
        moved = moved[..., list(COCO17_FLIP), :] * x.new_tensor((-1.0, 1.0))
    return replace(
        inputs,
        x=mirror_input(x),
        mask=inputs.mask[..., list(COCO17_FLIP)],
        img_features=img_features,
        bbox=bbox,
        motion=moved,
        gravity=None if inputs.gravity is None else inputs.gravity * x.new_tensor((-1.0, 1.0, 1.0)),
    )


def step_averaged(
    network: WhamNetwork,
    state: FlipState,
    inputs: WhamInputs,
    mirrored: WhamInputs,
    body: Body,
    *,
    refine: bool = True,
    vertices: bool = False,
) -> tuple[FlipState, WhamOutputs]:
    """Advance P people by T >= 1 frames with pose, shape and contacts averaged.

    Both passes run as one batch; the outputs of a frame depend on no later one.

    Args:
        network: either form, also one that is packed for streaming.
        state: of the same people as the inputs.
        inputs: of the image.
        mirrored: of the mirror image, see :func:`mirror_inputs`.
        body: poses the averaged body.
        refine: see ``WhamNetwork.resolve``.
        vertices: likewise.

    Returns:
        The advanced states, and the outputs as of the image as it is.

    Raises:
        ValueError: states and inputs are of different numbers of people.
    """
    count = inputs.n_people
    if {state.normal.n_people, state.mirrored.n_people, mirrored.n_people} != {count}:
        raise ValueError(
            f"the states hold {state.normal.n_people} and {state.mirrored.n_people} people, the "
            f"inputs {count} and {mirrored.n_people}; all must be of the same people"
        )
    both = WhamState.cat([state.normal, state.mirrored])
    both, motion = network.predict(both, _join(inputs, mirrored))
    normal, other = both.select(range(count)), both.select(range(count, 2 * count))
    merged = merge_flipped(_people(motion, slice(0, count)), _people(motion, slice(count, None)))
    normal, outputs = network.resolve(
        normal, merged, inputs, body, refine=refine, vertices=vertices
    )
    other = replace(other, n_frames=other.n_frames + inputs.n_frames)
    return FlipState(normal, other), outputs


def _join(first: WhamInputs, second: WhamInputs) -> WhamInputs:
    values: dict[str, Any] = {}
    for field in fields(WhamInputs):
        pair = getattr(first, field.name), getattr(second, field.name)
        if (pair[0] is None) != (pair[1] is None):
            raise ValueError(f"{field.name} must be given for both passes or for neither")
        values[field.name] = None if pair[0] is None else torch.cat(pair)
    return WhamInputs(**values)


def _people(motion: MotionPrediction, rows: slice) -> MotionPrediction:
    return MotionPrediction(
        **{field.name: getattr(motion, field.name)[rows] for field in fields(MotionPrediction)}
    )
