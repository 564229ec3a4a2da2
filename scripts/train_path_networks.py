"""Train the packaged path networks of forecasts (see the card in humor_ros/assets/humor).

.venv/bin/python scripts/train_path_networks.py --data ../shared/data/mocap --output FOLDER
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console

from humor_ros.training.humor_config import HumorDataConfig
from humor_ros.training.humor_path import PathSamples, PathTraining, train_path_network
from humor_ros.training.humor_sources import load_body, load_source
from humor_ros.training.humor_transitions import TransitionLibrary

#: By file name: how each is trained, and how many members it has.
NETWORKS = {
    "path_true": (PathTraining(), 3),
    "path_observed": (PathTraining(steps=3000, noise_m_s=(0.05, 0.7)), 2),
}


def main() -> None:
    """Train both and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the motion shards")
    parser.add_argument("--output", type=Path, required=True, help="folder; made if absent")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console()
    arguments.output.mkdir(parents=True, exist_ok=True)
    source = load_source(arguments.data, "train", load_body(None), HumorDataConfig())
    library = TransitionLibrary(source)
    for name, (training, members) in NETWORKS.items():
        samples = PathSamples.of(library, training)

        def note(member: int, step: int, loss: float, name: str = name) -> None:
            if step % 500 == 0:
                console.print(f"{name}: member {member + 1}, step {step}, loss {loss:.4f}")

        network = train_path_network(samples, training, members, note=note)
        path = arguments.output / f"{name}.safetensors"
        network.save(path, {"made_by": "scripts/train_path_networks.py", "training": str(training)})
        console.print(f"wrote {path}")


if __name__ == "__main__":
    main()
