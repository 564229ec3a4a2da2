"""Bodies load from a user's files, and unusable files are refused with the reason."""

from __future__ import annotations

import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from humor_ros.body import SMPL_JOINT_NAMES, WHAM31_NAMES, BodyModel, read_smpl_arrays
from humor_ros.body.smpl_pickle import read_smpl_pickle


def write_npz(path: Path, arrays: dict[str, np.ndarray], **changes: object) -> Path:
    kept = {**arrays, **changes}
    np.savez(path, **{name: value for name, value in kept.items() if value is not None})
    return path


@pytest.fixture
def regressor_files(tmp_path: Path, synthetic_regressors) -> dict[str, Path]:
    keypoints, feet = tmp_path / "keypoints.npy", tmp_path / "feet.npy"
    np.save(keypoints, synthetic_regressors[0])
    np.save(feet, synthetic_regressors[1])
    return {"keypoint_regressor": keypoints, "feet_regressor": feet}


@pytest.fixture
def smpl_sized_arrays() -> dict[str, np.ndarray]:
    """A body with as many vertices as SMPL, of random numbers."""
    rng = np.random.default_rng(8)
    count = 6890
    regressor = np.zeros((24, count))
    regressor[np.arange(24), rng.choice(count, 24, replace=False)] = 1.0
    weights = np.zeros((count, 24))
    weights[np.arange(count), rng.integers(0, 24, count)] = 1.0
    parents = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
    return {
        "v_template": rng.normal(size=(count, 3)).astype(np.float32),
        "shapedirs": rng.normal(size=(count, 3, 300)).astype(np.float32),
        "posedirs": np.zeros((count, 3, 207), np.float32),
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": np.stack((parents, range(24))),
        "f": np.array([[0, 1, 2]]),
    }


class FakeChumpy:
    """Writes pickles that name chumpy's classes, without chumpy."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ch = self._module("chumpy.ch", "Ch", monkeypatch)
        self.select = self._module("chumpy.reordering", "Select", monkeypatch)
        self.other = self._module("chumpy.ch_ops", "matmul", monkeypatch)

    @staticmethod
    def _module(module_name: str, name: str, monkeypatch: pytest.MonkeyPatch) -> type:
        module = types.ModuleType(module_name)
        cls = type(name, (), {"__module__": module_name})
        setattr(module, name, cls)
        package = module_name.partition(".")[0]
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
        monkeypatch.setitem(sys.modules, module_name, module)
        return cls

    @staticmethod
    def make(cls: type, **state: object) -> object:
        made = cls()
        made.__dict__.update(state)
        return made


def test_npz_gives_the_same_body(
    tmp_path, synthetic_arrays, synthetic_body, regressor_files, random_poses
) -> None:
    path = write_npz(tmp_path / "body.npz", synthetic_arrays)
    body = BodyModel.load(path, **regressor_files, dtype=torch.float64)
    poses = random_poses(2)
    torch.testing.assert_close(body(*poses).keypoints31, synthetic_body(*poses).keypoints31)


@pytest.mark.parametrize("protocol", [2, 5])
def test_pickle_with_chumpy_and_sparse_arrays_gives_the_same_arrays(
    tmp_path, synthetic_arrays, monkeypatch, protocol: int
) -> None:
    with monkeypatch.context() as patch:
        chumpy = FakeChumpy(patch)
        shapedirs = synthetic_arrays["shapedirs"]
        content = {
            **synthetic_arrays,
            "v_template": chumpy.make(chumpy.ch, x=synthetic_arrays["v_template"]),
            "shapedirs": chumpy.make(
                chumpy.select,
                a=chumpy.make(chumpy.ch, x=shapedirs[::-1]),
                idxs=np.arange(shapedirs.size).reshape(shapedirs.shape)[::-1].ravel(),
                preferred_shape=shapedirs.shape,
            ),
            "J_regressor": sparse.csc_matrix(synthetic_arrays["J_regressor"]),
            "bs_type": "lrotmin",
        }
        path = tmp_path / "body.pkl"
        path.write_bytes(pickle.dumps(content, protocol=protocol))
    assert "chumpy" not in sys.modules
    arrays = read_smpl_arrays(path)
    np.testing.assert_array_equal(arrays.v_template, synthetic_arrays["v_template"])
    np.testing.assert_array_equal(arrays.shapedirs, shapedirs)
    np.testing.assert_array_equal(arrays.joint_regressor, synthetic_arrays["J_regressor"])
    np.testing.assert_array_equal(arrays.posedirs, synthetic_arrays["posedirs"])


def test_sparse_matrix_of_an_old_scipy_is_read(tmp_path) -> None:
    """SciPy 0.x pickled csc matrices from ``scipy.sparse.csc`` with copy_reg."""
    pickled = (
        b"\x80\x02}q\x00U\x01Jccopy_reg\n_reconstructor\nq\x01(cscipy.sparse.csc\ncsc_matrix\n"
        b"c__builtin__\nobject\nNtRq\x02}q\x03(U\x06_shapeK\x02K\x03\x86U\x06formatU\x03csc"
        b"U\x04data]q\x04(K\x05K\x07eU\x07indices]q\x05(K\x00K\x01eU\x06indptr]q\x06"
        b"(K\x00K\x01K\x01K\x02eubs."
    )
    path = tmp_path / "old.pkl"
    path.write_bytes(pickled)
    np.testing.assert_array_equal(read_smpl_pickle(path)["J"], [[5, 0, 0], [0, 0, 7]])


def test_numpy_array_of_python_2_is_read(tmp_path) -> None:
    """Python 2 pickled an array's buffer as a byte string, which arrives as latin1 text."""
    buffer = np.array([1.5, -2.25]).tobytes()
    pickled = (
        b"\x80\x02}q\x00U\x01acnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02"
        b"K\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x10" + buffer + b"tbs."
    )
    path = tmp_path / "python2.pkl"
    path.write_bytes(pickled)
    np.testing.assert_array_equal(read_smpl_pickle(path)["a"], [1.5, -2.25])


