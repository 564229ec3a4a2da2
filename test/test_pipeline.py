"""The whole tracker without ROS, on simulated people and a network with random weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import humor_ros.body as body_assets
from humor_ros.body import BodyModel
from humor_ros.geometry import PinholeCamera
from humor_ros.pipeline import FrameRejected, PipelineConfig, TrackingPipeline
from humor_ros.types import (
    Array,
    Detection,
    FrameResult,
    HumanState,
    Image,
    ImuSample,
    TrackingState,
)
from humor_ros.wham import WhamConfig, WhamNetwork
from humor_ros.wham.checkpoint import save_safetensors

SIZE = (640, 480)
BLANK = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)


class Stage:
    """A detector that sees simulated people; an empty box sees nobody."""

    def __init__(self, people: dict[str, Array]) -> None:
        self.people = people

    def detect(self, image_bgr: Image) -> list[Detection]:
        return [Detection(_box(points), 0.9, points.copy()) for points in self.people.values()]

    def refine(self, image_bgr: Image, boxes_xyxy: Array) -> Array:
        answers = []
        for box in boxes_xyxy:
            centre = (box[:2] + box[2:]) / 2
            nearest = min(
                self.people.values(),
                key=lambda p: float(np.linalg.norm(p[:, :2].mean(0) - centre)),
                default=np.zeros((17, 3)),
            )
            inside = np.linalg.norm(nearest[:, :2].mean(0) - centre) < (box[2] - box[0]) / 2
            answers.append(nearest if inside else np.zeros((17, 3)))
        return np.array(answers).reshape(-1, 17, 3)


def _box(points: Array) -> Array:
    return np.concatenate([points[:, :2].min(0), points[:, :2].max(0)])


def standing(x: float, depth: float = 4.0) -> Array:
    """Key-points (17, 3) of a person with hanging arms ``x`` metres right of the axis."""
    rotations = torch.eye(3).repeat(1, 24, 1, 1)
    rotations[0, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    points = BodyModel.load()(torch.zeros(1, 10), rotations).keypoints31[0, :17].double().numpy()
    points = points - points[11:13].mean(0) + np.array([x, 0.0, depth])
    pixels = PinholeCamera.assume(*SIZE).project(points)
    return np.concatenate([pixels, np.full((17, 1), 0.9)], axis=1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    config = WhamConfig(d_embed=32, n_layers=1, n_refiner_layers=1, d_feat=8, d_integrator=8)
    save_safetensors(WhamNetwork(config), path)
    return path


@pytest.fixture
def stage() -> Stage:
    return Stage({"left": standing(-1.0), "right": standing(1.0)})


def make(weights: Path, stage: Stage) -> TrackingPipeline:
    return TrackingPipeline(PipelineConfig(weights=weights), detector=stage)


def run(
    pipeline: TrackingPipeline, stamps: Sequence[float], image: Image = BLANK
) -> list[FrameResult]:
    return [pipeline.process(image, stamp) for stamp in stamps]


def frames(count: int, start: float = 10.0, rate: float = 30.0) -> list[float]:
    return [start + i / rate for i in range(count)]


def test_two_people_get_names_and_every_field_is_finite(weights: Path, stage: Stage) -> None:
    result = run(make(weights, stage), frames(10))[-1]
    assert len({human.person_id for human in result.humans}) == 2
    for human in result.humans:
        assert human.stamp_s == result.stamp_s
        for field in fields(HumanState):
            value = getattr(human, field.name)
            if isinstance(value, np.ndarray):
                assert np.isfinite(value).all(), field.name


def test_joints_in_camera_and_world_differ_by_one_rigid_motion(weights: Path, stage: Stage) -> None:
    for human in run(make(weights, stage), frames(8))[-1].humans:
        turn = human.root_orientation_world @ human.root_orientation_camera.T
        moved = (human.joints_camera - human.joints_camera[0]) @ turn.T
        np.testing.assert_allclose(moved + human.joints_world[0], human.joints_world, atol=1e-6)
        np.testing.assert_allclose(human.joints_world[0], human.root_position_world, atol=1e-9)


def test_one_person_leaving_changes_nothing_for_the_other(weights: Path) -> None:
    both = Stage({"left": standing(-1.0), "right": standing(1.0)})
    alone = Stage({"left": standing(-1.0), "right": standing(1.0)})
    first, second = make(weights, both), make(weights, alone)
    run(first, frames(15)), run(second, frames(15))
    del alone.people["right"]
    last, other = run(first, frames(15, 10.5))[-1], run(second, frames(15, 10.5))[-1]
    names = {human.person_id: human for human in other.humans}
    (left,) = (h for h in last.humans if h.keypoints_image[0, 0] < SIZE[0] / 2)
    np.testing.assert_allclose(left.joints_world, names[left.person_id].joints_world, atol=1e-4)


def test_a_lost_person_is_told_once(weights: Path, stage: Stage) -> None:
    pipeline = make(weights, stage)
    run(pipeline, frames(10))
    stage.people.clear()
    results = run(pipeline, frames(90, 10.0 + 10 / 30))
    lost = [
        h.person_id for r in results for h in r.humans if h.tracking_state is TrackingState.LOST
    ]
    assert len(lost) == len(set(lost)) == 2
    assert results[-1].humans == ()


def test_nobody_in_view_gives_an_empty_result(weights: Path) -> None:
    assert run(make(weights, Stage({})), frames(3))[-1].humans == ()


def test_an_image_that_is_not_newer_is_refused_and_changes_nothing(
    weights: Path, stage: Stage
) -> None:
    pipeline, reference = make(weights, stage), make(weights, stage)
    run(pipeline, frames(10)), run(reference, frames(10))
    with pytest.raises(FrameRejected, match="not after the last") as info:
        pipeline.process(BLANK, 10.1)
    assert info.value.kind == "stamp_not_newer"
    after, expected = (run(p, [10.0 + 10 / 30])[-1] for p in (pipeline, reference))
    np.testing.assert_array_equal(after.humans[0].joints_world, expected.humans[0].joints_world)
    assert pipeline.counters["pipeline.rejected_stamp_not_newer"] == 1


def test_a_clock_that_starts_anew_resets_the_tracks(weights: Path, stage: Stage) -> None:
    pipeline = make(weights, stage)
    before = {h.person_id for h in run(pipeline, frames(10, 100.0))[-1].humans}
    after = {h.person_id for h in run(pipeline, frames(10, 5.0))[-1].humans}
    assert after
    assert not before & after
    assert pipeline.counters["pipeline.resets"] == 1


def test_a_clock_that_is_set_back_a_little_resets_the_tracks_after_ten_images(
    weights: Path, stage: Stage
) -> None:
    pipeline = make(weights, stage)
    before = {h.person_id for h in run(pipeline, frames(20))[-1].humans}
    for stamp in frames(10):
        with pytest.raises(FrameRejected, match="not after the last"):
            pipeline.process(BLANK, stamp)
    after = {h.person_id for h in run(pipeline, frames(8, 10.0 + 10 / 30))[-1].humans}
    assert len(after) == 2
    assert not before & after
    assert pipeline.counters["pipeline.resets"] == 1
    assert pipeline.counters["pipeline.rejected_stamp_not_newer"] == 10


def test_late_images_between_newer_ones_reset_nothing(weights: Path, stage: Stage) -> None:
    pipeline = make(weights, stage)
    for stamp in frames(30):
        pipeline.process(BLANK, stamp)
        with pytest.raises(FrameRejected, match="not after the last"):
            pipeline.process(BLANK, stamp - 0.4)
    assert pipeline.counters.get("pipeline.resets", 0) == 0


@pytest.mark.parametrize(
    "image",
    [np.zeros((0, 0, 3), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), None],
)
def test_a_wrong_image_is_refused_by_name(weights: Path, stage: Stage, image: object) -> None:
    with pytest.raises(FrameRejected, match="image_bgr must be"):
        make(weights, stage).process(image, 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("stamp", [float("nan"), float("inf")])
def test_a_stamp_that_is_no_time_is_refused(weights: Path, stage: Stage, stamp: float) -> None:
    with pytest.raises(FrameRejected, match="stamp_s"):
        make(weights, stage).process(BLANK, stamp)


def test_images_of_a_fast_camera_are_not_wanted_too_soon(weights: Path, stage: Stage) -> None:
    pipeline = make(weights, stage)
    wanted = []
    for stamp in frames(60, rate=60.0):
        wanted.append(pipeline.wants(stamp))
        if wanted[-1]:
            pipeline.process(BLANK, stamp)
    assert sum(wanted) == 30


def test_an_uncalibrated_camera_is_assumed_and_said(weights: Path, stage: Stage) -> None:
    pipeline = make(weights, stage)
    run(pipeline, frames(1))
    assert pipeline.camera is not None
    assert pipeline.camera.assumed
    assert pipeline.counters["pipeline.cameras_assumed"] == 1


def test_a_calibration_is_scaled_to_the_image(weights: Path, stage: Stage) -> None:
    pipeline = make(weights, stage)
    matrix = np.array([[1000.0, 0, 640], [0, 1000.0, 480], [0, 0, 1]])
    pipeline.set_camera(PinholeCamera(1280, 960, matrix))
    run(pipeline, frames(1))
    assert pipeline.camera is not None
    assert not pipeline.camera.assumed
    assert pipeline.camera.fx == pytest.approx(500.0)


def test_a_changing_resolution_keeps_the_pipeline_going(weights: Path, stage: Stage) -> None:
    pipeline = make(weights, stage)
    run(pipeline, frames(5))
    for points in stage.people.values():
        points[:, :2] *= 0.5
    small = np.ascontiguousarray(BLANK[::2, ::2])
    result = run(pipeline, frames(10, 10.2), small)[-1]
    assert len([h for h in result.humans if h.tracking_state is TrackingState.TRACKED]) == 2
    assert pipeline.counters["pipeline.image_size_changes"] == 1


def test_a_long_gap_keeps_the_place_of_a_person(weights: Path, stage: Stage) -> None:
    pipeline = make(weights, stage)
    before = {h.person_id: h for h in run(pipeline, frames(10))[-1].humans}
    after = {h.person_id: h for h in run(pipeline, [10.3 + 0.7])[-1].humans}
    for name in set(before) & set(after):
        moved = after[name].root_position_world - before[name].root_position_world
        assert np.linalg.norm(moved) < 1.0


def test_without_a_timer_no_clock_is_read(weights: Path, stage: Stage) -> None:
    assert run(make(weights, stage), frames(1))[-1].timings_s == {}


def test_stage_times_come_from_the_given_timer(weights: Path, stage: Stage) -> None:
    ticks = iter(range(1000))
    pipeline = TrackingPipeline(
        PipelineConfig(weights=weights), detector=stage, timer=lambda: float(next(ticks))
    )
    assert pipeline.process(BLANK, 1.0).timings_s == {"detection": 1.0, "wham": 1.0}


def test_missing_weights_are_named(stage: Stage) -> None:
    with pytest.raises((FileNotFoundError, ValueError), match=r"nowhere\.safetensors"):
        TrackingPipeline(PipelineConfig(weights=Path("nowhere.safetensors")), detector=stage)


@pytest.mark.shared
def test_a_published_checkpoint_brings_its_own_body(shared_golden: Path, stage: Stage) -> None:
    pipeline = make(shared_golden / "wham" / "checkpoint.pth.tar", stage)
    assert pipeline.body.num_vertices == 431
    assert len(run(pipeline, frames(10))[-1].humans) == 2


@pytest.mark.shared
def test_a_body_of_another_size_than_the_checkpoints_is_refused(shared_golden: Path) -> None:
    packaged = Path(body_assets.__file__).parents[1] / "assets/body/ANNY_SMPL_NEUTRAL.npz"
    config = PipelineConfig(weights=shared_golden / "wham" / "checkpoint.pth.tar", body=packaged)
    with pytest.raises(ValueError, match="431"):
        TrackingPipeline(config, detector=Stage({}))


def test_distortion_and_focal_length_do_not_change_what_the_network_sees(weights: Path) -> None:
    matrix = np.array([[420.0, 0, 300], [0, 430.0, 255], [0, 0, 1]])
    lens = PinholeCamera(*SIZE, matrix, distortion=(-0.2, 0.05, 0.001, -0.001, 0.0))
    ideal = PinholeCamera.assume(*SIZE)
    person = standing(0.3)
    through_lens = person.copy()
    rays = np.concatenate([ideal.undistort(person[:, :2]), np.ones((17, 1))], axis=1)
    through_lens[:, :2] = lens.project(rays)
    assert np.abs(through_lens - person).max() > 20
    answers = []
    for camera, points in ((ideal, person), (lens, through_lens)):
        pipeline = make(weights, Stage({"one": points}))
        pipeline.set_camera(camera)
        answers.append(run(pipeline, frames(20))[-1].humans[0])
    np.testing.assert_allclose(answers[0].joints_camera, answers[1].joints_camera, atol=1e-4)


def test_a_turning_camera_turns_the_world_orientation(weights: Path) -> None:
    """The same key-points seen by a camera that has turned are a person who has turned."""
    results = []
    for rate in (0.0, 0.8):
        pipeline = make(weights, Stage({"one": standing(0.0)}))
        for i in range(-20, 420):  # 400 Hz, optical axes: turning left is about -y
            pipeline.add_imu(
                ImuSample(10.0 + i / 400, np.array([0.0, -rate, 0.0]), np.array([0, -9.81, 0]))
            )
        results.append(run(pipeline, frames(31))[-1])
    turned = results[1].camera.rotation_world_camera @ results[0].camera.rotation_world_camera.T
    vector = Rotation.from_matrix(turned).as_rotvec()
    np.testing.assert_allclose(vector, [0, 0, 0.8], atol=0.02)
    still, moving = (result.humans[0] for result in results)
    np.testing.assert_allclose(
        moving.root_orientation_world,
        results[1].camera.rotation_world_camera @ moving.root_orientation_camera,
        atol=1e-9,
    )
    assert still.root_orientation_world.shape == (3, 3)


def test_looking_ahead_gives_the_same_people(weights: Path) -> None:
    """The two halves of the work may run one image apart, as the node runs them."""
    people = {"left": standing(-1.0), "right": standing(1.0)}
    plain, ahead = make(weights, Stage(people)), make(weights, Stage(people))
    expected = run(plain, frames(12))
    waiting, results = None, []
    for stamp in frames(12):
        observed = ahead.observe(BLANK, stamp)
        if waiting is not None:
            results.append(ahead.lift(waiting))
        waiting = observed
    for result, wanted in zip(results, expected, strict=False):
        assert [h.person_id for h in result.humans] == [h.person_id for h in wanted.humans]
        for human, same in zip(result.humans, wanted.humans, strict=True):
            np.testing.assert_array_equal(human.joints_world, same.joints_world)


def test_warming_up_leaves_no_trace(weights: Path, stage: Stage) -> None:
    warm, cold = make(weights, stage), make(weights, stage)
    warm.warm_up(*SIZE)
    assert warm.counters == cold.counters
    first, second = run(warm, frames(5))[-1], run(cold, frames(5))[-1]
    np.testing.assert_array_equal(first.humans[0].joints_world, second.humans[0].joints_world)
