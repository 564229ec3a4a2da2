"""Human motion in memory: shards of clips, and windows drawn from them by category.

The shards (see ``data/mocap/DATASET.md`` of the data set) are z-up, 30 fps, on SMPL's skeleton.
They are turned into WHAM's y-down world here, once.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from humor_ros.geometry.rotation import axis_angle_to_matrix, matrix_to_rotation_6d
from humor_ros.training.synthesis_config import DataConfig

__all__ = ["MOCAP_FPS", "ZUP_TO_YDOWN", "MocapLibrary", "MotionWindow"]

MOCAP_FPS = 30
#: Rows map a z-up world (x, y, z) to WHAM's y-down world (x, -z, y); spec of WHAM, section 6.
ZUP_TO_YDOWN = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))
_KEYS = ("poses", "root_pos", "clip_ptr", "clip_name")


@dataclass(frozen=True)
class MotionWindow:
    """A batch of equally long pieces of motion, y-down world.

    Attributes:
        rotations_6d: (B, T, 24, 6) joint rotations, the root's in the world; interpolated
            values are not normalised.
        root_position: (B, T, 3) pelvis joint of the default body, metres.
        clip: (B,) index of the clip.
    """

    rotations_6d: Tensor
    root_position: Tensor
    clip: Tensor


class MocapLibrary:
    """All clips of one split, as tensors.

    Args:
        rotations_6d: (N, 24, 6) of all frames of all clips, y-down world.
        root_position: (N, 3) metres, y-down world.
        clip_pointer: (C + 1,) first frame of each clip.
        names: C clip names.
        categories: C category names.

    Raises:
        ValueError: lengths do not match, or there is no clip.
    """

    def __init__(
        self,
        rotations_6d: Tensor,
        root_position: Tensor,
        clip_pointer: Tensor,
        names: Sequence[str],
        categories: Sequence[str],
    ) -> None:
        n_clips = len(clip_pointer) - 1
        if n_clips < 1 or len(names) != n_clips or len(categories) != n_clips:
            raise ValueError(
                f"need one name and category a clip: {n_clips} clips, {len(names)} names, "
                f"{len(categories)} categories"
            )
        if int(clip_pointer[-1]) != len(rotations_6d) or len(rotations_6d) != len(root_position):
            raise ValueError("clip_pointer does not end at the number of frames")
        self.rotations_6d = rotations_6d
        self.root_position = root_position
        self.start = clip_pointer[:-1].long()
        self.length = (clip_pointer[1:] - clip_pointer[:-1]).long()
        self.names = tuple(names)
        self.categories = tuple(categories)

    @classmethod
    def load(cls, folder: str | Path, split: str) -> MocapLibrary:
        """Read all shards ``{split}_*.npz`` of a folder, and categories from ``index.csv``.

        Raises:
            FileNotFoundError: the folder has no shard of that split.
            ValueError: a shard lacks an array or has clips of another frame rate.
        """
        folder = Path(folder)
        paths = sorted(folder.glob(f"{split}_*.npz"))
        if not paths:
            raise FileNotFoundError(
                f"no shards {split}_*.npz in {folder}; give the folder that holds them as --data"
            )
        rotations, positions, lengths, names = [], [], [], []
        for path in paths:
            with np.load(path, allow_pickle=False) as shard:
                missing = [key for key in _KEYS if key not in shard.files]
                if missing:
                    raise ValueError(f"{path} lacks the arrays {missing}")
                if "fps" in shard.files and int(shard["fps"]) != MOCAP_FPS:
                    raise ValueError(f"{path} has {int(shard['fps'])} fps, need {MOCAP_FPS}")
                poses = torch.from_numpy(shard["poses"].astype(np.float32))
                matrices = axis_angle_to_matrix(poses.reshape(-1, 24, 3))
                turn = torch.tensor(ZUP_TO_YDOWN)
                matrices[:, 0] = turn @ matrices[:, 0]
                rotations.append(matrix_to_rotation_6d(matrices))
                root = torch.from_numpy(shard["root_pos"].astype(np.float32))
                positions.append(root @ turn.T)
                lengths.append(np.diff(shard["clip_ptr"]))
                names += [str(name) for name in shard["clip_name"]]
        pointer = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
        known = _categories(folder / "index.csv")
        return cls(
            torch.cat(rotations),
            torch.cat(positions),
            torch.from_numpy(pointer),
            names,
            [known.get(name, "unknown") for name in names],
        )

    @property
    def n_clips(self) -> int:
        """Number of clips."""
        return len(self.names)

    def clip_weights(self, config: DataConfig) -> Tensor:
        """(C,) chance of each clip: category by category, by length within one."""
        minutes: dict[str, float] = {}
        for category, length in zip(self.categories, self.length.tolist(), strict=True):
            minutes[category] = minutes.get(category, 0.0) + length
        share = _category_shares(minutes, config)
        return torch.tensor(
            [
                share[category] * length / minutes[category]
                for category, length in zip(self.categories, self.length.tolist(), strict=True)
            ],
            dtype=torch.float64,
        )

    def windows(self, clip: Tensor, position: Tensor, frames: int, speed: Tensor) -> MotionWindow:
        """Cut windows and resample them linearly; clips that are too short swing to and fro.

        Args:
            clip: (B,) clip indices.
            position: (B,) in [0, 1): where in the room that the clip leaves the window starts.
            frames: T.
            speed: (B,) playback speed.

        Returns:
            The windows. 6D rotations are interpolated linearly as published.
        """
        steps = torch.arange(frames, dtype=torch.float64)[None] * speed[:, None].double()
        last = (self.length[clip] - 1).double()[:, None]
        room = (last - steps[:, -1:]).clamp_min(0.0)
        time = position[:, None].double() * room + steps
        # A triangle wave reflects the time at both ends of the clip.
        period = (2 * last).clamp_min(1.0)
        phase = torch.remainder(time, period)
        time = torch.minimum(phase, period - phase).clamp(max=last)
        low = time.floor().long().clamp(max=(last.long() - 1).clamp_min(0))
        high = torch.minimum(low + 1, last.long())
        blend = (time - low).float()
        start = self.start[clip][:, None]
        rotations = torch.lerp(
            self.rotations_6d[start + low], self.rotations_6d[start + high], blend[..., None, None]
        )
        root = torch.lerp(
            self.root_position[start + low], self.root_position[start + high], blend[..., None]
        )
        return MotionWindow(rotations, root, clip)


def _categories(path: Path) -> Mapping[str, str]:
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["name"]: row["category"] for row in csv.DictReader(file)}


def _category_shares(minutes: Mapping[str, float], config: DataConfig) -> dict[str, float]:
    others = {
        name: value**config.category_exponent * config.category_boost.get(name, 1.0)
        for name, value in minutes.items()
        if name != "idle"
    }
    total = sum(others.values())
    if not others or total <= 0:
        return {name: 1.0 / len(minutes) for name in minutes}
    idle = config.idle_share if "idle" in minutes else 0.0
    shares = {name: (1 - idle) * value / total for name, value in others.items()}
    if "idle" in minutes:
        shares["idle"] = idle
    return shares
