"""``humor-ros convert``: data sets in their published layouts to training sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from humor_ros.commands.keypoint_options import Images, Keypoints, PosePath, keypoint_choice

__all__ = ["app"]

app = typer.Typer(help="Convert data sets to training sequences (.npz).", no_args_is_help=True)

_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Your copy, as it is published.")]
_Output = Annotated[Path, typer.Option(help="Folder for one .npz a person; made if absent.")]
_Bodies = Annotated[
    Path | None,
    typer.Option(
        help="Folder with your SMPL_NEUTRAL, _FEMALE, _MALE (.pkl or .npz): adds 3D key-points"
        " and, for EMDB, places."
    ),
]


@app.callback()
def _convert() -> None:
    """Convert data sets to training sequences."""


@app.command("3dpw")
def threedpw(
    folder: _Folder,
    output: _Output,
    bodies: _Bodies = None,
    split: Annotated[str | None, typer.Option(help="train, val or test; all if absent.")] = None,
    keypoints: Keypoints = "dataset",
    pose_path: PosePath = None,
    images: Images = None,
) -> None:
    """Convert 3DPW: DIR/sequenceFiles/{train,validation,test}/NAME.pkl (and imageFiles)."""
    _run("3dpw", folder, output, bodies, split, keypoints, pose_path, images)


@app.command("emdb")
def emdb(
    folder: _Folder,
    output: _Output,
    bodies: _Bodies = None,
    keypoints: Keypoints = "detect",
    pose_path: PosePath = None,
    images: Images = None,
) -> None:
    """Convert EMDB: DIR/P0/NAME/P0_NAME_data.pkl (and images)."""
    _run("emdb", folder, output, bodies, None, keypoints, pose_path, images)


def _run(
    layout: str,
    folder: Path,
    output: Path,
    bodies: Path | None,
    split: str | None,
    keypoints: str,
    pose_path: Path | None,
    images: Path | None,
) -> None:
    from humor_ros.evaluation.sequences import layout_of, open_sequences
    from humor_ros.evaluation.truth_bodies import TruthBodies

    if layout_of(folder) != layout:
        raise typer.BadParameter(f"DIR: {folder} holds no {layout} in its published layout")
    choice = keypoint_choice(keypoints, pose_path, images)
    output.mkdir(parents=True, exist_ok=True)
    found = None if bodies is None else TruthBodies(bodies)
    count = frames = 0
    for sequence in open_sequences(folder, split=split, bodies=found, keypoints=choice):
        path = sequence.write(output / f"{sequence.name}.npz")
        count, frames = count + 1, frames + len(sequence)
        typer.echo(f"{path}: {len(sequence)} frames, {int(sequence.scored.sum())} scored")
    typer.echo(f"{count} sequences, {frames} frames -> {output}")
