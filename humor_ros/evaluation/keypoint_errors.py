"""How a 2D detector errs: bias, spread, memory, tails, swaps and misses, joint by joint.

Measured against projected 3D joints. All lengths are in units of half the longer side of the
tight box around the person's true key-points, as :class:`humor_ros.training.config.NoiseConfig`
counts. The truth's own error is in every figure: with joints triangulated to 15-25 mm, about
0.02-0.03 of half a person's height, they are upper bounds of the detector's error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.stats import t as student_t

from humor_ros.detection.coco import COCO_FLIP, COCO_PAIRS
from humor_ros.training.keypoint_noise import JOINT_GAIN
from humor_ros.types import Array
from humor_ros.wham.keypoints import MIN_CONFIDENCE

__all__ = [
    "CONFIDENCE_EDGES",
    "KeypointRun",
    "KeypointStatistics",
    "NoiseFit",
    "confidence_bins",
    "fit_noise",
    "joint_statistics",
    "memory",
    "swapped_pairs",
]

#: COCO key-points of the body; those of the face are small and often hidden or blurred.
BODY_JOINTS = tuple(range(5, 17))
CONFIDENCE_EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)

#: A pair is exchanged where its exchange makes the error so many times smaller, ...
_SWAP_RATIO = 0.5
#: ... which shows only where the true two lie at least so far apart.
_SWAP_DISTANCE = 0.12
#: Errors of more than so many robust standard deviations are the tail; of a two-dimensional
#: Gaussian exp(-9 / 2) = 1.1 % lie there.
_TAIL_SIGMAS = 3.0
#: Median of |x - median| of a Gaussian, over its standard deviation.
_MAD = 0.6745
_LONGEST_LAG = 12


@dataclass(frozen=True, eq=False)
class KeypointRun:
    """One person in one video, followed from begin to end.

    Attributes:
        truth: (F, 17, 2) true pixels; NaN where not known.
        found: (F, 17, 3) x, y in pixels and confidence; NaN rows where nobody was found.
        depth_behind_hips: (F, 17) true depth minus that of the mid-hip, metres.
    """

    truth: Array
    found: Array
    depth_behind_hips: Array

    @property
    def present(self) -> NDArray[np.bool_]:
        """(F,) whether the person was found."""
        return np.asarray(np.isfinite(self.found[..., 2]).any(axis=1))

    @property
    def half_box(self) -> Array:
        """(F,) half the longer side of the true tight box, pixels."""
        extent = np.nanmax(self.truth, axis=1) - np.nanmin(self.truth, axis=1)
        return np.asarray(extent.max(axis=1) / 2.0)

    def errors(self) -> Array:
        """(F, 17, 2) found less true after exchanged names are put right; NaN if unknown."""
        points = np.where(
            self.swaps()[..., None], self.found[:, COCO_FLIP, :2], self.found[..., :2]
        )
        return np.asarray((points - self.truth) / self.half_box[:, None, None])

    def seen(self) -> NDArray[np.bool_]:
        """(F, 17) whether the network would be given the key-point."""
        return np.asarray(np.nan_to_num(self.found[..., 2]) >= MIN_CONFIDENCE)

    def swaps(self) -> NDArray[np.bool_]:
        """(F, 17) whether the key-point bears the other side's name."""
        return swapped_pairs(self.truth, self.found, self.half_box)[0]


@dataclass(frozen=True)
class KeypointStatistics:
    """Errors of one joint (or of several together), half boxes.

    Attributes:
        bias_x, bias_y: mean error over everything.
        bias_std: root mean square, an axis, of the mean error of each run.
        std: robust standard deviation an axis about the mean of the run.
        correlation_frames: time after which the error's lasting part has fallen to 1/e.
        lasting_share: share of the variance that lasts; the rest is white.
        tail_share: share beyond three standard deviations (1.1 % of a Gaussian).
        tail_dof, tail_scale: degrees of freedom and scale of the Student distribution fitted to
            the errors an axis about the mean of the run; few degrees mean heavy tails.
        median, p95: of the length of the error.
        missed: share below the confidence that counts, of the frames with a person.
        absent: share of frames without a person (at the start: not yet confirmed).
        swapped: share of frames under the other side's name, where that could be told.
        count: key-points measured.
    """

    bias_x: float
    bias_y: float
    bias_std: float
    std: float
    correlation_frames: float
    lasting_share: float
    tail_share: float
    tail_dof: float
    tail_scale: float
    median: float
    p95: float
    missed: float
    absent: float
    swapped: float
    count: int


