"""The simulated detector: sizes, correlation, swaps, masks, boxes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from humor_ros.training.keypoint_noise import (
    JOINT_GAIN,
    autoregressive_noise,
    joint_visibility,
    keypoint_errors,
    propagate_mask,
    smoothed_boxes,
    swap_sides,
)
from humor_ros.training.synthesis_config import NoiseConfig

PLAIN = NoiseConfig(
    strength_range=(1.0, 1.0),
    common_std=0,
    hip_bias_std=0,
    peak_probability=0,
    gross_probability=0,
    bias_std=0,
    drift_std=0,
)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def test_white_jitter_has_the_stated_size(generator):
    error = keypoint_errors(torch.zeros(64, 40, 17), PLAIN, generator)
    expected = PLAIN.jitter_std * torch.tensor(JOINT_GAIN)
    assert torch.allclose(error.std((0, 1, 3)), expected, rtol=0.05)


def test_a_bias_stays_over_the_window(generator):
    config = replace(PLAIN, jitter_std=0, bias_std=0.02)
    error = keypoint_errors(torch.zeros(8, 40, 17), config, generator)
    assert torch.allclose(error, error[:, :1].expand_as(error))
    assert float(error.std()) == pytest.approx(0.021, rel=0.15)


def test_wandering_has_unit_variance_and_the_stated_memory(generator):
    noise = autoregressive_noise(400, 60, 4, torch.full((400,), 10.0), generator)
    assert float(noise.var()) == pytest.approx(1.0, rel=0.1)
    lagged = (noise[:, 10:] * noise[:, :-10]).mean()
    assert float(lagged) == pytest.approx(0.368, abs=0.06)


def test_gross_errors_are_rare_and_large(generator):
    config = replace(PLAIN, jitter_std=0, peak_probability=0.004, peak_std=0.2)
    error = keypoint_errors(torch.zeros(64, 81, 17), config, generator)
    share = float((error.abs().amax(-1) > 0).float().mean())
    assert 0.005 < share < 0.03


def test_the_far_side_is_noisier(generator):
    depth = torch.zeros(64, 40, 17)
    depth[:, :, 8] = 0.3
    error = keypoint_errors(depth, PLAIN, generator)
    assert float(error[:, :, 8].std() / error[:, :, 7].std()) == pytest.approx(2.0, rel=0.05)


def test_swaps_exchange_sides_and_keep_the_nose(generator):
    points = torch.arange(17.0)[None, None, :, None].expand(200, 20, 17, 2).contiguous()
    swapped = swap_sides(points, replace(NoiseConfig(), swap_probability=1.0), generator)
    assert torch.equal(swapped[:, :, 0], points[:, :, 0])
    changed = swapped != points
    assert bool(changed.any())
    assert torch.equal(swapped.sort(2).values, points)


def test_what_hangs_on_a_hidden_joint_is_hidden():
    mask = torch.zeros(17, dtype=torch.bool)
    mask[[5, 11]] = True
    assert propagate_mask(mask).nonzero().flatten().tolist() == [5, 7, 9, 11, 13, 15]


def test_both_shoulders_hide_the_face():
    mask = torch.zeros(17, dtype=torch.bool)
    mask[[5, 6]] = True
    assert bool(propagate_mask(mask)[:11].all())


def test_nobody_is_hidden_without_cause(generator):
    config = NoiseConfig(
        mask_probability=0,
        burst_probability=0,
        limb_mask_probability=0,
        lower_body_probability=0,
    )
    assert not bool(joint_visibility(16, 20, config, generator).any())


def test_bursts_hide_everything_for_a_while(generator):
    config = replace(NoiseConfig(), burst_probability=1.0, mask_probability=0.0)
    mask = joint_visibility(64, 40, config, generator)
    whole = mask.all(-1)
    assert bool(whole.any(1).all())
    assert int(whole.sum(1).max()) <= config.burst_frames


def _still(batch: int) -> torch.Tensor:
    points = torch.rand(1, 1, 17, 2, generator=torch.manual_seed(2)) * 100 + 200
    return points.expand(batch, 6, 17, 2)


def test_a_box_is_a_fifth_larger_than_the_points():
    points = _still(1)
    seen = torch.zeros(1, 6, 17, dtype=torch.bool)
    box = smoothed_boxes(points, seen, torch.ones(1), torch.zeros(1, 2), torch.zeros(1))
    extent = (points.amax(-2) - points.amin(-2)).amax(-1)
    assert torch.allclose(box[..., 2] * 200, 1.2 * extent)


def test_an_unseen_person_keeps_the_box():
    points = _still(1) + torch.arange(6.0)[None, :, None, None]
    mask = torch.zeros(1, 6, 17, dtype=torch.bool)
    mask[:, 3:] = True
    box = smoothed_boxes(points, mask, torch.ones(1), torch.zeros(1, 2), torch.zeros(1))
    assert torch.allclose(box[:, 3:], box[:, 2:3].expand(-1, 3, -1))


def test_a_smoothed_box_lags():
    points = _still(1) + 10 * torch.arange(6.0)[None, :, None, None]
    seen = torch.zeros(1, 6, 17, dtype=torch.bool)
    box = smoothed_boxes(points, seen, torch.ones(1), torch.zeros(1, 2), torch.full((1,), 0.5))
    raw = smoothed_boxes(points, seen, torch.ones(1), torch.zeros(1, 2), torch.zeros(1))
    assert bool((box[:, 1:, 0] < raw[:, 1:, 0]).all())
