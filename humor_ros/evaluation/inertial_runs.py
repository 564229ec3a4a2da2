"""Runs of the virtual rig, several at once, kept in a file as they come.

A run of an hour that is cut leaves what was done; the next one goes on from there. The file has one
JSON object a line: first what the runs stand for (digest of the weights, mocap), then scores.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from humor_ros.evaluation.inertial import evaluate_rig
from humor_ros.evaluation.inertial_scenarios import SCENARIOS
from humor_ros.training.mocap import MocapLibrary
from humor_ros.wham.models import PACKAGED_WEIGHTS

__all__ = ["KeptRuns", "play_all", "weights_digest"]

Scores = dict[str, float]
_library: MocapLibrary | None = None


def weights_digest(path: Path = PACKAGED_WEIGHTS) -> str:
    """First twelve hexadecimal digits of a weights file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


class KeptRuns:
    """Scores by scenario and seed, in memory and, with a path, in a file.

    Args:
        path: of the file; it is made where it is not there. None keeps nothing.
        settings: what the runs stand for; those of the file must be the same.

    Raises:
        ValueError: the file holds runs with other settings, or something else.
    """

    def __init__(self, path: Path | None, settings: Mapping[str, Any]) -> None:
        self._path = path
        self._scores: dict[tuple[str, int], Scores] = {}
        head = json.loads(json.dumps({"settings": dict(settings)}))
        if path is None:
            return
        if not path.is_file():
            path.write_text(json.dumps(head) + "\n", encoding="utf-8")
            return
        try:
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            found = lines[0]["settings"]
            runs = {(line["scenario"], line["seed"]): line["scores"] for line in lines[1:]}
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ValueError(f"{path} holds no runs of the rig ({error!r})") from error
        if found != head["settings"]:
            raise ValueError(
                f"{path} was made with {found}, not with {head['settings']}: name another file"
            )
        self._scores = {
            key: {name: float("nan") if value is None else value for name, value in scores.items()}
            for key, scores in runs.items()
        }

    def missing(self, scenarios: Sequence[str], seeds: Sequence[int]) -> list[tuple[str, int]]:
        """Runs that are not there yet, seed by seed."""
        wanted = [(name, seed) for seed in seeds for name in scenarios]
        return [run for run in wanted if run not in self._scores]

    def add(self, scenario: str, seed: int, scores: Scores) -> None:
        """Keep the scores of a run."""
        self._scores[scenario, seed] = scores
        if self._path is not None:
            plain = {name: value if value == value else None for name, value in scores.items()}
            line = json.dumps({"scenario": scenario, "seed": seed, "scores": plain})
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def by_scenario(
        self, scenarios: Sequence[str], seeds: Sequence[int]
    ) -> dict[str, list[Scores]]:
        """Scores of those runs that are there, in order of the seeds."""
        found = {
            name: [self._scores[name, seed] for seed in seeds if (name, seed) in self._scores]
            for name in scenarios
        }
        return {name: runs for name, runs in found.items() if runs}


def play_all(
    runs: Sequence[tuple[str, int]], mocap: Path | None, *, tracker: bool, workers: int
) -> Iterator[tuple[str, int, Scores]]:
    """Play runs and hand out their scores as they come.

    Args:
        runs: scenario and seed of each.
        mocap: folder of mocap shards; None for an empty room.
        tracker: whether people are tracked.
        workers: processes; with one, all happens in this one.
    """
    if workers <= 1:
        _load(mocap)
        for name, seed in runs:
            yield name, seed, _play(name, seed, tracker)
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_load, initargs=(mocap,)) as pool:
        waiting = {pool.submit(_play, name, seed, tracker): (name, seed) for name, seed in runs}
        for future in as_completed(waiting):
            yield *waiting[future], future.result()


def _load(mocap: Path | None) -> None:
    global _library
    torch.set_num_threads(1)
    _library = None if mocap is None else MocapLibrary.load(mocap, "val")


def _play(name: str, seed: int, tracker: bool) -> Scores:
    return evaluate_rig(SCENARIOS[name], seed, _library, tracker=tracker)
