"""How far away people are: what a moving camera, a known ground and sizes tell of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from humor_cases import DTYPE, SMOOTH, make_network
from numpy.typing import NDArray
from track_cases import CAMERA, CENTRE, FOCAL, person, track_of

from humor_ros.body import BodyModel
from humor_ros.geometry import axis_angle_to_matrix
from humor_ros.humor import HumorNetwork
from humor_ros.humor.models import load_prior
from humor_ros.humor.observations import observe_person
from humor_ros.humor.smoothing import smooth_by_window
from humor_ros.humor.window import guess_ground, tracker_motion
from humor_ros.humor.window_body import SolverBody
from humor_ros.humor.window_config import WindowConfig, WindowWeights
from humor_ros.humor.window_normal import NormalEquations
from humor_ros.humor.window_problem import WindowProblem
from humor_ros.humor.window_terms import observation_cost
from humor_ros.humor.window_values import WindowMotion
from humor_ros.humor.window_volume import add_volume, volume_energy

#: What the tracker makes of people: this much smaller and nearer.
SHARE = 0.92
#: The first entry of the shape that makes a body that small; it adds 5.2 % to its height.
SMALL = (SHARE - 1.0) / 0.0516


@pytest.fixture(scope="module")
def packaged() -> HumorNetwork:
    return load_prior().network


def near_person(body: BodyModel, frames: int, sideways_m: float) -> dict[str, NDArray[Any]]:
    """Somebody whom the tracker takes for smaller and nearer, before a camera that passes by.

    Args:
        body: of the person.
        frames: consecutive ones.
        sideways_m: way of the camera in all.
    """
    rows = person(body, frames, noise=0.002)
    centre = CENTRE + np.linspace(-0.5, 0.5, frames)[:, None] * np.array([sideways_m, 0.0, 0.0])
    coco = rows["coco17_camera"] @ CAMERA.T + CENTRE
    local = (coco - centre[:, None]) @ CAMERA
    rows["keypoints_image"][..., :2] = FOCAL * local[..., :2] / local[..., 2:] + [640.0, 360.0]
    pixels = rows["keypoints_image"][..., :2]
    rows["box_xyxy"] = np.concatenate((pixels.min(1), pixels.max(1)), axis=-1)
    rows["position_world_camera"] = centre
    for key in ("joints_world", "contact_positions_world"):
        rows[key] = centre[:, None] + SHARE * (rows[key] - centre[:, None])
    rows["root_position_world"] = centre + SHARE * (rows["root_position_world"] - centre)
    for name, key in (("joints_camera", "joints_world"), ("coco17_camera", "")):
        world = rows[key] if key else centre[:, None] + SHARE * (coco - centre[:, None])
        rows[name] = (world - centre[:, None]) @ CAMERA
    rows["root_position_camera"] = rows["joints_camera"][:, 0]
    rows["betas"] = np.tile([SMALL, *([0.0] * 9)], (frames, 1))
    return rows


def too_near(root: NDArray[Any], rows: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """(T,) metres by which roots are nearer to the camera's plane than the person was."""
    centre = rows["position_world_camera"]
    true = centre + (rows["root_position_world"] - centre) / SHARE
    return np.asarray((true - root)[:, 1], dtype=float)


def test_a_camera_that_passes_by_tells_how_far_away_people_are(
    free_body: BodyModel, packaged: HumorNetwork
) -> None:
    rows = near_person(free_body, 110, sideways_m=2.0)
    found = smooth_by_window(track_of(rows), packaged, free_body)
    before = too_near(rows["root_position_world"], rows)
    after = too_near(found.columns["root_position_world"], rows)
    assert before[-20:].mean() == pytest.approx(0.32, abs=0.02)
    assert abs(after[-20:].mean()) < 0.55 * before[-20:].mean()


def test_a_known_ground_tells_how_far_away_people_are(
    free_body: BodyModel, packaged: HumorNetwork
) -> None:
    rows = near_person(free_body, 60, sideways_m=0.0)
    floor = torch.zeros(3, dtype=torch.float64)
    found = smooth_by_window(track_of(rows), packaged, free_body, ground=floor)
    without = smooth_by_window(track_of(rows), packaged, free_body)
    before = too_near(rows["root_position_world"], rows).mean()
    assert abs(too_near(found.columns["root_position_world"], rows).mean()) < 0.7 * before
    # With neither there is nothing to tell it by: it stays about where the tracker has it.
    unknown = too_near(without.columns["root_position_world"], rows).mean()
    assert unknown == pytest.approx(before, abs=0.15)


