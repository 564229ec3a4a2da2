"""Bad tracks given to ``humor-ros smooth`` and to the published fit: a message or a fallback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from humor_cases import SMOOTH, make_network
from numpy.typing import NDArray
from track_cases import arrays_of, chosen, person, track_of
from typer.testing import CliRunner

from humor_ros.body import BodyModel, packaged_body_path
from humor_ros.cli import app
from humor_ros.commands import smooth
from humor_ros.humor import HumorBody, MotionFitter, RotationVectorPose
from humor_ros.humor.fit_config import PRESETS
from humor_ros.humor.smoothing import smooth_by_fit
from humor_ros.humor.weights import save_safetensors
from humor_ros.io.track_file import TrackFile

FRAMES = 8


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    network = make_network(SMOOTH).float()
    save_safetensors(network, path)
    return path


@pytest.fixture(scope="module")
def fitter() -> MotionFitter:
    network = make_network(SMOOTH).float()
    network.decoder.net[-1].weight.mul_(0.02)
    network.decoder.net[-1].bias.mul_(0.02)
    config = replace(
        PRESETS["amass_joints"],
        iterations=(1, 1, 1),
        first_frames=4,
        first_until=1,
        frozen_until=1,
        inner_iterations=2,
    )
    body = HumorBody.load(packaged_body_path())
    return MotionFitter(network, body, RotationVectorPose(), None, config)


def nobody(rows: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return chosen(rows, slice(0, 0))


def single(rows: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return chosen(rows, slice(0, 1))


def gap(rows: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return chosen(rows, np.r_[0:3, 6:FRAMES])


def long_gap(rows: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    rows["stamp_s"][4:] += 60.0
    return rows


def duplicate(rows: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    rows["stamp_s"][5] = rows["stamp_s"][4]
    return rows


def backward(rows: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {k: v if k == "frame" else v[::-1].copy() for k, v in rows.items()}


def not_finite(rows: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    rows["joints_world"][2, 7] = np.nan
    rows["keypoints_image"][3] = np.nan
    rows["root_position_world"][6] = np.nan
    return rows


def vanishing(rows: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    rows["tracking_state"][5:] = 2
    rows["joint_confidence"][5:] = 0.0
    rows["keypoints_image"][5:, :, 2] = 0.0
    return rows


BAD = [nobody, single, gap, long_gap, duplicate, backward, not_finite, vanishing]


@pytest.mark.parametrize("spoil", BAD)
def test_the_published_fit_lives_through_bad_tracks(
    free_body: BodyModel, fitter: MotionFitter, spoil: Any
) -> None:
    track = track_of(spoil(person(free_body, FRAMES)))
    result = smooth_by_fit(track, fitter, free_body)
    assert len(result.lag_frames) == len(result.contacts9) == len(track)
    was_finite = np.isfinite(track["root_position_world"])
    assert np.isfinite(result.columns["root_position_world"][was_finite]).all()
    # Few and spoilt rows stay as the tracker has them.
    left = result.counts.rows_left_out + result.counts.short_segments
    assert (left > 0) == (spoil in (single, long_gap, duplicate, not_finite))


def test_the_published_fit_takes_twenty_people(
    free_body: BodyModel,
    fitter: MotionFitter,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of whom some come late, some leave early, and one is hardly there."""
    monkeypatch.setattr(smooth, "_fitter", lambda *_: fitter)  # of one step a stage
    people = []
    for index in range(20):
        rows = person(free_body, FRAMES, name=f"aaaa{chr(97 + index)}", seed=index)
        first, last = (index % 3, FRAMES - index % 2) if index < 19 else (6, FRAMES)
        people.append(chosen(rows, slice(first, last)))
    source, output = tmp_path / "in.npz", tmp_path / "out.npz"
    np.savez(source, **arrays_of(*people))
    given = ["smooth", str(source), "--output", str(output), "--weights", str(weights)]
    result = CliRunner().invoke(app, [*given, "--method", "fit"])
    assert result.exit_code == 0, result.output
    assert "20 people" in result.output
    before, written = TrackFile.read(source), TrackFile.read(output)
    assert written["person_id"].tolist() == before["person_id"].tolist()
    for index in range(20):
        rows = written["person_id"] == f"aaaa{chr(97 + index)}"
        root = written["root_position_world"][rows]
        assert np.isfinite(root).all()
        assert np.isfinite(written["joints_world"][rows]).all()
        moved = np.linalg.norm(root - before["root_position_world"][rows], axis=1)
        assert moved.max() < 0.5  # everybody stays at a place of their own
        # Whoever has two frames alone is left as the tracker has it.
        assert (moved.max() > 0.0) == (index < 19)


@pytest.mark.parametrize("spoil", BAD)
def test_the_command_lives_through_bad_tracks(
    free_body: BodyModel, weights: Path, tmp_path: Path, spoil: Any
) -> None:
    source, output = tmp_path / "in.npz", tmp_path / "out.npz"
    rows = spoil(person(free_body, FRAMES))
    np.savez(source, **arrays_of(rows))
    given = ["smooth", str(source), "--output", str(output), "--weights", str(weights)]
    result = CliRunner().invoke(app, [*given, "--window", "12", "--hop", "6", "--lag", "3"])
    assert result.exit_code == 0, result.output
    assert ("nobody in it" in result.output) == (spoil is nobody)
    written = TrackFile.read(output)
    assert len(written) == len(rows["frame"])
    was_finite = np.isfinite(rows["root_position_world"])
    assert np.isfinite(written["root_position_world"][was_finite]).all()
