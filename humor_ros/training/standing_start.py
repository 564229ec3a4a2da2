"""A fresh network that first answers a standing person who faces the camera."""

from __future__ import annotations

import torch

from humor_ros.wham.network import WhamNetwork

__all__ = ["start_standing"]

_IDENTITY_6D = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
#: Of a root that faces the camera, whose y axis points down.
_FACING_6D = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
#: Weak camera: scale and place in the person's box.
_CENTRED = (1.0, 0.0, 0.0)


@torch.no_grad()
def start_standing(network: WhamNetwork) -> None:
    """Set the biases of pose, camera and root, in place."""
    pose_head, _, camera_head, _ = network.motion_decoder.regressor.heads()
    _, root_head = network.trajectory_decoder.regressor.heads()
    pose_head.bias.copy_(torch.tensor([*_FACING_6D, *23 * _IDENTITY_6D]))
    camera_head.bias.copy_(torch.tensor(_CENTRED))
    root_head.bias.copy_(torch.tensor(_IDENTITY_6D))
