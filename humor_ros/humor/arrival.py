"""What past windows know of a window's first frames, its shape and its ground.

When a window moves on, the residuals that touch the frames it leaves behind are summed at the
solution, and those frames are eliminated from the sum (Schur complement). What remains is a
quadratic energy of the next three frames and the border: the arrival cost of moving-horizon
estimation (Rao, Rawlings and Mayne, IEEE TAC 48(2), 2003). It replaces HuMoR's energy of initial
states. It is linearised once, so the next window does not trust it fully (``arrival_weight``).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.geometry import matrix_to_axis_angle
from humor_ros.humor.window_body import NUM_MOVES
from humor_ros.humor.window_normal import BORDER, SPAN, NormalEquations
from humor_ros.humor.window_values import WindowMotion

__all__ = ["ARRIVAL_FRAMES", "ArrivalCost", "marginalise"]

ARRIVAL_FRAMES = SPAN - 1


@dataclass(frozen=True, eq=False)
class ArrivalCost:
    """``0.5 d^T H d + g^T d`` with d the change from a reference.

    Attributes:
        matrix: (220, 220) positive semi-definite: three frames' moves, then the border.
        gradient: (220,).
        reference: the motion of the three frames that d counts from.
    """

    matrix: Tensor
    gradient: Tensor
    reference: WindowMotion

    def change(self, motion: WindowMotion) -> Tensor:
        """(220,) moves from the reference to a motion's first frames, border last."""
        first = self.reference
        turns = motion.rotations[:ARRIVAL_FRAMES] @ first.rotations.transpose(-1, -2)
        moved = motion.root[:ARRIVAL_FRAMES] - first.root
        moves = torch.cat((moved, matrix_to_axis_angle(turns).flatten(1)), dim=-1)
        shape, ground = motion.betas - first.betas, motion.ground - first.ground
        return torch.cat((moves.flatten(), shape, ground))

    def energy(self, motion: WindowMotion) -> Tensor:
        """The energy, with gradients."""
        change = self.change(motion)
        return 0.5 * change @ self.matrix @ change + self.gradient @ change

    def cost(self, motion: WindowMotion) -> float:
        """The energy."""
        return float(self.energy(motion))

    def add(self, motion: WindowMotion, normal: NormalEquations) -> None:
        """Add the energy and its derivatives to normal equations."""
        change = self.change(motion)
        gradient = self.gradient + self.matrix @ change
        size = ARRIVAL_FRAMES * NUM_MOVES
        normal.add_blocks(0, self.matrix[None, :size, :size], gradient[None, :size])
        sides = self.matrix[:size, size:].unflatten(0, (ARRIVAL_FRAMES, NUM_MOVES))
        normal.sides[:ARRIVAL_FRAMES, :, :BORDER] += sides
        normal.border[:BORDER, :BORDER] += self.matrix[size:, size:]
        normal.border_gradient[:BORDER] += gradient[size:]
        normal.cost += float(0.5 * change @ self.matrix @ change + self.gradient @ change)


def marginalise(
    normal: NormalEquations, motion: WindowMotion, dropped: int, *, weight: float
) -> ArrivalCost | None:
    """Eliminate a window's first frames.

    Args:
        normal: of the residuals that touch those frames alone.
        motion: where they were linearised.
        dropped: frames to eliminate.
        weight: factor on the outcome, in [0, 1].

    Returns:
        The arrival cost of the frames from ``dropped`` on; None where nothing is known.
    """
    matrix, gradient = normal.dense(dropped + ARRIVAL_FRAMES)
    # Stances are eliminated with the frames: where their feet stand on, the next window sees.
    end = (dropped + ARRIVAL_FRAMES) * NUM_MOVES + BORDER
    order = torch.cat((torch.arange(end, len(matrix)), torch.arange(end)))
    matrix, gradient = matrix[order][:, order], gradient[order]
    cut = dropped * NUM_MOVES + len(order) - end
    inside = matrix[:cut, :cut]
    inside = inside + torch.eye(cut, dtype=inside.dtype) * (1e-6 + 1e-9 * inside.diagonal().max())
    factor, info = torch.linalg.cholesky_ex(inside)
    if int(info):
        return None
    right = torch.linalg.solve_triangular(
        factor, torch.cat((matrix[:cut, cut:], gradient[:cut, None]), dim=1), upper=False
    )
    schur = matrix[cut:, cut:] - right[:, :-1].T @ right[:, :-1]
    rest = gradient[cut:] - right[:, :-1].T @ right[:, -1]
    if not bool(torch.isfinite(schur).all() and torch.isfinite(rest).all()):
        return None
    schur = 0.5 * (schur + schur.T) * weight
    values, vectors = torch.linalg.eigh(schur)
    # Rounding makes directions without information slightly negative.
    kept = values.clamp(min=0.0)
    known = (kept > 1e-9 * kept.max()).to(kept.dtype)
    gradient = vectors @ (known * (vectors.T @ (rest * weight)))
    reference = motion.cut(dropped, dropped + ARRIVAL_FRAMES)
    return ArrivalCost((vectors * kept) @ vectors.T, gradient, reference)
