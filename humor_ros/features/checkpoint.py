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

from humor_ros.features.config import FULL_SIZE, EncoderConfig
from humor_ros.features.container import Container, read_container
from humor_ros.features.network import Hmr2Encoder
from humor_ros.features.precision import set_precision
from humor_ros.weight_files import CheckpointError, check_numbers, check_shapes, some

__all__ = ["Release", "load_encoder", "release_of"]

_log = logging.getLogger(__name__)

_PARTS = ("backbone.", "smpl_head.")
#: The body model and the training's critic, which the published file also holds.
_IGNORED = ("smpl.", "discriminator.", "initialized")
#: Optimiser steps after which each release was saved (names of the published files).
_STEPS = {25_000: "a", 1_000_000: "b"}
_VERDICT = (
    "it is not an HMR2.0 encoder of the sizes asked for (the published ones, unless a "
    "configuration is given)"
)


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
            f"{path} has unknown tensors: {some(unknown)}; give an HMR2.0 checkpoint"
        )
    with torch.device("meta"):
        encoder = set_precision(Hmr2Encoder(config or FULL_SIZE), dtype)
    check_shapes(path, weights, encoder.state_dict(), _VERDICT)
    kinds = {name: tensor.dtype for name, tensor in encoder.state_dict().items()}
    for name in weights:
        check_numbers(path, name, weights[name])
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
