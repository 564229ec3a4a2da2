"""Pictures of roll-outs, for looking at a prior: truth, mean and samples as strips of figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.rollout import roll_out
from humor_ros.humor.state import FRAME_RATE, MotionState
from humor_ros.training.humor_transitions import TransitionLibrary
from humor_ros.training.humor_validation import starts
from humor_ros.types import Array, Image
from humor_ros.viewer.canvas import segment, text
from humor_ros.viewer.figure import draw_figure
from humor_ros.viewer.palette import GRID, INK, PAPER
from humor_ros.viewer.view_camera import ViewCamera

__all__ = ["draw_roll_outs", "strip"]

_STEPS = int(2 * FRAME_RATE)
#: Frames between two figures of a strip, and how far apart they stand, metres.
_EVERY, _APART_M = 10, 0.75
_ELEVATION = 0.2
_HEIGHT, _PIXELS_PER_M = 170, 76.0
_SAMPLES = 2


@torch.no_grad()
def draw_roll_outs(
    network: HumorNetwork, library: TransitionLibrary, path: Path, *, rows: int = 4, seed: int = 0
) -> None:
    """Draw the truth, the prior's mean and two samples of several starts, 2 s each.

    Args:
        network: the networks.
        library: clips; those that move are taken, evenly spread.
        path: image file to write.
        rows: starts.
        seed: of the samples.

    Raises:
        OSError: the image cannot be written.
    """
    at = starts(library, _STEPS, _STEPS)
    moving = torch.nonzero(at.moving).flatten()
    if len(moving) == 0:
        moving = torch.arange(len(at.moving))
    chosen = moving[torch.linspace(0, len(moving) - 1, min(rows, len(moving))).long()]
    rows_of = at.window.past[chosen, 0]
    first = MotionState.from_vector(rows_of)
    generator = torch.Generator().manual_seed(seed)
    motions = {
        "truth": at.window.joints[chosen],
        "prior's mean": roll_out(network, first, n_steps=_STEPS).states.joints,
    }
    for number in range(1, _SAMPLES + 1):
        rolled = roll_out(network, first, n_steps=_STEPS, sample=True, generator=generator)
        motions[f"sample {number}"] = rolled.states.joints
    strips = [
        strip(
            {
                name: torch.cat((first.joints[k, None], joints[k])).numpy()
                for name, joints in motions.items()
            }
        )
        for k in range(len(chosen))
    ]
    if not cv2.imwrite(str(path), np.concatenate(strips)):
        raise OSError(f"cannot write the image {path}; give a path that ends in .png")


def strip(motions: Mapping[str, Array | Tensor]) -> Image:
    """One motion a line: a figure every third of a second, seen from the right, walking right.

    Args:
        motions: (T, 22, 3) joints by name, canonical frame of the first: it looks along y.

    Returns:
        (H, W, 3) BGR.
    """
    lines = [_line(name, np.asarray(joints, np.float64)) for name, joints in motions.items()]
    lines.append(np.full((6, lines[0].shape[1], 3), GRID, np.uint8))
    return np.concatenate(lines)


def _line(name: str, joints: Array) -> Image:
    figures = joints[::_EVERY]
    width = int((len(figures) * _APART_M + 3.2) * _PIXELS_PER_M)
    cosine, sine = np.cos(_ELEVATION), np.sin(_ELEVATION)
    rotation = np.array([[0.0, 1.0, 0.0], [sine, 0.0, -cosine], [-cosine, 0.0, -sine]])
    centre = np.array([0.0, width / _PIXELS_PER_M / 2 - 0.7, 0.85])
    view = ViewCamera(width, _HEIGHT, rotation, centre, _PIXELS_PER_M, True)
    image = np.full((_HEIGHT, width, 3), PAPER, np.uint8)
    for x in (-0.5, 0.0, 0.5):
        ends = view.project(np.array([[x, -2.0, 0.0], [x, 20.0, 0.0]]))[0]
        segment(image, ends[0], ends[1], GRID)
    origin = joints[0, 0] * [1.0, 1.0, 0.0]
    for k, figure in enumerate(figures):
        hands = figure[[20, 21]] + 0.35 * (figure[[20, 21]] - figure[[18, 19]])
        points = np.concatenate((figure, hands)) - origin + [0.0, k * _APART_M, 0.0]
        pixels, depths = view.project(points)
        draw_figure(image, pixels, depths, view.pixels_per_metre(depths), INK, PAPER)
    text(image, name, 4, 14, INK, 0.42)
    return image
