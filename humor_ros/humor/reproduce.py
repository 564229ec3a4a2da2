"""Every array of a published-format HuMoR run, recomputed from its files and inputs.

The folder holds ``best_model.pth``, ``prior_gmm.npz``, a body in SMPL+H's file format
(``body_model/neutral/model.npz``), VPoser weights (``vposer*.pt``) and ``inputs.npz``. The groups
are: networks, roll-outs and their gradients, changes of frame, the mixture (here), each energy
and its gradient (``reproduce_energies``) and the objective of each stage (``reproduce_stages``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from humor_ros.humor.body import OPENPOSE_FROM_POINTS, HumorBody
from humor_ros.humor.frames import heading_rotation
from humor_ros.humor.ground import plane_from_point, prior_frame
from humor_ros.humor.mixture import InitialStateMixture
from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.pose_prior import VPoser
from humor_ros.humor.reproduce_energies import energies
from humor_ros.humor.reproduce_stages import stages
from humor_ros.humor.robust import bisquare_weights, geman_mcclure
from humor_ros.humor.rollout import RollOut, roll_out, transition_posterior
from humor_ros.humor.rotations import rodrigues, rotation_vector
from humor_ros.humor.state import NUM_JOINTS, MotionState
from humor_ros.humor.weights import load_published
from humor_ros.weight_files import CheckpointError, read_arrays

__all__ = ["reproduce", "tolerance"]

_PARTS = (
    *("trans", "trans_vel", "root_orient", "root_orient_vel", "pose_body"),
    *("joints", "joints_vel"),
)
_GMOF_SCALE = 80.0  #: brings the rotation vectors into the range of pixels
_GMOF_SIGMA = 100.0
#: Joints 22-51 of SMPL+H are fingers; OpenPose's extra vertices follow them.
_FINGERS = 30

#: Parts of names of float32 arrays behind a change of frame.
_CHAINED = frozenset(("s3a", "s3b", "s3c", "final", "res", "world2aligned"))

Arrays = dict[str, NDArray]
_Tensors = dict[str, Tensor]


def reproduce(folder: str | Path, dtype: torch.dtype = torch.float32) -> Arrays:
    """Recompute all groups of a folder.

    Args:
        folder: see the module.
        dtype: of the computation.

    Returns:
        Arrays by name.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file cannot be used.
    """
    folder = Path(folder)
    network = load_published(folder / "best_model.pth").to(dtype).requires_grad_(False)
    mixture = InitialStateMixture.load(folder / "prior_gmm.npz", dtype=dtype)
    body = HumorBody.load(folder / "body_model" / "neutral" / "model.npz", dtype=dtype)
    data = _read_inputs(folder / "inputs.npz", dtype)
    try:
        results = _networks(network, data)
        results |= _roll_outs(network, data)
        results |= _roll_out_gradients(network, data)
        results |= _transforms(data)
        results["gmm_logprob"] = mixture.log_prob(data["gmm_x"])
        results |= energies(data, mixture)
        results |= stages(data, network, body, _vposer(folder, dtype), mixture)
    except KeyError as error:
        raise CheckpointError(f"{folder / 'inputs.npz'} lacks the array {error}") from error
    arrays = {name: tensor.detach().numpy() for name, tensor in results.items()}
    arrays["openpose_map"] = np.array(
        [i if i < NUM_JOINTS else i + _FINGERS for i in OPENPOSE_FROM_POINTS], dtype=np.int32
    )
    return arrays


def tolerance(name: str, *, double: bool = False) -> float:
    """Largest difference that rounding explains, relative to an array's largest entry.

    The heading's arc cosine magnifies rounding in float32, and what follows from a change of
    frame carries it on.

    Args:
        name: of the array.
        double: for float64 rather than float32.
    """
    if double:
        return 1e-6
    parts = name.split("_")
    chained = parts[0] in ("roll", "infer") or bool(_CHAINED.intersection(parts))
    return 1e-4 if chained else 1e-5


def _read_inputs(path: Path, dtype: torch.dtype) -> _Tensors:
    tensors = {k: torch.from_numpy(v) for k, v in read_arrays(path, "inputs").items()}
    return {k: t.to(dtype) if t.is_floating_point() else t for k, t in tensors.items()}


def _vposer(folder: Path, dtype: torch.dtype) -> VPoser:
    files = sorted(folder.glob("vposer*.pt"))
    if not files:
        raise FileNotFoundError(f"no VPoser weights (vposer*.pt) in {folder}")
    return VPoser.load(files[0]).to(dtype)


def _states(data: _Tensors, prefix: str) -> MotionState:
    return MotionState.from_flat({name: data[prefix + name] for name in _PARTS})


def _first(data: _Tensors, prefix: str) -> MotionState:
    return _states(data, prefix).map(lambda part: part[:, 0])


@torch.no_grad()
def _networks(network: HumorNetwork, data: _Tensors) -> _Tensors:
    past, z = data["x_past"], data["z"]
    prior, posterior = network.prior(past), network.posterior(past, data["x_t"])
    decoded = network.decode(z, past)
    pair_posterior, pair_prior = transition_posterior(network, _states(data, "gseq_"))
    return {
        "prior_mean": prior.mean,
        "prior_var": prior.variance,
        "post_mean": posterior.mean,
        "post_var": posterior.variance,
        "decoder_raw": network.decode_raw(z, past),
        "decode_out": decoded.vector(),
        "samplestep_mean_out": network.decode(prior.mean, past).vector()[:, None],
        "samplestep_mean_z": prior.mean,
        "samplestep_z_out": decoded.vector()[:, None],
        **{f"split_{name}": part[:, None] for name, part in decoded.flat().items()},
        "infer_prior_mean": pair_prior.mean,
        "infer_prior_var": pair_prior.variance,
        "infer_post_mean": pair_posterior.mean,
        "infer_post_var": pair_posterior.variance,
    }


@torch.no_grad()
def _roll_outs(network: HumorNetwork, data: _Tensors) -> _Tensors:
    z = data["z_seq"]
    canonical, given = _first(data, "init_"), _first(data, "ginit_")
    runs = {
        "roll_z": roll_out(network, canonical, z),
        "roll_mean": roll_out(network, canonical, n_steps=z.shape[1]),
        "roll_canon": roll_out(network, given, z, canonicalize=True),
        "roll_uncanon": roll_out(network, given, z, canonicalize=True, uncanonicalize=True),
    }
    results: _Tensors = {}
    for name, run in runs.items():
        arrays = _described(run)
        if name != "roll_mean":
            arrays.pop("z")
        if name not in ("roll_z", "roll_mean"):
            arrays = {k: v for k, v in arrays.items() if not k.startswith("prior_")}
        results |= {f"{name}_{key}": value for key, value in arrays.items()}
    return results


def _described(run: RollOut) -> _Tensors:
    return {
        "prior_mean": run.prior.mean,
        "prior_var": run.prior.variance,
        **run.states.flat(),
        "z": run.z,
        "step_past_in": run.steps.past,
        "step_local_out": run.steps.following,
        "step_w2a": run.steps.turns,
    }


def _roll_out_gradients(network: HumorNetwork, data: _Tensors) -> _Tensors:
    """Gradient of a weighted sum of all that a roll-out gives, to z and the initial state."""
    leaves = {name: data[f"init_{name}"].clone().requires_grad_() for name in _PARTS}
    z = data["z_seq"].clone().requires_grad_()
    initial = MotionState.from_flat(leaves).map(lambda part: part[:, 0])
    run = roll_out(network, initial, z)
    loss = (run.states.vector() * data["grad_w"]).sum()
    loss = loss + run.prior.mean.sum() + run.prior.variance.sum()
    gradients = torch.autograd.grad(loss, [z, *leaves.values()])
    named = zip(("z", *leaves), gradients, strict=True)
    return {"roll_grad_loss": loss} | {f"roll_grad_{name}": value for name, value in named}


@torch.no_grad()
def _transforms(data: _Tensors) -> _Tensors:
    matrices, vectors = data["tf_rotmats"], data["tf_aa"]
    plane = plane_from_point(data["L_floor_pred"])
    root = data["L_cam_joints3d"][:, 0, 0]
    frame = prior_frame(plane, root, rodrigues(vectors[: len(root)]), root)
    residual = vectors.abs().reshape(3, -1)
    weights = bisquare_weights(residual)
    return {
        "tf_world2aligned": heading_rotation(matrices),
        "tf_rodrigues": rodrigues(vectors),
        "tf_mat2aa": rotation_vector(matrices),
        "tf_mat2aa_of_rodrigues": rotation_vector(rodrigues(vectors)),
        "tf_parse_floor": plane,
        "tf_cam2prior_R": frame.rotation,
        "tf_cam2prior_t": frame.shift,
        "tf_cam2prior_h": frame.root_height,
        "tf_gmof": geman_mcclure(_GMOF_SCALE * vectors, _GMOF_SIGMA),
        "tf_bisquare_w": weights,
        "tf_bisquare_wres": weights * residual.square(),
    }