def test_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path) -> None:
    victim = tmp_path / "victim"

    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(victim),)

    path = tmp_path / "attack.pkl"
    path.write_bytes(pickle.dumps({"v_template": Attack()}))
    with pytest.raises(ValueError, match="mkdir, which no SMPL body needs"):
        read_smpl_arrays(path)
    assert not victim.exists()


@pytest.mark.parametrize(
    "reduction",
    [(eval, ("1",)), (getattr, ("", "format")), (np.load, ("x",)), (np.fromfile, ("x",))],
)
def test_pickle_that_calls_anything_is_refused(tmp_path, reduction) -> None:
    class Attack:
        def __reduce__(self):
            return reduction

    path = tmp_path / "attack.pkl"
    path.write_bytes(pickle.dumps({"v_template": Attack()}))
    with pytest.raises(ValueError, match=r"attack\.pkl is not a readable SMPL body"):
        read_smpl_arrays(path)


def test_chumpy_expression_is_refused_with_the_remedy(tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        chumpy = FakeChumpy(patch)
        path = tmp_path / "body.pkl"
        path.write_bytes(pickle.dumps({"v_template": chumpy.make(chumpy.other, b=1)}))
    with pytest.raises(ValueError, match=r"chumpy\.ch_ops\.matmul.*convert the file to \.npz"):
        read_smpl_arrays(path)


def test_pickle_of_something_else_is_refused(tmp_path) -> None:
    path = tmp_path / "list.pkl"
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ValueError, match="holds a list, not a dictionary"):
        read_smpl_arrays(path)


@pytest.mark.parametrize("name", ["rubbish.pkl", "rubbish.npz"])
@pytest.mark.parametrize("content", [b"", b"not a body", b"\x80\x02", b"PK\x03\x04"])
def test_damaged_file_is_refused_by_name(tmp_path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} is not a readable"):
        read_smpl_arrays(path)


def test_missing_file_is_named_with_the_remedy(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"SMPL_NEUTRAL\.npz\. .*packaged free body"):
        BodyModel.load(tmp_path / "SMPL_NEUTRAL.npz")


def test_folder_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="is a folder; give the file"):
        BodyModel.load(tmp_path)


def test_unknown_suffix_is_refused(tmp_path) -> None:
    path = tmp_path / "body.obj"
    path.touch()
    with pytest.raises(ValueError, match=r"must be a \.npz or \.pkl"):
        BodyModel.load(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": None}, "not an SMPL body: weights missing"),
        ({"v_template": np.zeros((60, 2))}, r"v_template must have shape \(V, 3\), got \(60, 2\)"),
        ({"v_template": np.zeros((59, 3))}, r"shapedirs must have shape \(59, 3, 10\), got \(60"),
        ({"shapedirs": np.zeros((60, 3, 4))}, r"shapedirs must have shape .* got \(60, 3, 4\)"),
        ({"posedirs": np.zeros((60, 3, 459))}, r"posedirs must have shape \(60, 3, 207\)"),
        ({"J_regressor": np.zeros((24, 6890))}, r"J_regressor must have shape \(24, 60\)"),
        ({"weights": np.zeros((60, 52))}, r"weights must have shape \(60, 24\)"),
        ({"f": np.zeros((20, 4), int)}, r"f \(faces\) must have shape"),
        ({"f": np.full((20, 3), 60)}, "names vertices 60 to 60, but there are 60"),
        ({"kintree_table": np.zeros((2, 52), int)}, r"got \(2, 52\) \(52: SMPL\+H"),
        ({"kintree_table": np.zeros((2, 24), int)}, "names parents"),
        ({"weights": np.full((60, 24), np.nan)}, "weights holds NaN"),
        ({"v_template": np.array([["a"] * 3] * 60)}, "v_template is not an array of numbers"),
    ],
)
def test_wrong_body_is_refused_by_array(tmp_path, synthetic_arrays, changes, message) -> None:
    path = write_npz(tmp_path / "wrong.npz", synthetic_arrays, **changes)
    with pytest.raises(ValueError, match=rf"wrong\.npz: .*{message}"):
        BodyModel.load(path)


