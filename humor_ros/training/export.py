"""From a training run to a weight file: averaged weights, half precision, safetensors."""

from __future__ import annotations

import json
from pathlib import Path

from humor_ros.training.pose_error import measure_pose_error, with_pose_error
from humor_ros.training.trainer import Trainer
from humor_ros.wham.checkpoint import save_safetensors

__all__ = ["export_weights"]


def export_weights(trainer: Trainer, path: Path) -> Path:
    """Write the averaged weights of a run in half precision.

    A run over windows also measures how its poses err, which the fit to the key-points needs; one
    over single frames leaves that to the next stage.

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
    network = trainer.averaged_network()
    if trainer.config.optim.modules != "frames":
        network = with_pose_error(network, measure_pose_error(network, trainer.training))
    save_safetensors(network, path, half=True, metadata=header)
    return path
