"""The prior that belongs together: networks and the mixture over initial states, from files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from humor_ros.humor.mixture import InitialStateMixture
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.weights import load_network

__all__ = ["PACKAGED_MIXTURE", "PACKAGED_WEIGHTS", "MotionPrior", "load_prior"]

_ASSETS = Path(__file__).parents[1] / "assets" / "humor"
#: Default networks and mixture, see the card beside the files.
PACKAGED_WEIGHTS = _ASSETS / "humor_default.safetensors"
PACKAGED_MIXTURE = _ASSETS / "prior_gmm.npz"


@dataclass(frozen=True, eq=False)
class MotionPrior:
    """What HuMoR knows of motion.

    Attributes:
        network: posterior, conditional prior and decoder, in evaluation mode and frozen.
        mixture: density of initial states.
    """

    network: HumorNetwork
    mixture: InitialStateMixture


def load_prior(
    weights: str | Path | None = None,
    mixture: str | Path | None = None,
    *,
    dtype: torch.dtype = torch.float32,
) -> MotionPrior:
    """Load the packaged prior, or a user's own.

    Args:
        weights: a ``.safetensors`` of ours or a published ``best_model.pth``; None for the
            packaged networks.
        mixture: a ``prior_gmm.npz``; None for the one beside ``weights`` where there is one,
            else the packaged one.
        dtype: of the computation.

    Raises:
        FileNotFoundError: a file is not there.
        CheckpointError: a file is not what it should be; the message names it.
    """
    network = load_network(PACKAGED_WEIGHTS if weights is None else weights)
    if mixture is None and weights is not None:
        beside = Path(weights).expanduser().parent / PACKAGED_MIXTURE.name
        mixture = beside if beside.is_file() else None
    return MotionPrior(
        network=network.to(dtype).requires_grad_(False),
        mixture=InitialStateMixture.load(
            PACKAGED_MIXTURE if mixture is None else mixture, dtype=dtype
        ),
    )
