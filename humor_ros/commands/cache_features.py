"""``humor-ros cache-features``: image features for training sequences, made once, from images."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from humor_ros.body import BodyModel
    from humor_ros.features import FeatureExtractor
    from humor_ros.training.feature_cache import CacheReport
    from humor_ros.training.sequence_images import SequenceImages

__all__ = ["cache_features"]

#: A video's tracks lie under this name beside its sequences, so that they are made once.
_TRACKS_SUFFIX = ".tracks"
_CHECKPOINTS = (".tar", ".pth", ".pt")


class EncoderPrecision(str, Enum):
    """Floating-point type of the encoder's large products."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


def cache_features(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SEQUENCES|VIDEO",
            help="Folder of training sequences (.npz), one such file, or with --output a video.",
        ),
    ],
    encoder: Annotated[Path, typer.Option(help="HMR2.0a checkpoint (.ckpt).")],
    images: Annotated[
        Path | None, typer.Option(help="Folder that the sequences' image_path is relative to.")
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option(help="Video of the sequences, or a folder of videos of their names."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where to write a video's people, one sequence each.")
    ] = None,
    tracks: Annotated[
        Path | None,
        typer.Option(help="Of the video, from humor-ros track; without it people are tracked."),
    ] = None,
    body: Annotated[
        Path | None,
        typer.Option(
            help="SMPL_NEUTRAL file, or published WHAM checkpoint, for the first frames' bodies;"
            " without it features alone are written."
        ),
    ] = None,
    encoder_sizes: Annotated[
        Path | None, typer.Option(help="JSON of an encoder that is not of the published size.")
    ] = None,
    dtype: Annotated[
        EncoderPrecision, typer.Option(help="Type of the encoder's large products.")
    ] = EncoderPrecision.float32,
    device: Annotated[str, typer.Option(help="cpu, or cuda.")] = "cpu",
    batch: Annotated[int, typer.Option(min=1, help="Crops at a time.")] = 4,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
    min_frames: Annotated[
        int, typer.Option(min=1, help="People of a video seen in fewer frames are left out.")
    ] = 30,
    flip: Annotated[
        bool, typer.Option(help="Also encode the mirrored crops, for flip averaging.")
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Make features anew that are there.")] = False,
) -> None:
    """Write image features into training sequences, or make such sequences of a video.

    Files that have features are left as they are, and an interrupted run goes on where it was:
    run the same command again. Exit code 1 says that a sequence could not be done.
    """
    import torch

    from humor_ros.training.sequence_images import ImageFolder, Videos

    torch.set_num_threads(threads)
    paths: list[Path]
    if output is not None:
        if images is not None or video is not None:
            raise typer.BadParameter("--output is for a video; leave --images and --video out")
        paths = _sequences_of(source, output, tracks, min_frames, threads)
        place: SequenceImages = Videos(source)
    else:
        paths = _sequence_files(source)
        if tracks is not None:
            raise typer.BadParameter("--tracks is of a video; give it with --output")
        if (images is None) == (video is None):
            raise typer.BadParameter("give one of --images and --video (or --output, for a video)")
        place = ImageFolder(images) if images is not None else Videos(video or source)
    if not paths:
        typer.echo("no sequences: nothing to do")
        return
    extractor = _extractor(encoder, encoder_sizes, dtype.value, device, batch, flip=flip)
    model = _body(body)
    origin = f"{encoder.name} of {encoder.stat().st_size} bytes, {dtype.value}, flip {flip}"
    failed, bodiless = _cache_all(
        paths,
        extractor,
        place,
        origin,
        model,
        batch,
        seen_only=output is not None,
        overwrite=overwrite,
    )
    if bodiless:
        typer.echo(f"{bodiless} sequences have no first frames: give --body, it needs no images")
    if failed:
        raise typer.Exit(code=1)


def _cache_all(
    paths: list[Path],
    extractor: FeatureExtractor,
    images: SequenceImages,
    origin: str,
    body: BodyModel | None,
    batch: int,
    *,
    seen_only: bool,
    overwrite: bool,
) -> tuple[int, int]:
    """Do every sequence; how many could not be done, and how many have no first frames."""
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    from humor_ros.training.feature_cache import cache_sequence
    from humor_ros.training.sequence_file import read_sequence

    failed = bodiless = 0
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not sys.stderr.isatty()) as bar:
        whole = bar.add_task("sequences", total=len(paths))
        for path in paths:
            try:
                task = bar.add_task(path.stem, total=len(read_sequence(path)))
                report = cache_sequence(
                    path,
                    extractor,
                    images,
                    origin=origin,
                    body=body,
                    batch=batch,
                    seen_only=seen_only,
                    overwrite=overwrite,
                    on_rows=lambda count, task=task: bar.advance(task, count),  # type: ignore[misc]
                )
                bar.remove_task(task)
                bodiless += bool(report.features and not report.initialised)
                bar.console.print(f"{path.name}: {_told(report)}", highlight=False)
            except (ValueError, OSError) as error:
                failed += 1
                bar.console.print(f"{path.name}: not done: {error}", style="red", highlight=False)
            bar.advance(whole)
    return failed, bodiless


