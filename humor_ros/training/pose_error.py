"""How a trained network errs: the covariance of its pose's errors, for the fit to key-points."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from humor_ros.geometry.rotation import matrix_to_axis_angle, rotation_6d_to_matrix
from humor_ros.training.synthesis import TrainingBatch, WindowSource
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.pose_fit import FITTED_JOINTS
from humor_ros.wham.values import WhamInputs

__all__ = ["measure_pose_error", "with_pose_error"]

#: Most frames at the start of a window that do not count: the recurrent state settles.
_SETTLING = 10
#: Errors beyond it belong to people who are taken for somebody else's mirror image.
_LIMIT_RAD = 1.0
#: Added to the variances, rad²: half precision must leave the matrix positive.
_FLOOR = 1e-4


@torch.inference_mode()
def measure_pose_error(
    network: WhamNetwork, source: WindowSource, *, windows: int = 512, seed: int = 0
) -> Tensor:
    """Mean outer product of the rotation vectors from the network's joints to the true ones.

    Args:
        network: in evaluation mode.
        source: of windows, with the detector's noise; their first frames (half, at most ten) do
            not count.
        windows: how many to draw; frames with an unseen joint of the body do not count.
        seed: of the draw.

    Returns:
        (42, 42) rad², in the joints' own frames and the order of ``FITTED_JOINTS``.

    Raises:
        ValueError: no frame shows the whole body.
    """
    generator = torch.Generator().manual_seed(seed)
    size = 3 * len(FITTED_JOINTS)
    total, count = torch.zeros(size, size, dtype=torch.float64), 0
    for first in range(0, windows, 64):
        batch = source.batch(min(64, windows - first), generator)
        errors = _errors(network, batch)
        total += errors.T @ errors
        count += len(errors)
    if count == 0:
        raise ValueError("no frame of the windows shows the whole body; lower the noise's masks")
    return total / count + _FLOOR * torch.eye(size, dtype=torch.float64)


def _errors(network: WhamNetwork, batch: TrainingBatch) -> Tensor:
    """(N, 42) of the frames that count, float64."""
    inputs = WhamInputs(
        x=batch.x,
        mask=batch.mask,
        cam_angvel=batch.cam_angvel,
        gravity=batch.gravity,
        motion=batch.motion,
    )
    state = network.initial_state(batch.init_kp, batch.init_smpl, batch.init_root)
    _, motion = network.predict(state, inputs)
    settled = min(_SETTLING, batch.x.shape[1] // 2)
    said = rotation_6d_to_matrix(motion.pose[:, settled:])
    true = batch.rotations[:, settled:]
    whole = ~batch.mask[:, settled:, 5:].any(-1)
    turn = (said.mT @ true)[whole][:, list(FITTED_JOINTS)]
    return matrix_to_axis_angle(turn).flatten(1).double().clamp(-_LIMIT_RAD, _LIMIT_RAD)


def with_pose_error(network: WhamNetwork, pose_error: Tensor) -> WhamNetwork:
    """The same weights together with how they err."""
    complete = WhamNetwork(replace(network.config, pose_error=True))
    weights = {**network.state_dict(), "pose_error": pose_error.to(torch.float32)}
    complete.load_state_dict(weights)
    return complete.eval()
