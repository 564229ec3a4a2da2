"""The prior's energy of a window's transitions, summed up with the latents eliminated.

A transition's residuals are its defect and its latents' distance from the prior's mean. Latents
touch no other residual, so each transition's are eliminated from its own block (Schur complement).
Derivatives change slowly, while the residuals are cheap: the blocks of an earlier motion serve
several iterations and hops (chord method), with the residuals of the present one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from humor_ros.humor.window_body import NUM_MOVES
from humor_ros.humor.window_transition import SPEEDS, TANGENT, TransitionJacobian

__all__ = ["PriorBlocks", "prior_blocks"]

_NEAR = 3 * NUM_MOVES


@dataclass(frozen=True, eq=False)
class PriorBlocks:
    """N transitions at one motion; all whitened.

    Attributes:
        near: (N, 207 + L, 207) derivatives by the moves of frames t - 1, t and t + 1.
        last: (N, 72, 69) those of the defect's velocities by the moves of frame t + 2.
        matrix: (N, 276, 276) J^T J of all four frames, without the latents.
        latent: (N, 207, L) derivatives of the defect by the latents.
        inverse: (N, L, L) inverse of the Cholesky factor of the latents' own blocks.
        white: (N, L, 276) that inverse times the latents' blocks with the frames.
        rows: (N, 207) inverse deviations of the defects.
        spread: (N, L) inverse deviations of the latents.
    """

    near: Tensor
    last: Tensor
    matrix: Tensor
    latent: Tensor
    inverse: Tensor
    white: Tensor
    rows: Tensor
    spread: Tensor

    def __len__(self) -> int:
        return len(self.near)

    def cut(self, first: int, last: int) -> PriorBlocks:
        """Transitions first to last - 1."""
        return PriorBlocks(**{e.name: getattr(self, e.name)[first:last] for e in fields(self)})

    def joined(self, other: PriorBlocks) -> PriorBlocks:
        """These transitions and then others."""
        names = [entry.name for entry in fields(self)]
        return PriorBlocks(**{n: torch.cat((getattr(self, n), getattr(other, n))) for n in names})

    def half(self, defect: Tensor, away: Tensor) -> Tensor:
        """(N, L) gradient of the latents, times ``inverse``.

        Args:
            defect: (N, 207) whitened.
            away: (N, L) the latents' distance from the prior's mean, whitened.
        """
        own = (defect[:, None] @ self.latent)[:, 0] + self.spread * away
        return (self.inverse @ own[..., None])[..., 0]

    def gradient(self, defect: Tensor, away: Tensor) -> Tensor:
        """(N, 276) gradient by the moves, latents eliminated; arguments as of :meth:`half`."""
        near = torch.cat((defect, away), dim=1)[:, None] @ self.near
        last = defect[:, None, list(SPEEDS)] @ self.last
        both = torch.cat((near, last), dim=-1)[:, 0]
        return both - (self.half(defect, away)[:, None] @ self.white)[:, 0]

    def latent_step(self, defect: Tensor, away: Tensor, moves: Tensor) -> Tensor:
        """(N, L) change of the latents that goes with the frames' moves (T, 69)."""
        count = len(self)
        padded = torch.cat((moves, torch.zeros_like(moves[:1]))).to(self.white.dtype)
        four = torch.cat([padded[i : i + count] for i in range(4)], dim=-1)
        right = self.half(defect, away) + (self.white @ four[..., None])[..., 0]
        return -(right[:, None] @ self.inverse)[:, 0]


def prior_blocks(jacobian: TransitionJacobian, rows: Tensor, spread: Tensor) -> PriorBlocks:
    """Sum transitions up.

    Args:
        jacobian: of N transitions.
        rows: (N, 207) inverse deviations of the defects.
        spread: (N, L) inverse deviations of the latents.
    """
    kind = jacobian.near.dtype
    rows, spread = rows.to(kind), spread.to(kind)
    # The residual is the latents minus the mean.
    near = jacobian.near * torch.cat((rows, -spread), dim=1)[..., None]
    speeds = list(SPEEDS)
    last = jacobian.last * rows[:, speeds, None]
    latent = jacobian.latent * rows[..., None]
    fast = near[:, speeds]
    matrix = near.new_empty(len(near), _NEAR + NUM_MOVES, _NEAR + NUM_MOVES)
    matrix[:, :_NEAR, :_NEAR] = near.transpose(1, 2) @ near
    matrix[:, :_NEAR, _NEAR:] = fast.transpose(1, 2) @ last
    matrix[:, _NEAR:, :_NEAR] = matrix[:, :_NEAR, _NEAR:].transpose(1, 2)
    matrix[:, _NEAR:, _NEAR:] = last.transpose(1, 2) @ last
    cross = near.new_empty(len(near), spread.shape[1], _NEAR + NUM_MOVES)
    across = latent.transpose(1, 2)
    cross[..., :_NEAR] = torch.baddbmm(
        spread[..., None] * near[:, TANGENT:], across, near[:, :TANGENT]
    )
    cross[..., _NEAR:] = latent[:, speeds].transpose(1, 2) @ last
    own = across @ latent + torch.diag_embed(spread.square())
    factor = torch.linalg.cholesky(own.double())
    eye = torch.eye(own.shape[1], dtype=factor.dtype).expand_as(factor)
    inverse = torch.linalg.solve_triangular(factor, eye, upper=False).to(kind)
    white = inverse @ cross
    matrix.baddbmm_(white.transpose(1, 2), white, alpha=-1.0)
    return PriorBlocks(near, last, matrix, latent, inverse, white, rows, spread)
