"""Every array of a published-format HMR2 run, recomputed from its weights and the raw image.

The folder holds ``config.json`` (constructor arguments), ``hmr2*.ckpt``, ``inputs.npz`` (image,
boxes, key-points) and, for WHAM's initial key-points, a body ``*smpl_<V>.npz`` with its regressors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from humor_ros.body.model import BodyModel
from humor_ros.features.checkpoint import load_encoder
from humor_ros.features.config import EncoderConfig
from humor_ros.features.crop import crop_corners, crop_people
from humor_ros.features.initialisation import first_frame, first_pose
from humor_ros.features.network import Hmr2Encoder
from humor_ros.features.values import EncoderOutput
from humor_ros.weight_files import read_arrays
from humor_ros.wham.keypoints import normalise_keypoints

__all__ = ["CROP_BOXES", "TOLERANCES", "reproduce"]

#: Largest difference from the float64 arrays that rounding explains.
TOLERANCES = {torch.float32: 5e-5, torch.float64: 1e-8}
#: Optional file of boxes, and the name of the array made of it.
CROP_BOXES = ("crop_boxes_golden.npz", "ul_br")

_INPUTS = (
    *("image_bgr_uint8", "bbox_cx_cy_s", "res_wh", "keypoints"),
    *("flipped_bbox", "flipped_keypoints"),
)
_SMPL_VERTICES = 6890

Arrays = dict[str, NDArray]
_Tensors = dict[str, Tensor]


def reproduce(folder: str | Path, dtype: torch.dtype = torch.float32) -> Arrays:
    """Run everything that a folder allows.

    Args:
        folder: see the module.
        dtype: of the network; the crop is float32 always, as published.

    Returns:
        Arrays under the names of ``outputs_f64.npz``; beside them the crops ``norm_crop`` and
        their corners ``crop_ul_br_xyxy``, and ``ul_br`` of the boxes in ``crop_boxes_golden.npz``
        where that file is there.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file cannot be used.
    """
    folder = Path(folder)
    config = EncoderConfig.from_file(folder / "config.json")
    encoder, _ = load_encoder(_checkpoint(folder), config, dtype=dtype)
    inputs = read_arrays(folder / "inputs.npz", "inputs of HMR2.0 (.npz)", _INPUTS)
    crops = torch.from_numpy(
        crop_people(inputs["image_bgr_uint8"], inputs["bbox_cx_cy_s"], config.vit.img_size[0])
    )
    results: _Tensors = {}
    with torch.inference_mode():
        with _recorded(encoder, results):
            normal = encoder(crops)
        results |= _first_subject(results, config)
        mirrored = encoder(crops.flip(-1))
        results |= _read_outs(encoder, normal)
        for prefix, people in (("", normal), ("flipped_", mirrored)):
            results |= _people(people, prefix)
            results |= _initial(folder, inputs, people, prefix)
    arrays = {name: tensor.numpy() for name, tensor in results.items()}
    arrays["norm_crop"] = crops.numpy()
    arrays["crop_ul_br_xyxy"] = crop_corners(inputs["bbox_cx_cy_s"], config.vit.img_size[0])
    boxes = folder / CROP_BOXES[0]
    if boxes.is_file():
        arrays[CROP_BOXES[1]] = crop_corners(read_arrays(boxes, "boxes (.npz)", ("bbox",))["bbox"])
    return arrays


def _checkpoint(folder: Path) -> Path:
    found = sorted(folder.glob("hmr2*.ckpt"))
    if not found:
        raise FileNotFoundError(f"no weights hmr2*.ckpt in {folder}; give a folder that has them")
    return found[0]


@contextmanager
def _recorded(encoder: Hmr2Encoder, results: _Tensors) -> Iterator[None]:
    """Keep what passes through the modules under the names of the arrays."""

    def output(module: nn.Module, name: str) -> None:
        hooks.append(
            module.register_forward_hook(lambda _, __, value: results.__setitem__(name, value))
        )

    def entry(module: nn.Module, name: str) -> None:
        hooks.append(
            module.register_forward_pre_hook(lambda _, args: results.__setitem__(name, args[0]))
        )

    hooks: list[torch.utils.hooks.RemovableHandle] = []
    backbone = encoder.backbone
    output(backbone.patch_embed, "vit/patch_embed")
    entry(backbone.blocks[0], "vit/tokens_plus_pos")
    for i, block in enumerate(backbone.blocks):
        output(block.attn, f"vit/block{i}_attn")  # type: ignore[arg-type]
        output(block, f"vit/block{i}")
    output(backbone.last_norm, "vit/backbone_map")
    for i, layer in enumerate(encoder.smpl_head.transformer.transformer.layers):
        for branch, name in zip(layer, ("self", "cross", "ff"), strict=True):  # type: ignore[call-overload]
            entry(branch, f"dec/l{i}_{name}_in")
            output(branch, f"dec/l{i}_{name}_delta")
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _first_subject(results: _Tensors, config: EncoderConfig) -> _Tensors:
    """Token arrays of the first subject only; the last ones of all, as a map."""
    tokens = {name: value[:1] for name, value in results.items() if name.startswith("vit/")}
    last = results["vit/backbone_map"].transpose(1, 2).unflatten(-1, config.vit.grid)
    return tokens | {"vit/backbone_map": last}


def _read_outs(encoder: Hmr2Encoder, people: EncoderOutput) -> _Tensors:
    head = encoder.smpl_head
    return {
        "dec/token_out": people.feature[:, None],
        "pred_pose6d_hmr2": people.pose,
        "delta_pose": head.decpose(people.feature),
        "delta_betas": head.decshape(people.feature),
        "delta_cam": head.deccam(people.feature),
    }


def _people(people: EncoderOutput, prefix: str) -> _Tensors:
    rotations = people.rotations
    return {
        f"{prefix}feature_token_out": people.feature,
        f"{prefix}pred_global_orient": rotations[:, :1],
        f"{prefix}pred_body_pose": rotations[:, 1:],
        f"{prefix}pred_betas": people.betas,
        f"{prefix}pred_cam": people.cam,
    }


def _initial(folder: Path, inputs: Arrays, people: EncoderOutput, prefix: str) -> _Tensors:
    """WHAM's first frame; its key-points for each body in the folder.

    SMPL's own mesh gives ``wham_init_kp`` and ``wham_init_kp3d``, one of V vertices
    ``wham<V>_init_kp3d``.
    """
    dtype = people.feature.dtype
    names = [f"{prefix}keypoints" if prefix else "keypoints"]
    names.append("flipped_bbox" if prefix else "bbox_cx_cy_s")
    keypoints, boxes = (torch.from_numpy(inputs[name]).to(dtype) for name in names)
    res = torch.from_numpy(inputs["res_wh"]).to(dtype).expand(len(boxes), 2)
    x = normalise_keypoints(keypoints[:, None], boxes[:, None], res)[:, 0]
    init_smpl, init_root = first_pose(people)
    results = {f"{prefix}wham_init_smpl": init_smpl, f"{prefix}wham_init_root": init_root}
    for body in _bodies(folder, dtype):
        start = first_frame(people, body, x)
        if body.num_vertices == _SMPL_VERTICES:
            results[f"{prefix}wham_init_kp"] = start.init_kp
            results[f"{prefix}wham_init_kp3d"] = start.keypoints
        else:
            results[f"{prefix}wham{body.num_vertices}_init_kp3d"] = start.keypoints
    return results


def _bodies(folder: Path, dtype: torch.dtype) -> Iterator[BodyModel]:
    """Bodies with regressors of float32, as the published network holds them in any precision."""
    for path in sorted(folder.glob("*smpl_[0-9]*.npz")):
        names = ("J_regressor_wham", "J_regressor_feet")
        arrays = read_arrays(path, "an SMPL body with regressors (.npz)", names)
        keypoints, feet = (arrays[name].astype(np.float32) for name in names)
        yield BodyModel.from_smpl_arrays(arrays, keypoints, feet, dtype=dtype)
