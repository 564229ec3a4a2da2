"""Top-down ONNX models by path, made here: a peak where the crop is brightest."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.detection import DetectorConfig, ModelFileError, create_detector

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

BOX = np.array([[200.0, 100.0, 320.0, 260.0]])
SPOT = np.array([251.0, 187.0])


@pytest.fixture
def spot():
    """A black image with one soft bright spot."""
    columns, rows = np.meshgrid(np.arange(640), np.arange(480))
    away = (columns - SPOT[0]) ** 2 + (rows - SPOT[1]) ** 2
    return np.repeat((255 * np.exp(-away / 200.0)).astype(np.uint8)[..., None], 3, axis=2)


def save(path, nodes, inputs, outputs, constants):
    initializers = [numpy_helper.from_array(v, k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def image_input(sides=(256, 192), batch=1):
    return helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, 3, *sides])


def output(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def heat_map_model(path, joints=17, batch=1):
    """Heat maps of 64x48: the crop's brightness over 4x4 pixels, the same for each joint."""
    kernel = np.zeros((joints, 3, 1, 1), np.float32)
    kernel[:, 0] = 0.2
    nodes = [
        helper.make_node("AveragePool", ["pixels"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["small", "kernel"], ["scaled"]),
        helper.make_node("Relu", ["scaled"], ["maps"]),
    ]
    shape = [batch, joints, 64, 48]
    inputs = [image_input(batch=batch)]
    return save(path, nodes, inputs, [output("maps", shape)], {"kernel": kernel})


def simcc_model(path):
    """SimCC with two bins to a pixel: the brightest column and row of the crop."""
    nodes = [
        helper.make_node("ReduceMax", ["pixels"], ["across"], axes=[1, 2], keepdims=0),
        helper.make_node("ReduceMax", ["pixels"], ["down"], axes=[1, 3], keepdims=0),
    ]
    for name in ("across", "down"):
        nodes += [
            helper.make_node("Reshape", [name, f"s_{name}"], [f"{name}_1"]),
            helper.make_node(
                "Resize",
                [f"{name}_1", "", "", f"n_{name}"],
                [f"{name}_2"],
                mode="linear",
                coordinate_transformation_mode="asymmetric",
            ),
            helper.make_node("Expand", [f"{name}_2", f"e_{name}"], [f"simcc_{name}"]),
        ]
    constants = {
        "s_across": np.array([1, 1, 192]),
        "s_down": np.array([1, 1, 256]),
        "n_across": np.array([1, 1, 384]),
        "n_down": np.array([1, 1, 512]),
        "e_across": np.array([1, 17, 384]),
        "e_down": np.array([1, 17, 512]),
    }
    outputs = [output("simcc_across", [1, 17, 384]), output("simcc_down", [1, 17, 512])]
    return save(path, nodes, [image_input()], outputs, constants)


def constant_model(path, values):
    """A person detector that always says the same."""
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    constants = {"zero": np.zeros(1, np.float32)}
    outputs = []
    for name, value in values.items():
        constants[f"c_{name}"] = value.astype(np.float32)
        nodes.append(helper.make_node("Add", [f"c_{name}", "nothing"], [name]))
        outputs.append(output(name, list(value.shape)))
    return save(path, nodes, [image_input((640, 640))], outputs, constants)


def detector(pose_path, **settings):
    return create_detector(DetectorConfig(kind="onnx", pose_path=pose_path, **settings))


def test_heat_maps_are_found_where_the_image_is_bright(tmp_path, spot):
    found = detector(heat_map_model(tmp_path / "h.onnx"), heat_maps_udp=False).refine(spot, BOX)
    # The pool's cells lie 1.5 pixels of the crop to the right and below, 0.78 image pixels each.
    np.testing.assert_allclose(found[0, :, :2] + 1.5 * 0.78, np.tile(SPOT, (17, 1)), atol=0.6)


def test_simcc_is_found_where_the_image_is_bright(tmp_path, spot):
    found = detector(simcc_model(tmp_path / "s.onnx")).refine(spot, BOX)
    np.testing.assert_allclose(found[0, :, :2], np.tile(SPOT, (17, 1)), atol=1.0)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_crops_find_the_same_place(tmp_path, spot, turns):
    found = detector(simcc_model(tmp_path / "s.onnx")).refine(spot, BOX, [turns])
    np.testing.assert_allclose(found[0, 0, :2], SPOT, atol=1.5)


@pytest.mark.parametrize("batch", [1, "people"])
def test_several_boxes_are_answered_in_order(tmp_path, spot, batch):
    model = detector(heat_map_model(tmp_path / "h.onnx", batch=batch))
    boxes = np.concatenate([BOX, BOX + 300.0, BOX])
    found = model.refine(spot, boxes)
    assert found.shape == (3, 17, 3)
    np.testing.assert_array_equal(found[0], found[2])
    assert found[1, :, 2].max() < found[0, :, 2].max()


def test_larger_sets_that_begin_with_coco_are_cut_to_it(tmp_path, spot):
    model = detector(heat_map_model(tmp_path / "h.onnx", joints=133))
    assert model.refine(spot, BOX).shape == (1, 17, 3)


def test_other_sets_of_keypoints_are_refused(tmp_path):
    with pytest.raises(ModelFileError, match="16 key-points"):
        detector(heat_map_model(tmp_path / "h.onnx", joints=16))


def test_a_model_of_another_kind_is_refused_with_its_shapes(tmp_path):
    path = constant_model(tmp_path / "c.onnx", {"a": np.zeros((1, 5)), "b": np.zeros((1, 5))})
    with pytest.raises(ModelFileError, match=r"\(1, 5\)"):
        detector(path)


def test_a_missing_pose_model_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.onnx"):
        detector(tmp_path / "none.onnx")


def test_boxes_come_from_multipose_where_no_person_model_is_given(tmp_path):
    model = detector(heat_map_model(tmp_path / "h.onnx"))
    assert model.detect(np.zeros((480, 640, 3), np.uint8)) == []


def test_boxes_after_suppression_are_scaled_back_and_other_classes_left_out(tmp_path, spot):
    boxes = np.array([[[100.0, 50, 200, 300, 0.6], [10, 10, 90, 90, 0.9], [0, 0, 50, 50, 0.8]]])
    values = {"dets": boxes, "labels": np.array([[0.0, 0.0, 7.0]])}
    person = constant_model(tmp_path / "p.onnx", values)
    found = detector(heat_map_model(tmp_path / "h.onnx"), person_path=person).detect(spot)
    assert [d.score for d in found] == pytest.approx([0.9, 0.6])
    np.testing.assert_allclose(found[1].box_xyxy, [100, 50, 200, 300])
    assert found[0].keypoints is None


def test_boxes_of_queries_are_parts_of_the_image(tmp_path, spot):
    values = {
        "logits": np.array([[[3.0, -3.0], [-3.0, 3.0]]]),
        "pred_boxes": np.array([[[0.5, 0.5, 0.25, 0.5], [0.1, 0.1, 0.1, 0.1]]]),
    }
    person = constant_model(tmp_path / "p.onnx", values)
    found = detector(heat_map_model(tmp_path / "h.onnx"), person_path=person).detect(spot)
    assert len(found) == 1
    np.testing.assert_allclose(found[0].box_xyxy, [240, 120, 400, 360], atol=1e-4)


def test_a_person_model_of_another_kind_is_refused(tmp_path):
    person = constant_model(tmp_path / "p.onnx", {"a": np.zeros((1, 5))})
    with pytest.raises(ModelFileError, match=r"p\.onnx"):
        detector(heat_map_model(tmp_path / "h.onnx"), person_path=person)
