"""``humor-ros render``: tracks drawn over their video and in the world, as film or picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["render"]

_SUFFIXES = (".mp4", ".png")


def render(
    tracks: Annotated[
        Path, typer.Argument(metavar="TRACKS", help="File of humor-ros track (.npz).")
    ],
    video: Annotated[Path, typer.Option(help="The video or ROS 2 bag that was tracked.")],
    output: Annotated[Path, typer.Option(help="Film (.mp4) or summary picture (.png).")],
    mesh: Annotated[bool, typer.Option(help="Draw the body's surface, not a skeleton.")] = False,
    body: Annotated[
        Path | None, typer.Option(help="With --mesh: the body file that was tracked with.")
    ] = None,
    moments: Annotated[
        int, typer.Option(min=1, max=12, help="Overlays in the strip of a picture.")
    ] = 4,
    height: Annotated[int, typer.Option(min=240, help="Height of a film, pixels.")] = 720,
    width: Annotated[int, typer.Option(min=320, help="Width of a picture, pixels.")] = 1600,
    image_topic: Annotated[str | None, typer.Option(help="Image topic of a bag.")] = None,
) -> None:
    """Draw TRACKS over their video beside the world: an .mp4 film or one .png picture."""
    import sys
    from contextlib import closing

    if output.suffix.lower() not in _SUFFIXES:
        raise typer.BadParameter(f"--output must end in .mp4 or .png, got {output}")
    if not output.parent.is_dir():
        raise typer.BadParameter(f"--output: folder not found: {output.parent}")
    if body is not None and not mesh:
        raise typer.BadParameter("--body is only used with --mesh")

    import cv2
    from rich.progress import Progress

    from humor_ros.io.bag_topics import BagTopics
    from humor_ros.io.sources import ImageEvent, open_source
    from humor_ros.io.track_file import TrackFile
    from humor_ros.viewer.mesh import BodyMeshes
    from humor_ros.viewer.playback import draw_film, draw_summary

    track = TrackFile.read(tracks)
    meshes = None
    if mesh:
        from humor_ros.body.model import BodyModel

        meshes = BodyMeshes(BodyModel.load(body))
    topics = None if image_topic is None else BagTopics(image=image_topic)
    with open_source(video, topics=topics) as events:
        images = ((event.index, event.bgr) for event in events if isinstance(event, ImageEvent))
        if output.suffix.lower() == ".png":
            with closing(images):
                picture = draw_summary(track, images, moments=moments, width=width, meshes=meshes)
            if not cv2.imwrite(str(output), picture):
                raise OSError(f"cannot write {output}")
            typer.echo(f"{len(track.person_ids)} people -> {output}")
            return
        with Progress(disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("drawing", total=len(track.processed_frame))
            written = draw_film(
                track,
                images,
                output,
                height=height,
                meshes=meshes,
                advance=lambda: bar.advance(task),
            )
    typer.echo(f"{written} pictures, {len(track.person_ids)} people -> {output}")
