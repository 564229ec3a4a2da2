"""All vertices of a body through ``smplx``, for drawing and for losses on the surface."""

from __future__ import annotations

import contextlib
import io
import logging
from typing import Any

import numpy as np
import torch
from torch import Tensor

from humor_ros.body.skeleton import SMPL_PARENTS
from humor_ros.body.smpl_arrays import NUM_BETAS, SmplArrays

__all__ = ["MeshSkinner"]

_logger = logging.getLogger(__name__)


class MeshSkinner:
    """Skins the mesh of one body; the ``smplx`` layer is made when first needed.

    Kept apart from ``torch.nn.Module`` so that a network which owns a body stores and expects
    none of the body's arrays in its checkpoints.
    """

    def __init__(self, arrays: SmplArrays) -> None:
        self._arrays = arrays
        self._layers: dict[tuple[torch.dtype, torch.device], Any] = {}

    def vertices(self, betas: Tensor, rotations: Tensor) -> Tensor:
        """Skin the mesh.

        Args:
            betas: (B, 10) shape.
            rotations: (B, 24, 3, 3) of each joint relative to its parent, root first.

        Returns:
            (B, V, 3) vertices, metres, without translation.
        """
        key = (rotations.dtype, rotations.device)
        if key not in self._layers:
            self._layers[key] = self._build(*key)
        output = self._layers[key](
            betas=betas, global_orient=rotations[:, :1], body_pose=rotations[:, 1:]
        )
        return output.vertices

    def _build(self, dtype: torch.dtype, device: torch.device) -> Any:
        import smplx  # seconds to import, and most users never ask for vertices
        from smplx.vertex_ids import vertex_ids

        arrays = self._arrays
        parents = np.array(SMPL_PARENTS)
        data = smplx.utils.Struct(
            v_template=arrays.v_template,
            shapedirs=arrays.shapedirs,
            posedirs=arrays.posedirs,
            J_regressor=arrays.joint_regressor,
            weights=arrays.weights,
            kintree_table=np.stack((parents, np.arange(len(parents)))),
            f=arrays.faces,
        )
        # smplx's extra joints are not used; any vertex number inside the mesh will do for them.
        unused = dict.fromkeys(vertex_ids["smplh"], 0)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):  # smplx prints a remark on 10 shape directions
            layer = smplx.SMPLLayer(
                model_path="",
                data_struct=data,
                vertex_ids=unused,
                num_betas=NUM_BETAS,
                dtype=dtype,
            )
        if said.getvalue():
            _logger.debug("smplx: %s", said.getvalue().strip())
        return layer.to(device)
