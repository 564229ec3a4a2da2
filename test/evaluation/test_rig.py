"""The virtual rig: its sensors belong to its motion, and the estimator finds its way with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from humor_ros.body import BodyModel
from humor_ros.evaluation.inertial import run_rig, score_rig
from humor_ros.evaluation.inertial_scenarios import SCENARIOS
from humor_ros.evaluation.inertial_table import inertial_tables
from humor_ros.evaluation.rig import RigScenario, VirtualRig
from humor_ros.evaluation.rig_background import BackgroundErrors
from humor_ros.evaluation.rig_imu import ImuErrors
from humor_ros.evaluation.rig_odometry import OdometryErrors
from humor_ros.evaluation.rig_people import draw_person
from humor_ros.inertial.so3 import exp_so3, log_so3
from humor_ros.training.mocap import MocapLibrary

EXACT = SCENARIOS["ideal"].rig.imu
DEGREE = np.pi / 180


def rig_of(way: str = "hand-held", seconds: float = 4.0, seed: int = 0, **errors) -> VirtualRig:
    imu = replace(EXACT, **errors)
    return VirtualRig(RigScenario("test", "", way=way, duration_s=seconds, imu=imu), seed)


@pytest.mark.parametrize("way", ["hand-held", "robot", "panning"])
def test_the_gyroscope_adds_up_to_the_attitude(way):
    rig = rig_of(way)
    mount = rig.imu.rotation_camera_imu
    turned = np.eye(3)
    for sample in rig.imu.samples:
        if 0.0 <= sample.stamp_s < 3.0:
            turned = turned @ exp_so3(mount @ sample.angular_velocity / 200.0)
    truth = rig.rotation_world_camera[0].T @ rig.rotation_world_camera[90]
    assert np.linalg.norm(log_so3(turned.T @ truth)) < 0.15 * DEGREE


def test_a_tripod_feels_gravity_and_nothing_else():
    rig = rig_of("panning")
    norms = [np.linalg.norm(sample.linear_acceleration) for sample in rig.imu.samples]
    np.testing.assert_allclose(norms, 9.80665, atol=1e-6)


def test_errors_are_those_asked_for():
    clean = rig_of()
    rig = rig_of(gyroscope_bias=0.01, time_offset_s=0.03, rotation_error=0.1)
    assert clean.imu.samples[0].stamp_s - rig.imu.samples[0].stamp_s == pytest.approx(0.03)
    assert np.linalg.norm(rig.imu.bias) == pytest.approx(0.01)
    wrong = log_so3(rig.imu.told_rotation_camera_imu @ rig.imu.rotation_camera_imu.T)
    assert np.linalg.norm(wrong) == pytest.approx(0.1)
    lost = rig_of(lost=((1.0, 2.0),))
    assert not any(1.0 <= arrival < 2.0 for arrival in lost.imu.arrival_s)
    cut = rig_of(gyroscope_range=0.05)
    assert max(np.abs(sample.angular_velocity).max() for sample in cut.imu.samples) <= 0.05


def test_a_seed_gives_the_same_rig_again():
    first, second, third = rig_of(seed=3), rig_of(seed=3), rig_of(seed=4)
    np.testing.assert_array_equal(first.rotation_world_camera, second.rotation_world_camera)
    rates = [rig.imu.samples[50].angular_velocity for rig in (first, second, third)]
    np.testing.assert_array_equal(rates[0], rates[1])
    assert not np.allclose(rates[0], rates[2])


def test_every_sample_arrives_once_and_in_order():
    rig = rig_of()
    stamps = [sample.stamp_s for frame in rig.frames() for sample in frame.samples]
    assert stamps == sorted(stamps)
    assert len(stamps) >= 4 * 195


def test_background_points_move_as_the_camera_does():
    errors = BackgroundErrors(pixel_noise=0.0, pixel_drift=0.0, outlier_share=0.0)
    scenario = RigScenario("test", "", way="panning", duration_s=2.0, background=errors)
    rig = VirtualRig(scenario, 1)
    looks = [(f.index, f.background) for f in rig.frames() if f.background is not None]
    (i, first), (j, second) = looks[0], looks[3]
    _, then, now = np.intersect1d(first.ids, second.ids, return_indices=True)
    rays = np.column_stack((second.rays[now], np.ones(len(now))))
    seen = rays @ (rig.rotation_world_camera[i].T @ rig.rotation_world_camera[j]).T
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], first.rays[then], atol=1e-6)


def test_odometry_drifts_by_the_share_asked_for():
    scenario = RigScenario("t", "", way="robot", duration_s=20.0, odometry=OdometryErrors())
    rig = VirtualRig(scenario, 2)
    way = np.linalg.norm(np.diff(rig.position_world_camera, axis=0), axis=1).sum()
    told = np.linalg.norm(np.diff(rig.odometry.position, axis=0), axis=1).sum()
    assert abs(told / way - 1.0) == pytest.approx(0.01, abs=0.003)


def test_people_stand_on_the_ground_and_stay_near(shared):
    library = MocapLibrary.load(shared / "data" / "mocap", "val")
    person = draw_person(library, BodyModel.load(), 300, np.random.default_rng(0))
    assert abs(np.percentile(person.feet[..., 2].min(1), 10)) < 1e-3
    assert np.linalg.norm(person.hips[:, :2], axis=1).max() < 6.0
    speed = np.linalg.norm(np.diff(person.hips, axis=0), axis=1) * 30
    assert speed.max() < 5.0


def test_an_ideal_imu_costs_nothing():
    scenario = replace(SCENARIOS["ideal"], rig=replace(SCENARIOS["ideal"].rig, duration_s=10.0))
    rig = VirtualRig(scenario.rig, 0)
    scores = score_rig(scenario, rig, run_rig(scenario, rig))
    assert scores["heading_deg"] < 2.5  # a bias is sought where none is
    assert scores["attitude_inside"] > 0.9


def test_the_background_holds_the_heading_of_a_biased_gyroscope():
    scenario = SCENARIOS["background"]
    scenario = replace(scenario, rig=replace(scenario.rig, duration_s=12.0))
    rig = VirtualRig(scenario.rig, 1)
    scores = score_rig(scenario, rig, run_rig(scenario, rig))
    assert scores["heading_deg"] < 1.5
    assert scores["attitude_inside"] > 0.8


def test_a_lost_imu_is_stood_in_for_by_the_background():
    scenario = SCENARIOS["lost"]
    imu = replace(scenario.rig.imu, lost=((6.0, 8.0),))
    scenario = replace(
        scenario, rig=replace(scenario.rig, duration_s=9.0, imu=imu), lost=(6.0, 8.0)
    )
    rig = VirtualRig(scenario.rig, 2)
    run = run_rig(scenario, rig)
    modes = {motion.mode.value for motion, at in zip(run.motions, rig.stamps_s, strict=True)
             if 6.2 < at < 7.9}  # fmt: skip
    assert "visual" in modes
    assert score_rig(scenario, rig, run)["heading_deg"] < 4.0


def test_means_are_taken_over_seeds():
    tables = inertial_tables({"bias": [{"tilt_deg": 1.0}, {"tilt_deg": 3.0}]})
    assert tables[0].rows[0]["tilt_deg"] == 2.0
    assert tables[0].rows[0]["seeds"] == 2
    errors = [{"offset_ms": 3.0}, {"offset_ms": 4.0}, {"offset_ms": float("nan")}]
    row = inertial_tables({"offset": errors})[0].rows[0]
    assert row["offset_ms"] == pytest.approx(np.sqrt(12.5))
    assert ImuErrors().rate_hz == 200.0