def test_npz_with_python_objects_is_refused_unread(tmp_path, synthetic_arrays) -> None:
    path = write_npz(
        tmp_path / "objects.npz",
        synthetic_arrays,
        J_regressor=np.array(sparse.csc_matrix(synthetic_arrays["J_regressor"]), dtype=object),
    )
    with pytest.raises(ValueError, match=r"npz of plain arrays .* can be given as \.pkl"):
        BodyModel.load(path)


def test_body_of_another_mesh_needs_regressors(tmp_path, synthetic_arrays) -> None:
    path = write_npz(tmp_path / "body.npz", synthetic_arrays)
    with pytest.raises(ValueError, match=r"60 vertices needs its own .*\(31, 60\) and \(4, 60\)"):
        BodyModel.load(path)


def test_regressor_of_another_mesh_is_refused(tmp_path, synthetic_arrays, regressor_files) -> None:
    path = write_npz(tmp_path / "body.npz", synthetic_arrays)
    np.save(regressor_files["feet_regressor"], np.zeros((4, 6890)))
    with pytest.raises(ValueError, match=r"feet\.npy must have shape \(4, 60\).*got \(4, 6890\)"):
        BodyModel.load(path, **regressor_files)


def test_missing_regressor_is_named(tmp_path, synthetic_arrays) -> None:
    path = write_npz(tmp_path / "body.npz", synthetic_arrays)
    with pytest.raises(FileNotFoundError, match=r"regressor not found: .*none\.npy"):
        BodyModel.load(path, keypoint_regressor=tmp_path / "none.npy")


def test_smpl_mesh_without_regressors_gets_joints_and_public_vertices(
    tmp_path, smpl_sized_arrays, random_poses
) -> None:
    path = write_npz(tmp_path / "SMPL_NEUTRAL.npz", smpl_sized_arrays)
    body = BodyModel.load(path, dtype=torch.float64)
    output = body(*random_poses(1), vertices=True)
    elbow = output.keypoints31[:, WHAM31_NAMES.index("left_elbow")]
    assert elbow.shape == (1, 3)
    nose = output.keypoints31[:, WHAM31_NAMES.index("nose")]
    torch.testing.assert_close(nose, output.vertices[:, 332])
    torch.testing.assert_close(output.feet, output.vertices[:, [3216, 3387, 6617, 6787]])
    regressed = torch.from_numpy(smpl_sized_arrays["J_regressor"]) @ output.vertices
    torch.testing.assert_close(elbow, regressed[:, SMPL_JOINT_NAMES.index("left_elbow")])


def test_only_the_first_ten_shape_directions_are_used(tmp_path, smpl_sized_arrays) -> None:
    path = write_npz(tmp_path / "SMPL_NEUTRAL.npz", smpl_sized_arrays)
    assert read_smpl_arrays(path).shapedirs.shape == (6890, 3, 10)


def checkpoint_of(arrays, regressors) -> dict[str, torch.Tensor]:
    count = len(arrays["v_template"])
    held = {
        "v_template": arrays["v_template"],
        "shapedirs": arrays["shapedirs"],
        "posedirs": arrays["posedirs"].reshape(3 * count, 207).T,
        "J_regressor": arrays["J_regressor"],
        "lbs_weights": arrays["weights"],
        "faces_tensor": arrays["f"],
        "J_regressor_wham": regressors[0],
        "J_regressor_feet": regressors[1],
    }
    return {f"smpl.{name}": torch.from_numpy(np.array(value)) for name, value in held.items()}


def test_body_embedded_in_a_checkpoint_is_the_same(
    synthetic_arrays, synthetic_regressors, synthetic_body, random_poses
) -> None:
    state = checkpoint_of(synthetic_arrays, synthetic_regressors)
    body = BodyModel.from_wham_checkpoint(state, dtype=torch.float64)
    poses = random_poses(3)
    torch.testing.assert_close(body(*poses).keypoints31, synthetic_body(*poses).keypoints31)
    torch.testing.assert_close(
        body(*poses, vertices=True).vertices, synthetic_body(*poses, vertices=True).vertices
    )


def test_checkpoint_without_a_body_is_refused(synthetic_arrays, synthetic_regressors) -> None:
    state = checkpoint_of(synthetic_arrays, synthetic_regressors)
    del state["smpl.posedirs"]
    with pytest.raises(ValueError, match=r"no complete body: smpl\.posedirs missing"):
        BodyModel.from_wham_checkpoint(state)


@pytest.mark.shared
def test_golden_checkpoint_embeds_the_golden_body(shared_golden, golden_body, random_poses) -> None:
    file = torch.load(shared_golden / "wham" / "checkpoint.pth.tar", weights_only=True)
    body = BodyModel.from_wham_checkpoint(file["model"], dtype=torch.float64)
    poses = random_poses(3)
    torch.testing.assert_close(
        body(*poses).keypoints31, golden_body[0](*poses).keypoints31, rtol=0, atol=1e-6
    )
