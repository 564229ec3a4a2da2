"""Training in scaled numbers: the table, disturbances, pieces of roll-outs, and the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from humor_training_cases import NETWORK, make_library, plain_body, tiny_run
from typer.testing import CliRunner

from humor_ros.body.skeleton import SMPL_MIRROR
from humor_ros.cli import app
from humor_ros.humor import HumorNetwork, MotionState, roll_out
from humor_ros.humor.packed import PackedState
from humor_ros.humor.rigid import RigidBones
from humor_ros.training.humor_chase import RollOutChase, chase_terms
from humor_ros.training.humor_config import HumorDataConfig
from humor_ros.training.humor_motions import MocapMotions
from humor_ros.training.humor_noise import (
    CHANGES,
    disturbed,
    mirrored_changes,
    resized,
    sizes,
)
from humor_ros.training.humor_scaled_trainer import ScaledHumorTrainer
from humor_ros.training.humor_table import TransitionTable, changes
from humor_ros.training.humor_transitions import TransitionLibrary, mirrored

RIGID = replace(NETWORK, direct=True, rigid=True)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows_of(humor_library: TransitionLibrary, count: int = 40) -> torch.Tensor:
    return humor_library.draw(count, 1, seeded(), 0.0).past[:, 0]


def test_the_table_holds_what_the_decoder_should_write(humor_library: TransitionLibrary) -> None:
    batch = TransitionTable(humor_library).draw(60, seeded(), 0.5)
    before = PackedState.pack(MotionState.from_vector(batch.past))
    raw = torch.cat((batch.changes, torch.zeros(60, 9)), dim=1)
    torch.testing.assert_close(before.changed(raw).row(), batch.following, rtol=0, atol=2e-5)


def test_the_table_draws_transitions_of_the_library(humor_library: TransitionLibrary) -> None:
    batch = TransitionTable(humor_library).draw(200, seeded(), 0.0)
    all_rows = torch.cat(
        [
            humor_library.windows(torch.tensor([clip]), torch.tensor([0]), int(length) - 1).past[0]
            for clip, length in enumerate(humor_library.clips.length)
        ]
    )
    nearest = torch.cdist(batch.past, all_rows, compute_mode="donot_use_mm_for_euclid_dist")
    assert float(nearest.amin(dim=1).max()) < 1e-4
    assert 0 < float(batch.flat.mean()) < 1  # of both clips


def test_changes_are_mirrored_as_rows_are(humor_library: TransitionLibrary) -> None:
    window = humor_library.draw(8, 1, seeded(), 0.0)
    other = mirrored(window, torch.ones(8, dtype=torch.bool))
    order, sign = mirrored_changes(torch.tensor(SMPL_MIRROR[:22]))
    wanted = changes(other.past[:, 0], other.following[:, 0])
    found = changes(window.past[:, 0], window.following[:, 0])[:, order] * sign
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


def test_disturbed_bodies_keep_bones_heading_and_place(humor_library: TransitionLibrary) -> None:
    rows = rows_of(humor_library)
    after, noise = disturbed(rows, 1.0, seeded())
    states = [PackedState.pack(MotionState.from_vector(r)) for r in (rows, after)]
    bones = [RigidBones.of(state).bones for state in states]
    torch.testing.assert_close(*bones, rtol=0, atol=1e-5)
    torch.testing.assert_close(
        states[1].heading(), torch.eye(3).expand(40, 3, 3), rtol=0, atol=0.02
    )
    assert torch.equal(states[1].trans[:, :2], states[0].trans[:, :2])
    assert float(noise.abs().amax(dim=1).min()) > 0
    # By what it says: the change back leads to the state it was made of, but for turns' order.
    back = states[1].changed(torch.cat((-noise, torch.zeros(40, 9)), dim=1)).row()
    torch.testing.assert_close(back, rows, rtol=0, atol=2e-3)


def test_a_share_of_none_disturbs_nobody_and_of_some_some(humor_library: TransitionLibrary) -> None:
    rows = rows_of(humor_library, 300)
    after, noise = disturbed(rows, 0.0, seeded())
    assert torch.equal(after, rows)
    assert float(noise.abs().max()) == 0
    touched = (disturbed(rows, 0.3, seeded())[1] != 0).any(dim=1).float().mean()
    assert float(touched) == pytest.approx(0.3, abs=0.08)


def test_enlarged_transitions_are_transitions(humor_library: TransitionLibrary) -> None:
    window = humor_library.draw(5, 1, seeded(), 0.0)
    factor = sizes(5, 0.2, seeded())
    past, following = (resized(r[:, 0], factor) for r in (window.past, window.following))
    state = MotionState.from_vector(past)
    plain = MotionState.from_vector(window.past[:, 0])
    for name in ("trans", "trans_vel"):
        torch.testing.assert_close(getattr(state, name), getattr(plain, name) * factor)
    for name in ("joints", "joints_vel"):
        torch.testing.assert_close(getattr(state, name), getattr(plain, name) * factor[:, None])
    for name in ("root_orient", "root_orient_vel", "pose_body"):
        assert torch.equal(getattr(state, name), getattr(plain, name))
    wanted = resized(changes(window.past[:, 0], window.following[:, 0]), factor)
    torch.testing.assert_close(changes(past, following), wanted, rtol=0, atol=1e-5)


def test_clips_share_few_shapes_where_told(humor_folder: Path) -> None:
    config = HumorDataConfig(default_shape_share=0.0, distinct_shapes=1)
    source = MocapMotions.load(humor_folder, "train", plain_body(), config)
    betas = TransitionLibrary(source, seeded(3)).betas
    assert torch.equal(betas[0], betas[1])
    assert float(betas.abs().max()) > 0
    own = make_library(humor_folder, shapes=3).betas
    assert not torch.equal(own[0], own[1])


@pytest.mark.parametrize("what", ["dropout", "blur"])
def test_noise_on_the_networks_is_of_training_alone(
    humor_folder: Path, tmp_path: Path, what: str
) -> None:
    trainer = run(humor_folder, tmp_path, **{what: 0.5})
    rows, z = rows_of(trainer.training, 4), torch.zeros(4, RIGID.latent_size)
    network = trainer.network.train()
    trainer.train_step()  # its piece leaves the noise on
    network.train()
    assert not torch.equal(network.decode_raw(z, rows), network.decode_raw(z, rows))
    network.eval()
    assert torch.equal(network.decode_raw(z, rows), network.decode_raw(z, rows))


def test_a_piece_that_is_the_recording_costs_nothing_but_the_truth_s_sliding(
    humor_library: TransitionLibrary,
) -> None:
    torch.manual_seed(0)
    window = humor_library.draw(4, 6, seeded(), 0.0)
    rolled = roll_out(HumorNetwork(RIGID), MotionState.from_vector(window.past[:, 0]), n_steps=6)
    logits = 20 * (2 * window.contacts - 1)
    true = replace(
        rolled,
        states=replace(rolled.states, joints=window.joints),
        steps=replace(rolled.steps, following=torch.cat((window.following, logits), dim=-1)),
    )
    terms = chase_terms(true, window)
    for name in ("root", "joints", "local", "rotations", "velocities", "contacts"):
        assert float(terms[name]) < 1e-5, name
    moved = chase_terms(
        replace(true, states=replace(true.states, joints=window.joints + 0.3)), window
    )
    assert float(moved["root"]) == pytest.approx(0.3 * 2**0.5 - 0.01, abs=0.002)
    assert float(moved["local"]) < 1e-5


def test_a_person_who_explodes_is_left_out(humor_library: TransitionLibrary) -> None:
    window = humor_library.draw(2, 3, seeded(), 0.0)
    torch.manual_seed(0)
    rolled = roll_out(HumorNetwork(RIGID), MotionState.from_vector(window.past[:, 0]), n_steps=3)
    joints = rolled.states.joints.clone()
    joints[0] = torch.nan
    terms = chase_terms(replace(rolled, states=replace(rolled.states, joints=joints)), window)
    assert bool(torch.isfinite(terms["root"]))


def test_pieces_go_on_from_what_was_predicted(humor_library: TransitionLibrary) -> None:
    torch.manual_seed(0)
    network = HumorNetwork(RIGID).requires_grad_(False)
    for parameter in network.decoder.net[-1].parameters():
        parameter.mul_(0.01)
    chase = RollOutChase(humor_library, 6, 0.5, pieces=3, disturbed_share=0.0)
    generator = seeded()
    chase.terms(network, 4, generator)
    own, left = chase.state_dict()["own"].clone(), chase.state_dict()["left"].clone()
    place = chase.state_dict()["place"].clone()
    assert bool((left >= 0).all())
    assert bool((left > 0).any())
    chase.terms(network, 4, generator)
    after = chase.state_dict()
    goes_on = (left > 0) & (after["place"] == place + 4)
    assert bool(goes_on.any())
    again = roll_out(network, MotionState.from_vector(own), n_steps=4).steps.following[:, -1]
    height = MotionState.from_vector(again).trans[goes_on, 2]
    torch.testing.assert_close(after["own"][goes_on, 2], height, rtol=0, atol=1e-5)


def run(humor_folder: Path, output: Path, steps: int = 6, **optim: float) -> ScaledHumorTrainer:
    scaled = {"scaled": True, "supervised_until": 0.5, "forecast_pieces": 2, "forecast_every": 2}
    config = replace(
        tiny_run(**scaled, **optim),
        network=RIGID,
        steps=steps,
        validate_every=1000,
    )
    humor_library = make_library(humor_folder, shapes=1)
    return ScaledHumorTrainer(config, plain_body(), humor_library, None, output, lambda: 0.0)


def test_a_resumed_run_is_the_uninterrupted_one(humor_folder: Path, tmp_path: Path) -> None:
    noisy = {"dropout": 0.2, "blur": 0.1, "forecast_sampled": 0.5, "forecast_disturbed": 0.5}
    names = ("whole", "parts", "parts")
    whole, first, second = (run(humor_folder, tmp_path / name, **noisy) for name in names)
    torch.manual_seed(0)  # of dropout and blur, which the snapshot keeps too
    whole.run()
    torch.manual_seed(0)
    for _ in range(3):
        first.train_step()
    first.save()
    second.resume()
    second.run()
    parts = [[p.detach() for p in t.network.parameters()] for t in (whole, second)]
    assert all(torch.equal(a, b) for a, b in zip(*parts, strict=True))


def test_it_learns_and_gives_the_published_form(humor_folder: Path, tmp_path: Path) -> None:
    trainer = run(humor_folder, tmp_path, steps=80)
    # A linear prediction knows these two clips by heart; contacts it does not know.
    losses = [trainer.train_step().terms["contacts"] for _ in range(80)]
    assert sum(losses[-20:]) < 0.7 * sum(losses[:20])
    network = trainer.averaged_network()
    assert network.scaling is None
    assert network.state_dict().keys() == HumorNetwork(RIGID).state_dict().keys()
    assert network.decoder.direct is not None
    assert network.decoder.direct.shape == (CHANGES + 9, 339)


def test_the_command_trains_what_the_configuration_says(humor_folder: Path, tmp_path: Path) -> None:
    settings = tmp_path / "scaled.yaml"
    settings.write_text(
        "steps: 3\nlog_every: 1\nvalidate_every: 100\nmixture_components: 2\nmixture_frames: 200\n"
        "network: {latent_size: 6, encoder_widths: [32], prior_widths: [32],"
        " decoder_widths: [32], groups: 4, direct: true, rigid: true}\n"
        "loss: {forecast: 1}\n"
        "optim: {optimiser: adamw, scaled: true, single_steps: 16, forecast_batch: 4,"
        " forecast_steps: 4, schedule: cosine}\n"
    )
    out = tmp_path / "run"
    command = ["train", "humor", "--data", str(humor_folder), "--config", str(settings)]
    done = CliRunner().invoke(app, [*command, "--output", str(out)])
    assert done.exit_code == 0, done.output
    header, *rows = (out / "curve.csv").read_text().splitlines()
    assert "forecast_root" in header
    assert len(rows) == 3
    assert all(len(row.split(",")) == len(header.split(",")) for row in rows)
    assert (out / "weights.safetensors").is_file()


@pytest.mark.parametrize(
    ("bad", "name"),
    [({"disturbed_share": 1.5}, "disturbed_share"), ({"forecast_pieces": 0}, "_pieces")],
)
def test_bad_settings_are_named(bad: dict[str, float], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        tiny_run(**bad)
