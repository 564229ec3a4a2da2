"""From the variables of the last stage to a motion, and from a fitted track to those variables."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.humor.body import HumorBody, PosedPoints
from humor_ros.humor.frames import in_local_frame, local_frame, root_offset
from humor_ros.humor.ground import PriorFrame, plane_from_point, plane_to_point, prior_frame
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.pose_prior import PosePrior
from humor_ros.humor.rollout import RollOut, roll_out, transition_posterior
from humor_ros.humor.rotations import rodrigues, rotation_vector
from humor_ros.humor.state import CONTACT_JOINTS, FRAME_RATE, NUM_JOINTS, MotionState
from humor_ros.humor.variables import MotionVariables, PoseVariables

__all__ = ["FittedMotion", "MotionBuilder", "angular_velocity", "contact_confidence", "velocity"]


def velocity(points: Tensor) -> Tensor:
    """Central differences at 30 frames a second, one-sided at both ends.

    Args:
        points: (B, T, ...) with T >= 2.
    """
    inner = (points[:, 2:] - points[:, :-2]) * (0.5 * FRAME_RATE)
    first = (points[:, 1:2] - points[:, :1]) * FRAME_RATE
    last = (points[:, -1:] - points[:, -2:-1]) * FRAME_RATE
    return torch.cat((first, inner, last), dim=1)


def angular_velocity(rotations: Tensor) -> Tensor:
    """Angular velocity of rotations (B, T, 3, 3) in the outer frame, (B, T, 3) rad/s.

    It is read from ``dR/dt R^T``, with the derivative of :func:`velocity`.
    """
    skew = velocity(rotations) @ rotations.transpose(-1, -2)
    return 0.5 * torch.stack(
        (
            skew[..., 2, 1] - skew[..., 1, 2],
            skew[..., 0, 2] - skew[..., 2, 0],
            skew[..., 1, 0] - skew[..., 0, 1],
        ),
        dim=-1,
    )


def contact_confidence(logits: Tensor) -> Tensor:
    """Contact probability of every joint.

    Args:
        logits: (..., 9) in the order of ``CONTACT_NAMES``.

    Returns:
        (..., 22); joints that HuMoR has no contact for have 0.
    """
    out = logits.new_zeros(*logits.shape[:-1], NUM_JOINTS)
    index = torch.tensor(CONTACT_JOINTS, device=logits.device)
    return out.index_copy(-1, index, torch.sigmoid(logits))


@dataclass(frozen=True, eq=False)
class FittedMotion:
    """A whole motion of B people over T frames: the initial state and what was rolled out of it.

    Attributes:
        trans: (B, T, 3) SMPL translation, world of the prior.
        rotations: (B, T, 22, 3, 3) local rotations, root (in the world of the prior) first.
        predicted_joints: (B, T, 22, 3) joints as rolled out, world of the prior.
        contacts: (B, T, 22) contact probability of joints; the first frame's is the second's.
        initial: (B) first states, as the mixture takes them.
        rollout: all that the networks said.
        posed: joints and vertices of the posed body, world of the prior.
        observed: the same in the frame of the observations.
        frame: how both worlds lie; None where they are one.
        observed_trans: (B, T, 3) translation in the frame of the observations.
        observed_root_orient: (B, T, 3, 3) root rotation in the frame of the observations.
    """

    trans: Tensor
    rotations: Tensor
    predicted_joints: Tensor
    contacts: Tensor
    initial: MotionState
    rollout: RollOut
    posed: PosedPoints
    observed: PosedPoints
    frame: PriorFrame | None
    observed_trans: Tensor
    observed_root_orient: Tensor


class MotionBuilder:
    """Makes motions of variables with given networks, body and pose prior.

    The body is posed once: its points in the camera are those in the prior's world, moved.
    """

    def __init__(
        self,
        network: HumorNetwork,
        body: HumorBody,
        pose_prior: PosePrior,
        *,
        published_rounding: bool = False,
        canonical_start: bool = False,
    ) -> None:
        """Keep the parts.

        Args:
            network: the networks; their parameters get no gradient if they are frozen.
            body: with the vertices that are observed.
            pose_prior: space of ``latent_pose``.
            published_rounding: pose the body by rotation vectors, as the published fit does,
                which changes rotations by 1e-8 and costs a second pass for the camera.
            canonical_start: bring initial states to their canonical frame before the networks
                and the mixture see them. The published fit takes a world without a camera as
                canonical for its first frame; a tracker's is not.
        """
        self.network = network
        self.body = body
        self.pose_prior = pose_prior
        self.published_rounding = published_rounding
        self.canonical_start = canonical_start

    def pose(self, variables: PoseVariables, *, vertices: bool = True) -> PosedPoints:
        """Pose the body in every frame of stages 1 and 2; without vertices their axis is empty."""
        root = rodrigues(variables.root_orient)[:, :, None]
        rotations = torch.cat((root, self._body_pose(variables.latent_pose)), dim=2)
        if vertices:
            return self.body(variables.betas, rotations, variables.trans)
        joints = self.body.joints(variables.betas, rotations, variables.trans)
        return PosedPoints(joints, joints[:, :, :0])

    def motion(self, variables: MotionVariables, n_frames: int | None = None) -> FittedMotion:
        """Roll out a motion.

        Args:
            variables: of stage 3.
            n_frames: T; None for all, one more than there are transitions.
        """
        z = variables.latent_motion
        if n_frames is not None:
            z = z[:, : n_frames - 1]
        frame, trans = None, variables.trans
        if variables.floor_plane is None:
            root = rodrigues(variables.root_orient)
        else:
            rest = self.body.rest_joints(variables.betas)[:, 0]
            frame, trans, root = _enter_prior(
                variables.floor_plane, trans, variables.root_orient, rest
            )
        rotations = torch.cat((root[:, :, None], self._body_pose(variables.latent_pose)), dim=2)
        joints = self.body.joints(variables.betas, rotations, trans)
        initial = MotionState(
            trans=trans[:, 0],
            trans_vel=variables.trans_vel[:, 0],
            root_orient=root[:, 0],
            root_orient_vel=variables.root_orient_vel[:, 0],
            pose_body=rotations[:, 0, 1:],
            joints=joints[:, 0],
            joints_vel=variables.joints_vel[:, 0],
        )
        free = frame is None and self.canonical_start
        rolled = roll_out(self.network, initial, z, canonicalize=free, uncanonicalize=free)
        if free:
            own = local_frame(initial)
            initial = in_local_frame(initial, own, root_offset(initial, own))
        states = rolled.states
        trans = torch.cat((trans, states.trans), dim=1)
        following = torch.cat((states.root_orient[:, :, None], states.pose_body), dim=2)
        rotations = torch.cat((rotations, following), dim=1)
        if states.contacts is None:
            raise ValueError("the roll-out has no contacts")
        contacts = contact_confidence(states.contacts)
        posed, observed, trans_observed, root_observed = self._posed(
            variables.betas, rotations, trans, frame
        )
        return FittedMotion(
            trans=trans,
            rotations=rotations,
            predicted_joints=torch.cat((joints, states.joints), dim=1),
            contacts=torch.cat((contacts[:, :1], contacts), dim=1),
            initial=initial,
            rollout=rolled,
            posed=posed,
            observed=observed,
            frame=frame,
            observed_trans=trans_observed,
            observed_root_orient=root_observed,
        )

    def variables_from_poses(
        self, variables: PoseVariables, floor_plane: Tensor | None
    ) -> MotionVariables:
        """First values of stage 3: the posterior's mean transitions of a fitted track.

        Args:
            variables: result of stage 2, T >= 2 frames.
            floor_plane: (B, 4) ground in the camera frame, None for a world with its own.
        """
        with torch.no_grad():
            root, trans = rodrigues(variables.root_orient), variables.trans
            pose = self._body_pose(variables.latent_pose)
            if floor_plane is not None:
                rest = self.body.rest_joints(variables.betas)[:, 0]
                _, trans, root = _enter_prior(
                    plane_to_point(floor_plane), trans, variables.root_orient, rest
                )
            rotations = torch.cat((root[:, :, None], pose), dim=2)
            joints = self.body.joints(variables.betas, rotations, trans)
            states = MotionState(
                trans=trans,
                trans_vel=velocity(trans),
                root_orient=root,
                root_orient_vel=angular_velocity(root),
                pose_body=pose,
                joints=joints,
                joints_vel=velocity(joints),
            )
            posterior, _ = transition_posterior(self.network, states)
        return MotionVariables(
            trans=variables.trans[:, :1].detach().clone(),
            root_orient=variables.root_orient[:, :1].detach().clone(),
            latent_pose=variables.latent_pose[:, :1].detach().clone(),
            betas=variables.betas.detach().clone(),
            latent_motion=posterior.mean,
            trans_vel=states.trans_vel[:, :1],
            joints_vel=states.joints_vel[:, :1],
            root_orient_vel=states.root_orient_vel[:, :1],
            floor_plane=None if floor_plane is None else plane_to_point(floor_plane),
        )

    def poses_from_motion(self, motion: FittedMotion, betas: Tensor) -> PoseVariables:
        """A fitted motion as poses of every frame, in the frame of the observations."""
        return PoseVariables(
            trans=motion.observed_trans,
            root_orient=rotation_vector(motion.observed_root_orient),
            latent_pose=self.pose_prior.encode(motion.rotations[:, :, 1:]),
            betas=betas,
        )

    def _body_pose(self, latent: Tensor) -> Tensor:
        return self._rounded(self.pose_prior.decode(latent))

    def _rounded(self, rotations: Tensor) -> Tensor:
        return _as_vectors(rotations) if self.published_rounding else rotations

    def _posed(
        self, betas: Tensor, rotations: Tensor, trans: Tensor, frame: PriorFrame | None
    ) -> tuple[PosedPoints, PosedPoints, Tensor, Tensor]:
        """Points in both frames, and translation and root rotation in the observations'."""
        root, rotations = rotations[:, :, 0], self._rounded(rotations)
        if frame is None:
            posed = self.body(betas, rotations, trans)
            return posed, posed, trans, root
        trans_camera = frame.trans_to_camera(trans)
        root_camera = frame.orient_to_camera(rotations[:, :, 0])
        posed = self.body(betas, rotations, trans)
        if self.published_rounding:
            turned = torch.cat((_as_vectors(root_camera)[:, :, None], rotations[:, :, 1:]), dim=2)
            observed = self.body(betas, turned, trans_camera)
            return posed, observed, trans_camera, root_camera
        # A rigid move of each frame about the root joint, which stands at trans + rest.
        rest = self.body.rest_joints(betas)[:, :1]
        old, new = (trans + rest)[:, :, None], (trans_camera + rest)[:, :, None]
        turn = frame.rotation[:, None]  # points as rows: p R turns them by the inverse of R
        observed = PosedPoints(
            joints=(posed.joints - old) @ turn + new,
            vertices=(posed.vertices - old) @ turn + new,
        )
        return posed, observed, trans_camera, root_camera


