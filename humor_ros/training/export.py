"""From a training run to a weight file: averaged weights, half precision, safetensors."""

from __future__ import annotations

import json
from pathlib import Path

from humor_ros.training.trainer import Trainer
from humor_ros.wham.checkpoint import save_safetensors

__all__ = ["export_weights"]


def export_weights(trainer: Trainer, path: Path) -> Path:
    """Write the averaged weights of a run in half precision.

    Args:
        trainer: after its run.
        path: file to write; its header tells the network's and the run's configuration.

    Returns:
        The path.
    """
    header = {
        "training": json.dumps(trainer.config.to_dict()),
        "steps": str(trainer.step),
        "minutes": f"{trainer.minutes:.1f}",
    }
    save_safetensors(trainer.averaged_network(), path, half=True, metadata=header)
    return path
