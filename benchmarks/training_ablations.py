"""What each choice of the packaged training is worth: equally short runs, one change each.

Trains the lifting of single frames (the stage that decides the pose) for the same number of steps
from the same seed, and scores all runs on the same validation windows with the configuration's
measured noise. Short runs rank choices; they do not tell what a long run reaches.

    python benchmarks/training_ablations.py --data MOCAP --steps 400
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from humor_ros.body.model import BodyModel
from humor_ros.training.config import TrainConfig
from humor_ros.training.mocap import MocapLibrary
from humor_ros.training.synthesis import WindowSource
from humor_ros.training.synthesis_config import NoiseConfig
from humor_ros.training.trainer import Trainer
from humor_ros.training.validation import validate

CONFIG = Path(__file__).parents[1] / "config" / "train" / "wham_default_frames.yaml"
COLUMNS = ("pa_mpjpe_mm", "mpjpe_mm", "coco_pa_mpjpe_mm", "coco_mpjpe_mm", "root_deg")
#: White noise of the measured errors' size, as the published training assumes.
WHITE = {
    "bias_std": 0.0,
    "drift_std": 0.0,
    "common_std": 0.0,
    "hip_bias_std": 0.0,
    "jitter_std": 0.018,
    "peak_probability": 0.0,
    "gross_probability": 0.0,
    "swap_probability": 0.0,
    "limb_mask_probability": 0.0,
    "lower_body_probability": 0.0,
    "far_side_gain": 0.0,
}
PLAIN_MOTION = {
    "limb_mix_probability": 0.0,
    "limb_bend_probability": 0.0,
    "tilt_probability": 0.0,
    "joint_perturbation_rad": 0.0,
}


def variants(base: TrainConfig) -> dict[str, TrainConfig]:
    """The base and each change of it, by name."""
    return {
        "all choices": base,
        "no gravity": replace(base, network=replace(base.network, gravity_input=False)),
        "no lifter": replace(base, network=replace(base.network, lifter_blocks=0)),
        "motion as recorded": replace(base, data=replace(base.data, **PLAIN_MOTION)),
        "white noise": replace(base, noise=replace(base.noise, **WHITE)),
        "average shapes": replace(base, data=replace(base.data, betas_std=0.0)),
    }


def main() -> None:
    """Train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    base = replace(TrainConfig.load(CONFIG), steps=arguments.steps, validate_every=10**9)
    # The mean of the weights must not reach back to the beginning of so short a run.
    base = replace(base, optim=replace(base.optim, ema_decay=0.95, warmup_steps=50))
    body = BodyModel.load()
    library = {split: MocapLibrary.load(arguments.data, split) for split in ("train", "val")}
    rows = {}
    for name, config in variants(base).items():
        started = time.monotonic()
        source = WindowSource(library["train"], body, config.data, config.camera, config.noise)
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(
                config,
                body,
                source,
                None,
                Path(folder),
                time.monotonic,
                workers=arguments.workers,
            )
            trainer.run()
        network = trainer.averaged_network()
        fixed = WindowSource(library["val"], body, base.data, base.camera, NoiseConfig())
        scores = validate(network, fixed, windows=192, frames=40, seed=77, recurrent=False)
        rows[name] = {column: round(scores[column], 1) for column in COLUMNS}
        print(name, rows[name], f"{time.monotonic() - started:.0f} s", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"steps": arguments.steps, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
