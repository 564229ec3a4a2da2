"""The sequences of a folder: converted files, or a user's copy of a data set as it is published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from humor_ros.evaluation.emdb import emdb_files, read_emdb
from humor_ros.evaluation.sequence_keypoints import NO_KEYPOINTS, detected, from_folder, projected
from humor_ros.evaluation.threedpw import read_threedpw, threedpw_files
from humor_ros.evaluation.truth_bodies import TruthBodies
from humor_ros.training.sequence_file import PersonSequence, read_sequence

if TYPE_CHECKING:
    from humor_ros.detection import DetectorConfig

__all__ = ["KeypointChoice", "Layout", "layout_of", "open_sequences"]

Layout = Literal["converted", "3dpw", "emdb"]
_KINDS = ("dataset", "detect", "projected", "folder")


@dataclass(frozen=True)
class KeypointChoice:
    """Where the 2D key-points of a data set come from.

    Attributes:
        kind: "dataset": what the files hold; "detect": a detector on the images; "projected":
            the truth's (for tests and as an upper bound); "folder": ``NAME.npy`` (T, 17, 3).
        folder: of kind "folder".
        detector: of kind "detect"; None for the packaged MoveNet.
        images: folder that image paths are relative to; None for the data set's.
    """

    kind: str = "dataset"
    folder: Path | None = None
    detector: DetectorConfig | None = None
    images: Path | None = None

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"kind of key-points must be one of {_KINDS}, got {self.kind!r}")
        if (self.kind == "folder") != (self.folder is not None):
            raise ValueError("a folder of key-points goes with kind 'folder', and with it alone")

    def applier(self, root: Path) -> Callable[[PersonSequence], PersonSequence]:
        """A function that gives a sequence its key-points.

        Args:
            root: of the data set.

        Raises:
            FileNotFoundError, ValueError, ImportError: the detector cannot be made.
        """
        if self.kind == "projected":
            return projected
        if self.folder is not None:
            folder = self.folder
            return lambda sequence: from_folder(sequence, folder)
        if self.kind == "dataset":
            return _own
        from humor_ros.detection import DetectorConfig, create_detector

        config = self.detector or DetectorConfig()
        detector = create_detector(config)
        model = config.movenet_model if config.kind == "movenet" else str(config.pose_path)
        source = f"{config.kind} {model}"
        return lambda sequence: detected(sequence, self.images or root, detector, source)


def layout_of(folder: Path) -> Layout:
    """What a folder holds.

    Raises:
        FileNotFoundError: it is no folder, or holds nothing known.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"folder of sequences not found: {folder}")
    if (folder / "sequenceFiles").is_dir():
        return "3dpw"
    if next(folder.glob("P*/*/*_data.pkl"), None) is not None:
        return "emdb"
    if next(folder.glob("*.npz"), None) is not None:
        return "converted"
    raise FileNotFoundError(
        f"{folder} holds no training sequences (*.npz), no 3DPW (sequenceFiles/) and no EMDB "
        "(P0/.../*_data.pkl)"
    )


def open_sequences(
    folder: Path,
    *,
    split: str | None = None,
    benchmark: str | None = None,
    bodies: TruthBodies | None = None,
    keypoints: KeypointChoice | None = None,
) -> Iterator[PersonSequence]:
    """Read a folder's people one after the other.

    Args:
        folder: see :func:`layout_of`.
        split: only this split; None for all.
        benchmark: only the sequences that belong to it; None for all.
        bodies: the user's SMPL bodies.
        keypoints: where those come from; the data set's own where None.

    Raises:
        FileNotFoundError: nothing of that kind is there.
        ValueError: a file is not what it should be; or its key-points are still to be found.
    """
    choice = keypoints or KeypointChoice()
    apply = choice.applier(folder)
    found = 0
    for sequence in _read(folder, split, bodies):
        if split is not None and sequence.split != split:
            continue
        if benchmark is not None and benchmark not in sequence.benchmarks:
            continue
        found += 1
        yield apply(sequence)
    if not found:
        told = "".join(f" of {kind}" for kind in (benchmark, split) if kind)
        raise FileNotFoundError(f"no sequence{told} in {folder}")


def _read(folder: Path, split: str | None, bodies: TruthBodies | None) -> Iterator[PersonSequence]:
    layout = layout_of(folder)
    if layout == "3dpw":
        for name, path in threedpw_files(folder, split):
            yield from read_threedpw(path, name, folder, bodies)
    elif layout == "emdb":
        for path in emdb_files(folder):
            yield read_emdb(path, folder, bodies)
    else:
        for path in sorted(folder.glob("*.npz")):
            yield read_sequence(path)


def _own(sequence: PersonSequence) -> PersonSequence:
    """The sequence as it is.

    Raises:
        ValueError: it has no key-points yet.
    """
    if sequence.keypoint_source == NO_KEYPOINTS:
        raise ValueError(
            f"{sequence.name}: {sequence.dataset} has no measured key-points; detect them in its "
            "images (--keypoints detect), or give a folder of your own (--keypoints FOLDER)"
        )
    return sequence
