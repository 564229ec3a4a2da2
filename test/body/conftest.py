"""Bodies for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from humor_ros.body import NUM_BETAS, SMPL_PARENTS, BodyModel
from humor_ros.geometry import axis_angle_to_matrix


@pytest.fixture(scope="session")
def free_body() -> BodyModel:
    """The packaged body in float64."""
    return BodyModel.load(dtype=torch.float64)


@pytest.fixture(scope="session")
def synthetic_arrays() -> dict[str, np.ndarray]:
    """A random body of 60 vertices with pose blend shapes, under the names of SMPL's files.

    Its numbers are single precision, as those of SMPL's files are once smplx has read them.
    """
    rng = np.random.default_rng(5)
    vertices, joints = 60, len(SMPL_PARENTS)
    weights = rng.random((vertices, joints)) * (rng.random((vertices, joints)) < 0.2)
    weights[:, 0] += 0.1
    regressor = rng.random((joints, vertices)) * (rng.random((joints, vertices)) < 0.3)
    regressor[:, 0] += 0.1
    arrays = {
        "v_template": rng.normal(size=(vertices, 3)),
        "shapedirs": 0.1 * rng.normal(size=(vertices, 3, NUM_BETAS)),
        "posedirs": 0.01 * rng.normal(size=(vertices, 3, 207)),
        "J_regressor": regressor / regressor.sum(axis=1, keepdims=True),
        "weights": weights / weights.sum(axis=1, keepdims=True),
    }
    return {
        **{name: value.astype(np.float32) for name, value in arrays.items()},
        "kintree_table": np.stack((SMPL_PARENTS, range(joints))),
        "f": rng.integers(0, vertices, (20, 3)),
    }


@pytest.fixture(scope="session")
def synthetic_regressors() -> tuple[np.ndarray, np.ndarray]:
    """Regressors for the synthetic body; some rows do not sum to one, and some are negative."""
    rng = np.random.default_rng(6)
    mask = rng.random((35, 60)) < 0.1
    regressor = rng.normal(size=(35, 60)) * mask
    return regressor[:31], regressor[31:]


@pytest.fixture(scope="session")
def synthetic_body(synthetic_arrays, synthetic_regressors) -> BodyModel:
    """The synthetic body in float64."""
    return BodyModel.from_smpl_arrays(synthetic_arrays, *synthetic_regressors, dtype=torch.float64)


@pytest.fixture(scope="session")
def golden_body(shared_golden: Path) -> tuple[BodyModel, np.ndarray]:
    """The golden 431-vertex body in float64, and its 35 regressor rows."""
    with np.load(shared_golden / "wham" / "smpl_431.npz") as archive:
        arrays = dict(archive)
    regressors = arrays["J_regressor_wham"], arrays["J_regressor_feet"]
    body = BodyModel.from_smpl_arrays(arrays, *regressors, dtype=torch.float64)
    return body, np.concatenate(regressors)


def random_poses(
    count: int, seed: int = 0, dtype: torch.dtype = torch.float64
) -> tuple[torch.Tensor, torch.Tensor]:
    """Betas (count, 10) and rotations (count, 24, 3, 3), far beyond human joint limits."""
    generator = torch.Generator().manual_seed(seed)
    betas = 2.0 * torch.randn(count, NUM_BETAS, generator=generator, dtype=dtype)
    vectors = torch.randn(count, len(SMPL_PARENTS), 3, generator=generator, dtype=dtype)
    return betas, axis_angle_to_matrix(vectors)


@pytest.fixture(name="random_poses")
def random_poses_fixture():
    """The function :func:`random_poses`."""
    return random_poses
