"""Published files: what loads, and what is said about those that do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from humor_cases import SMALL, SMOOTH, body_arrays, make_network, noise
from safetensors.torch import save_file

from humor_ros.humor.body import HumorBody
from humor_ros.humor.mixture import FEATURE_SIZE, InitialStateMixture
from humor_ros.humor.pose_prior import VPoser
from humor_ros.humor.weights import load_network, load_published, read_metadata, save_safetensors
from humor_ros.weight_files import CheckpointError


def write(path: Path, weights: dict[str, torch.Tensor]) -> Path:
    torch.save({"model": weights, "optim": {}, "epoch": 3, "min_val_loss": np.float64(0.5)}, path)
    return path


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    return {k: v.float().clone() for k, v in make_network().state_dict().items()}


def test_a_checkpoint_comes_back(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    network = load_published(write(tmp_path / "best_model.pth", weights))
    assert network.config == SMALL
    past = noise(2, 339).float()
    expected = make_network().float().prior(past).mean
    torch.testing.assert_close(network.prior(past).mean, expected)


def test_parallel_prefixes_and_bodies_are_taken_off(
    weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    named = {f"module.{k}": v for k, v in weights.items()}
    named["module.male_bm.bm.v_template"] = torch.zeros(3, 3)
    assert load_published(write(tmp_path / "best_model.pth", named)).config == SMALL


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.pth"):
        load_published(tmp_path / "nothing.pth")


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.95])
def test_a_truncated_file_is_refused(
    weights: dict[str, torch.Tensor], tmp_path: Path, keep: float
) -> None:
    path = write(tmp_path / "best_model.pth", weights)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(CheckpointError, match=r"best_model\.pth cannot be read"):
        load_published(path)


def test_a_flipped_byte_is_noticed(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = write(tmp_path / "best_model.pth", weights)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_published(path)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "best_model.pth"
    torch.save({"model": Path("x")}, path)
    with pytest.raises(CheckpointError):
        load_published(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("decoder.net.3.bias"), r"lacks tensors: decoder\.net\.3\.bias"),
        (lambda w: w.pop("prior_net.net.0.weight"), r"prior_net\.net\.0\.weight"),
        (lambda w: w.update(other=torch.zeros(1)), "unknown tensors: other"),
        (lambda w: w.update({"encoder.net.0.bias": torch.zeros(7)}), "has wrong tensors"),
        (lambda w: w.update({"prior_net.net.0.weight": torch.zeros(32, 207)}), "207"),
        (lambda w: w["encoder.net.0.bias"].fill_(torch.nan), "NaN"),
    ],
)
def test_other_tensors_are_refused_by_name(
    weights: dict[str, torch.Tensor], tmp_path: Path, change, message: str
) -> None:
    change(weights)
    with pytest.raises(CheckpointError, match=message):
        load_published(write(tmp_path / "best_model.pth", weights))


@pytest.mark.parametrize("content", [{"epoch": 1}, [1, 2], {"model": {"a": 1}}])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "best_model.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="'model'"):
        load_published(path)


def mixture_arrays(size: int = FEATURE_SIZE) -> dict[str, np.ndarray]:
    return {
        "weights": np.array([0.25, 0.75]),
        "means": np.stack((np.zeros(size), np.ones(size))),
        "covariances": np.stack((np.eye(size), 2.0 * np.eye(size))),
    }


def test_a_mixture_has_its_density(tmp_path: Path) -> None:
    path = tmp_path / "prior_gmm.npz"
    np.savez(path, **mixture_arrays())
    mixture = InitialStateMixture.load(path, dtype=torch.float64)
    x = noise(3, FEATURE_SIZE)
    parts = [
        torch.distributions.MultivariateNormal(
            torch.full((FEATURE_SIZE,), mean, dtype=x.dtype),
            scale * torch.eye(FEATURE_SIZE, dtype=x.dtype),
        ).log_prob(x)
        + np.log(weight)
        for mean, scale, weight in ((0.0, 1.0, 0.25), (1.0, 2.0, 0.75))
    ]
    torch.testing.assert_close(mixture.log_prob(x), torch.logaddexp(*parts))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("means"), "lacks the arrays means"),
        (lambda a: a.update(weights=np.array([1.0, -1.0])), "weights must be positive"),
        (lambda a: a.update(weights=np.ones(3)), "shapes"),
        (lambda a: a.update(covariances=-a["covariances"]), "positive definite"),
        (lambda a: a.update(covariances=a["covariances"][:, :5]), "covariances must have shape"),
        (lambda a: a.update(means=np.full_like(a["means"], np.nan)), "finite"),
    ],
)
def test_an_unusable_mixture_is_named(tmp_path: Path, change, message: str) -> None:
    arrays = mixture_arrays()
    change(arrays)
    path = tmp_path / "prior_gmm.npz"
    np.savez(path, **arrays)
    with pytest.raises(CheckpointError, match=message):
        InitialStateMixture.load(path)


def test_a_mixture_over_other_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prior_gmm.npz"
    np.savez(path, **mixture_arrays(7))
    with pytest.raises(CheckpointError, match="138"):
        InitialStateMixture.load(path)


def test_a_truncated_mixture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prior_gmm.npz"
    np.savez(path, **mixture_arrays())
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="initial-state mixture"):
        InitialStateMixture.load(path)


def test_samples_of_a_mixture_have_its_moments() -> None:
    mixture = InitialStateMixture(**mixture_arrays(2), dtype=torch.float64)
    x = mixture.sample(40_000, torch.Generator().manual_seed(0))
    # weights 1/4 and 3/4, means 0 and 1, variances 1 and 2
    torch.testing.assert_close(x.mean(dim=0), torch.full_like(x[0], 0.75), rtol=0, atol=0.03)
    torch.testing.assert_close(x.var(dim=0), torch.full_like(x[0], 1.9375), rtol=0, atol=0.06)


def test_vposer_comes_back_and_inverts_itself_in_shape(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "vposer.pt"
    torch.save(VPoser(latent_size=8, width=16).state_dict(), path)
    prior = VPoser.load(path)
    pose = prior.decode(noise(2, 3, 8).float())
    assert pose.shape == (2, 3, 21, 3, 3)
    assert prior.encode(pose).shape == (2, 3, 8)
    identity = torch.eye(3).expand_as(pose)
    torch.testing.assert_close(pose @ pose.transpose(-1, -2), identity, rtol=0, atol=1e-5)


def test_other_weights_are_no_vposer(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "vposer.pt"
    torch.save(weights, path)
    with pytest.raises(CheckpointError, match=r"not VPoser v1\.0"):
        VPoser.load(path)


def test_a_body_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    np.savez(path, **body_arrays(52))
    body = HumorBody.load(path)
    assert (body.num_vertices, body.num_betas) == (200, 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("weights"), "weights missing"),
        (lambda a: a.update(posedirs=a["posedirs"][..., :9]), "posedirs"),
        (lambda a: a["v_template"].fill(np.nan), "NaN"),
        (lambda a: a["kintree_table"][0].__setitem__(5, 1), "kintree_table"),
    ],
)
def test_an_unusable_body_is_named(tmp_path: Path, change, message: str) -> None:
    arrays = body_arrays()
    change(arrays)
    path = tmp_path / "model.npz"
    np.savez(path, **arrays)
    with pytest.raises(CheckpointError, match=message):
        HumorBody.load(path)


@pytest.mark.parametrize(("half", "atol"), [(False, 0.0), (True, 1e-3)])
def test_our_own_file_comes_back_with_its_configuration(
    tmp_path: Path, half: bool, atol: float
) -> None:
    path = tmp_path / "humor.safetensors"
    network = make_network(SMOOTH).float()
    save_safetensors(network, path, half=half, metadata={"made": "by a test"})
    back = load_network(path)
    assert back.config == SMOOTH
    assert read_metadata(path)["made"] == "by a test"
    past = noise(2, 339).float()
    torch.testing.assert_close(back.prior(past).mean, network.prior(past).mean, rtol=0, atol=atol)


def test_a_truncated_file_of_our_own_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "humor.safetensors"
    save_safetensors(make_network(), path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_network(path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, str(path), metadata={"format": "other"})
    with pytest.raises(CheckpointError, match="not a HuMoR weight file"):
        load_network(path)


def test_a_header_without_configuration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "humor.safetensors"
    save_file({"a": torch.zeros(2)}, str(path), metadata={"format": "humor_ros/humor/1"})
    with pytest.raises(CheckpointError, match="configuration"):
        load_network(path)
