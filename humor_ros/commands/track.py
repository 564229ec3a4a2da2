"""``humor-ros track``: people in a video file or a ROS 2 bag, written to one ``.npz``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["track"]


def track(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Video file or ROS 2 bag.")],
    output: Annotated[Path, typer.Option(help="Where to write the tracks (.npz).")],
    camera_info: Annotated[
        Path | None, typer.Option(help="ROS camera_info YAML; without it a focal length is assumed")
    ] = None,
    imu: Annotated[
        Path | None, typer.Option(help="CSV with stamp_s, wx, wy, wz, ax, ay, az (IMU axes).")
    ] = None,
    imu_rotation: Annotated[
        str | None,
        typer.Option(
            help="IMU axes to optical axes as quaternion 'x,y,z,w'; default: from a bag's TF, and"
            " optical axes for a CSV."
        ),
    ] = None,
    body: Annotated[Path | None, typer.Option(help="SMPL_NEUTRAL body file.")] = None,
    weights: Annotated[Path | None, typer.Option(help="WHAM weights file.")] = None,
    image_encoder: Annotated[
        Path | None,
        typer.Option(help="HMR2.0a checkpoint; gives image features to WHAM weights that take it."),
    ] = None,
    image_encoder_sizes: Annotated[
        Path | None, typer.Option(help="JSON of the encoder's sizes; default: the published ones.")
    ] = None,
    image_encoder_dtype: Annotated[
        Literal["float32", "bfloat16", "float16"],
        typer.Option(help="Type of the encoder's large products."),
    ] = "float32",
    image_encoder_device: Annotated[str, typer.Option(help="Where it runs: cpu, cuda ...")] = "cpu",
    features_every: Annotated[
        int, typer.Option(min=1, help="Encode each person at every so many processed frames.")
    ] = 1,
    flip_averaging: Annotated[
        bool, typer.Option(help="Average with the mirrored video, as WHAM's evaluation does.")
    ] = False,
    world_mode: Annotated[
        Literal["imu", "wham"],
        typer.Option(help="World orientation: camera attitude x camera root, or WHAM's decoder."),
    ] = "imu",
    camera_fixed: Annotated[
        bool, typer.Option(help="The camera does not translate (a tripod, a wall).")
    ] = False,
    max_people: Annotated[int, typer.Option(min=1, help="Most people followed at once.")] = 8,
    image_topic: Annotated[str | None, typer.Option(help="Image topic of a bag.")] = None,
    imu_topic: Annotated[str | None, typer.Option(help="IMU topic of a bag.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of each network.")] = 2,
) -> None:
    """Track people through INPUT; one row a person and processed frame.

    Frames nearer than 22 ms to the one before are skipped (cameras above 45 Hz).
    """
    import torch
    from rich.progress import Progress

    from humor_ros.detection import DetectorConfig, PeopleTrackerConfig
    from humor_ros.features.online import FeatureConfig
    from humor_ros.inertial import InertialConfig
    from humor_ros.io.bag_topics import BagTopics
    from humor_ros.io.sources import (
        CameraEvent,
        ImageEvent,
        ImuEvent,
        MountingEvent,
        open_source,
    )
    from humor_ros.io.track_writer import TrackWriter
    from humor_ros.pipeline import FrameRejected, PipelineConfig, TrackingPipeline
    from humor_ros.wham.stream import StreamConfig

    if output.suffix != ".npz":
        raise typer.BadParameter(f"--output must end in .npz, got {output}")
    torch.set_num_threads(threads)
    mounting = _imu_rotation(imu_rotation or ("0,0,0,1" if imu else None))
    pipeline = TrackingPipeline(
        PipelineConfig(
            detector=DetectorConfig(threads=threads),
            people=PeopleTrackerConfig(max_people=max_people),
            inertial=InertialConfig(rotation_camera_imu=mounting),
            stream=StreamConfig(
                world_mode=world_mode, camera_fixed=camera_fixed, flip_averaging=flip_averaging
            ),
            features=None
            if image_encoder is None
            else FeatureConfig(
                encoder=image_encoder,
                sizes=image_encoder_sizes,
                background=False,
                every=features_every,
                dtype=image_encoder_dtype,
                device=image_encoder_device,
            ),
            weights=weights,
            body=body,
        ),
    )
    events = open_source(
        source,
        camera_info=camera_info,
        imu_csv=imu,
        topics=BagTopics(image=image_topic, imu=imu_topic),
    )
    start = time.monotonic()
    frames = skipped = rejected = 0
    people: set[str] = set()
    with events, TrackWriter(output) as writer, Progress(disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("tracking", total=events.image_count)
        for event in events:
            if isinstance(event, ImuEvent):
                pipeline.add_imu(event.sample)
            elif isinstance(event, MountingEvent) and imu_rotation is None:
                pipeline.inertial.set_extrinsics(event.rotation_camera_imu)
            elif isinstance(event, CameraEvent):
                pipeline.set_camera(event.camera)
            elif isinstance(event, ImageEvent):
                bar.advance(task)
                if not pipeline.wants(event.stamp_s):
                    skipped += 1
                    continue
                try:
                    result = pipeline.process(event.bgr, event.stamp_s)
                except FrameRejected as error:
                    rejected += 1
                    typer.secho(f"frame {event.index}: {error}", fg="yellow", err=True)
                    continue
                frames += 1
                people.update(human.person_id for human in result.humans)
                writer.append(event.index, result, pipeline.camera)
    if pipeline.inertial.counters.get("imu_without_extrinsics"):
        typer.secho(
            "the IMU was not used: nothing tells how it is mounted; give --imu-rotation",
            fg="yellow",
            err=True,
        )
    seconds = time.monotonic() - start
    typer.echo(
        f"{frames} frames, {len(people)} people, {skipped} skipped, {rejected} rejected,"
        f" {frames / max(seconds, 1e-9):.1f} frames/s -> {output}"
    )


def _imu_rotation(text: str | None) -> NDArray[np.float64] | None:
    from scipy.spatial.transform import Rotation

    if text is None:
        return None
    try:
        rotation: NDArray[np.float64] = Rotation.from_quat(
            [float(part) for part in text.split(",")]
        ).as_matrix()
    except ValueError as error:
        raise typer.BadParameter(f"--imu-rotation must be 'x,y,z,w', got {text!r}") from error
    return rotation
