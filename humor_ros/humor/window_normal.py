"""Normal equations of a window: block-banded over frames, bordered by shape, ground and stances.

Residuals touch at most four neighbouring frames and the border, so the matrix is a band of blocks
and its Cholesky factor is found in a time that is linear in the frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import lapack
from torch import Tensor

from humor_ros.humor.window_body import NUM_MOVES

__all__ = ["BORDER", "GROUND", "SHAPE", "SPAN", "NormalEquations", "SolveError", "Step"]

SPAN = 4  #: frames that one residual may touch
SHAPE = slice(0, 10)  #: columns of the border: shape
GROUND = slice(10, 13)  #: height at the origin and two slopes
BORDER = 13


class SolveError(ArithmeticError):
    """The matrix is not positive definite, or a number is not finite."""


@dataclass(frozen=True, eq=False)
class Step:
    """A change of everything.

    Attributes:
        moves: (T, 69) of the frames.
        border: (13,) of shape and ground.
    """

    moves: Tensor
    border: Tensor


class NormalEquations:
    """Sums J^T J and J^T r of whitened residuals over T frames.

    Args:
        frames: T.
        anchors: residuals whose first frame is not below this are left out; None takes all.
        extra: columns of the border behind shape and ground, of which no step is told.
    """

    def __init__(self, frames: int, anchors: int | None = None, extra: int = 0) -> None:
        kind = torch.float64
        width = BORDER + extra
        self.frames = frames
        self.anchors = frames if anchors is None else anchors
        self.blocks = torch.zeros(frames, SPAN, NUM_MOVES, NUM_MOVES, dtype=kind)
        self.gradient = torch.zeros(frames, NUM_MOVES, dtype=kind)
        self.sides = torch.zeros(frames, NUM_MOVES, width, dtype=kind)
        self.border = torch.zeros(width, width, dtype=kind)
        self.border_gradient = torch.zeros(width, dtype=kind)
        self.cost = 0.0

    def add(
        self, first: int, jacobian: Tensor, residual: Tensor, border: Tensor | None = None
    ) -> None:
        """Add residuals.

        Args:
            first: first frame of the first group of residuals; group i begins at first + i.
            jacobian: (n, rows, span * 69) by the frames from its first on.
            residual: (n, rows).
            border: (n, rows, 13 or more) by the border's first columns.
        """
        count = max(0, min(len(jacobian), self.anchors - first))
        if not count:
            return
        jacobian, residual = jacobian[:count], residual[:count]
        gradient = (jacobian.transpose(1, 2) @ residual[..., None])[..., 0]
        self.add_blocks(first, jacobian.transpose(1, 2) @ jacobian, gradient)
        self.cost += 0.5 * float(residual.double().square().sum())
        if border is None:
            return
        border, residual = border[:count], residual.double()
        cross = (jacobian.transpose(1, 2).double() @ border).unflatten(1, (-1, NUM_MOVES))
        width = border.shape[2]
        for slot in range(cross.shape[1]):
            self.sides[first + slot : first + slot + count, :, :width] += cross[:, slot]
        flat = border.flatten(0, 1)
        self.border[:width, :width] += flat.T @ flat
        self.border_gradient[:width] += flat.T @ residual.flatten()

    def add_blocks(self, first: int, matrix: Tensor, gradient: Tensor) -> None:
        """Add finished sums (n, span * 69, span * 69) and (n, span * 69); no cost is added."""
        count = max(0, min(len(matrix), self.anchors - first))
        span = matrix.shape[1] // NUM_MOVES
        parts = matrix.unflatten(1, (span, NUM_MOVES)).unflatten(3, (span, NUM_MOVES))
        rows = gradient.unflatten(1, (span, NUM_MOVES))
        for slot in range(span):
            # A window's last residuals may reach over its end, with columns of zeros.
            size = min(count, self.frames - first - slot)
            here = slice(first + slot, first + slot + size)
            self.gradient[here] += rows[:size, slot]
            for other in range(slot, span):
                self.blocks[here, other - slot] += parts[:size, slot, :, other]

    def add_border(self, diagonal: Tensor, residual: Tensor) -> None:
        """Add independent residuals of the border: ``0.5 diagonal residual^2`` for each entry.

        Args:
            diagonal: (n,) inverse variances of the border's first columns.
            residual: (n,).
        """
        width = len(diagonal)
        self.border[:width, :width] += torch.diag(diagonal)
        self.border_gradient[:width] += diagonal * residual
        self.cost += 0.5 * float((diagonal * residual.square()).sum())

    def diagonal(self) -> tuple[Tensor, Tensor]:
        """(T, 69) and (13 + extra,) diagonals of the matrix."""
        return self.blocks[:, 0].diagonal(dim1=1, dim2=2), self.border.diagonal()

    def solve(self, damping: float, floor: float = 1e-6) -> Step:
        """The damped Gauss-Newton step (Levenberg and Marquardt, scaled by the diagonal).

        Args:
            damping: share of the diagonal that is added to it.
            floor: least addition, so that directions without information stay where they are.

        Raises:
            SolveError: there is no such step.
        """
        diagonal, corner = self.diagonal()
        right = torch.cat((-self.gradient[..., None], self.sides), dim=-1)
        solved = _solve_band(self.blocks, damping * diagonal + floor, right)
        schur = self.border + torch.diag(damping * corner + floor)
        schur = schur - torch.einsum("tmi,tmj->ij", self.sides, solved[..., 1:])
        rest = -self.border_gradient - torch.einsum("tmi,tm->i", self.sides, solved[..., 0])
        factor, info = torch.linalg.cholesky_ex(schur)
        if int(info) or not bool(torch.isfinite(solved).all()):
            raise SolveError("the normal equations are not positive definite")
        border = torch.cholesky_solve(rest[:, None], factor)[:, 0]
        return Step(solved[..., 0] - solved[..., 1:] @ border, border[:BORDER])

    def dense(self, frames: int) -> tuple[Tensor, Tensor]:
        """Matrix and gradient of the first frames and the border, border last."""
        size = frames * NUM_MOVES
        width = size + len(self.border)
        matrix = torch.zeros(width, width, dtype=torch.float64)
        for slot in range(SPAN):
            for t in range(frames - slot):
                rows = slice(t * NUM_MOVES, (t + 1) * NUM_MOVES)
                columns = slice((t + slot) * NUM_MOVES, (t + slot + 1) * NUM_MOVES)
                matrix[rows, columns] = self.blocks[t, slot]
                matrix[columns, rows] = self.blocks[t, slot].T
        sides = self.sides[:frames].reshape(size, -1)
        matrix[:size, size:], matrix[size:, :size] = sides, sides.T
        matrix[size:, size:] = self.border
        return matrix, torch.cat((self.gradient[:frames].flatten(), self.border_gradient))


def _solve_band(blocks: Tensor, extra: Tensor, right: Tensor) -> Tensor:
    """Solve the band plus a diagonal (T, 69) for right sides (T, 69, k), by LAPACK."""
    frames, width = len(blocks), SPAN * NUM_MOVES
    # Row (t, a) of the blocks holds column (t, a) of the lower triangle from frame t on; the
    # band's column starts at the diagonal, a further on.
    padded = np.zeros((frames, NUM_MOVES, width + NUM_MOVES))
    padded[..., :width] = blocks.transpose(1, 2).reshape(frames, NUM_MOVES, width).numpy()
    index = np.arange(NUM_MOVES)
    padded[:, index, index] += extra.numpy()
    across, down, along = padded.strides
    band = np.lib.stride_tricks.as_strided(
        padded, (frames, NUM_MOVES, width), (across, down + along, along), writeable=False
    ).reshape(frames * NUM_MOVES, width)
    sides = right.reshape(frames * NUM_MOVES, -1).numpy()
    factor, info = lapack.dpbtrf(band.T, lower=1, overwrite_ab=1)
    if info == 0 and np.isfinite(factor[0]).all():
        found, info = lapack.dpbtrs(factor, sides, lower=1)
        if info == 0:
            return torch.from_numpy(np.ascontiguousarray(found)).reshape(right.shape)
    raise SolveError("the normal equations are not positive definite")
