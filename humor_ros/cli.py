"""The command line ``humor-ros``: tracking, rendering, training, evaluation, reproduction.

Commands are listed here and live in ``humor_ros.commands``, one module each; what they need
beyond the command line is imported when they run.
"""

from __future__ import annotations

import importlib
import logging

import typer

__all__ = ["app", "main"]

_COMMANDS: dict[str, tuple[str, str]] = {
    "track": ("humor_ros.commands.track", "track"),
    "smooth": ("humor_ros.commands.smooth", "smooth"),
    "render": ("humor_ros.commands.render", "render"),
    "demo": ("humor_ros.commands.demo", "demo"),
    "cache-features": ("humor_ros.commands.cache_features", "cache_features"),
}
_SUBCOMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "evaluate": {
        "inertial": ("humor_ros.commands.evaluate_inertial", "evaluate_inertial"),
        "sequences": ("humor_ros.commands.evaluate_sequences", "evaluate_sequences"),
        "keypoints": ("humor_ros.commands.evaluate_keypoints", "evaluate_keypoints"),
        "mocap": ("humor_ros.commands.evaluate_mocap", "evaluate_mocap"),
        "video": ("humor_ros.commands.evaluate_video", "evaluate_video"),
    },
    "reproduce": {
        "humor": ("humor_ros.commands.reproduce_humor", "reproduce_humor"),
        "hmr2": ("humor_ros.commands.reproduce_hmr2", "reproduce_hmr2"),
    },
    "train": {
        "humor": ("humor_ros.commands.train_humor", "train_humor"),
    },
}
_GROUPS: dict[str, str] = {
    "convert": "humor_ros.commands.convert",
    "evaluate": "humor_ros.commands.evaluate",
    "reproduce": "humor_ros.commands.reproduce",
    "train": "humor_ros.commands.train",
}


def _build() -> typer.Typer:
    application = typer.Typer(
        help="Online human motion for robots: WHAM from video and IMU.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for name, (module, function) in _COMMANDS.items():
        application.command(name)(getattr(importlib.import_module(module), function))
    for group, module in _GROUPS.items():
        subcommands: typer.Typer = importlib.import_module(module).app
        for name, (place, function) in _SUBCOMMANDS.get(group, {}).items():
            subcommands.command(name)(getattr(importlib.import_module(place), function))
        application.add_typer(subcommands, name=group)
    return application


app = _build()


def main() -> None:
    """Run the command line; errors of the user's making are told in one line."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        app()
    except (ValueError, OSError) as error:
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        raise SystemExit(2) from error
