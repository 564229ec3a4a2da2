"""From a training run to a weight file: averaged weights, half precision, safetensors."""

from __future__ import annotations

from pathlib import Path

from humor_ros.training.trainer import Trainer

__all__ = ["export_weights"]


def export_weights(trainer: Trainer, path: Path) -> Path:
    """Write the averaged weights of a run with the network's configuration in the header."""
    from humor_ros.wham.checkpoint import save_safetensors

    save_safetensors(trainer.averaged_network(), path)
    return path
