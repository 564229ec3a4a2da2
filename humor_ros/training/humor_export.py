"""From a training run to the files of a prior: averaged weights, and the mixture."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import torch

from humor_ros.humor.weights import save_safetensors
from humor_ros.training.humor_config import HumorTrainConfig
from humor_ros.training.humor_mixture import fit_mixture, initial_features
from humor_ros.training.humor_trainer import HumorTrainer
from humor_ros.training.humor_transitions import TransitionLibrary

__all__ = ["MIXTURE_NAME", "WEIGHTS_NAME", "export_prior", "write_mixture"]

_log = logging.getLogger(__name__)
WEIGHTS_NAME = "weights.safetensors"
MIXTURE_NAME = "prior_gmm.npz"


def export_prior(trainer: HumorTrainer, folder: Path) -> tuple[Path, Path]:
    """Write the averaged weights in half precision, and fit and write the mixture.

    Args:
        trainer: after its run.
        folder: of both files; exists.

    Returns:
        Paths of the weights, whose header tells the configurations, and of the mixture.
    """
    config = trainer.config
    header = {
        "training": json.dumps(config.to_dict()),
        "steps": str(trainer.step),
        "minutes": f"{trainer.minutes:.1f}",
    }
    weights, mixture = folder / WEIGHTS_NAME, folder / MIXTURE_NAME
    save_safetensors(trainer.averaged_network(), weights, half=True, metadata=header)
    write_mixture(config, trainer.training, mixture)
    return weights, mixture


def write_mixture(config: HumorTrainConfig, library: TransitionLibrary, path: Path) -> None:
    """Fit and write the mixture; it depends on the data and the seed, not on a network.

    Args:
        config: components, frames, seed.
        library: transitions; shapes are drawn anew in it.
        path: ``.npz`` to write.
    """
    generator = torch.Generator().manual_seed(config.seed)
    if library.source.draws_shapes:
        library.draw_shapes(generator)
    features = initial_features(library, config.mixture_frames, generator)
    fitted = fit_mixture(features, config.mixture_components, config.seed)
    _log.info(
        "mixture: %d iterations, mean log-likelihood %.1f", fitted.iterations, fitted.log_likelihood
    )
    np.savez_compressed(
        path, weights=fitted.weights, means=fitted.means, covariances=fitted.covariances
    )
