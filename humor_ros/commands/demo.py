"""``humor-ros demo``: a video through ROS 2, tracked, smoothed, recorded and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from humor_ros.ros.demo import DemoResult
    from humor_ros.ros.recording import RunNumbers

__all__ = ["demo"]


def demo(
    video: Annotated[Path, typer.Option(help="Video to play.")],
    output: Annotated[Path, typer.Option(help="Folder for recording and picture.")] = Path(
        "out/demo"
    ),
    params: Annotated[Path | None, typer.Option(help="YAML of the tracker's parameters.")] = None,
    camera_info: Annotated[
        Path | None, typer.Option(help="ROS camera_info YAML; without it a focal length is assumed")
    ] = None,
    body: Annotated[Path | None, typer.Option(help="SMPL_NEUTRAL body file.")] = None,
    weights: Annotated[Path | None, typer.Option(help="WHAM weights file.")] = None,
    rate: Annotated[float, typer.Option(min=0.05, help="Speed; 1 is real time.")] = 1.0,
    smoother: Annotated[
        bool, typer.Option(help="Run HuMoR's smoother beside the tracker, in another process.")
    ] = True,
) -> None:
    """Play a video as ROS topics, track and smooth it in other processes, record and draw it.

    The camera is taken to stand still (its IMU is simulated so). Ends with code 0 only if people
    were tracked.
    """
    try:
        from humor_ros.ros.demo import DemoFailed, DemoSettings, run_demo
    except ImportError as error:
        typer.secho(
            f"error: {error}; the demo needs ROS 2 and the built messages: run 'make setup', then "
            "'. scripts/env.sh' (or 'make demo', which does both)",
            fg=typer.colors.RED,
            err=True,
        )
        raise typer.Exit(2) from error
    typer.echo(f"playing {video.name} over ROS 2, tracking in another process ...")
    try:
        result = run_demo(
            DemoSettings(video, output, params, camera_info, weights, body, rate, smoother)
        )
    except DemoFailed as error:
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from error
    _show(result)
    if not result.tracked:
        typer.secho("nobody was tracked", fg=typer.colors.RED, err=True)
        raise typer.Exit(1)


def _show(result: DemoResult) -> None:
    from rich.console import Console
    from rich.table import Table

    numbers = result.numbers
    table = Table(title="humor_ros demo", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    rows = {
        "images published": f"{result.published} of {result.size[0]} x {result.size[1]}",
        "images processed": f"{numbers.processed}",
        "images dropped": f"{result.dropped}",
        "people": f"{numbers.people} (at once {numbers.most_at_once})",
        "images with people": f"{numbers.with_people}",
        "rate": f"{numbers.rate_hz:.1f} Hz",
        "latency p50": f"{1e3 * numbers.latency_p50_s:.0f} ms",
        "latency p99": f"{1e3 * numbers.latency_p99_s:.0f} ms",
        "camera motion": result.camera_motion,
    }
    if result.smoothed is not None:
        rows |= _smoother_rows(result, result.smoothed)
    if result.left_out:
        rows["images the player left out"] = f"{result.left_out} (machine too busy)"
    for name, value in rows.items():
        table.add_row(name, value)
    console = Console()
    console.print(table)
    console.print("latency: from an image's stamp to the receipt of its people in the recorder")
    console.print(f"recording {result.bag}", soft_wrap=True)
    if result.picture is not None:
        console.print(f"picture   {result.picture}", soft_wrap=True)


def _smoother_rows(result: DemoResult, numbers: RunNumbers) -> dict[str, str]:
    facts = result.smoother_facts

    def fact(name: str) -> str:
        return facts.get(name, "0")

    return {
        "smoother: images told": f"{numbers.processed}",
        "smoother: people refined": f"{100.0 * result.smoothed_share:.0f} %",
        "smoother: latency p50": f"{1e3 * numbers.latency_p50_s:.0f} ms",
        "smoother: latency p99": f"{1e3 * numbers.latency_p99_s:.0f} ms",
        "smoother: hops (skipped)": f"{fact('hops')} ({fact('hops_skipped')})",
        "smoother: fallbacks": fact("fallbacks"),
        "forecasts": f"{result.forecast_rate_hz:.1f} Hz",
    }
