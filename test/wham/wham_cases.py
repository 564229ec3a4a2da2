"""Small networks, bodies and inputs for the tests of WHAM."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from humor_ros.geometry import ROTATION_FLU_OPTICAL
from humor_ros.types import CameraMotion, CameraMotionMode
from humor_ros.wham import WhamConfig, WhamInputs, WhamNetwork, WhamState

SMALL = WhamConfig(d_embed=24, n_layers=2, d_feat=8, d_integrator=16)


@dataclass(frozen=True)
class Points:
    joints: Tensor
    keypoints31: Tensor
    feet: Tensor
    vertices: Tensor | None = None


class StickBody:
    """Points that ride on the joints' rotations, cheap and smooth in pose and shape."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(3)
        self.offsets = torch.randn(24, 59, 3, generator=generator) * 0.2
        self.shape = torch.randn(10, 59, 3, generator=generator) * 0.01

    def __call__(self, betas: Tensor, rotations: Tensor, *, vertices: bool = False) -> Points:
        root, local = rotations[:, 0], rotations[:, 1:]
        points = torch.einsum("njab,jkb->nka", local, self.offsets[1:].to(betas)) / 5
        points = points + torch.einsum("ns,skc->nkc", betas, self.shape.to(betas))
        points = points @ root.transpose(-1, -2)
        return Points(
            points[:, :24], points[:, 24:55], points[:, 55:], points if vertices else None
        )


def make_network(config: WhamConfig = SMALL, seed: int = 0) -> WhamNetwork:
    """A network with weights large enough that every path shows in the outputs.

    As in a trained one, rotations vary about the identity (a 6D value near zero turns rounding
    into degrees) and velocities are those of a walk.
    """
    torch.manual_seed(seed)
    network = WhamNetwork(config).eval()
    identity = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    trajectory, decoder = network.trajectory_decoder.regressor, network.motion_decoder.regressor
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "declayer" in name:
                parameter.normal_(std=0.15)
        trajectory.declayer0.weight.mul_(0.2)
        trajectory.declayer0.bias.mul_(0.2)
        trajectory.declayer1.bias.add_(identity)
        decoder.declayer0.bias.add_(identity.repeat(24))
        decoder.declayer2.bias.add_(torch.tensor([1.0, 0.0, 0.0]))
    return network


def make_inputs(
    n_people: int, n_frames: int, seed: int = 1, d_feat: int | None = SMALL.d_feat
) -> WhamInputs:
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    bbox = torch.tensor([640.0, 360.0, 2.0]) + noise(n_people, n_frames, 3) * torch.tensor(
        [30.0, 20.0, 0.1]
    )
    return WhamInputs(
        x=noise(n_people, n_frames, 37) * 0.4,
        mask=torch.rand(n_people, n_frames, 17, generator=generator) < 0.15,
        cam_angvel=noise(n_people, n_frames, 6) * 0.2,
        img_features=None if d_feat is None else noise(n_people, n_frames, d_feat),
        bbox=bbox,
        res=torch.tensor([[1280.0, 720.0]]).expand(n_people, 2),
        cam_intrinsics=torch.tensor(
            [[1468.6, 0.0, 640.0], [0.0, 1468.6, 360.0], [0.0, 0.0, 1.0]]
        ).expand(n_people, 1, 3, 3),
    )


def make_start(network: WhamNetwork, n_people: int, seed: int = 2) -> WhamState:
    generator = torch.Generator().manual_seed(seed)
    dtype = network.mask_embedding.dtype

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(dtype)

    with torch.no_grad():
        return network.initial_state(
            noise(n_people, 1, 88) * 0.4, noise(n_people, 1, 24, 6), noise(n_people, 1, 6)
        )


def flat(outputs: object) -> dict[str, Tensor]:
    """All tensors of nested outputs by name."""
    found: dict[str, Tensor] = {}
    for name, value in vars(outputs).items():
        if isinstance(value, Tensor):
            found[name] = value
        elif value is not None:
            found |= {f"{name}.{key}": tensor for key, tensor in flat(value).items()}
    return found


def largest_difference(a: object, b: object) -> float:
    """Largest absolute difference over all tensors of two outputs."""
    first, second = flat(a), flat(b)
    if first.keys() != second.keys():
        raise ValueError(f"different entries: {first.keys() ^ second.keys()}")
    return max(
        (first[k].detach() - second[k].detach()).double().abs().max().item()
        for k in first
        if first[k].numel()
    )


def join(parts: list) -> dict[str, Tensor]:
    """Outputs of consecutive chunks as one, by name."""
    flats = [flat(part) for part in parts]
    return {name: torch.cat([part[name] for part in flats], dim=1) for name in flats[0]}


def with_config(network: WhamNetwork, **changes: object) -> WhamNetwork:
    """The same weights under another configuration (of the same sizes)."""
    other = WhamNetwork(replace(network.config, **changes))
    other.load_state_dict(network.state_dict())
    return other.eval()


def still_camera(index: int, step_s: float) -> CameraMotion:
    """Motion of a level camera whose place is known, at the image ``index`` of a steady stream."""
    return CameraMotion(
        stamp_s=index * step_s,
        interval_s=step_s if index else 0.0,
        rotation_previous_current=np.eye(3),
        rotation_world_camera=ROTATION_FLU_OPTICAL,
        position_world_camera=np.zeros(3),
        position_known=True,
        gravity_known=True,
        mode=CameraMotionMode.ODOMETRY,
        rotation_covariance=1e-4 * np.eye(3),
    )
