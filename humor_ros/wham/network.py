"""WHAM's network with an explicit state: one step for any number of people and frames.

Shin et al., "WHAM: Reconstructing World-grounded Humans with Accurate 3D Motion" (CVPR 2024).
Every module of the paper is here under the published parameter names; nothing is kept on the
module between calls. The world is y-down inside this room.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from humor_ros.wham.config import N_GRAVITY, N_KEYPOINTS, WhamConfig
from humor_ros.wham.layers import Integrator
from humor_ros.wham.modules import (
    MAIN_JOINTS,
    MotionDecoder,
    MotionEncoder,
    TrajectoryDecoder,
    TrajectoryRefiner,
)
from humor_ros.wham.pose_fit import FITTED_JOINTS
from humor_ros.wham.resolution import resolve
from humor_ros.wham.state import WhamState
from humor_ros.wham.values import Body, Feedback, MotionPrediction, WhamInputs, WhamOutputs

__all__ = ["WhamNetwork"]


def _after(first: Tensor, sequence: Tensor) -> Tensor:
    """The sequence (P, T, n) one frame earlier, beginning with ``first`` (P, n)."""
    return torch.cat((first[:, None], sequence[:, :-1]), dim=1)


class WhamNetwork(nn.Module):
    """All learned modules of WHAM.

    ``step`` advances any number of people by T >= 1 frames; ``forward`` is ``initial_state`` and
    one step. ``step`` is ``predict`` (the learned modules, no body needed) and ``resolve`` (body,
    contact-aware refinement, roll-out).

    For training, a ``Feedback`` or the configuration's switches let the LSTMs run in parallel
    over time; dropout is active in train mode, and gradients flow through everything but the
    inputs of the refiner that the paper detaches (root, feet, contacts, context).
    """

    #: (42, 42) how the pose errs, rad²; only with ``WhamConfig.pose_error``.
    pose_error: Tensor

    def __init__(self, config: WhamConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or WhamConfig()
        self.mask_embedding = nn.Parameter(torch.zeros(1, 1, N_KEYPOINTS, 2))
        nn.init.normal_(self.mask_embedding, std=0.02)
        self.motion_encoder = MotionEncoder(config)
        self.trajectory_decoder = TrajectoryDecoder(config)
        self.integrator = Integrator(
            config.d_context, config.d_feat, config.d_integrator, config.integrator_dropout
        )
        self.motion_decoder = MotionDecoder(config)
        self.trajectory_refiner = TrajectoryRefiner(config)
        if config.pose_error:
            size = 3 * len(FITTED_JOINTS)
            self.register_buffer("pose_error", torch.zeros(size, size))

    def preprocess(
        self,
        x: Tensor,
        mask: Tensor,
        gravity: Tensor | None = None,
        motion: Tensor | None = None,
    ) -> Tensor:
        """Put the learned embedding in the place of key-points that are not seen.

        Args:
            x: (P, T, 37), not written to; masked entries may be anything, NaN too.
            mask: (P, T, 17) bool, true where not seen.
            gravity, motion: as in :class:`WhamInputs`; appended by a network that takes them.

        Returns:
            (P, T, n_input).
        """
        keypoints = x[..., : 2 * N_KEYPOINTS].unflatten(-1, (N_KEYPOINTS, 2))
        keypoints = torch.where(mask[..., None], self.mask_embedding, keypoints)
        parts = [keypoints.flatten(-2), x[..., 2 * N_KEYPOINTS :]]
        if self.config.gravity_input:
            parts.append(x.new_zeros(*x.shape[:-1], N_GRAVITY) if gravity is None else gravity)
        if self.config.motion_input:
            still = x.new_zeros(*x.shape[:-1], 2 * N_KEYPOINTS)
            parts.append(still if motion is None else motion.flatten(-2))
        return torch.cat(parts, dim=-1)

    def initial_state(self, init_kp: Tensor, init_smpl: Tensor, init_root: Tensor) -> WhamState:
        """State before the first frame of P people.

        Args:
            init_kp: (P, 1, 88) or (P, 88) 3D key-points (51, mid-hip centred, camera axes,
                metres) and the network input of the first frame (37, not masked).
            init_smpl: (P, 1, 24, 6) pose of the first frame, root in the camera frame, 6D.
            init_root: (P, 1, 6) root orientation in the (y-down) world, 6D.
        """
        n = init_kp.shape[0]
        init_kp = init_kp.reshape(n, -1)
        pose = init_smpl.reshape(n, 24, 6)
        root = init_root[:, :1].reshape(n, 6) if init_root.dim() == 3 else init_root
        encoder_h, encoder_c = self.motion_encoder.neural_init(init_kp)
        main = pose[:, list(MAIN_JOINTS)].reshape(n, -1)
        decoder_h, decoder_c = self.motion_decoder.neural_init(main)
        trajectory_h, trajectory_c = self.trajectory_decoder.regressor.zero_state(root)
        refiner_h, refiner_c = self.trajectory_refiner.refiner.zero_state(root)
        return WhamState(
            encoder_h=encoder_h,
            encoder_c=encoder_c,
            trajectory_h=trajectory_h,
            trajectory_c=trajectory_c,
            decoder_h=decoder_h,
            decoder_c=decoder_c,
            refiner_h=refiner_h,
            refiner_c=refiner_c,
            kp3d=init_kp[:, : 3 * N_KEYPOINTS],
            root=root,
            pose=pose.reshape(n, 144),
            root_refined=root,
            feet=root.new_zeros(n, 4, 3),
            translation=root.new_zeros(n, 3, dtype=torch.float64),
            translation_unrefined=root.new_zeros(n, 3, dtype=torch.float64),
            smoothed=root.new_zeros(n, self.config.d_embed if self.config.residual else 0),
            n_frames=torch.zeros(n, dtype=torch.int64, device=root.device),
        )

    def predict(
        self, state: WhamState, inputs: WhamInputs, feedback: Feedback | None = None
    ) -> tuple[WhamState, MotionPrediction]:
        """Run encoder, trajectory decoder, integrator and motion decoder over T frames.

        Args:
            state: of the same P people as ``inputs``.
            inputs: measurements.
            feedback: previous outputs supplied from outside; None is free-running.

        Returns:
            The state with these modules' parts advanced (the trajectory's part is advanced by
            :meth:`resolve`), and the prediction.
        """
        feedback = feedback or Feedback()
        kp3d, context, encoder, smoothed = self.motion_encoder(
            self.preprocess(inputs.x, inputs.mask, inputs.gravity, inputs.motion),
            (state.encoder_h, state.encoder_c),
            state.kp3d,
            feedback.kp3d,
            smoothed=state.smoothed,
            is_first=state.n_frames == 0,
        )
        root, velocity, trajectory = self.trajectory_decoder(
            context,
            inputs.cam_angvel,
            (state.trajectory_h, state.trajectory_c),
            state.root,
            feedback.root,
        )
        integrated = self.integrate(context, inputs.img_features, inputs.feature_mask)
        (pose, betas, cam, contacts), decoder = self.motion_decoder(
            integrated, (state.decoder_h, state.decoder_c), state.pose, feedback.pose
        )
        prediction = MotionPrediction(
            kp3d=kp3d.unflatten(-1, (N_KEYPOINTS, 3)),
            context=context,
            context_integrated=integrated,
            root=root,
            root_previous=_after(state.root, root),
            velocity=velocity,
            pose=pose.unflatten(-1, (24, 6)),
            betas=betas,
            cam=cam,
            contacts=contacts,
        )
        advanced = replace(
            state,
            encoder_h=encoder[0],
            encoder_c=encoder[1],
            trajectory_h=trajectory[0],
            trajectory_c=trajectory[1],
            decoder_h=decoder[0],
            decoder_c=decoder[1],
            kp3d=kp3d[:, -1],
            root=root[:, -1],
            pose=pose[:, -1],
            smoothed=smoothed,
        )
        return advanced, prediction

    def integrate(
        self, context: Tensor, features: Tensor | None, feature_mask: Tensor | None = None
    ) -> Tensor:
        """Merge image features into the context where there are any.

        Args:
            context: (P, T, d_context).
            features: (P, T, d_feat) or None: the context is returned unchanged.
            feature_mask: (P, T) bool, false where the context shall stay unchanged.

        Returns:
            (P, T, d_context).
        """
        if features is None:
            return context
        residual = (features != 0).all(dim=-1)
        if self.config.integrator_gate == "sequence":
            residual = residual.all(dim=1, keepdim=True).expand_as(residual)
        merged = self.integrator(context, features, residual)
        if feature_mask is None:
            return merged
        return torch.where(feature_mask[..., None], merged, context)

    def resolve(
        self,
        state: WhamState,
        motion: MotionPrediction,
        inputs: WhamInputs,
        body: Body,
        *,
        refine: bool = True,
        vertices: bool = False,
    ) -> tuple[WhamState, WhamOutputs]:
        """Pose the body, hold standing feet still, refine the trajectory and roll it out.

        Args:
            state: as :meth:`predict` returned it.
            motion: the prediction.
            inputs: the same measurements (boxes and intrinsics give the camera translation).
            body: poses the body; not part of the network.
            refine: false leaves reset and refiner out: the roll-out takes the raw velocity.
            vertices: whether to compute the surface too.

        Returns:
            The advanced state and all outputs.
        """
        refiner = self.trajectory_refiner if refine else None
        return resolve(refiner, state, motion, inputs, body, vertices=vertices)

    def step(
        self,
        state: WhamState,
        inputs: WhamInputs,
        body: Body,
        *,
        feedback: Feedback | None = None,
        refine: bool = True,
        vertices: bool = False,
    ) -> tuple[WhamState, WhamOutputs]:
        """Advance P people by T >= 1 frames; see :meth:`predict` and :meth:`resolve`.

        Raises:
            ValueError: state and inputs are of different numbers of people.
        """
        if state.n_people != inputs.n_people:
            raise ValueError(
                f"the state holds {state.n_people} people and the inputs {inputs.n_people}"
            )
        state, motion = self.predict(state, inputs, feedback)
        return self.resolve(state, motion, inputs, body, refine=refine, vertices=vertices)

    def forward(
        self,
        inputs: WhamInputs,
        init_kp: Tensor,
        init_smpl: Tensor,
        init_root: Tensor,
        body: Body,
        *,
        feedback: Feedback | None = None,
        refine: bool = True,
        vertices: bool = False,
    ) -> tuple[WhamState, WhamOutputs]:
        """Run whole sequences from their first frame: ``initial_state`` and one ``step``."""
        state = self.initial_state(init_kp, init_smpl, init_root)
        return self.step(state, inputs, body, feedback=feedback, refine=refine, vertices=vertices)
