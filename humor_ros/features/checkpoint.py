"""The image encoder from its published weights, with one copy of them at the most.

In float32 parameters are mapped from the file and nothing is copied; in another type each is
converted as it is read, and the file is let go. Both releases of HMR2.0 have the same tensors, but
WHAM was trained on features of the first.
"""

from __future__ import annotations

import logging
import re
from enum import Enum
from pathlib import Path

import torch
from torch import Tensor

from humor_ros.features.config import FULL_SIZE, EncoderConfig
from humor_ros.features.container import CheckpointError, Container, read_container
from humor_ros.features.network import Hmr2Encoder
from humor_ros.features.precision import set_precision

__all__ = ["Release", "load_encoder", "release_of"]

_log = logging.getLogger(__name__)

_PARTS = ("backbone.", "smpl_head.")
#: The body model and the training's critic, which the published file also holds.
_IGNORED = ("smpl.", "discriminator.", "initialized")
#: Optimiser steps after which each release was saved (names of the published files).
_STEPS = {25_000: "a", 1_000_000: "b"}


class Release(str, Enum):
    """Which published weights a file holds."""

    HMR2_0A = "HMR2.0a"
    HMR2_0B = "HMR2.0b"
    UNKNOWN = "unknown"


def release_of(container: Container) -> Release:
    """Tell the releases apart by the step that the file states, else by the file's name.

    Weights alone do not tell: a renamed file that states no step is ``UNKNOWN``.
    """
    letter = _STEPS.get(container.global_step or 0)
    if letter is None:
        name = container.path.name.lower()
        step = re.search(r"step[=_-]?(\d+)", name)
        version = re.search(r"hmr2?[._-]?0?([ab])(?![a-z])", name)
        letter = _STEPS.get(int(step.group(1))) if step else None
        letter = letter or (version.group(1) if version else None)
    return {"a": Release.HMR2_0A, "b": Release.HMR2_0B}.get(letter or "", Release.UNKNOWN)


def load_encoder(
    path: str | Path,
    config: EncoderConfig | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    check_sums: bool = False,
) -> tuple[Hmr2Encoder, Release]:
    """Read an encoder for evaluation; its parameters need no gradients.

    Every tensor of the encoder must be there, none but the body's and the critic's beside them.

    Args:
        path: the published checkpoint. It must not change while the encoder is in use in
            float32, unless it was packed (``packed.pack``).
        config: sizes; None for the published ones. Heads do not show in the tensors' shapes.
        dtype: of the computation, see ``precision.set_precision``.
        check_sums: compare the file's check sums too, which takes seconds.

    Returns:
        The encoder, and the release that the file says it is. HMR2.0b, which WHAM was not
        trained with, and a file that does not tell, are reported as warnings.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read, or is not an encoder of these sizes.
    """
    container = read_container(path, check_sums=check_sums)
    path, release = container.path, release_of(container)
    weights = {k: v for k, v in container.tensors.items() if k.startswith(_PARTS)}
    unknown = sorted(k for k in container.tensors if not k.startswith(_PARTS + _IGNORED))
    del container  # tensors live on in weights alone, and each is let go once it is converted
    if unknown:
        raise CheckpointError(
            f"{path} has unknown tensors: {_some(unknown)}; give an HMR2.0 checkpoint"
        )
    with torch.device("meta"):
        encoder = set_precision(Hmr2Encoder(config or FULL_SIZE), dtype)
    _check_shapes(path, encoder, weights)
    kinds = {name: tensor.dtype for name, tensor in encoder.state_dict().items()}
    for name in weights:
        _check_values(path, name, weights[name])
        weights[name] = weights[name].to(kinds[name], copy=dtype is not torch.float32)
    encoder.load_state_dict(weights, strict=True, assign=True)
    encoder.requires_grad_(False).eval()
    _report(path, release)
    return encoder, release


def _report(path: Path, release: Release) -> None:
    if release is Release.HMR2_0B:
        _log.warning(
            "%s holds HMR2.0b; WHAM was trained with features of HMR2.0a and loses accuracy with "
            "these: give the HMR2.0a checkpoint that WHAM names",
            path,
        )
    elif release is Release.UNKNOWN:
        _log.warning("%s does not tell its release; WHAM needs features of HMR2.0a", path)


def _check_shapes(path: Path, encoder: Hmr2Encoder, weights: dict[str, Tensor]) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in encoder.state_dict().items()}
    missing = sorted(set(expected) - set(weights))
    unknown = sorted(set(weights) - set(expected))
    wrong = [
        f"{name} {tuple(weights[name].shape)} instead of {shape}"
        for name, shape in expected.items()
        if name in weights and tuple(weights[name].shape) != shape
    ]
    for problem, names in (("has wrong", wrong), ("lacks", missing), ("has unknown", unknown)):
        if names:
            raise CheckpointError(
                f"{path} {problem} tensors: {_some(names)}; it is not an HMR2.0 encoder of the "
                "sizes asked for (the published ones, unless a configuration is given)"
            )


def _check_values(path: Path, name: str, tensor: Tensor) -> None:
    if not tensor.is_floating_point():
        raise CheckpointError(f"{path} holds {tensor.dtype} in {name}; numbers must be real")
    low, high = torch.aminmax(tensor)
    if not bool(torch.isfinite(low) & torch.isfinite(high)):
        raise CheckpointError(f"{path} holds NaN or Inf in {name}; the weights are spoilt")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
