"""AMASS's files as training motion: fps, floor, contacts and velocities as published.

Rempe et al., "HuMoR", ICCV 2021, supplement. Floors and contacts are found at each file's own
frame rate and with a threshold in metres a frame, as published, then rows are taken at 30 a second.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from humor_ros.geometry.rotation import axis_angle_to_matrix
from humor_ros.humor.body import HumorBody
from humor_ros.humor.state import CONTACT_JOINTS, FRAME_RATE, NUM_JOINTS, MotionState
from humor_ros.training.humor_config import HumorDataConfig
from humor_ros.training.humor_motions import ClipTable, RecordedStates, differentiated
from humor_ros.weight_files import CheckpointError, read_arrays

__all__ = ["AMASS_SPLITS", "AmassMotions", "Floor", "find_floor", "read_recording"]

_log = logging.getLogger(__name__)
#: Data sets of each split, by the names of their folders.
AMASS_SPLITS: dict[str, tuple[str, ...]] = {
    "train": (
        *("CMU", "MPI_Limits", "TotalCapture", "Eyes_Japan_Dataset", "KIT"),
        *("BioMotionLab_NTroje", "BMLmovi", "EKUT", "ACCAD"),
    ),
    "val": ("MPI_HDM05", "SFU", "MPI_mosh"),
    "test": ("Transitions_mocap", "HumanEva"),
}
#: Files whose stated rate is wrong, by a part of their path.
_TRUE_RATES = {"BMLhandball": 240.0, "20160930_50032": 59.0, "20161014_50033": 59.0}
#: Parts of paths that are left out: treadmills, and a ladder.
_LEFT_OUT = ("treadmill", "normal_", "dg_07-01")
_KEPT_MIDDLE = 0.8
_SHORTEST_S = 1.0
_STATIC_M = 0.005  #: displacement a frame
_CLUSTER_GAP_M, _CLUSTER_MIN = 0.005, 3
_FLOOR_OFFSET_M = 0.01
_STEP_M = 0.04  #: people stand on something where root and toes rest this much higher
_STEP_S = 0.25
_LOW_M = {0: -1.0, 4: 0.08, 5: 0.08, 7: 0.08, 8: 0.08, 10: 0.04, 11: 0.04, 20: 0.08, 21: 0.08}
_TOES = (10, 11)


@dataclass(frozen=True)
class Floor:
    """A floor that was found in a recording.

    Attributes:
        height_m: of the lowest resting toes.
        flat: whether nobody stands on anything higher.
    """

    height_m: float
    flat: bool


@dataclass(frozen=True, eq=False)
class _Recording:
    states: MotionState
    betas: Tensor


class AmassMotions:
    """AMASS's recordings of one split; shapes are those of its people.

    Args:
        recordings: states at 30 fps and shape, by name.
        body: of the joints.

    Raises:
        ValueError: there is no recording.
    """

    def __init__(self, recordings: Mapping[str, _Recording], body: HumorBody) -> None:
        if not recordings:
            raise ValueError("no usable recording: all are too short, or without a flat floor")
        self.body = body.with_vertices(())
        self.draws_shapes = False
        lengths = torch.tensor([len(r.states.trans) for r in recordings.values()])
        # Published: a uniformly random recording, however long.
        self.clips = ClipTable(
            start=lengths.cumsum(0) - lengths,
            length=lengths,
            weights=torch.full((len(lengths),), 1.0 / len(lengths), dtype=torch.float64),
            flat=torch.ones(len(lengths), dtype=torch.bool),
            names=tuple(recordings),
            categories=tuple(name.split("/")[0] for name in recordings),
        )
        rows = torch.cat([r.states.vector() for r in recordings.values()])
        betas = torch.stack([r.betas for r in recordings.values()])
        self._recorded = RecordedStates(MotionState.from_vector(rows), betas)

    @classmethod
    def load(
        cls, folder: str | Path, split: str, body: HumorBody, config: HumorDataConfig
    ) -> AmassMotions:
        """Read ``folder/{data set}/**/*_poses.npz`` of the split's data sets.

        Args:
            folder: holds the data sets' folders.
            split: see ``AMASS_SPLITS``.
            body: of all people, whatever their gender (the published run has one each).
            config: unused; recordings are drawn uniformly, as published.

        Raises:
            FileNotFoundError: there is no file of that split.
            ValueError: no recording can be used.
        """
        paths = [
            path
            for name in AMASS_SPLITS[split]
            for path in sorted((Path(folder) / name).rglob("*_poses.npz"))
            if not any(part in path.as_posix() for part in _LEFT_OUT)
        ]
        if not paths:
            raise FileNotFoundError(
                f"{folder} holds neither shards {split}_*.npz nor AMASS files "
                f"({', '.join(AMASS_SPLITS[split])}/**/*_poses.npz); give another folder as --data"
            )
        found = {}
        for path in paths:
            recording = read_recording(path, body)
            if recording is not None:
                found[path.relative_to(folder).as_posix()] = recording
        _log.info("%s: %d of %d recordings are used", split, len(found), len(paths))
        return cls(found, body)

    def recorded(self, generator: torch.Generator | None) -> RecordedStates:
        """See :class:`~humor_ros.training.humor_motions.MotionSource`; nothing is drawn."""
        return self._recorded


@torch.no_grad()
def read_recording(path: Path, body: HumorBody) -> _Recording | None:
    """Read one of AMASS's files; None where it is too short or its floor is not flat.

    Args:
        path: with ``poses`` (N, 66 or more), ``trans`` (N, 3), ``betas`` and
            ``mocap_framerate`` (or ``mocap_frame_rate``).
        body: of the joints.

    Raises:
        CheckpointError: it is unreadable or lacks an array.
    """
    arrays = read_arrays(path, "an AMASS recording")
    rate_name = "mocap_framerate" if "mocap_framerate" in arrays else "mocap_frame_rate"
    missing = [n for n in ("poses", "trans", "betas", rate_name) if n not in arrays]
    if missing:
        raise CheckpointError(f"{path} lacks {', '.join(missing)}; it is no AMASS recording")
    rate = float(arrays[rate_name])
    rate = next((true for part, true in _TRUE_RATES.items() if part in path.as_posix()), rate)
    count = len(arrays["poses"])
    cut = int(count * (1 - _KEPT_MIDDLE) / 2)
    kept = slice(cut, count - cut)
    trans = torch.from_numpy(np.asarray(arrays["trans"][kept], np.float32))
    if len(trans) < _SHORTEST_S * rate or len(trans) < 4:
        return None
    poses = torch.from_numpy(np.asarray(arrays["poses"][kept, : 3 * NUM_JOINTS], np.float32))
    rotations = axis_angle_to_matrix(poses.unflatten(-1, (NUM_JOINTS, 3)))
    betas = torch.zeros(body.num_betas)
    given = torch.from_numpy(np.asarray(arrays["betas"], np.float32))[: body.num_betas]
    betas[: len(given)] = given
    joints = body.joints(betas[None], rotations[None], trans[None])[0]
    floor = find_floor(joints, rate)
    if not floor.flat:
        return None
    contacts = _contacts(joints, floor.height_m)
    states = differentiated(trans, rotations, joints, contacts, rate)
    down = torch.tensor([0.0, 0.0, floor.height_m - _FLOOR_OFFSET_M])
    inner = np.arange(1, len(trans) - 1)
    rows = max(round(len(inner) / rate * FRAME_RATE), 2)
    chosen = torch.from_numpy(inner[np.linspace(0, len(inner) - 1, rows).astype(np.int64)])
    states = states.map(lambda part: part[chosen])
    lowered = states.parts() | {"trans": states.trans - down, "joints": states.joints - down}
    return _Recording(MotionState(**lowered), betas)


def find_floor(joints: Tensor, rate: float) -> Floor:
    """Find the floor by where toes rest.

    Heights of resting toes are clustered (DBSCAN with a gap of 5 mm and 3 neighbours, which on a
    line is a walk over sorted heights); the floor is the lowest cluster's median.

    Args:
        joints: (N, 22, 3) metres, z up.
        rate: frames a second.
    """
    toes = joints[:, list(_TOES)].numpy().astype(np.float64)
    moved = np.linalg.norm(np.diff(toes, axis=0), axis=-1)
    frame, foot = np.nonzero(moved < _STATIC_M)
    heights = toes[frame, foot, 2]
    roots = joints[:, 0, 2].numpy()[frame]
    if len(heights) == 0:
        return Floor(float(toes[..., 2].min()), True)
    labels = _clusters(heights)
    toe_medians = {k: float(np.median(heights[labels == k])) for k in np.unique(labels)}
    root_medians = {k: float(np.median(roots[labels == k])) for k in toe_medians}
    height, lowest_root = min(toe_medians.values()), min(root_medians.values())
    raised = [
        k
        for k, toe in toe_medians.items()
        if toe > height + _STEP_M
        and root_medians[k] > lowest_root + _STEP_M
        and int((labels == k).sum()) > int(_STEP_S * rate)
    ]
    return Floor(height, not raised)


def _clusters(heights: NDArray[np.float64]) -> NDArray[np.int64]:
    """DBSCAN's labels of numbers; -1 is noise, which counts as a cluster as published."""
    order = np.argsort(heights, kind="stable")
    values = heights[order]
    near = np.searchsorted(values, values + _CLUSTER_GAP_M, "right") - np.searchsorted(
        values, values - _CLUSTER_GAP_M, "left"
    )
    core = np.flatnonzero(near >= _CLUSTER_MIN)
    labels = np.full(len(values), -1)
    if len(core):
        number = np.cumsum(np.diff(values[core], prepend=values[core[0]]) > _CLUSTER_GAP_M)
        labels[core] = number
        for border in np.flatnonzero(near < _CLUSTER_MIN):
            away = np.abs(values[core] - values[border])
            if away.min() <= _CLUSTER_GAP_M:
                labels[border] = number[away.argmin()]
    out = np.empty(len(values), np.int64)
    out[order] = labels
    return out


def _contacts(joints: Tensor, floor_m: float) -> Tensor:
    """(N, 9) 1 where a joint rests near the floor; the last frame repeats the one before."""
    moved = joints.diff(dim=0).norm(dim=-1) < _STATIC_M
    moved = torch.cat((moved, moved[-1:]))
    low = torch.tensor([_LOW_M[joint] for joint in CONTACT_JOINTS])
    chosen = list(CONTACT_JOINTS)
    return (moved[:, chosen] & (joints[:, chosen, 2] - floor_m < low)).float()
