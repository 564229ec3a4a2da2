"""Motion capture for the published training: AMASS folders as their owners hold them, or shards.

An AMASS file (Mahmood et al., ICCV 2019) is an ``.npz`` with ``poses`` (T, 156) axis-angle of
SMPL+H (root, 21 body joints, hands), ``trans`` (T, 3), ``betas`` (10 or more), ``gender`` and
``mocap_framerate``, z-up. SMPL takes its first 22 joints; the hands' own two stay at rest.
"""

from __future__ import annotations

import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from humor_ros.geometry.rotation import axis_angle_to_matrix, matrix_to_rotation_6d
from humor_ros.training.mocap import MOCAP_FPS, ZUP_TO_YDOWN, MocapLibrary

__all__ = ["AmassClip", "BodyMotions", "load_amass", "load_motions", "read_amass_clip"]

_log = logging.getLogger(__name__)
_BODY_NUMBERS = 66
_SMPL_NUMBERS = 72
_RATE_KEYS = ("mocap_framerate", "mocap_frame_rate")


@dataclass(frozen=True)
class AmassClip:
    """One file at about 30 frames a second, z-up.

    Attributes:
        poses: (T, 72) axis-angle of SMPL's joints, rad; hands at rest.
        translation: (T, 3) SMPL's ``transl``, metres: the pelvis but for a constant.
        betas: (10,) shape, of the body of ``gender``.
        gender: "neutral", "female" or "male".
    """

    poses: NDArray[np.float32]
    translation: NDArray[np.float32]
    betas: NDArray[np.float32]
    gender: str


@dataclass(frozen=True)
class BodyMotions:
    """Clips with the shapes of their people.

    Attributes:
        library: C clips, y-down world.
        betas: (C, 10) shape of each.
    """

    library: MocapLibrary
    betas: Tensor


def read_amass_clip(path: Path) -> AmassClip | None:
    """Read one file and thin it out to about 30 frames a second by a whole stride.

    Args:
        path: ``.npz``.

    Returns:
        The clip, or None for the shape files (no ``poses``) that lie beside the motions.

    Raises:
        ValueError: the file is unreadable, lacks an array or has a wrong shape; names it.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays: dict[str, Any] = {key: file[key] for key in file.files if key in _keys()}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a readable .npz of plain arrays ({error})") from error
    if "poses" not in arrays:
        return None
    rate_key = next((key for key in _RATE_KEYS if key in arrays), None)
    missing = [key for key in ("trans", "betas") if key not in arrays]
    missing += [_RATE_KEYS[0]] if rate_key is None else []
    if missing or rate_key is None:
        raise ValueError(f"{path} lacks the AMASS arrays {missing}")
    poses, trans = np.asarray(arrays["poses"]), np.asarray(arrays["trans"])
    betas = np.asarray(arrays["betas"], dtype=np.float32).reshape(-1)
    if poses.ndim != 2 or poses.shape[1] < _BODY_NUMBERS or trans.shape != (len(poses), 3):
        raise ValueError(
            f"{path}: expected poses (T, >= {_BODY_NUMBERS}) and trans (T, 3), got {poses.shape} "
            f"and {trans.shape}"
        )
    if len(betas) < 10:
        raise ValueError(f"{path}: expected at least 10 betas, got {len(betas)}")
    stride = max(1, int(float(arrays[rate_key]) / MOCAP_FPS + 0.5))
    full = np.zeros((len(poses[::stride]), _SMPL_NUMBERS), dtype=np.float32)
    used = _SMPL_NUMBERS if poses.shape[1] == _SMPL_NUMBERS else _BODY_NUMBERS
    full[:, :used] = poses[::stride, :used]
    gender = arrays.get("gender", np.array("neutral")).item()
    gender = gender.decode() if isinstance(gender, bytes) else str(gender)
    return AmassClip(full, trans[::stride].astype(np.float32), betas[:10], gender)


def _keys() -> tuple[str, ...]:
    return ("poses", "trans", "betas", "gender", *_RATE_KEYS)


def load_amass(folder: Path) -> BodyMotions:
    """Read all motions below a folder, in the order of their paths.

    Args:
        folder: such as ``AMASS/`` with one folder a data set, or any part of it.

    Returns:
        The motions; the category is the folder right below ``folder``. Betas are taken as they
        are, whatever the gender of their body, for the training has one neutral body.

    Raises:
        FileNotFoundError: there is no motion file below the folder.
        ValueError: a file is not as AMASS's are; names it.
    """
    clips: list[AmassClip] = []
    names: list[str] = []
    for path in sorted(folder.rglob("*.npz")):
        clip = read_amass_clip(path)
        if clip is not None and len(clip.poses):
            clips.append(clip)
            names.append(path.relative_to(folder).with_suffix("").as_posix())
    if not clips:
        raise FileNotFoundError(
            f"no AMASS motions (*.npz with 'poses') below {folder}; give the folder that holds them"
        )
    turn = torch.tensor(ZUP_TO_YDOWN)
    rotations, positions = [], []
    for clip in clips:
        matrices = axis_angle_to_matrix(torch.from_numpy(clip.poses).reshape(-1, 24, 3))
        matrices[:, 0] = turn @ matrices[:, 0]
        rotations.append(matrix_to_rotation_6d(matrices))
        positions.append(torch.from_numpy(clip.translation) @ turn.T)
    pointer = np.cumsum([0, *(len(clip.poses) for clip in clips)])
    library = MocapLibrary(
        torch.cat(rotations),
        torch.cat(positions),
        torch.from_numpy(pointer),
        names,
        [name.split("/")[0] if "/" in name else "unknown" for name in names],
    )
    _log.info("%d AMASS motions, %.1f h", len(clips), pointer[-1] / MOCAP_FPS / 3600)
    return BodyMotions(library, torch.from_numpy(np.stack([clip.betas for clip in clips])))


def load_motions(folder: Path, split: str) -> BodyMotions:
    """Read shards ``{split}_*.npz`` (shapes all zero), or else AMASS motions below the folder.

    Args:
        folder: of either kind.
        split: "train" or "val". An AMASS folder may hold folders of these names; without them
            all of it is for training.

    Raises:
        FileNotFoundError: neither is there.
        ValueError: a file is not as it should be; names it.
    """
    if any(folder.glob(f"{split}_*.npz")):
        library = MocapLibrary.load(folder, split)
        return BodyMotions(library, torch.zeros(library.n_clips, 10))
    if (folder / split).is_dir():
        return load_amass(folder / split)
    if split != "train":
        raise FileNotFoundError(f"no motions for the split {split!r} in {folder}")
    return load_amass(folder)
