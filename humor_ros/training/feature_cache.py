"""Image features and first-frame bodies of training sequences, made once and kept in the files."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from humor_ros.features.extractor import FeatureExtractor
from humor_ros.features.initialisation import first_frame
from humor_ros.features.rows import encode_rows
from humor_ros.training.feature_draft import FeatureDraft
from humor_ros.training.sequence_file import PersonSequence, read_sequence
from humor_ros.training.sequence_images import SequenceImages
from humor_ros.wham.values import Body

__all__ = ["CacheReport", "cache_sequence", "draft_path"]

#: A draft is written after so many crops (minutes of work without a GPU).
SAVE_EVERY = 128
#: Frames whose bodies are posed at a time.
_CHUNK = 256


@dataclass(frozen=True)
class CacheReport:
    """What was done for one sequence.

    Attributes:
        frames: of the sequence.
        encoded: frames that were looked at now; the others were known, or are not looked at.
        features: frames that have a feature.
        without_image: frames whose image is missing.
        initialised: frames that have a first-frame body.
    """

    frames: int
    encoded: int
    features: int
    without_image: int
    initialised: int


def draft_path(path: Path) -> Path:
    """Where an interrupted run leaves what it has made for a sequence file."""
    return path.with_name(path.name + ".part")


def cache_sequence(
    path: str | Path,
    extractor: FeatureExtractor,
    images: SequenceImages,
    *,
    origin: str,
    body: Body | None = None,
    batch: int = 4,
    seen_only: bool = False,
    overwrite: bool = False,
    on_rows: Callable[[int], None] | None = None,
) -> CacheReport:
    """Write image features and, with a body, that of each first frame into a sequence file.

    The keys are ``img_features``, ``init_pose`` and ``init_kp3d``, their masks, and where mirrored
    crops are encoded too, the same of these.

    Where the file has features they are taken to be this encoder's: bodies are made of them
    without looking at an image. An interrupted run goes on where it was.

    Args:
        path: of the sequence file; it is replaced when everything is known.
        extractor: runs the encoder; where it also encodes mirrored crops, so does the file.
        images: of the sequence.
        origin: names the encoder, so that nothing is mixed after an interruption.
        body: in whose shape space the encoder speaks (SMPL); None leaves first frames out.
        batch: crops at a time.
        seen_only: leave frames out in which no key-point is seen.
        overwrite: make everything anew.
        on_rows: told how many frames are done, as they are.

    Raises:
        FileNotFoundError: the file, or all of its images, are missing.
        ValueError: a file is not as it should be.
    """
    path = Path(path)
    sequence = read_sequence(path)
    encoded = missing = 0
    changed = overwrite or not _has_features(sequence, extractor)
    draft = draft_path(path)
    if changed:
        boxes = f"{zlib.crc32(sequence.boxes.tobytes()):08x}"
        made = FeatureDraft(
            draft,
            f"{origin}, boxes {boxes}",
            len(sequence),
            extractor.feature_size,
            mirrored=extractor.flip,
        )
        rows = np.flatnonzero(_looked_at(sequence, seen_only) & ~made.done)
        encoded, missing = _encode(sequence, made, extractor, images, rows, batch, on_rows)
        sequence = sequence.with_features(
            made.features, made.valid, img_features_mirrored=made.mirrored
        )
    if body is not None and (changed or not _has_first_frames(sequence, extractor)):
        changed = True
        sequence = _with_first_frames(sequence, extractor, body)
    if changed:
        sequence.write(path)
        draft.unlink(missing_ok=True)
    return CacheReport(
        frames=len(sequence),
        encoded=encoded,
        features=int(sequence.has_features.sum()),
        without_image=missing,
        initialised=int(sequence.has_init.sum()),
    )


def _has_features(sequence: PersonSequence, extractor: FeatureExtractor) -> bool:
    """Whether nothing is left for the encoder.

    Raises:
        ValueError: the features are of another encoder, by their size.
    """
    held = sequence.img_features
    if held is None:
        return False
    if held.shape[1] != extractor.feature_size:
        raise ValueError(
            f"{sequence.name} has features of {held.shape[1]} numbers, this encoder gives "
            f"{extractor.feature_size}; ask to overwrite them"
        )
    return not extractor.flip or sequence.img_features_mirrored is not None


def _has_first_frames(sequence: PersonSequence, extractor: FeatureExtractor) -> bool:
    mirrored = not extractor.flip or sequence.init_pose_mirrored is not None
    return sequence.init_pose is not None and mirrored


def _looked_at(sequence: PersonSequence, seen_only: bool) -> NDArray[np.bool_]:
    if not seen_only:
        return np.ones(len(sequence), dtype=bool)
    seen: NDArray[np.bool_] = np.any(sequence.keypoints[..., 2] > 0.0, axis=1)
    return seen


def _encode(
    sequence: PersonSequence,
    draft: FeatureDraft,
    extractor: FeatureExtractor,
    images: SequenceImages,
    rows: NDArray[np.int64],
    batch: int,
    on_rows: Callable[[int], None] | None,
) -> tuple[int, int]:
    """Fill the draft; how many frames were encoded, and how many have no image."""
    before = saved = int(draft.done.sum())
    if on_rows is not None and before:
        on_rows(before)
    try:
        for part in encode_rows(
            extractor, images.read(sequence, rows), sequence.boxes, batch=batch
        ):
            draft.put(part)
            if on_rows is not None:
                on_rows(len(part.rows))
            if draft.done.sum() - saved >= SAVE_EVERY:
                draft.save()
                saved = int(draft.done.sum())
    except BaseException:  # an interruption, too, must not lose what was made
        if draft.done.sum() > saved:
            draft.save()
        raise
    if len(rows) and not draft.done.any():
        raise FileNotFoundError(f"no image of {sequence.name} found: {images.where(sequence)}")
    count = int(draft.done.sum()) - before
    return count, len(rows) - count


def _with_first_frames(
    sequence: PersonSequence, extractor: FeatureExtractor, body: Body
) -> PersonSequence:
    """Bodies that the features speak of, at every frame that has one: any may start a clip."""
    features = sequence.img_features
    if features is None:
        return sequence
    pose, keypoints = _first_frames(features, sequence.has_features, extractor, body)
    mirrored: dict[str, Any] = {}
    if sequence.img_features_mirrored is not None:
        parts = _first_frames(
            sequence.img_features_mirrored, sequence.has_features, extractor, body
        )
        mirrored = dict(zip(("init_pose_mirrored", "init_kp3d_mirrored"), parts, strict=True))
    return sequence.with_features(
        features, sequence.has_features, pose, keypoints, sequence.has_features, **mirrored
    )


@torch.inference_mode()
def _first_frames(
    features: NDArray[np.float32],
    valid: NDArray[np.bool_],
    extractor: FeatureExtractor,
    body: Body,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rotations (T, 24, 3, 3) and COCO key-points (T, 17, 3) of features (T, F)."""
    pose = np.tile(np.eye(3, dtype=np.float32), (len(valid), 24, 1, 1))
    keypoints = np.zeros((len(valid), 17, 3), dtype=np.float32)
    rows = np.flatnonzero(valid)
    for start in range(0, len(rows), _CHUNK):
        some = rows[start : start + _CHUNK]
        people = extractor.read_out(torch.from_numpy(features[some]))
        pose[some] = people.rotations.numpy()
        keypoints[some] = first_frame(people, body, torch.zeros(len(some), 37)).keypoints.numpy()
    return pose, keypoints
