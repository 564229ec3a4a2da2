"""What the smoother costs the tracker, measured in one run on the same video.

    . scripts/env.sh
    python benchmarks/smoother_load.py "$(scripts/demo_video.sh)" [--seconds 30] [--rounds 2]

Player, tracker, recorder and, in every second pass, the smoother run as processes of their own
over DDS, as `humor-ros demo` starts them; everything that they publish is recorded. Printed for
both passes, with their ratio: images a second and latency of the tracker, what was dropped, what
the smoother told, and the processor time of each process. "others" is what the rest of the machine
took meanwhile: where that differs between the passes, the ratio says little.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from node_latency import processor_s
from rich.console import Console
from rich.table import Table

from humor_ros.ros.demo_processes import DemoSettings, play_demo
from humor_ros.ros.recording import Recording
from humor_ros.ros.time_conversion import seconds_from_stamp

_PROCESSES = ("tracker", "smoother", "player", "recorder")
#: Counters of the smoother's diagnostics that the table repeats.
_COUNTERS = (
    *("messages_dropped", "hops", "hops_skipped", "hops_hurried", "fallbacks", "people_shed"),
    *("images_told_late", "cold_starts"),
)


def machine_s() -> tuple[float, float]:
    """Processor time that all have used, and that the host took away, seconds (Linux)."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, soft, steal = (int(value) for value in fields[:8])
    tick = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + soft) / tick, steal / tick


@dataclass
class Load:
    """Processor time along one pass; called by the demo while the video plays."""

    samples: list[tuple[float, dict[str, float], float, float]] = field(default_factory=list)

    def __call__(self, ids: dict[str, int]) -> None:
        """Note where all clocks stand."""
        if self.samples and time.monotonic() - self.samples[-1][0] < 0.5:
            return
        used = {name: processor_s(pid) for name, pid in ids.items()}
        self.samples.append((time.monotonic(), used | {"": time.process_time()}, *machine_s()))

    def shares(self) -> dict[str, float]:
        """Cores that each process, all others, and the host's other guests took."""
        if len(self.samples) < 2:
            return {}
        (from_s, before, busy, stolen), (to_s, after, busy_then, stolen_then) = (
            self.samples[0],
            self.samples[-1],
        )
        span_s = to_s - from_s
        ours = {name: (used - before.get(name, 0.0)) / span_s for name, used in after.items()}
        others = (busy_then - busy) / span_s - sum(ours.values())
        shares = {f"{name}, cores": ours[name] for name in _PROCESSES if name in ours}
        return shares | {
            "others, cores": max(0.0, others),
            "taken by the host, cores": (stolen_then - stolen) / span_s,
        }


def one_pass(video: Path, seconds: float, *, smoother: bool) -> dict[str, float]:
    """Play once; figures by name."""
    load = Load()
    with tempfile.TemporaryDirectory() as folder:
        settings = DemoSettings(video, Path(folder), smoother=smoother, seconds=seconds)
        played = play_demo(settings, load)
        recording = Recording.read(settings.bag)
    numbers = recording.numbers()
    figures = {
        "tracker: images a second": numbers.rate_hz,
        "tracker: latency p50, ms": 1e3 * numbers.latency_p50_s,
        "tracker: latency p99, ms": 1e3 * numbers.latency_p99_s,
        "tracker: dropped, %": 100.0 * (1.0 - numbers.processed / max(1, played["images"])),
        "player: images left out": float(played["images_left_out"]),
        "people at once": float(numbers.most_at_once),
    }
    if smoother:
        figures |= _smoothed(recording)
    return figures | load.shares()


def _smoothed(recording: Recording) -> dict[str, float]:
    told = recording.numbers(smoothed=True)
    facts: dict[str, Any] = recording.smoother_diagnostics
    span_s = recording.frames[-1].stamp_s - recording.frames[0].stamp_s
    return {
        "smoother: images told a second": told.rate_hz,
        "smoother: images refined a second": recording.refined_images / span_s,
        "smoother: people refined, %": 100.0 * recording.smoothed_share,
        "smoother: stated lag p50, s": recording.lag_p50_s,
        "smoother: latency p50, s": told.latency_p50_s,
        "smoother: latency p99, s": told.latency_p99_s,
        "smoother: hop p50, s": float(facts.get("solver_time_p50_s", math.nan)),
        # Those that follow the last image are left out.
        "forecasts a second": sum(
            seconds_from_stamp(told.header.stamp) < recording.frames[-1].stamp_s
            for told in recording.forecasts
        )
        / span_s,
        "forecasts of somebody a second": recording.forecast_rate_hz,
        **{f"smoother: {name}": float(facts.get(name, 0)) for name in _COUNTERS},
    }


def main(
    video: Annotated[Path, typer.Argument(help="Video to play again and again.")],
    seconds: Annotated[float, typer.Option(min=5.0, help="Of each pass.")] = 30.0,
    rounds: Annotated[int, typer.Option(min=1, help="Pairs of passes; medians are told.")] = 1,
) -> None:
    """Play without and with the smoother; print the table."""
    console = Console(width=100)
    passes: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    for _ in range(rounds):
        for smoother in (False, True):
            passes[smoother].append(one_pass(video, seconds, smoother=smoother))
    without, beside = (_medians(passes[smoother]) for smoother in (False, True))
    title = f"{video.name}, {rounds} x {seconds:g} s each, {os.cpu_count()} cores"
    table = Table("figure", title=title)
    for name in ("without", "with smoother", "ratio"):
        table.add_column(name, justify="right")
    for name in sorted(without | beside, key=_order):
        alone, together = without.get(name, math.nan), beside.get(name, math.nan)
        ratio = together / alone if alone else math.nan
        table.add_row(name, _told(alone), _told(together), _told(ratio))
    console.print(table)


def _medians(passes: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.median([figures[name] for figures in passes])) for name in passes[0]}


def _order(name: str) -> tuple[int, int]:
    """Figures as they were made, processor shares last."""
    return (int(name.endswith("cores")), 0)


def _told(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}"


if __name__ == "__main__":
    typer.run(main)
