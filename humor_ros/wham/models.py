"""The network and the body that belong together, from the files that a user names."""

from __future__ import annotations

from pathlib import Path

from humor_ros.body import BodyModel
from humor_ros.body.smpl_arrays import read_smpl_arrays
from humor_ros.wham.checkpoint import load_network, load_regressors, read_published
from humor_ros.wham.network import WhamNetwork

__all__ = ["PACKAGED_WEIGHTS", "load_models"]

#: Default weights, see the card beside the file.
PACKAGED_WEIGHTS = Path(__file__).parents[1] / "assets" / "wham" / "wham_default.safetensors"


def load_models(weights: Path | None, body: Path | None) -> tuple[WhamNetwork, BodyModel]:
    """Load a network with the body whose shape space it was trained for.

    A published checkpoint embeds SMPL and the regressors of its key-points: without ``body``
    that SMPL is used, with it the regressors. Our own weights go with the packaged free body.

    Args:
        weights: ``.safetensors`` or published ``.pth.tar``; None for the packaged weights.
        body: SMPL-format file; None for the one that belongs to the weights.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file is not what it should be; the message names it.
    """
    path = Path(weights) if weights is not None else PACKAGED_WEIGHTS
    network = load_network(path)
    if path.suffix == ".safetensors":
        return network, BodyModel.load(body)
    if body is None:
        return network, BodyModel.from_wham_checkpoint(read_published(path))
    regressors = load_regressors(path)
    arrays = read_smpl_arrays(Path(body))
    return network, BodyModel(arrays, regressors.keypoints31.numpy(), regressors.feet.numpy())
