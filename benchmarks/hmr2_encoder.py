"""Seconds a crop and memory of the image encoder, beside a plain implementation.

    python benchmarks/hmr2_encoder.py [--threads 2] [--rounds 5] [--depth 32] [--device cpu]

Weights are random and of the published size (ViT-H/16; ``--depth`` makes it shallower, for a
trial). They go through a checkpoint file, as a user's would. The plain implementation says what
the published one does in the shortest way: weights read whole, attention by product, softmax and
product, everything in one number type. Both are timed in turns in one process, so that what else
the machine does falls on both; the ratio is the median over the turns. Memory is that of a fresh
process each. The change is that of the feature from float32's over its root mean square, on these
random weights.
"""

from __future__ import annotations

import multiprocessing
import queue
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor
from torch.nn import functional

from humor_ros.features.checkpoint import load_encoder
from humor_ros.features.config import FULL_SIZE, EncoderConfig
from humor_ros.features.network import Hmr2Encoder
from humor_ros.features.packed import pack

BATCHES = (1, 4)
DTYPES = ("float32", "bfloat16")

Encode = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Memory:
    """Of a process that loaded an encoder and encoded a batch, bytes beyond what it began with.

    Attributes:
        own: held at the end, of its own.
        peak: largest that was resident, pages of the mapped file included.
    """

    own: int
    peak: int


class PlainEncoder:
    """The network as its description reads, in one type, with plain weights.

    Args:
        weights: by published name.
        config: sizes.
    """

    def __init__(self, weights: dict[str, Tensor], config: EncoderConfig) -> None:
        self._weights, self._config = weights, config

    def __call__(self, crops: Tensor) -> Tensor:
        """Crops (B, 3, H, W) to features (B, 1024)."""
        w, vit = self._weights, self._config.vit
        patches = functional.conv2d(
            crops.to(w["backbone.pos_embed"].dtype),
            w["backbone.patch_embed.proj.weight"],
            w["backbone.patch_embed.proj.bias"],
            stride=vit.patch_size,
            padding=2,
        )
        place = w["backbone.pos_embed"]
        tokens = patches.flatten(2).transpose(1, 2) + place[:, 1:] + place[:, :1]
        for i in range(vit.depth):
            name = f"backbone.blocks.{i}"
            parts = self._linear(f"{name}.attn.qkv", self._norm(f"{name}.norm1", tokens, 1e-6))
            query, key, value = self._heads(parts, vit.num_heads, 3)
            mixed = _attend(query, key, value)
            tokens = tokens + self._linear(f"{name}.attn.proj", mixed)
            hidden = self._linear(f"{name}.mlp.fc1", self._norm(f"{name}.norm2", tokens, 1e-6))
            tokens = tokens + self._linear(f"{name}.mlp.fc2", functional.gelu(hidden))
        return self._decode(self._norm("backbone.last_norm", tokens, 1e-6))

    def _decode(self, context: Tensor) -> Tensor:
        w, sizes = self._weights, self._config.decoder
        top = "smpl_head.transformer"
        token = w[f"{top}.to_token_embedding.bias"] + w[f"{top}.pos_embedding"]
        token = token.expand(len(context), -1, -1)
        for i in range(sizes.depth):
            name = f"{top}.transformer.layers.{i}"
            parts = self._linear(f"{name}.0.fn.to_qkv", self._norm(f"{name}.0.norm", token))
            own = _attend(*self._heads(parts, sizes.heads, 3))
            token = token + self._linear(f"{name}.0.fn.to_out.0", own)
            query = self._linear(f"{name}.1.fn.to_q", self._norm(f"{name}.1.norm", token))
            (query,) = self._heads(query, sizes.heads, 1)
            key, value = self._heads(self._linear(f"{name}.1.fn.to_kv", context), sizes.heads, 2)
            token = token + self._linear(f"{name}.1.fn.to_out.0", _attend(query, key, value))
            hidden = self._linear(f"{name}.2.fn.net.0", self._norm(f"{name}.2.norm", token))
            token = token + self._linear(f"{name}.2.fn.net.3", functional.gelu(hidden))
        return token[:, 0]

    def _linear(self, name: str, values: Tensor) -> Tensor:
        weights = self._weights
        return functional.linear(values, weights[f"{name}.weight"], weights.get(f"{name}.bias"))

    def _norm(self, name: str, values: Tensor, eps: float = 1e-5) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return functional.layer_norm(values, weight.shape, weight, bias, eps)

    @staticmethod
    def _heads(values: Tensor, heads: int, parts: int) -> tuple[Tensor, ...]:
        split = values.unflatten(-1, (parts, heads, -1)).permute(2, 0, 3, 1, 4)
        return tuple(split)


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    weights = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return (weights.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)


def load_plain(path: Path, config: EncoderConfig, dtype: torch.dtype) -> PlainEncoder:
    """Read a checkpoint whole, build a network, fill it: as is usual."""
    encoder = Hmr2Encoder(config).requires_grad_(False)
    encoder.load_state_dict(torch.load(path, weights_only=True)["state_dict"])
    return PlainEncoder(dict(encoder.to(dtype).state_dict()), config)


def load_ours(path: Path, config: EncoderConfig, dtype: torch.dtype) -> Hmr2Encoder:
    """As ``FeatureExtractor`` has it on a processor."""
    encoder, _ = load_encoder(path, config, dtype=dtype)
    pack(encoder)
    return encoder