@pytest.mark.parametrize("camera_known", [True, False])
@pytest.mark.parametrize("with_prior", [False, True])
def test_gradients_of_a_window_are_those_of_its_energy(
    with_prior: bool, camera_known: bool
) -> None:
    body = BodyModel.load(dtype=DTYPE)
    solver_body = SolverBody(body)
    seen = observe_person(track_of(near_person(BodyModel.load(), 9, 0.3)))[0][0].seen
    seen = replace(seen, camera_known=camera_known)
    network = None
    if with_prior:
        network = make_network(SMOOTH)
        network.decoder.net[-1].weight.mul_(0.02)
        network.decoder.net[-1].bias.mul_(0.02)
    # Ground, slopes and contacts that are not met, so that all terms have slopes.
    config = WindowConfig(weights=WindowWeights(ground_slope=0.1))
    ground = guess_ground(solver_body, seen) + torch.tensor([0.03, 0.01, 0.02], dtype=DTYPE)
    problem = WindowProblem(network, solver_body, config, seen, ground_guess=ground - 0.01)
    start = tracker_motion(seen, ground, SMOOTH.latent_size if with_prior else 0)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(9, 3, generator=generator, dtype=DTYPE)
    start = replace(start, root=start.root + 0.004 * noise)
    problem.freeze(start)
    linear = problem.linearise(start, hold=True)
    assert problem.stances is not None
    assert len(problem.stances) > 0
    assert (problem.metric > 0) == with_prior  # it counts where the camera is known

    moves = torch.zeros(9, 66 + 3, dtype=DTYPE, requires_grad=True)
    betas = start.betas.clone().requires_grad_()
    level = start.ground.clone().requires_grad_()
    turned = axis_angle_to_matrix(moves[:, 3:].unflatten(1, (-1, 3))) @ start.rotations
    moved = replace(
        start, root=start.root + moves[:, :3], rotations=turned, betas=betas, ground=level
    )
    total = problem.energy(moved)
    assert float(total.detach()) == pytest.approx(linear.cost, rel=1e-6)
    total.backward()
    assert moves.grad is not None
    assert level.grad is not None
    if not with_prior:  # with one the latents' pull is in the frames' gradient, too
        limit = 2e-3 * float(moves.grad.abs().max())
        torch.testing.assert_close(linear.normal.gradient, moves.grad, atol=limit, rtol=0)
    gradient = linear.normal.border_gradient[10:13]
    torch.testing.assert_close(gradient, level.grad, atol=0.1, rtol=1e-3)


def test_an_image_of_a_camera_of_unknown_place_tells_of_the_pose_alone(
    free_body: BodyModel,
) -> None:
    seen = observe_person(track_of(near_person(free_body, 6, 0.0)))[0][0].seen
    solver_body = SolverBody(BodyModel.load(dtype=DTYPE))
    start = tracker_motion(seen, guess_ground(solver_body, seen), 0)
    image = {"joints": 0.0, "pose": 0.0, "orientation": 0.0, "root": 0.0, "root_step": 0.0}
    rest = {"contact_velocity": 0.0, "contact_height": 0.0, "penetration": 0.0, "stance": 0.0}
    weights = WindowWeights(depth=0.0, joint_height=0.0, acceleration=0.0, **image, **rest)
    moved = replace(start, root=start.root + torch.tensor([0.0, 0.5, 0.0], dtype=DTYPE))
    nothing = torch.zeros(6, 9, dtype=DTYPE)

    def energy(motion: WindowMotion, *, known: bool) -> float:
        points = solver_body(motion.betas, motion.rotations, motion.root)
        told = replace(seen, camera_known=known)
        return float(observation_cost(motion, points, told, weights, nothing))

    assert energy(moved, known=False) == pytest.approx(energy(start, known=False))
    assert energy(moved, known=True) > 2.0 * energy(start, known=True)

    # Nor does the pose make up for a tracker that is wrong about where the person is from it.
    seen = replace(seen, pixels=seen.pixels + torch.tensor([0.02, 0.0], dtype=DTYPE))
    assert energy(start, known=False) < 0.3 * energy(start, known=True)


def test_volume_makes_people_no_nearer_and_no_farther_where_the_camera_is_unknown() -> None:
    seen = observe_person(track_of(near_person(BodyModel.load(), 6, 0.0)))[0][0].seen
    root = (seen.root * 1.1).requires_grad_()
    volume_energy(root, seen, 5.0).backward()
    normal = NormalEquations(6)
    add_volume(root.detach(), seen, 5.0, normal)
    torch.testing.assert_close(normal.gradient[:, :3], root.grad)
    # Twice the distance saves as much energy as ten metric residuals gain on twice the size.
    centre = seen.camera_position
    far = volume_energy(centre + 2.0 * (seen.root - centre), seen, 5.0)
    assert float(far) == pytest.approx(-10.0 * np.log(2.0))
    blind = replace(seen, camera_known=False)
    assert float(volume_energy(root.detach(), blind, 5.0)) == 0.0
