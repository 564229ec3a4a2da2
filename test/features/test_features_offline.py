"""The encoder within the loop: who is encoded when, and what WHAM makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from online_cases import FEATURES, Walkers, run, write_weights

from humor_ros.features import CheckpointError, FeatureConfig
from humor_ros.pipeline import PipelineConfig, TrackingPipeline
from humor_ros.wham.stream_config import StreamConfig


def poses(results):
    return np.stack([human.body_pose for result in results for human in result.humans])


def test_the_same_images_give_the_same_people(studio):
    runs = []
    for _ in range(2):
        walkers = Walkers([100.0, 200.0])
        runs.append(run(studio.tracker(walkers, background=False), walkers, 12))
    np.testing.assert_array_equal(poses(runs[0]), poses(runs[1]))


def test_features_reach_the_people(studio):
    walkers = Walkers([100.0])
    plain = run(studio.plain(walkers), walkers, 6)
    fed = run(studio.tracker(walkers, background=False), walkers, 6)
    assert np.abs(poses(plain) - poses(fed)).max() > 1e-3


@pytest.mark.parametrize(("every", "expected"), [(1, {20}), (4, {4, 6})])
def test_everybody_is_encoded_at_every_so_many_images(studio, every, expected):
    walkers = Walkers([100.0, 200.0])
    pipeline = studio.tracker(walkers, background=False, every=every)
    results = run(pipeline, walkers, 30)
    first = next(i for i, result in enumerate(results) if len(result.humans) == 2)
    before = pipeline.counters["features.encoded"]
    run(pipeline, walkers, 10, 30)
    assert first < 5
    assert pipeline.counters["features.encoded"] - before in expected


def test_a_newcomer_begins_from_the_image(studio, monkeypatch):
    from humor_ros.wham.stepper import Stepper

    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers, background=False)

    def refuse(*_args):
        raise AssertionError("began neutrally")

    monkeypatch.setattr(Stepper, "neutral", refuse)
    assert run(pipeline, walkers, 5)[-1].humans


def test_without_a_usable_box_a_newcomer_begins_neutrally(studio, monkeypatch):
    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers, background=False)
    monkeypatch.setattr(
        "humor_ros.features.extractor.usable_boxes", lambda boxes, *_: np.zeros(len(boxes), bool)
    )
    assert run(pipeline, walkers, 5)[-1].humans
    assert pipeline.counters["features.encoded"] == 0
    assert pipeline.counters["features.unusable"] > 0


def test_the_root_of_a_newcomer_is_turned_gravity_true(studio):
    """A camera that is known to be tilted tilts the world root that WHAM begins with."""
    from humor_ros.types import ImuSample

    roots = []
    for tilt in (0.0, 0.4):
        walkers = Walkers([100.0])
        pipeline = studio.tracker(walkers, StreamConfig(world_mode="wham"), background=False)
        pipeline.inertial.set_extrinsics(np.eye(3))
        up = 9.81 * np.array([0.0, -np.cos(tilt), -np.sin(tilt)])
        for i in range(200):
            pipeline.add_imu(ImuSample(9.0 + i / 180, np.zeros(3), up))
        began = []
        from_image = pipeline._stream.stepper.from_image

        def noted(inputs, people, rotation, began=began, original=from_image):
            began.append((rotation, people[0].rotations[0]))
            return original(inputs, people, rotation)

        pipeline._stream.stepper.from_image = noted
        run(pipeline, walkers, 4)
        roots.append(began[0])
    turned = roots[1][0] @ roots[0][0].T
    angle = torch.arccos((turned.trace() - 1) / 2)
    assert float(angle) == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("missing", ["zero", "context"])
def test_a_frame_without_a_feature_does_what_is_stated(studio, missing):
    """Zero features without the residual, or the bare context; never the last feature."""
    walkers = Walkers([100.0])
    pipeline = studio.tracker(
        walkers, StreamConfig(missing_feature=missing), background=False, every=100
    )
    network, seen = pipeline._network, []
    integrate = network.integrate

    def noted(context, features, mask=None):
        result = integrate(context, features, mask)
        zero = network.integrator(
            context,
            context.new_zeros(*context.shape[:2], FEATURES),
            torch.zeros(context.shape[:2], dtype=torch.bool),
        )
        wanted = zero if missing == "zero" else context
        seen.append(torch.equal(result, wanted))
        return result

    network.integrate = noted
    run(pipeline, walkers, 12)
    assert seen.count(False) == 1  # the one image with a feature
    assert seen[-1]


def test_with_a_feature_the_integrator_adds_to_the_context(studio):
    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers, background=False)
    network, seen = pipeline._network, []
    integrate = network.integrate

    def noted(context, features, mask=None):
        result = integrate(context, features, mask)
        every = torch.ones(context.shape[:2], dtype=torch.bool)
        seen.append(torch.equal(result, network.integrator(context, features, every)))
        return result

    network.integrate = noted
    run(pipeline, walkers, 8)
    assert all(seen)
    assert len(seen) > 4


def test_slow_images_have_their_feature_at_their_own_step(studio):
    """At 10 Hz the network steps three times an image; the feature is of the last step."""
    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers, background=False)
    features = []
    integrate = pipeline._network.integrate
    pipeline._network.integrate = lambda c, f, m=None: features.append(f) or integrate(c, f, m)
    run(pipeline, walkers, 6, rate=10.0)
    last = features[-1]
    assert last.shape[1] == 3
    assert last[:, :2].abs().max() == 0.0
    assert last[:, 2].abs().min() > 0.0


def test_flip_averaging_doubles_nothing_but_the_work(studio):
    walkers = Walkers([100.0, 200.0])
    stream = StreamConfig(flip_averaging=True)
    averaged = run(studio.tracker(walkers, stream, background=False), walkers, 8)
    plain = run(studio.tracker(walkers, background=False), walkers, 8)
    without = run(studio.plain(walkers, stream), walkers, 8)
    assert [len(r.humans) for r in averaged] == [len(r.humans) for r in plain]
    assert np.abs(poses(averaged) - poses(plain)).max() > 1e-3
    assert np.isfinite(poses(without)).all()


def test_twenty_people_are_encoded(studio):
    from humor_ros.detection import PeopleTrackerConfig

    walkers = Walkers([10.0 + 15 * i for i in range(20)], scale=0.18)
    config = PipelineConfig(
        weights=studio.weights,
        people=PeopleTrackerConfig(max_people=20),
        features=FeatureConfig(studio.encoder, studio.sizes, background=False),
    )
    pipeline = TrackingPipeline(config, detector=walkers)
    results = run(pipeline, walkers, 6)
    assert len(results[-1].humans) == 20
    assert np.isfinite(poses(results[-1:])).all()
    assert pipeline.counters["features.failed"] == 0
    assert pipeline.feature_status.mode == "loop"
    assert len(pipeline.feature_status.ages_s) == len(results[-1].humans)


def test_an_encoder_that_does_not_fit_the_weights_is_refused(studio, tmp_path):
    weights = write_weights(tmp_path / "other.safetensors", d_feat=8)
    config = PipelineConfig(
        weights=weights, features=FeatureConfig(studio.encoder, studio.sizes, background=False)
    )
    with pytest.raises(ValueError, match=r"hmr2a\.ckpt gives features of 24 numbers .* take 8"):
        TrackingPipeline(config, detector=Walkers([]))


def test_a_missing_encoder_is_refused_by_name(studio, tmp_path):
    config = FeatureConfig(tmp_path / "none.ckpt", studio.sizes)
    with pytest.raises(FileNotFoundError, match=r"none\.ckpt"):
        TrackingPipeline(
            PipelineConfig(weights=studio.weights, features=config), detector=Walkers([])
        )


def test_a_truncated_encoder_is_refused_by_name(studio):
    content = studio.encoder.read_bytes()
    studio.encoder.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"hmr2a\.ckpt"):
        studio.tracker(Walkers([]))


def test_an_encoder_of_other_sizes_is_refused_by_name(studio):
    text = studio.sizes.read_text().replace('"embed_dim": 32', '"embed_dim": 64')
    studio.sizes.write_text(text)
    with pytest.raises(CheckpointError, match="wrong tensors"):
        studio.tracker(Walkers([]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("every", 0),
        ("budget", 0.0),
        ("budget", 1.5),
        ("max_people", 0),
        ("max_age_s", 0.0),
        ("dtype", "int8"),
        ("niceness", 20),
    ],
)
def test_a_setting_out_of_range_is_named(name, value):
    with pytest.raises(ValueError, match=name):
        FeatureConfig(Path("x"), **{name: value})


def test_an_unusable_device_is_told(studio):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ValueError, match="cannot run on device 'cuda'"):
        studio.tracker(Walkers([]), device="cuda")
