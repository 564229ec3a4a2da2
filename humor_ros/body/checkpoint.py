"""The body that published WHAM checkpoints embed beside the network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from humor_ros.body.skeleton import SMPL_PARENTS
from humor_ros.body.smpl_arrays import SmplArrays
from humor_ros.types import Array

__all__ = ["arrays_of_checkpoint"]

_PREFIX = "smpl."
_NAMES = (
    "v_template",
    "shapedirs",
    "posedirs",
    "J_regressor",
    "lbs_weights",
    "faces_tensor",
    "J_regressor_wham",
    "J_regressor_feet",
)


def arrays_of_checkpoint(state: Mapping[str, Tensor]) -> tuple[SmplArrays, Array, Array]:
    """Take the body and its regressors out of a checkpoint's tensors.

    Args:
        state: tensors by name; those under ``smpl.`` are used. ``posedirs`` is stored as
            (207, 3 V) there.

    Returns:
        The body, the (31, V) key-point regressor and the (4, V) feet regressor.

    Raises:
        ValueError: if one is missing or has a wrong shape.
    """
    missing = [_PREFIX + name for name in _NAMES if _PREFIX + name not in state]
    if missing:
        raise ValueError(f"the checkpoint embeds no complete body: {', '.join(missing)} missing")
    held = {name: state[_PREFIX + name].detach().cpu().numpy() for name in _NAMES}
    flat = held["posedirs"]
    vertices = len(held["v_template"])
    if flat.ndim != 2 or flat.shape[1] != 3 * vertices:
        raise ValueError(
            f"smpl.posedirs must have shape (207, {3 * vertices}) in a checkpoint, got {flat.shape}"
        )
    arrays = SmplArrays.from_mapping(
        {
            "v_template": held["v_template"],
            "shapedirs": held["shapedirs"],
            "posedirs": flat.T.reshape(vertices, 3, -1),
            "J_regressor": held["J_regressor"],
            "weights": held["lbs_weights"],
            "kintree_table": np.stack((SMPL_PARENTS, range(len(SMPL_PARENTS)))),
            "f": held["faces_tensor"],
        }
    )
    keypoints = np.asarray(held["J_regressor_wham"], dtype=np.float64)
    feet = np.asarray(held["J_regressor_feet"], dtype=np.float64)
    return arrays, keypoints, feet