def _told(report: CacheReport) -> str:
    parts = [f"{report.features} features in {report.frames} frames"]
    parts.append(f"{report.encoded} made now" if report.encoded else "none made now")
    if report.initialised:
        parts.append(f"{report.initialised} first frames")
    if report.without_image:
        parts.append(f"{report.without_image} images missing")
    return ", ".join(parts)


def _sequence_files(source: Path) -> list[Path]:
    if source.is_file() and source.suffix == ".npz":
        return [source]
    if source.is_dir():
        found = sorted(source.rglob("*.npz"))
        if found:
            return found
        raise typer.BadParameter(f"no training sequences (.npz) in {source}")
    if source.exists():
        raise typer.BadParameter(f"{source} is no training sequence; for a video give --output")
    raise typer.BadParameter(f"not found: {source}")


def _sequences_of(
    video: Path, folder: Path, tracks: Path | None, min_frames: int, threads: int
) -> list[Path]:
    """Write the people of a video, unless that was done, and list their files."""
    from humor_ros.io.track_file import TrackFile
    from humor_ros.training.tracked_sequences import tracked_sequences

    if not video.is_file():
        raise typer.BadParameter(f"video not found: {video}")
    folder.mkdir(parents=True, exist_ok=True)
    measured = "humor-ros track"
    if tracks is None:
        tracks, measured = folder / (video.stem + _TRACKS_SUFFIX), "movenet-thunder"
        if not tracks.is_file():
            with _beside(tracks) as path:
                _track(video, path, threads)
    people = tracked_sequences(
        TrackFile.read(tracks), video.stem, min_frames=min_frames, keypoint_source=measured
    )
    paths = []
    for person in people:
        path = folder / f"{person.name}.npz"
        if not path.is_file():
            person.write(path)
        paths.append(path)
    typer.echo(f"{len(paths)} people seen in {min_frames} frames or more")
    return paths


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A temporary ``.npz`` that takes the name ``path`` once it is complete."""
    temporary = path.with_name(path.name + ".part.npz")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _track(video: Path, output: Path, threads: int) -> None:
    from humor_ros.commands.track import track

    track(source=video, output=output, threads=threads)


def _extractor(
    path: Path, config: Path | None, dtype: str, device: str, batch: int, *, flip: bool
) -> FeatureExtractor:
    import torch

    from humor_ros.features import EncoderConfig, FeatureExtractor, load_encoder

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise typer.BadParameter(f"--device {device}: this PyTorch finds no CUDA device")
    sizes = None if config is None else EncoderConfig.from_file(config)
    encoder, _ = load_encoder(path, sizes, dtype=getattr(torch, dtype))
    return FeatureExtractor(encoder, device=device, max_batch=batch, flip=flip)


def _body(path: Path | None) -> BodyModel | None:
    from humor_ros.body import BodyModel
    from humor_ros.wham.checkpoint import read_published

    if path is None:
        return None
    if path.suffix in _CHECKPOINTS:
        return BodyModel.from_wham_checkpoint(read_published(path))
    return BodyModel.load(path)
