"""A track file drawn over the images that it was made from: as a film, or as one picture."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from humor_ros.io.track_file import TrackFile, TrackRow
from humor_ros.types import Image
from humor_ros.viewer.film import Film
from humor_ros.viewer.film_file import FilmFile
from humor_ros.viewer.mesh import BodyMeshes
from humor_ros.viewer.scene import CameraPose, Scene
from humor_ros.viewer.summary import pick_moments, render_summary

__all__ = ["draw_film", "draw_summary"]

_DEFAULT_FPS = 30.0
_log = logging.getLogger(__name__)


def draw_film(
    track: TrackFile,
    images: Iterable[tuple[int, Image]],
    output: Path,
    *,
    height: int = 720,
    meshes: BodyMeshes | None = None,
    advance: Callable[[], object] = lambda: None,
) -> int:
    """Write an ``.mp4`` of overlay and world, one picture for each processed frame.

    Args:
        track: what was tracked.
        images: frame index and (H, W, 3) BGR image, indices growing.
        output: file to write.
        height: of the pictures, pixels.
        meshes: draw the body's surface by these in place of stick figures.
        advance: called once a picture.

    Returns:
        number of pictures written.

    Raises:
        ValueError: if the images do not belong to the tracks.
        OSError: if the file cannot be written.
    """
    rows = [track.row(index) for index in range(len(track))]
    scene = Scene.around(rows, _poses(rows), level_assumed=_level_assumed(track))
    film = Film(scene, track.camera, height, meshes)
    pose: CameraPose | None = None
    written = 0
    matched = _matched(track, images)
    first = next(matched, None)
    if first is None:
        raise _no_match(track)
    picture = film.draw(first[1], first[2], pose := _pose(first[2], pose))
    fps = track.fps or _DEFAULT_FPS
    with FilmFile(output, fps, (picture.shape[1], picture.shape[0])) as file:
        file.write(picture)
        written += 1
        advance()
        for _, image, people in matched:
            pose = _pose(people, pose)
            file.write(film.draw(image, people, pose))
            written += 1
            advance()
    if written < len(track.processed_frame):
        _log.warning("the video ended after %d of %d frames", written, len(track.processed_frame))
    return written


def draw_summary(
    track: TrackFile,
    images: Iterable[tuple[int, Image]],
    *,
    moments: int = 4,
    width: int = 1600,
    meshes: BodyMeshes | None = None,
) -> Image:
    """Draw one picture: a strip of moments, and the world with everybody's way.

    Args:
        track: what was tracked.
        images: frame index and (H, W, 3) BGR image, indices growing.
        moments: overlays in the strip.
        width: of the picture, pixels.
        meshes: draw the body's surface by these in place of stick figures.

    Returns:
        (H, width, 3) BGR.

    Raises:
        ValueError: if the images do not belong to the tracks.
    """
    history = list(track.by_frame())
    chosen = {
        history[index][0]: history[index][1]
        for index in pick_moments([len(people) for _, _, people in history], moments)
    }
    start_s = history[0][1] if history else 0.0
    shown = []
    for frame, image, people in _matched(track, images):
        if frame in chosen:
            shown.append((image.copy(), people))
        if len(shown) == len(chosen):
            break
    if not shown:
        raise _no_match(track)
    poses = list(_poses([person for _, people in shown for person in people]))
    return render_summary(
        shown,
        track.camera,
        history=[people for _, _, people in history],
        poses=poses,
        captions=[f"{stamp - start_s:.1f} s" for stamp in chosen.values()],
        meshes=meshes,
        level_assumed=_level_assumed(track),
        width=width,
    )


def _matched(
    track: TrackFile, images: Iterable[tuple[int, Image]]
) -> Iterator[tuple[int, Image, list[TrackRow]]]:
    """Index, image and people of each processed frame that the images hold."""
    people_at = {frame: people for frame, _, people in track.by_frame()}
    size = (track.camera.width, track.camera.height)
    for frame, image in images:
        if frame not in people_at:
            continue
        if (image.shape[1], image.shape[0]) != size:
            raise ValueError(
                f"--video shows {image.shape[1]}x{image.shape[0]} pixels at frame {frame}, but "
                f"the tracks were made from {size[0]}x{size[1]}; give the same input to both"
            )
        yield frame, image, people_at[frame]


def _level_assumed(track: TrackFile) -> bool:
    return not bool(np.all(track["gravity_known"]))


def _pose(people: list[TrackRow], before: CameraPose | None) -> CameraPose | None:
    """The camera at this frame; where nobody is seen the file has none, so the last one."""
    return next(_poses(people), before)


def _poses(rows: Iterable[TrackRow]) -> Iterator[CameraPose]:
    for row in rows:
        yield CameraPose(row.rotation_world_camera, row.position_world_camera)


def _no_match(track: TrackFile) -> ValueError:
    return ValueError(
        f"--video holds none of the {len(track.processed_frame)} processed frames of the tracks; "
        "give the video or bag that humor-ros track read"
    )
