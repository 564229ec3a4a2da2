"""Every array of a published-format WHAM run, recomputed from its checkpoint, body and inputs.

The folder holds ``checkpoint.pth.tar``, a body in SMPL's file format (``smpl_*.npz``; without one,
the body that the checkpoint embeds) and ``inputs.npz``. The cases are: with image features
(``feat``), without (``nofeat``), with one zero feature (``featgap``, published sequence-wide gate),
y-up world (``feat_yup``), without refiner (``norefine``), averaged with mirrored images (``flip``).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from numpy.typing import NDArray
from torch import Tensor

from humor_ros.body.model import BodyModel
from humor_ros.weight_files import read_arrays
from humor_ros.wham.checkpoint import load_published, load_regressors, read_published
from humor_ros.wham.flip import merge_flipped
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.state import WhamState
from humor_ros.wham.trajectory import flip_y_up, project, weak_translation
from humor_ros.wham.values import WhamInputs, WhamOutputs

__all__ = ["reproduce", "tolerance"]

_INPUTS = (
    *("x", "mask", "cam_angvel", "img_features", "img_features_gap", "init_kp", "init_smpl"),
    *("init_root", "bbox", "res", "cam_intrinsics"),
)
_GAP_ARRAYS = (
    *("motion_context_integrated", "pose6d", "shape", "cam", "contact", "trans_cam"),
    *("poses_root_world", "trans_world"),
)
_WORLD_ARRAYS = ("poses_root_world", "trans_world")

Arrays = dict[str, NDArray]
_Tensors = dict[str, Tensor]


def reproduce(folder: str | Path, dtype: torch.dtype = torch.float32) -> Arrays:
    """Run all cases of a folder.

    Args:
        folder: see the module.
        dtype: of the computation.

    Returns:
        Arrays by ``<case>/<name>``.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file cannot be used.
    """
    folder = Path(folder)
    network = load_published(folder / "checkpoint.pth.tar").to(dtype)
    network.config = replace(network.config, integrator_gate="sequence")
    body = _body(folder, dtype)
    data = _read_inputs(folder / "inputs.npz", dtype)
    results: _Tensors = {}

    def keep(case: str, arrays: _Tensors, names: tuple[str, ...] | None = None) -> None:
        results.update({f"{case}/{n}": a for n, a in arrays.items() if not names or n in names})

    with torch.inference_mode():
        full = _run(network, body, data, data["img_features"])
        keep("feat", full)
        up = flip_y_up(full["poses_root_world"], full["trans_world"])
        keep("feat_yup", dict(zip(_WORLD_ARRAYS, up, strict=True)))
        bare = _run(network, body, data, None)
        keep("nofeat", {k: a for k, a in bare.items() if k != "motion_context_integrated"})
        gap = _run(network, body, data, data["img_features_gap"])
        keep("featgap", gap, _GAP_ARRAYS)
        raw = _run(network, body, data, data["img_features"], refine=False)
        keep("norefine", raw, _WORLD_ARRAYS)
        if len(data["x"]) > 1:
            keep("flip", _run_flipped(network, body, data))
    return {name: tensor.to(dtype).numpy() for name, tensor in results.items()}


def tolerance(name: str) -> float:
    """Largest difference that rounding explains: 1e-3 px for projections, otherwise 2e-5."""
    return 1e-3 if name.endswith("full_joints2d") else 2e-5


def _body(folder: Path, dtype: torch.dtype) -> BodyModel:
    checkpoint = folder / "checkpoint.pth.tar"
    files = sorted(folder.glob("smpl_*.npz"))
    if not files:
        return BodyModel.from_wham_checkpoint(read_published(checkpoint), dtype=dtype)
    regressors = load_regressors(checkpoint)
    arrays = read_arrays(files[0], "an SMPL body (.npz)")
    return BodyModel.from_smpl_arrays(
        arrays, regressors.keypoints31.numpy(), regressors.feet.numpy(), dtype=dtype
    )


def _read_inputs(path: Path, dtype: torch.dtype) -> _Tensors:
    arrays = read_arrays(path, "inputs of WHAM (.npz)", _INPUTS)
    tensors = {name: torch.from_numpy(arrays[name]) for name in _INPUTS}
    return {k: t if t.dtype == torch.bool else t.to(dtype) for k, t in tensors.items()}


def _inputs(data: _Tensors, features: Tensor | None) -> WhamInputs:
    return WhamInputs(
        x=data["x"],
        mask=data["mask"],
        cam_angvel=data["cam_angvel"],
        img_features=features,
        bbox=data["bbox"],
        res=data["res"],
        cam_intrinsics=data["cam_intrinsics"],
    )


def _start(network: WhamNetwork, data: _Tensors) -> WhamState:
    return network.initial_state(data["init_kp"], data["init_smpl"], data["init_root"])


def _run(
    network: WhamNetwork,
    body: BodyModel,
    data: _Tensors,
    features: Tensor | None,
    *,
    refine: bool = True,
) -> _Tensors:
    """One case; every stage under its golden name."""
    inputs, start = _inputs(data, features), _start(network, data)
    end, out = network.step(start, inputs, body, refine=refine, vertices=True)
    motion = out.motion
    states = {
        "enc_init_h0": start.encoder_h,
        "enc_init_c0": start.encoder_c,
        "dec_init_h0": start.decoder_h,
        "dec_init_c0": start.decoder_c,
        "enc_hT": end.encoder_h,
        "enc_cT": end.encoder_c,
        "traj_hT": end.trajectory_h,
        "traj_cT": end.trajectory_c,
        "dec_hT": end.decoder_h,
        "dec_cT": end.decoder_c,
        "ref_hT": end.refiner_h,
        "ref_cT": end.refiner_c,
    }
    weak = weak_translation(motion.cam)
    return {
        **{name: state.transpose(0, 1) for name, state in states.items()},
        **_placed(out, start),
        "enc_x": network.preprocess(inputs.x, inputs.mask),
        "enc_init_kp": data["init_kp"],
        "pred_kp3d": motion.kp3d,
        "motion_context": motion.context,
        "refiner_context": motion.context,
        "motion_context_integrated": motion.context_integrated,
        "root_r6d": torch.cat((start.root[:, None], motion.root), dim=1),
        "root_vel": motion.velocity,
        "pose6d": motion.pose.flatten(-2),
        "shape": motion.betas,
        "cam": motion.cam,
        "contact": motion.contacts,
        "feet_world_unrefined": out.feet_world_unrefined,
        "poses_body": out.rotations[..., 1:, :, :],
        "verts_cam_sub": _known(out.vertices),
        "joints31_cam": out.keypoints31,
        "feet_cam_rel": out.feet,
        "smpl_offset": out.offset,
        "full_joints2d": project(
            out.keypoints31, _known(out.translation_camera), data["cam_intrinsics"]
        ),
        "weak_joints2d": project(out.keypoints31, weak),
    }


def _placed(out: WhamOutputs, start: WhamState) -> _Tensors:
    """What the refinement and the cameras say."""
    return {
        "vel_reset": out.velocity_reset,
        "poses_root_r6d_refined": torch.cat((start.root[:, None], out.root_refined), dim=1),
        "vel_root_refined": out.velocity_refined,
        "poses_root_world": out.rotation_world_root,
        "trans_world": out.translation_world,
        "poses_root_cam": out.rotations[..., 0, :, :],
        "trans_cam": _known(out.translation_camera),
    }


def _known(value: Tensor | None) -> Tensor:
    if value is None:
        raise ValueError("the run was made without boxes or vertices")
    return value


def _run_flipped(network: WhamNetwork, body: BodyModel, data: _Tensors) -> _Tensors:
    """Sample 1 holds the mirrored images of sample 0."""
    normal, mirrored = ({name: tensor[i : i + 1] for name, tensor in data.items()} for i in (0, 1))
    inputs, start = _inputs(normal, normal["img_features"]), _start(network, normal)
    state, motion = network.predict(start, inputs)
    _, other = network.predict(
        _start(network, mirrored), _inputs(mirrored, mirrored["img_features"])
    )
    merged = merge_flipped(motion, other)
    _, out = network.resolve(state, merged, inputs, body)
    placed = _placed(out, start)
    up = flip_y_up(placed["poses_root_world"], placed["trans_world"])
    return {
        **placed,
        **dict(zip(_WORLD_ARRAYS, up, strict=True)),  # evaluation's world is y-up
        "avg_pose6d": merged.pose[0],
        "avg_shape": merged.betas[0],
        "avg_contact": merged.contacts,
    }
