"""``humor-ros reproduce hmr2``: recompute the image encoder's outputs from a raw image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from humor_ros.commands.reproduction import Dtype, Output, Precision, write_arrays

__all__ = ["reproduce_hmr2"]


def reproduce_hmr2(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder with config.json, hmr2*.ckpt, inputs.npz and bodies *smpl_<V>.npz.",
        ),
    ],
    output: Output,
    dtype: Dtype = Precision.float32,
) -> None:
    """Write every array of an HMR2 run to --output; compare with DIR/outputs_f64.npz if it exists.

    Exit code 1 says that an array is out of tolerance (float64 1e-8, float32 5e-5, crops 0).
    """
    import numpy as np
    import torch

    from humor_ros.features.reproduce import CROP_BOXES, TOLERANCES, reproduce
    from humor_ros.reproduction import largest_differences

    arrays = write_arrays(reproduce, folder, output, dtype)
    references = {
        "outputs_f64.npz": TOLERANCES[getattr(torch, dtype.value)],
        "inputs.npz": 0.0,
        CROP_BOXES[0]: 0.0,
    }
    good = True
    for name, tolerance in references.items():
        if not (folder / name).is_file():
            continue
        with np.load(folder / name, allow_pickle=False) as file:
            exact = ("norm_crop", "crop_ul_br_xyxy", CROP_BOXES[1])
            expected = {n: file[n] for n in file.files if name == "outputs_f64.npz" or n in exact}
        differences = largest_differences(arrays, expected)
        good &= _tell(name, differences, tolerance, set(arrays))
    if not good:
        raise typer.Exit(code=1)


def _tell(name: str, differences: dict[str, float], tolerance: float, made: set[str]) -> bool:
    """Print the largest difference from a file, and what is beyond its tolerance or not made."""
    absent = sorted(set(differences) - made)
    found = {key: value for key, value in differences.items() if key in made}
    if not found:
        return True
    worst = max(found, key=lambda key: found[key])
    beyond = sorted(key for key, value in found.items() if not value <= tolerance)
    typer.echo(f"{name}: {len(found)} arrays, largest difference {found[worst]:.1e} ({worst})")
    if absent:
        typer.echo(f"  not made, their body is not in the folder: {', '.join(absent)}")
    if beyond:
        typer.echo(f"  out of tolerance {tolerance:.0e}: {', '.join(beyond)}")
    return not beyond
