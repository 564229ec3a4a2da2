"""Runs of the virtual rig are kept as they come, and not played twice."""

from __future__ import annotations

import math

import pytest

from humor_ros.evaluation.inertial_runs import KeptRuns, play_all, weights_digest

SETTINGS = {"weights": "abc", "mocap": None}


def test_runs_outlive_the_process_that_played_them(tmp_path):
    path = tmp_path / "runs.jsonl"
    runs = KeptRuns(path, SETTINGS)
    assert runs.missing(["bias", "lost"], range(2))[:2] == [("bias", 0), ("lost", 0)]
    runs.add("bias", 0, {"tilt_deg": 1.5, "offset_ms": math.nan})
    runs.add("lost", 1, {"tilt_deg": 2.0})
    again = KeptRuns(path, SETTINGS)
    assert again.missing(["bias", "lost"], range(2)) == [("lost", 0), ("bias", 1)]
    found = again.by_scenario(["bias", "background"], range(2))
    assert list(found) == ["bias"]
    assert found["bias"][0]["tilt_deg"] == 1.5
    assert math.isnan(found["bias"][0]["offset_ms"])


def test_runs_of_other_weights_are_not_mixed_in(tmp_path):
    path = tmp_path / "runs.jsonl"
    KeptRuns(path, SETTINGS)
    with pytest.raises(ValueError, match="name another file"):
        KeptRuns(path, SETTINGS | {"weights": "def"})


def test_a_file_that_holds_something_else_is_refused(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text("no runs\n")
    with pytest.raises(ValueError, match="holds no runs"):
        KeptRuns(path, SETTINGS)


def test_an_empty_room_is_played_without_mocap(monkeypatch):
    from dataclasses import replace

    from humor_ros.evaluation import inertial_runs

    short = inertial_runs.SCENARIOS["bias"]
    short = replace(short, rig=replace(short.rig, duration_s=2.0))
    monkeypatch.setitem(inertial_runs.SCENARIOS, "bias", short)
    ((name, seed, scores),) = play_all([("bias", 3)], None, tracker=False, workers=1)
    assert (name, seed) == ("bias", 3)
    assert scores["tilt_deg"] < 15.0
    assert len(weights_digest()) == 12
