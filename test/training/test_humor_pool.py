"""A pool of roll-outs is scheduled sampling, spread over training steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from humor_training_cases import NETWORK, make_library, plain_body, tiny_run

from humor_ros.humor import HumorNetwork, MotionState
from humor_ros.humor.rollout import roll_out
from humor_ros.training.humor_losses import run_transitions
from humor_ros.training.humor_pool import RollOutPool
from humor_ros.training.humor_trainer import HumorTrainer
from humor_ros.training.humor_transitions import TransitionLibrary


def test_a_person_of_the_pool_walks_through_one_roll_out(humor_library: TransitionLibrary) -> None:
    torch.manual_seed(0)
    network = HumorNetwork(NETWORK)
    pool = RollOutPool(humor_library, 1, 4, 0.0)
    generator = torch.Generator().manual_seed(0)
    pasts, predictions, latents = [], [], []
    for _ in range(4):
        window = pool.next(generator)
        answer = run_transitions(network, window, None)
        pool.advance(answer.predicted)
        pasts.append(window.past[:, 0])
        predictions.append(answer.predicted.vector()[:, 0])
        latents.append(answer.posterior.mean[:, 0])
    with torch.no_grad():
        first = MotionState.from_vector(pasts[0])
        rolled = roll_out(network, first, torch.stack(latents, dim=1)).steps
    torch.testing.assert_close(torch.stack(pasts, dim=1), rolled.past, rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.stack(predictions, dim=1), rolled.following, rtol=0, atol=1e-5)


def test_a_finished_roll_out_begins_with_the_truth(humor_library: TransitionLibrary) -> None:
    pool = RollOutPool(humor_library, 3, 2, 0.0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        window = pool.next(generator)
        pool.advance(MotionState.from_vector(window.following + 0.01))
    state = MotionState.from_vector(pool.next(generator).past[:, 0])
    rotations = torch.cat((state.root_orient[:, None], state.pose_body), dim=1)
    joints = plain_body().joints(torch.zeros(3, 10), rotations[:, None], state.trans[:, None])
    true = (joints[:, 0] - state.joints).norm(dim=-1).amax(dim=1) < 1e-4
    assert true.tolist() == [False, True, False]


@pytest.mark.parametrize("chance", [0.0, 0.5])
def test_some_steps_are_told_the_truth(humor_library: TransitionLibrary, chance: float) -> None:
    pool = RollOutPool(humor_library, 400, 5, 0.0)
    generator = torch.Generator().manual_seed(0)
    window = pool.next(generator, chance)
    pool.advance(MotionState.from_vector(window.following + 0.01))
    state = MotionState.from_vector(pool.next(generator, chance).past[:, 0])
    rotations = torch.cat((state.root_orient[:, None], state.pose_body), dim=1)
    joints = plain_body().joints(torch.zeros(400, 10), rotations[:, None], state.trans[:, None])
    true = (joints[:, 0] - state.joints).norm(dim=-1).amax(dim=1) < 1e-4
    # A fifth of the roll-outs begins anew.
    assert float(true.float().mean()) == pytest.approx(1.0 - 0.8 * chance, abs=0.06)


def test_a_prediction_beyond_all_motion_is_given_up(humor_library: TransitionLibrary) -> None:
    pool = RollOutPool(humor_library, 2, 5, 0.0)
    generator = torch.Generator().manual_seed(0)
    window = pool.next(generator)
    pool.advance(MotionState.from_vector(window.following * torch.tensor([[[1.0]], [[torch.nan]]])))
    assert bool(torch.isfinite(pool.next(generator).past).all())


def test_nothing_can_be_advanced_before_the_first_step(humor_library: TransitionLibrary) -> None:
    window = humor_library.windows(torch.tensor([0]), torch.tensor([0]), 1)
    with pytest.raises(ValueError, match=r"next\(\)"):
        RollOutPool(humor_library, 1, 4, 0.0).advance(MotionState.from_vector(window.following))


def test_a_resumed_pool_is_the_uninterrupted_one(humor_folder: Path, tmp_path: Path) -> None:
    config = tiny_run(supervised_until=0.0, own_output_from=0.0, pool_size=8)

    def trainer(name: str) -> HumorTrainer:
        humor_library = make_library(humor_folder, shapes=1)
        return HumorTrainer(config, plain_body(), humor_library, None, tmp_path / name, lambda: 0.0)

    whole, first, second = trainer("whole"), trainer("parts"), trainer("parts")
    whole.run()
    for _ in range(3):
        first.train_step()
    first.save()
    second.resume()
    second.run()
    parts = [[p.detach() for p in t.network.parameters()] for t in (whole, second)]
    assert all(torch.equal(a, b) for a, b in zip(*parts, strict=True))


def test_a_negative_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="pool_size must be at least 0"):
        replace(tiny_run().optim, pool_size=-1)
