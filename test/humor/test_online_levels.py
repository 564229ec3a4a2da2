"""People who come to stand on something else: one plane for all, and none for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from stream_cases import human_of, stream_of
from track_cases import CAMERA, FOCAL, person

from humor_ros.body import BodyModel
from humor_ros.humor.common_ground import LevelWatch, is_apart
from humor_ros.humor.online import OnlineSmoother
from humor_ros.humor.online_config import OnlineConfig
from humor_ros.humor.refined_image import RefinedImage
from humor_ros.humor.seen import SeenImage
from humor_ros.humor.window_body import SolverBody
from humor_ros.humor.window_config import WindowConfig

FAST = WindowConfig(frames=14, hop=4, lag=3, iterations=1, cold_iterations=1)
BOX_M = 0.6
FRAMES = 110
CHANGE = 40


@pytest.fixture
def smoother(free_body: BodyModel) -> OnlineSmoother:
    return OnlineSmoother(None, free_body, OnlineConfig(FAST, max_people=2, max_lag_s=1.0))


def lifted(rows: dict[str, NDArray[Any]], frames: slice) -> dict[str, NDArray[Any]]:
    """The person on a box in some frames, in the world as in the image."""
    for key in ("root_position_world", "joints_world", "contact_positions_world"):
        rows[key][frames, ..., 2] += BOX_M
    up = CAMERA.T @ np.array([0.0, 0.0, BOX_M])
    for key in ("root_position_camera", "joints_camera", "coco17_camera"):
        rows[key][frames] += up
    coco = rows["coco17_camera"][frames]
    pixels = FOCAL * coco[..., :2] / coco[..., 2:] + np.array([640.0, 360.0])
    rows["keypoints_image"][frames, :, :2] = pixels
    return rows


def run(smoother: OnlineSmoother, images: list[SeenImage]) -> list[RefinedImage]:
    told: list[RefinedImage] = []
    for image in images:
        smoother.add(image)
        while (hop := smoother.begin_hop()) is not None:
            hop.solve()
            assert not hop.error
            smoother.end_hop(hop)
        told += smoother.ready()
    return told


def away(told: list[RefinedImage], rows: dict[str, NDArray[Any]], name: str) -> NDArray[Any]:
    """(n,) how far the refined person is from the tracked one, metres."""
    roots = [
        human.state.root_position_world
        for entry in told
        for human in entry.humans
        if human.state.person_id == name
    ]
    wanted = [human_of(rows, index).root_position_world for index in range(len(roots))]
    return np.linalg.norm(np.array(roots) - np.array(wanted), axis=-1)


@pytest.mark.parametrize("on_box", [slice(CHANGE, None), slice(0, CHANGE)], ids=["up", "down"])
def test_whoever_changes_level_is_let_go_after_a_second_and_the_plane_stays(
    smoother: OnlineSmoother, free_body: BodyModel, on_box: slice
) -> None:
    stays = person(free_body, FRAMES, name="bbbbb", seed=2)
    changes = lifted(person(free_body, FRAMES), on_box)
    told = run(smoother, stream_of(stays, changes))
    assert smoother.counts["levels_changed"] == 1
    assert smoother.counts["people_on_other_levels"] == 1
    assert away(told, changes, "aaaaa")[CHANGE + 45 :].max() < 0.08
    assert away(told, stays, "bbbbb")[CHANGE:].max() < 0.05
    ground = smoother.ground.mean()
    assert ground is not None
    assert abs(float(ground[0])) < 0.05
    assert [p.other_level for p in smoother.people if p.name == "aaaaa"] == [on_box.start > 0]


def test_the_ground_goes_with_the_only_person_there(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    rows = lifted(person(free_body, FRAMES), slice(CHANGE, None))
    told = run(smoother, stream_of(rows))
    ground = smoother.ground.mean()
    assert ground is not None
    assert float(ground[0]) > 0.4 * BOX_M
    assert away(told, rows, "aaaaa")[CHANGE + 45 :].max() < 0.1


def test_a_plane_on_which_nobody_stands_any_more_is_renewed(
    smoother: OnlineSmoother, free_body: BodyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humor_ros.humor.footing._RENEWED_AFTER", 30)
    smoother.ground.see("gone", torch.tensor([0.0, 0.0, 0.0], dtype=torch.float64), 90)
    smoother.ground.leave("gone")
    run(smoother, stream_of(lifted(person(free_body, 70), slice(0, None))))
    assert smoother.counts["people_on_other_levels"] == 1
    assert smoother.counts["grounds_renewed"] == 1
    ground = smoother.ground.mean()
    assert ground is not None
    assert float(ground[0]) == pytest.approx(BOX_M, abs=0.05)
    assert smoother.ground.people == 1


def test_a_known_ground_stays_whoever_leaves_it(free_body: BodyModel) -> None:
    config = OnlineConfig(FAST, max_people=2, max_lag_s=1.0, ground_height_m=0.0)
    smoother = OnlineSmoother(None, free_body, config)
    rows = lifted(person(free_body, FRAMES), slice(CHANGE, None))
    told = run(smoother, stream_of(rows))
    ground = smoother.ground.mean()
    assert ground is not None
    assert ground.tolist() == [0.0, 0.0, 0.0]
    assert away(told, rows, "aaaaa")[CHANGE + 45 :].max() < 0.1
    smoother.reset()
    assert smoother.ground.mean() is not None


def test_a_known_ground_must_be_a_number() -> None:
    with pytest.raises(ValueError, match="ground_height_m"):
        OnlineConfig(ground_height_m=float("nan"))


def test_a_jump_is_no_other_level(free_body: BodyModel) -> None:
    watch, body = LevelWatch(), SolverBody(free_body)
    images = stream_of(person(free_body, 40))
    smoother = OnlineSmoother(None, free_body, OnlineConfig(FAST))
    for image in images:
        smoother.add(image)
    hop = smoother.begin_hop()
    assert hop is not None
    ground = torch.tensor([-BOX_M, 0.0, 0.0], dtype=torch.float64)
    flying = hop.seen.cut(0, hop.seen.frames)
    flying.contacts.zero_()
    for _ in range(20):
        assert not watch.left(body, flying, ground)
    assert not watch.in_doubt


def test_feet_must_rest_elsewhere_for_a_second_without_a_break(free_body: BodyModel) -> None:
    watch, body = LevelWatch(), SolverBody(free_body)
    smoother = OnlineSmoother(None, free_body, OnlineConfig(FAST))
    for image in stream_of(person(free_body, 14)):
        smoother.add(image)
    hop = smoother.begin_hop()
    assert hop is not None
    ten = hop.seen.cut(0, 10)
    here, below = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    below[0] = -BOX_M
    told = [watch.left(body, ten, ground) for ground in (below, below, here, below, below, below)]
    assert told == [False, False, False, False, False, True]


def test_slopes_count_where_two_grounds_are_compared() -> None:
    level, slope = torch.zeros(3), torch.tensor([0.0, 0.1, 0.0])
    assert not is_apart(level, slope, torch.tensor([1.0, 5.0]))
    assert is_apart(level, slope, torch.tensor([5.0, 0.0]))