def write_checkpoint(path: Path, config: EncoderConfig) -> None:
    """Random weights in the published container, without its decoys."""
    torch.manual_seed(0)
    with torch.inference_mode():
        state = Hmr2Encoder(config).state_dict()
    torch.save({"global_step": 25_000, "epoch": 10, "state_dict": state}, path)


def resident() -> tuple[int, int]:
    """Bytes of this process: of its own, and the peak of all that was resident (Linux)."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return tuple(int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "VmHWM"))  # type: ignore[return-value]


def _measure_memory(
    kind: str, path: Path, config: EncoderConfig, dtype: str, batch: int, threads: int, answer: Any
) -> None:
    torch.set_num_threads(threads)
    own, peak = resident()
    load = load_plain if kind == "plain" else load_ours
    encoder = load(path, config, getattr(torch, dtype))
    crops = torch.zeros(batch, 3, *config.vit.img_size)
    with torch.inference_mode():
        (encoder if kind == "plain" else encoder.encode)(crops)  # type: ignore[union-attr,operator]
    after = resident()
    answer.put(Memory(after[0] - own, after[1] - peak))


def measure_memory(
    kind: str, path: Path, config: EncoderConfig, dtype: str, threads: int
) -> Memory:
    """Memory of a fresh process that loads and encodes the largest batch."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    arguments = (kind, path, config, dtype, max(BATCHES), threads, answers)
    process = context.Process(target=_measure_memory, args=arguments)
    process.start()
    while True:
        try:
            memory: Memory = answers.get(timeout=1.0)
            break
        except queue.Empty as error:
            if not process.is_alive():
                raise RuntimeError(
                    f"the process that measures {kind} {dtype} ended with {process.exitcode}"
                ) from error
    process.join()
    return memory


@dataclass(frozen=True)
class Times:
    """Of one encoder, over all turns.

    Attributes:
        median: seconds a crop.
        least: seconds a crop.
        ratio: median over the turns of its time to that of the first encoder in the same turn.
    """

    median: float
    least: float
    ratio: float


def time_in_turns(encoders: dict[str, Encode], crops: Tensor, rounds: int) -> dict[str, Times]:
    """Times of each encoder, after a first turn that warms up; every other turn goes backwards."""
    seconds: dict[str, list[float]] = {name: [] for name in encoders}
    for turn in range(rounds + 1):
        for name in list(encoders)[:: 1 if turn % 2 else -1]:
            if crops.is_cuda:
                torch.cuda.synchronize()
            start = time.perf_counter()
            encoders[name](crops)
            if crops.is_cuda:
                torch.cuda.synchronize()
            if turn:
                seconds[name].append((time.perf_counter() - start) / len(crops))
    first = seconds[next(iter(encoders))]
    return {
        name: Times(
            statistics.median(own),
            min(own),
            statistics.median(a / b for a, b in zip(own, first, strict=True)),
        )
        for name, own in seconds.items()
    }


def benchmark(config: EncoderConfig, threads: int, rounds: int, device: str) -> None:
    """Measure everything and print a table."""
    torch.set_num_threads(threads)
    print(f"{threads} threads, torch {torch.__version__}, {config.vit.depth} blocks, {device}")
    print("type      encoder  batch  s/crop (least)  ratio  own GB  peak GB  change of the feature")
    torch.manual_seed(1)
    crops = torch.randn(max(BATCHES), 3, *config.vit.img_size, device=device)
    exact: Tensor | None = None
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        path = Path(folder) / "random.ckpt"
        write_checkpoint(path, config)
        for dtype in DTYPES:
            memory = {
                kind: measure_memory(kind, path, config, dtype, threads)
                for kind in ("plain", "ours")
                if device == "cpu"
            }
            encoders = _encoders(path, config, getattr(torch, dtype), device)
            exact = encoders["plain"](crops).float() if exact is None else exact
            change = {
                name: float(
                    (encode(crops).float() - exact).abs().max() / exact.square().mean().sqrt()
                )
                for name, encode in encoders.items()
            }
            for batch in BATCHES:
                times = time_in_turns(encoders, crops[:batch], rounds)
                for name, spent in times.items():
                    held = memory.get(name)
                    gigabytes = (
                        f"{held.own / 1e9:6.2f}   {held.peak / 1e9:6.2f}" if held else " " * 15
                    )
                    print(
                        f"{dtype:9} {name:8} {batch:5}  {spent.median:7.3f} ({spent.least:.3f}) "
                        f"{spent.ratio:6.2f}  {gigabytes}  {change[name]:.1e}"
                    )
            del encoders


def _encoders(
    path: Path, config: EncoderConfig, dtype: torch.dtype, device: str
) -> dict[str, Encode]:
    plain = load_plain(path, config, dtype)
    if device == "cpu":
        return {"plain": plain, "ours": load_ours(path, config, dtype).encode}
    plain = PlainEncoder({k: v.to(device) for k, v in plain._weights.items()}, config)
    return {"plain": plain, "ours": load_encoder(path, config, dtype=dtype)[0].to(device).encode}


def main(
    threads: Annotated[int, typer.Option(help="Threads of the computation.")] = 2,
    rounds: Annotated[int, typer.Option(help="Timed rounds.")] = 5,
    depth: Annotated[int, typer.Option(help="Blocks of the backbone.")] = FULL_SIZE.vit.depth,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Print the table."""
    benchmark(replace(FULL_SIZE, vit=replace(FULL_SIZE.vit, depth=depth)), threads, rounds, device)


if __name__ == "__main__":
    typer.run(main)
