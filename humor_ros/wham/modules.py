"""The four recurrent modules of WHAM, each a Regressor with its own inputs and feedback.

Shin et al., "WHAM" (CVPR 2024), sections 3.1 to 3.4; parameter names as published.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from humor_ros.wham.config import N_INPUT, N_KEYPOINTS, WhamConfig
from humor_ros.wham.layers import Lifter, LstmState, NeuralInitialization, Regressor, Smoother

__all__ = ["MAIN_JOINTS", "MotionDecoder", "MotionEncoder", "TrajectoryDecoder"]
__all__ += ["TrajectoryRefiner"]

#: SMPL joints that initialise the motion decoder (all but feet and hands).
MAIN_JOINTS = (*range(10), *range(12, 22))
_N_KP3D = 3 * N_KEYPOINTS


class MotionEncoder(nn.Module):
    """Lifts 2D key-points to 3D and keeps the motion context (section 3.1)."""

    def __init__(self, config: WhamConfig) -> None:
        super().__init__()
        self.embed_layer = nn.Linear(config.n_input, config.d_embed)
        self.lifter = (
            Lifter(config.n_input, config.lifter_width, config.lifter_blocks, config.d_embed)
            if config.lifter_blocks
            else None
        )
        self.smoother = Smoother(config.d_embed) if config.residual else None
        self.pos_drop = nn.Dropout(config.embed_dropout)
        self.neural_init = NeuralInitialization(_N_KP3D + N_INPUT, config.d_embed, config.n_layers)
        self.regressor = Regressor(
            config.d_embed,
            config.d_embed,
            [_N_KP3D],
            n_layers=config.n_layers,
            dropout=config.rnn_dropout,
            n_feedback=_N_KP3D,
            feeds_back=config.kp_feedback,
        )

    def embed(self, x: Tensor) -> Tensor:
        """Masked key-points of single frames, (..., n_input) to (..., d_embed)."""
        embedded: Tensor = self.embed_layer(x)
        return embedded if self.lifter is None else embedded + self.lifter(x)

    def forward(
        self,
        x: Tensor,
        state: LstmState,
        previous: Tensor,
        feedback: Tensor | None = None,
        *,
        smoothed: Tensor,
        is_first: Tensor,
    ) -> tuple[Tensor, Tensor, LstmState, Tensor]:
        """Encode masked key-points.

        Args:
            x: (P, T, n_input) after :meth:`WhamNetwork.preprocess`.
            state: LSTM state.
            previous: (P, 51) previous 3D key-points.
            feedback: (P, T, 51) or None.
            smoothed: (P, d_embed) mean of the embedding at the frame before, (P, 0) if unused.
            is_first: (P,) bool, true where there is no frame before.

        Returns:
            Key-points (P, T, 51), motion context (P, T, d_context), new LSTM state, new mean.
        """
        embedded = self.pos_drop(self.embed(x))
        skip = None
        if self.smoother is not None:
            skip = self.smoother(embedded, smoothed, is_first)
            smoothed = skip[:, -1]
        (kp3d,), hidden, state = self.regressor(
            embedded, state, previous=previous, feedback=feedback, skip=skip
        )
        return kp3d, torch.cat((hidden, kp3d), dim=-1), state, smoothed


class TrajectoryDecoder(nn.Module):
    """Root orientation in the world and root-frame velocity, given camera rotation (3.3)."""

    def __init__(self, config: WhamConfig) -> None:
        super().__init__()
        self.residual = config.residual
        self.regressor = Regressor(
            config.d_context,
            config.d_context,
            [3, 6],
            n_layers=config.n_layers,
            dropout=config.rnn_dropout,
            n_feedback=6,
            n_extra=6,
            feedback_head=1,
            feeds_back=config.root_feedback,
        )

    def forward(
        self,
        context: Tensor,
        cam_angvel: Tensor,
        state: LstmState,
        previous: Tensor,
        feedback: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, LstmState]:
        """Decode the trajectory.

        Args:
            context: (P, T, d_context) before the integrator.
            cam_angvel: (P, T, 6).
            state: LSTM state.
            previous: (P, 6) previous root orientation.
            feedback: (P, T, 6) or None.

        Returns:
            Root orientation (P, T, 6), velocity (P, T, 3), new LSTM state.
        """
        (velocity, root), _, state = self.regressor(
            context,
            state,
            cam_angvel,
            previous=previous,
            feedback=feedback,
            skip=context if self.residual else None,
        )
        return root, velocity, state


class MotionDecoder(nn.Module):
    """SMPL pose and shape, camera and contacts from the motion context (section 3.2)."""

    def __init__(self, config: WhamConfig) -> None:
        super().__init__()
        self.residual = config.residual
        self.neural_init = NeuralInitialization(
            6 * len(MAIN_JOINTS), config.d_context, config.n_layers
        )
        self.regressor = Regressor(
            config.d_context,
            config.d_context,
            [144, 10, 3, 4],
            n_layers=config.n_layers,
            dropout=config.rnn_dropout,
            n_feedback=144,
            feeds_back=config.pose_feedback,
        )

    def forward(
        self, context: Tensor, state: LstmState, previous: Tensor, feedback: Tensor | None = None
    ) -> tuple[list[Tensor], LstmState]:
        """Decode the motion.

        Args:
            context: (P, T, d_context) after the integrator.
            state: LSTM state.
            previous: (P, 144) previous pose.
            feedback: (P, T, 144) or None.

        Returns:
            Pose (P, T, 144), betas (P, T, 10), cam (P, T, 3), contacts (P, T, 4); LSTM state.
        """
        outputs, _, state = self.regressor(
            context,
            state,
            previous=previous,
            feedback=feedback,
            skip=context if self.residual else None,
        )
        return outputs, state


class TrajectoryRefiner(nn.Module):
    """Corrects root orientation and velocity from feet that should stand (section 3.4)."""

    def __init__(self, config: WhamConfig) -> None:
        super().__init__()
        self.refiner = Regressor(
            config.d_context + 12 + 9,
            config.refiner_width,
            [6, 3],
            n_layers=config.n_refiner_layers,
            dropout=config.rnn_dropout,
        )

    def forward(
        self, context: Tensor, foot_motion: Tensor, root: Tensor, velocity: Tensor, state: LstmState
    ) -> tuple[Tensor, Tensor, LstmState]:
        """Refine the trajectory.

        Args:
            context: (P, T, d_context) before the integrator.
            foot_motion: (P, T, 12) world foot velocity, m/s, times contact.
            root: (P, T, 6) unrefined root orientation.
            velocity: (P, T, 3) velocity after the reset.
            state: LSTM state.

        Returns:
            Refined root (P, T, 6), refined velocity (P, T, 3), new LSTM state.
        """
        (d_root, d_velocity), _, state = self.refiner(
            torch.cat((context, foot_motion, root, velocity), dim=-1), state
        )
        return root + d_root, velocity + d_velocity, state
