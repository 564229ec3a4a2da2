"""``humor-ros smooth``: a track file with the motion refined by HuMoR."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

__all__ = ["smooth"]


def smooth(
    source: Annotated[Path, typer.Argument(metavar="IN.npz", help="File of humor-ros track.")],
    output: Annotated[Path, typer.Option(help="Where to write the smoothed track (.npz).")],
    method: Annotated[
        Literal["window", "fit"],
        typer.Option(help="The real-time window, or the published three-stage fit (slow)."),
    ] = "window",
    weights: Annotated[
        Path | None, typer.Option(help="HuMoR weights: ours or a published best_model.pth.")
    ] = None,
    mixture: Annotated[
        Path | None, typer.Option(help="prior_gmm.npz (fit); default: beside the weights.")
    ] = None,
    vposer: Annotated[
        Path | None, typer.Option(help="VPoser v1.0 weights for the fit's first two stages.")
    ] = None,
    body: Annotated[
        Path | None, typer.Option(help="SMPL_NEUTRAL body file that the track was made with.")
    ] = None,
    window: Annotated[int, typer.Option(min=0, help="Frames of a window; 0: default.")] = 0,
    hop: Annotated[int, typer.Option(min=0, help="New frames a solution; 0: default.")] = 0,
    lag: Annotated[int, typer.Option(min=-1, help="Frames waited for; -1: default.")] = -1,
    ground: Annotated[
        float | None,
        typer.Option(help="Height of the ground in the track's world, m, where known (window)."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Smooth everybody in IN.npz; the same keys, and lag_frames, ground_plane and contacts9."""
    import torch

    from humor_ros.body import BodyModel
    from humor_ros.humor.models import load_prior
    from humor_ros.humor.smoothing import smooth_by_fit, smooth_by_window
    from humor_ros.io.smoothed_file import write_smoothed
    from humor_ros.io.track_file import TrackFile

    if output.suffix != ".npz":
        raise typer.BadParameter(f"--output must end in .npz, got {output}")
    torch.set_num_threads(threads)
    track = TrackFile.read(source)
    if not len(track):
        typer.secho(f"{source} has nobody in it: it is written as it is", fg="yellow", err=True)
    model = BodyModel.load(body)
    prior = load_prior(weights, mixture)
    if method == "window":
        config = _config(window, hop, lag)
        level = None if ground is None else torch.tensor([ground, 0.0, 0.0], dtype=torch.float64)
        result = smooth_by_window(track, prior.network, model, config, ground=level)
    else:
        result = smooth_by_fit(track, _fitter(prior, body, vposer), model)
    write_smoothed(output, source, result)
    counts = result.counts
    typer.echo(
        f"{counts.people} people, {len(track)} rows, {counts.hops} windows, {counts.fallbacks}"
        f" fallbacks to the tracker, {counts.rows_left_out} rows left as they were -> {output}"
    )


def _config(window: int, hop: int, lag: int) -> Any:
    from dataclasses import replace

    from humor_ros.humor.window_config import WindowConfig

    given: dict[str, Any] = {}
    if window:
        given["frames"] = window
    if hop:
        given["hop"] = hop
    if lag >= 0:
        given["lag"] = lag
    return replace(WindowConfig.for_recordings(), **given)


def _fitter(prior: Any, body: Path | None, vposer: Path | None) -> Any:
    from dataclasses import replace

    from humor_ros.body import packaged_body_path
    from humor_ros.humor import HumorBody, MotionFitter, RotationVectorPose, VPoser, preset

    humor_body = HumorBody.load(packaged_body_path() if body is None else body)
    pose = RotationVectorPose() if vposer is None else VPoser.load(vposer)
    config = replace(preset("amass_joints"), window=60, canonical_start=True)
    return MotionFitter(prior.network, humor_body, pose, prior.mixture, config)
