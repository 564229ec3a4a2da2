"""A published benchmark over many sequences, and its table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from humor_ros.body import BodyModel
from humor_ros.evaluation.motion_scores import SCORE_COLUMNS, mean_scores
from humor_ros.evaluation.report import Column, ResultTable
from humor_ros.evaluation.sequence_runner import RunSettings, at_network_rate, run_sequence
from humor_ros.evaluation.sequence_scores import Benchmark, score_sequence, true_motion
from humor_ros.evaluation.truth_bodies import TruthBodies
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.types import Array
from humor_ros.wham.network import WhamNetwork

__all__ = ["SequenceResult", "benchmark_table", "evaluate_benchmark", "scored_frames"]

#: The acceleration needs three frames, and as published its first and last value are dropped.
_MIN_FRAMES = 5


@dataclass(frozen=True)
class SequenceResult:
    """Scores of one sequence.

    Attributes:
        name: of the sequence and person.
        frames: that were scored.
        keypoint_source: of its 2D key-points.
        used_features: frames whose image feature was used.
        encoder_start: whether the image encoder's pose began it.
        scores: values by name.
    """

    name: str
    frames: int
    keypoint_source: str
    used_features: int
    encoder_start: bool
    scores: dict[str, Array]


def scored_frames(sequence: PersonSequence) -> PersonSequence | None:
    """The frames that the benchmark counts, one after the other; None where they are too few.

    As published, the others are not seen at all; a gap in time is one step of the network.
    """
    frames = sequence.scored & sequence.has_smpl
    if frames.sum() < _MIN_FRAMES:
        return None
    return sequence.select(frames)


def evaluate_benchmark(
    benchmark: Benchmark,
    sequences: Iterable[PersonSequence],
    network: WhamNetwork,
    body: BodyModel,
    bodies: TruthBodies,
    settings: RunSettings,
    h36m: Array | None = None,
    on_sequence: Callable[[SequenceResult], None] | None = None,
) -> list[SequenceResult]:
    """Run and score sequences.

    Args:
        benchmark: which scores.
        sequences: its people.
        network: in evaluation mode.
        body: of the network's shape space.
        bodies: of the truth.
        settings: how to run.
        h36m: (14, V) regressor of the common joints.
        on_sequence: told each result.

    Returns:
        One result for each sequence that has frames to score.

    Raises:
        FileNotFoundError: the body of a truth is not there.
        ValueError: a sequence lacks what the benchmark needs; or none has frames to score.
    """
    results = []
    for whole in sequences:
        sequence = scored_frames(at_network_rate(whole))
        if sequence is None:
            continue
        said = run_sequence(network, body, sequence, settings)
        scores = score_sequence(
            benchmark,
            said,
            true_motion(sequence, world=benchmark.world),
            body,
            bodies.of(sequence),
            h36m,
            sequence.fps,
        )
        started = settings.features and bool(sequence.has_init[0])
        result = SequenceResult(
            sequence.name,
            len(sequence),
            sequence.keypoint_source,
            said.used_features,
            started,
            scores,
        )
        results.append(result)
        if on_sequence is not None:
            on_sequence(result)
    if not results:
        raise ValueError(f"no sequence of {benchmark.title} has frames to score")
    return results


def benchmark_table(
    name: str, benchmark: Benchmark, results: Sequence[SequenceResult], notes: Sequence[str] = ()
) -> ResultTable:
    """One row a sequence and one for all frames together, the published number.

    Args:
        name: key of the table in the JSON.
        benchmark: whose scores are shown, in its order.
        results: at least one.
        notes: more sentences below the table.
    """
    rows: list[dict[str, Any]] = [_row(result.name, [result]) for result in results]
    rows.append(_row("all", results))
    by_name = {column.name: column for column in SCORE_COLUMNS}
    columns = [replace(by_name[score], digits=1) for score in benchmark.scores]
    sources = sorted({result.keypoint_source for result in results})
    frames = sum(result.frames for result in results)
    features = sum(result.used_features for result in results)
    starts = sum(result.encoder_start for result in results)
    told = [
        f"Key-points: {', '.join(sources)}. Image features in {features} of {frames} frames, the "
        f"image encoder's pose at the start of {starts} of {len(results)} sequences.",
        "all: mean over the frames of all sequences together, as published.",
    ]
    if "pve_mm" not in results[0].scores:
        told.append("No PVE: the network's body and the truth's have different meshes.")
    if "projected" in sources:
        told.append("Projected key-points are the truth's: compare with no published number.")
    return ResultTable(
        name,
        f"{benchmark.title}, {len(results)} sequence{'s' if len(results) > 1 else ''}",
        (Column("sequence"), Column("frames"), *columns),
        tuple(rows),
        (*told, *notes),
    )


def _row(name: str, results: Sequence[SequenceResult]) -> dict[str, Any]:
    return {
        "sequence": name,
        "frames": sum(result.frames for result in results),
        **mean_scores(result.scores for result in results),
    }
