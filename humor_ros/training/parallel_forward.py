"""The network's training pass: the published modules, in parallel over time where they allow it.

The streaming step runs frame by frame. With the feedback switches off, encoder and motion decoder
are plain LSTMs over the sequence; the trajectory decoder, whose feedback stays on, is either given
the true root of the frame before with noise (parallel), or runs on its own output (``"free"``, a
loop over time, as in use). All modules and weights are those of the network; the result of the
"free" pass equals the network's own forward.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from humor_ros.body.model import BodyModel
from humor_ros.geometry.rotation import rotation_6d_to_matrix
from humor_ros.training.padded_lstm import padded_lstm
from humor_ros.wham.layers import NeuralInitialization
from humor_ros.wham.modules import MAIN_JOINTS
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.trajectory import FRAME_RATE, first_frames, foot_steps, held_velocity

__all__ = ["Prediction", "predict_sequence", "roll_out"]


@dataclass(frozen=True)
class Prediction:
    """Answers of the network for B windows of T frames; see the spec of WHAM, section 1.

    Attributes:
        kp3d: (B, T, 17, 3) the encoder's key-points, camera axes, mid-hip centred, metres.
        pose_6d: (B, T, 24, 6) raw 6D rotations, root in the camera.
        rotations: (B, T, 24, 3, 3) the same as matrices.
        betas: (B, T, 10); cam: (B, T, 3) weak camera; contact: (B, T, 4).
        keypoints31: (B, T, 31, 3), joints: (B, T, 24, 3), feet: (B, T, 4, 3) camera axes,
            relative to the mid-hip.
        feet_world, feet_world_refined: (B, T, 4, 3) with the roll-outs' translation.
        root_6d: (B, T + 1, 6) world root with the initial one; root_6d_refined likewise.
        velocity, velocity_refined: (B, T, 3) root-frame displacement, metres a frame.
        translation_world, translation_world_refined: (B, T, 3) roll-outs.
    """

    kp3d: Tensor
    pose_6d: Tensor
    rotations: Tensor
    betas: Tensor
    cam: Tensor
    contact: Tensor
    keypoints31: Tensor
    joints: Tensor
    feet: Tensor
    feet_world: Tensor
    feet_world_refined: Tensor
    root_6d: Tensor
    root_6d_refined: Tensor
    velocity: Tensor
    velocity_refined: Tensor
    translation_world: Tensor
    translation_world_refined: Tensor


def roll_out(root: Tensor, velocity: Tensor) -> Tensor:
    """Sum root-frame displacements with the orientation of the frame before.

    Args:
        root: (B, T + 1, 3, 3) world root, with the initial one.
        velocity: (B, T, 3) metres a frame.

    Returns:
        (B, T, 3) translation.
    """
    return (root[:, :-1] @ velocity[..., None])[..., 0].cumsum(1)


def _neural_state(layers: NeuralInitialization, start: Tensor) -> tuple[Tensor, Tensor]:
    hidden, cell = layers(start)
    return hidden.transpose(0, 1).contiguous(), cell.transpose(0, 1).contiguous()


class _Autocast:
    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def __call__(self) -> AbstractContextManager[None]:
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.enabled)


def _trajectory_free(
    rnn: nn.LSTM,
    head: nn.Linear,
    context: Tensor,
    init_root: Tensor,
    angvel: Tensor,
    autocast: _Autocast,
    *,
    residual: bool,
) -> tuple[Tensor, Tensor]:
    """Run the trajectory decoder on its own output; (B, T, H) states and (B, T + 1, 6) roots."""
    batch, frames, width = context.shape
    columns: Tensor = getattr(rnn, "weight_ih_l0")  # noqa: B009 (typed as Tensor | Module)
    with autocast():
        first = nn.functional.linear(context, columns[:, :width], getattr(rnn, "bias_ih_l0"))  # noqa: B009
        first = first + nn.functional.linear(angvel, columns[:, width + 6 :])
    into_root = columns[:, width : width + 6]
    dtype = first.dtype
    hidden = [context.new_zeros(batch, rnn.hidden_size, dtype=dtype) for _ in range(rnn.num_layers)]
    cell = [context.new_zeros(batch, rnn.hidden_size) for _ in range(rnn.num_layers)]
    weights = [
        (
            getattr(rnn, f"weight_ih_l{layer}").to(dtype),
            getattr(rnn, f"weight_hh_l{layer}").to(dtype),
            (
                getattr(rnn, f"bias_hh_l{layer}")
                + (getattr(rnn, f"bias_ih_l{layer}") if layer else 0)
            ).to(dtype),
        )
        for layer in range(rnn.num_layers)
    ]
    root = init_root[:, 0]
    roots, states = [root], []
    for frame in range(frames):
        below = first[:, frame] + nn.functional.linear(root, into_root).to(dtype)
        for layer, (w_in, w_hidden, bias) in enumerate(weights):
            gates = below if layer == 0 else nn.functional.linear(below, w_in)
            gates = (gates + nn.functional.linear(hidden[layer], w_hidden, bias)).float()
            i, f, g, o = gates.chunk(4, -1)
            cell[layer] = f.sigmoid() * cell[layer] + i.sigmoid() * g.tanh()
            hidden[layer] = (o.sigmoid() * cell[layer].tanh()).to(dtype)
            below = hidden[layer]
        answer = below.float() + context[:, frame] if residual else below.float()
        root = head(answer)
        states.append(answer)
        roots.append(root)
    return torch.stack(states, 1), torch.stack(roots, 1)


def predict_sequence(
    network: WhamNetwork,
    body: BodyModel,
    *,
    x: Tensor,
    mask: Tensor,
    cam_angvel: Tensor,
    init_kp: Tensor,
    init_smpl: Tensor,
    init_root: Tensor,
    root_feedback: Tensor | None,
    gravity: Tensor | None = None,
    motion: Tensor | None = None,
    bfloat16: bool = False,
    trajectory: bool = True,
    recurrent: bool = True,
) -> Prediction:
    """Run all modules without image features over whole windows.

    Args:
        network: with ``kp_feedback`` and ``pose_feedback`` off.
        body: body model.
        x, mask, cam_angvel, init_kp, init_smpl, init_root: as in
            :class:`~humor_ros.training.synthesis.TrainingBatch`.
        root_feedback: (B, T, 6) root that the trajectory decoder is told for the frame before;
            None lets it run on its own output.
        bfloat16: compute the LSTMs in bfloat16.
        gravity, motion: as in ``WhamInputs``, for a network that takes them.
        trajectory: False leaves trajectory decoder and refiner out; the root stays what it was
            at the start and the velocity zero.
        recurrent: False leaves the LSTMs of encoder and motion decoder out, so that each frame
            is lifted by itself; for a network with ``residual``.

    Returns:
        Everything that the losses need.

    Raises:
        ValueError: the network feeds back key-points or pose and so has no parallel pass.
    """
    config = network.config
    if config.kp_feedback or config.pose_feedback:
        raise ValueError(
            "training in parallel needs network.kp_feedback and network.pose_feedback false"
        )
    autocast = _Autocast(bfloat16)
    batch, frames = x.shape[:2]
    encoder = network.motion_encoder
    with autocast():
        embedded = encoder.embed(network.preprocess(x, mask, gravity, motion)).float()
    embedded = nn.functional.dropout(embedded, config.embed_dropout, network.training)
    hidden = embedded
    if recurrent:
        hidden = _lstm(
            encoder.regressor.rnn,
            embedded,
            _neural_state(encoder.neural_init, init_kp[:, 0]),
            autocast,
        )
        if encoder.smoother is not None:
            nobody = torch.ones(batch, dtype=torch.bool, device=x.device)
            hidden = hidden + encoder.smoother(embedded, embedded[:, 0], nobody)
    kp3d = encoder.regressor.heads()[0](hidden)
    context = torch.cat([hidden, kp3d], -1)

    decoder_of_trajectory = network.trajectory_decoder.regressor
    velocity_head, root_head = decoder_of_trajectory.heads()
    if not trajectory:
        states = hidden.new_zeros(batch, frames, config.d_context)
        root_6d = init_root.expand(batch, frames + 1, 6)
    elif root_feedback is None and config.root_feedback:
        states, root_6d = _trajectory_free(
            decoder_of_trajectory.rnn,
            root_head,
            context,
            init_root,
            cam_angvel,
            autocast,
            residual=config.residual,
        )
    else:
        told = torch.zeros_like(cam_angvel) if root_feedback is None else root_feedback
        states = _lstm(
            decoder_of_trajectory.rnn, torch.cat([context, told, cam_angvel], -1), None, autocast
        )
        states = states + context if config.residual else states
        root_6d = torch.cat([init_root, root_head(states)], 1)
    velocity = velocity_head(states) if trajectory else x.new_zeros(batch, frames, 3)

    decoder = network.motion_decoder
    hidden = context
    if recurrent:
        main = init_smpl[:, 0, list(MAIN_JOINTS)].flatten(1)
        hidden = _lstm(
            decoder.regressor.rnn,
            context,
            _neural_state(decoder.neural_init, main),
            autocast,
        )
        hidden = hidden + context if config.residual else hidden
    pose, betas, cam, contact = (head(hidden) for head in decoder.regressor.heads())
    pose_6d = pose.reshape(batch, frames, 24, 6)
    rotations = rotation_6d_to_matrix(pose_6d)
    posed = body(betas.reshape(-1, 10), rotations.reshape(-1, 24, 3, 3))
    hips = posed.keypoints31[:, 11:13].mean(1, keepdim=True)

    def relative(values: Tensor) -> Tensor:
        return (values - hips).reshape(batch, frames, -1, 3)

    feet = relative(posed.feet)
    root = rotation_6d_to_matrix(root_6d)
    translation = roll_out(root, velocity)
    upright = root[:, 1:] @ rotations[:, :, 0].mT
    feet_relative = feet @ upright.mT
    feet_world = feet_relative + translation[:, :, None]
    root_refined, velocity_refined = root_6d, velocity
    if trajectory:
        root_refined, velocity_refined = _refine(
            network,
            context.detach(),
            root_6d.detach(),
            velocity,
            feet_relative.detach(),
            feet_world.detach(),
            contact.detach(),
            autocast,
        )
    refined = rotation_6d_to_matrix(root_refined)
    translation_refined = roll_out(refined, velocity_refined)
    turned = feet @ (refined[:, 1:] @ rotations[:, :, 0].mT).mT
    return Prediction(
        kp3d=kp3d.reshape(batch, frames, 17, 3),
        pose_6d=pose_6d,
        rotations=rotations,
        betas=betas,
        cam=cam,
        contact=contact,
        keypoints31=relative(posed.keypoints31),
        joints=relative(posed.joints),
        feet=feet,
        feet_world=feet_world,
        feet_world_refined=turned + translation_refined[:, :, None],
        root_6d=root_6d,
        root_6d_refined=root_refined,
        velocity=velocity,
        velocity_refined=velocity_refined,
        translation_world=translation,
        translation_world_refined=translation_refined,
    )


def _lstm(
    rnn: nn.LSTM, inputs: Tensor, state: tuple[Tensor, Tensor] | None, autocast: _Autocast
) -> Tensor:
    return padded_lstm(rnn, inputs, state, bfloat16=autocast.enabled)


def _refine(
    network: WhamNetwork,
    context: Tensor,
    root_6d: Tensor,
    velocity: Tensor,
    feet: Tensor,
    feet_world: Tensor,
    contact: Tensor,
    autocast: _Autocast,
) -> tuple[Tensor, Tensor]:
    root = rotation_6d_to_matrix(root_6d)[:, 1:]
    everybody = torch.ones(len(root), dtype=torch.bool, device=root.device)
    no_step = first_frames(everybody, root.shape[1])
    steps = foot_steps(feet, feet[:, 0])
    corrected = held_velocity(root, velocity, steps, contact, no_step)
    motion = foot_steps(feet_world, feet_world[:, 0]) * FRAME_RATE
    weighted = (motion * contact[..., None]).flatten(2)
    refiner = network.trajectory_refiner.refiner
    inputs = torch.cat([context, weighted, root_6d[:, 1:], corrected], -1)
    hidden = _lstm(refiner.rnn, inputs, None, autocast)
    root_change, velocity_change = (head(hidden) for head in refiner.heads())
    refined = torch.cat([root_6d[:, :1], root_6d[:, 1:] + root_change], 1)
    return refined, corrected + velocity_change
