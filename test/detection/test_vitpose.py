"""ViTPose and RT-DETR from local folders, as tiny models with random weights."""

from __future__ import annotations

import builtins
import json
import shutil

import numpy as np
import pytest

from humor_ros.detection import DetectorConfig, ModelFileError, create_detector

IMAGE = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
BOXES = np.array([[20.0, 20, 120, 220], [150, 30, 260, 200]])


def detector(pose_path, **settings):
    return create_detector(DetectorConfig(kind="vitpose", pose_path=pose_path, **settings))


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


@pytest.fixture(scope="module", params=[1, 2], ids=["plain", "experts"])
def vitpose_folder(request, transformers, tmp_path_factory):
    backbone = transformers.VitPoseBackboneConfig(
        image_size=[64, 48],
        patch_size=[16, 16],
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        mlp_ratio=1,
        num_experts=request.param,
        part_features=4 if request.param > 1 else 0,
    )
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=17)
    folder = tmp_path_factory.mktemp("vitpose")
    transformers.VitPoseForPoseEstimation(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def person_folder(transformers, tmp_path_factory):
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], layer_type="basic"
    )
    backbone.out_features = ["stage2", "stage3", "stage4"]
    config = transformers.RTDetrConfig(
        backbone_config=backbone,
        encoder_in_channels=[8, 8, 8],
        encoder_hidden_dim=16,
        encoder_ffn_dim=16,
        d_model=16,
        decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=16,
        decoder_layers=1,
        num_queries=8,
        decoder_attention_heads=2,
        encoder_attention_heads=2,
        id2label={0: "person", 1: "bicycle"},
        label2id={"person": 0, "bicycle": 1},
    )
    folder = tmp_path_factory.mktemp("rtdetr")
    transformers.RTDetrForObjectDetection(config).save_pretrained(folder)
    rules = {"size": {"height": 64, "width": 64}, "do_normalize": False}
    (folder / "preprocessor_config.json").write_text(json.dumps(rules))
    return folder


def test_keypoints_lie_in_the_crops(vitpose_folder):
    found = detector(vitpose_folder).refine(IMAGE, BOXES)
    assert found.shape == (2, 17, 3)
    for keypoints, box in zip(found, BOXES, strict=True):
        margin = 0.8 * (box[2:] - box[:2]).max()
        assert (keypoints[:, :2] > box[:2] - margin).all()
        assert (keypoints[:, :2] < box[2:] + margin).all()
    assert ((found[..., 2] >= 0) & (found[..., 2] <= 1)).all()


def test_boxes_come_from_multipose_by_default(vitpose_folder):
    assert detector(vitpose_folder).detect(np.zeros_like(IMAGE)) == []


def test_boxes_of_a_local_person_detector_lie_in_the_image(vitpose_folder, person_folder):
    model = detector(vitpose_folder, person_path=person_folder, person_threshold=0.0)
    found = model.detect(IMAGE)
    assert found
    for detection in found:
        assert (detection.box_xyxy >= 0).all()
        assert (detection.box_xyxy <= [320, 240, 320, 240]).all()
    scores = [detection.score for detection in found]
    assert scores == sorted(scores, reverse=True)


def test_a_missing_folder_is_named_with_the_remedy(transformers, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        detector(tmp_path / "nowhere")


def test_a_pose_model_is_no_person_detector(vitpose_folder):
    with pytest.raises(ModelFileError, match="AutoModelForObjectDetection"):
        detector(vitpose_folder, person_path=vitpose_folder)


def test_a_person_detector_is_no_pose_model(person_folder):
    with pytest.raises(ModelFileError, match="rt_detr"):
        detector(person_folder)


def test_a_person_detector_without_people_is_refused(vitpose_folder, person_folder, tmp_path):
    shutil.copytree(person_folder, tmp_path / "cats")
    config = json.loads((person_folder / "config.json").read_text())
    config["id2label"] = {"0": "cat", "1": "dog"}
    (tmp_path / "cats" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelFileError, match="no class 'person'"):
        detector(vitpose_folder, person_path=tmp_path / "cats")


def test_corrupt_weights_are_refused(vitpose_folder, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((vitpose_folder / name).read_bytes()[:4000])
    with pytest.raises(ModelFileError, match="corrupt"):
        detector(tmp_path)


def test_without_the_library_the_extra_is_named(monkeypatch, tmp_path):
    genuine = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "transformers":
            raise ImportError(name)
        return genuine(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"humor_ros\[vitpose\]"):
        detector(tmp_path)