def _enter_prior(
    floor: Tensor, trans: Tensor, root_orient: Tensor, rest_root: Tensor
) -> tuple[PriorFrame, Tensor, Tensor]:
    """The prior's world of tracks in a camera, with their translations and roots in it.

    In the first frame the body's right side then lies along x but for rounding, and the guard of
    :func:`humor_ros.humor.frames.heading_rotation` magnifies that a thousandfold. So this is
    done in float64, and with the rounding of the published fit's rotation vectors.

    Args:
        floor: (B, 3) nearest point of the ground.
        trans: (B, T, 3) translations.
        root_orient: (B, T, 3) rotation vectors of the root.
        rest_root: (B, 3) root joint of the shape at rest.
    """
    exact = torch.float64
    plane, roots = plane_from_point(floor.to(exact)), rodrigues(root_orient.to(exact))
    start, rest = trans[:, 0].to(exact), rest_root.to(exact)
    frame = prior_frame(plane, start, roots[:, 0], start + rest)
    turned = _as_vectors(frame.orient_to_prior(roots))
    moved = frame.trans_to_prior(trans.to(exact), rest)
    return frame.to(trans.dtype), moved.to(trans.dtype), turned.to(trans.dtype)


def _as_vectors(rotation: Tensor) -> Tensor:
    """Rotations as they return from the published fit's rotation vectors, 1e-8 away."""
    return rodrigues(rotation_vector(rotation))
