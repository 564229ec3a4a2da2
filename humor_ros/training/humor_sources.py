"""Which recordings a folder holds, and the body that they are of."""

from __future__ import annotations

from pathlib import Path

from humor_ros.body.model import packaged_body_path
from humor_ros.humor.body import HumorBody
from humor_ros.training.humor_amass import AmassMotions
from humor_ros.training.humor_config import HumorDataConfig
from humor_ros.training.humor_motions import MocapMotions, MotionSource

__all__ = ["load_body", "load_source"]


def load_body(path: Path | None) -> HumorBody:
    """The body at a path, or the packaged one.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it is not a body.
    """
    return HumorBody.load(packaged_body_path() if path is None else path)


def load_source(folder: Path, split: str, body: HumorBody, config: HumorDataConfig) -> MotionSource:
    """Shards of the free data set, or AMASS where the folder holds none.

    Args:
        folder: with ``{split}_*.npz``, or with AMASS's data sets as folders.
        split: "train" or "val".
        body: of the joints.
        config: how clips are weighted and shapes drawn.

    Raises:
        FileNotFoundError: the folder holds neither.
        ValueError: a file is not what it should be.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"--data: no folder {folder}")
    if any(folder.glob(f"{split}_*.npz")):
        return MocapMotions.load(folder, split, body, config)
    return AmassMotions.load(folder, split, body, config)
