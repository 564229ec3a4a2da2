"""From a configuration and folders to a trainer of the published recipe."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from humor_ros.body.model import BodyModel
from humor_ros.training.amass import load_motions
from humor_ros.training.published_config import MOCAP, PublishedConfig
from humor_ros.training.published_mixture import ClipSource, Mixture
from humor_ros.training.published_sequences import SequenceSource, load_tracks
from humor_ros.training.published_synthesis import MocapSource
from humor_ros.training.published_trainer import PublishedTrainer

__all__ = ["make_trainer"]

_log = logging.getLogger(__name__)


def make_trainer(
    config: PublishedConfig,
    data: Path | None,
    sequences: Path | None,
    body: Path | None,
    folder: Path,
    clock: Callable[[], float],
    minutes: float | None = None,
    workers: int = 0,
) -> PublishedTrainer:
    """Load bodies and data and make the trainer.

    Args:
        config: of the run.
        data: motion capture: AMASS's folder, or shards.
        sequences: folder that holds one folder of training sequences for each data set.
        body: SMPL-format body; None for the packaged one.
        folder: of the run.
        clock: seconds, monotonic.
        minutes: time limit.
        workers: processes that make batches ahead.

    Raises:
        FileNotFoundError: a folder or file is not there; names it.
        ValueError: a file is not as it should be, or a source's folder was not named.
    """
    bodies = {"neutral": BodyModel.load(body)}
    bodies |= {name: BodyModel.load(path) for name, path in config.data.bodies.items()}
    kind = "packaged" if body is None else "smpl"
    shares = {name: share for name, share in config.data.sources.items() if share > 0}
    training: dict[str, ClipSource] = {
        name: _source(name, "train", data, sequences, bodies, kind, config) for name in shares
    }
    validation = _validation(shares, data, sequences, bodies, kind, config)
    return PublishedTrainer(
        config, bodies, Mixture(training, shares), validation, folder, clock, minutes, workers
    )


def _source(
    name: str,
    split: str,
    data: Path | None,
    sequences: Path | None,
    bodies: Mapping[str, BodyModel],
    kind: str,
    config: PublishedConfig,
) -> ClipSource:
    if name == MOCAP:
        if data is None:
            raise ValueError("data.sources names 'mocap'; give its folder as --data")
        return MocapSource(load_motions(data, split), bodies["neutral"], config)
    if sequences is None:
        raise ValueError(
            f"data.sources names {name!r}; give the folder that holds it as --sequences"
        )
    tracks = load_tracks(sequences / name, split, bodies, kind, config)
    return SequenceSource(tracks, bodies["neutral"], config)


def _validation(
    shares: Mapping[str, float],
    data: Path | None,
    sequences: Path | None,
    bodies: Mapping[str, BodyModel],
    kind: str,
    config: PublishedConfig,
) -> ClipSource | None:
    """All sequences of the split "val", or without any the motion capture of that split."""
    found: dict[str, ClipSource] = {}
    for name in sorted(shares, key=lambda name: name == MOCAP):
        if found and name == MOCAP:
            continue
        try:
            found[name] = _source(name, "val", data, sequences, bodies, kind, config)
        except FileNotFoundError:
            continue
    if not found:
        _log.warning("no data of the split 'val'; the run goes without validation")
        return None
    return Mixture(found, dict.fromkeys(found, 1.0))