@dataclass(frozen=True)
class NoiseFit:
    """The same in the terms of the training's ``NoiseConfig`` (strength 1); half boxes."""

    bias_std: float
    hip_bias_std: float
    drift_std: float
    drift_frames: float
    jitter_std: float
    common_std: float
    peak_probability: float
    peak_std: float
    peak_frames: float
    far_side_gain: float
    mask_probability: float
    swap_probability: float
    swap_frames: float


def swapped_pairs(
    truth: Array, found: Array, half_box: Array
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find left-right pairs that bear each other's names.

    Args:
        truth: (F, 17, 2) pixels.
        found: (F, 17, 2 or more) pixels.
        half_box: (F,) pixels.

    Returns:
        (F, 17) exchanged, and (F, 17) whether it could be told: the two are well apart.
    """
    swapped = np.zeros(truth.shape[:2], dtype=bool)
    known = np.zeros(truth.shape[:2], dtype=bool)
    for left, right in COCO_PAIRS:
        pair = [left, right]
        apart = np.linalg.norm(truth[:, left] - truth[:, right], axis=-1)
        kept = np.linalg.norm(found[:, pair, :2] - truth[:, pair], axis=-1).sum(-1)
        crossed = np.linalg.norm(found[:, pair[::-1], :2] - truth[:, pair], axis=-1).sum(-1)
        clear = apart > _SWAP_DISTANCE * half_box
        known[:, pair] = (clear & np.isfinite(kept))[:, None]
        swapped[:, pair] = (clear & (crossed < _SWAP_RATIO * kept))[:, None]
    return swapped, known


def memory(residuals: Sequence[Array]) -> tuple[float, float]:
    """Correlation time and share of what lasts, of sequences about their means.

    The autocorrelation is fitted by ``share * exp(-lag / time)`` at the lags 1 to 12.

    Args:
        residuals: (F_i, N) each; NaN where unknown.

    Returns:
        frames, and share in [0, 1] of the variance; NaN where there is too little.
    """
    values = [r - np.nanmean(r, axis=0, keepdims=True) for r in residuals if len(r) > 2]
    if not values:
        return float("nan"), float("nan")
    variance = np.nanmean(np.concatenate([v.ravel() for v in values]) ** 2)
    shortest = min(len(v) for v in values)
    lags = np.arange(1, max(2, min(_LONGEST_LAG, shortest // 3) + 1))
    products = [
        np.nanmean(np.concatenate([(v[lag:] * v[:-lag]).ravel() for v in values])) for lag in lags
    ]
    correlation = np.array(products) / max(float(variance), 1e-30)
    if len(lags) < 3 or not np.isfinite(correlation).all():
        return float("nan"), float("nan")
    (share, time), _ = curve_fit(
        lambda lag, share, time: share * np.exp(-lag / time),
        lags,
        correlation,
        p0=(0.5, 4.0),
        bounds=((0.0, 0.2), (1.0, 200.0)),
    )
    return float(time), float(share)


def joint_statistics(
    runs: Sequence[KeypointRun], joints: Sequence[int] = BODY_JOINTS
) -> KeypointStatistics:
    """Statistics of some joints over all runs.

    Raises:
        ValueError: no key-point of them was both true and found.
    """
    picked = list(joints)
    errors = [run.errors()[:, picked] for run in runs]
    together = np.concatenate(errors)
    length = np.linalg.norm(together, axis=-1)
    if not np.isfinite(length).any():
        raise ValueError(f"joints {picked}: no true key-point was found in any frame")
    biases = np.stack([np.nanmedian(e, axis=0) for e in errors])
    residuals = [e - b for e, b in zip(errors, biases, strict=True)]
    inner, sigma, tail = _without_tail(residuals)
    time, lasting = memory([r.reshape(len(r), -1) for r in inner])
    told = np.concatenate(
        [swapped_pairs(run.truth, run.found, run.half_box)[1][:, picked] for run in runs]
    )
    swapped = np.concatenate([run.swaps()[:, picked] for run in runs])
    dof, scale = _student(np.concatenate([r.ravel() for r in residuals]))
    return KeypointStatistics(
        bias_x=float(np.nanmean(biases[..., 0])),
        bias_y=float(np.nanmean(biases[..., 1])),
        bias_std=float(np.sqrt(np.nanmean(biases**2))),
        std=sigma,
        correlation_frames=time,
        lasting_share=lasting,
        tail_share=tail,
        tail_dof=dof,
        tail_scale=scale,
        median=float(np.nanmedian(length)),
        p95=float(np.nanpercentile(length, 95)),
        missed=_missed(runs, picked),
        absent=1.0 - float(np.mean(np.concatenate([run.present for run in runs]))),
        swapped=float(swapped[told].mean()) if told.any() else float("nan"),
        count=int(np.isfinite(length).sum()),
    )


def confidence_bins(
    runs: Sequence[KeypointRun],
    joints: Sequence[int] = BODY_JOINTS,
    edges: Sequence[float] = CONFIDENCE_EDGES,
) -> list[dict[str, float]]:
    """Error by confidence: for each bin ``low``, ``high``, ``count``, ``share``, ``median``,
    ``rms`` and ``p95`` of the length of the error, half boxes."""
    picked = list(joints)
    length = np.concatenate([np.linalg.norm(run.errors()[:, picked], axis=-1) for run in runs])
    confidence = np.concatenate([run.found[:, picked, 2] for run in runs])
    known = np.isfinite(length) & np.isfinite(confidence)
    rows = []
    for low, high in pairwise(edges):
        last = high == edges[-1]
        inside = known & (confidence >= low) & ((confidence <= high) if last else confidence < high)
        values = length[inside]
        rows.append(
            {
                "low": low,
                "high": high,
                "count": int(inside.sum()),
                "share": float(inside.sum() / max(1, known.sum())),
                "median": float(np.median(values)) if len(values) else float("nan"),
                "rms": float(np.sqrt(np.mean(values**2))) if len(values) else float("nan"),
                "p95": float(np.percentile(values, 95)) if len(values) else float("nan"),
            }
        )
    return rows


def fit_noise(runs: Sequence[KeypointRun], joints: Sequence[int] = BODY_JOINTS) -> NoiseFit:
    """Fit the training's noise model: its joint gains are divided out first."""
    picked = list(joints)
    gain = np.array(JOINT_GAIN)[picked, None]
    errors = [run.errors()[:, picked] / gain for run in runs]
    biases = [np.nanmedian(e, axis=0) for e in errors]
    residuals = [e - b for e, b in zip(errors, biases, strict=True)]
    inner, sigma, _ = _without_tail(residuals)
    time, lasting = memory([r.reshape(len(r), -1) for r in inner])
    lasting = 0.0 if not np.isfinite(lasting) else lasting
    common = _common_variance(inner)
    hips = np.isin(picked, (11, 12))
    scale = gain[None]
    plain = np.concatenate([b[~hips].ravel() for b in biases])
    hip_bias = np.concatenate([(b * scale[0])[hips].ravel() for b in biases])
    bias = float(np.sqrt(np.nanmean(plain**2)))
    lengths = [np.asarray(np.linalg.norm(r, axis=-1) > _TAIL_SIGMAS * sigma) for r in residuals]
    size = np.concatenate([(r * scale)[t] for r, t in zip(residuals, lengths, strict=True)])
    starts, duration = _bursts(lengths)
    swap_frames = [run.swaps()[:, picked] for run in runs]
    _, swap_duration = _bursts([np.asarray(s.any(axis=1))[:, None] for s in swap_frames])
    hip_gain = float(gain[hips].mean()) if hips.any() else 1.0
    return NoiseFit(
        bias_std=bias,
        hip_bias_std=float(np.sqrt(max(np.nanmean(hip_bias**2) - (bias * hip_gain) ** 2, 0.0)))
        if hips.any()
        else float("nan"),
        drift_std=float(np.sqrt(max(lasting * sigma**2 - common, 0.0))),
        drift_frames=time,
        jitter_std=float(np.sqrt(max(1.0 - lasting, 0.0)) * sigma),
        common_std=float(np.sqrt(common)),
        peak_probability=starts,
        peak_std=float(np.sqrt(np.mean(size**2))) if len(size) else float("nan"),
        peak_frames=duration,
        far_side_gain=_far_side_gain(runs, inner, picked),
        mask_probability=_missed(runs, picked),
        swap_probability=float(np.mean([s.any() for s in swap_frames])),
        swap_frames=swap_duration,
    )


def _without_tail(residuals: Sequence[Array]) -> tuple[list[Array], float, float]:
    """Residuals with NaN for the tail, robust standard deviation an axis, share of the tail."""
    together = np.concatenate([r.reshape(-1, 2) for r in residuals])
    sigma = float(np.nanmedian(np.abs(together)) / _MAD)
    limit = _TAIL_SIGMAS * sigma
    inner = [
        np.where(np.linalg.norm(r, axis=-1, keepdims=True) > limit, np.nan, r) for r in residuals
    ]
    length = np.linalg.norm(together, axis=-1)
    known = np.isfinite(length)
    return inner, sigma, float((length[known] > limit).mean())


def _student(values: Array) -> tuple[float, float]:
    """Degrees of freedom and scale of errors about zero; NaN where there are too few."""
    values = values[np.isfinite(values)]
    if len(values) < 20:
        return float("nan"), float("nan")
    dof, _, scale = student_t.fit(values, floc=0.0)
    return float(dof), float(scale)


def _missed(runs: Sequence[KeypointRun], joints: list[int]) -> float:
    """Share of true key-points below the confidence that counts where the person was found."""
    known = np.concatenate(
        [np.isfinite(run.truth[:, joints, 0]) & run.present[:, None] for run in runs]
    )
    seen = np.concatenate([run.seen()[:, joints] for run in runs])
    return float(1.0 - seen[known].mean()) if known.any() else float("nan")


def _common_variance(residuals: Sequence[Array]) -> float:
    """Variance an axis of what all joints share, of residuals (F, J, 2)."""
    count = residuals[0].shape[1]
    if count < 3:
        return 0.0
    variance = np.nanmean(np.concatenate([r.ravel() for r in residuals]) ** 2)
    some = [r[np.isfinite(r).any(axis=(1, 2))] for r in residuals]
    mean = np.concatenate([np.nanmean(r, axis=1) for r in some])
    shared = (count * np.nanmean(mean**2) - variance) / (count - 1)
    return float(max(shared, 0.0))


def _bursts(active: Sequence[NDArray[np.bool_]]) -> tuple[float, float]:
    """Chance of a start in a frame, and mean length in frames, of (F, N) runs of True."""
    starts = lasting = total = 0
    for values in active:
        before = np.concatenate([np.zeros((1, values.shape[1]), dtype=bool), values[:-1]])
        starts += int((values & ~before).sum())
        lasting += int(values.sum())
        total += values.size
    return starts / max(1, total), lasting / starts if starts else float("nan")


def _far_side_gain(runs: Sequence[KeypointRun], inner: Sequence[Array], joints: list[int]) -> float:
    """Growth of the spread per 0.3 m of depth behind the hips (clamped there)."""
    behind = np.concatenate([run.depth_behind_hips[:, joints] for run in runs])
    behind = np.clip(behind / 0.3, 0.0, 1.0)
    size = np.concatenate([np.linalg.norm(r, axis=-1) for r in inner])
    known = np.isfinite(size) & np.isfinite(behind)
    if known.sum() < 10 or np.ptp(behind[known]) < 0.1:
        return float("nan")
    slope, offset = np.polyfit(behind[known], size[known], 1)
    return float(slope / max(offset, 1e-9))
