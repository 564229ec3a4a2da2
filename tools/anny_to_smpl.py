"""Rebuild the packaged body: Anny's adult shapes, turned into a body in SMPL's file format.

Not part of the normal install. It was last run with Python 3.11 and these releases:

    pip install "anny==0.6.2" "fast-simplification==0.2.0" "trimesh==5.2.0" "rtree==1.4.1" typer
    python tools/anny_to_smpl.py humor_ros/assets/body

Only Anny's free parts are used: Apache-2.0 code and MakeHuman's CC0 data, all of them inside
the Python package. Nothing of SMPL's is read or measured: its file format, its 24 joints and
the habits of its T-pose (y up, z forward, x to the body's left, arms level) are all it shares.

The way: draw adult shapes; bend every one from Anny's A-pose to the T-pose; thin the skin's
triangles out; place SMPL's joints between Anny's bones; regress them, and COCO's key-points,
from vertices; take ten principal components as shape directions.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from humor_ros.body import (
    COCO17_NAMES,
    COMMON14_NAMES,
    NUM_BETAS,
    SMPL_JOINT_NAMES,
    SMPL_PARENTS,
    WHAM31_NAMES,
)

Array = NDArray[Any]
JOINT = {name: index for index, name in enumerate(SMPL_JOINT_NAMES)}
SIDES = (("left", "L", 1.0), ("right", "R", -1.0))

#: Where the pelvis of the mean shape stands, metres: SMPL's origin lies in the chest.
PELVIS = np.array([0.0, -0.22, 0.03])
#: Samples put through Anny at a time, to bound memory.
CHUNK = 50
#: Anny's axes (z up) to SMPL's (y up).
SMPL_FROM_ANNY = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])

# The T-pose, on the left; design choices, rounded. The right side is the mirror image.
CLAVICLE_RAISE = math.radians(10.0)
TRUNK_TILT = math.radians(3.5)
TOE_OUT = math.radians(12.0)


def unit(vectors: Array) -> Array:
    """Vectors (..., 3) at unit length."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _direction(x: float, y: float, z: float) -> Array:
    return unit(np.array([x, y, z]))


def _sines(degrees_x: float, degrees_y: float, degrees_z: float) -> Array:
    """A direction by the sines of angles off two axes, and the cosine along the third."""
    x, y, z = (math.radians(value) for value in (degrees_x, degrees_y, degrees_z))
    return _direction(math.sin(x), -math.cos(y), math.sin(z))


THIGH = _sines(2.2, 2.2, 1.5)
SHIN = _sines(-2.0, 2.0, -6.0)
UPPER_ARM = _direction(
    math.cos(math.radians(3)), -math.sin(math.radians(3)), -math.sin(math.radians(6))
)
FOREARM = _direction(math.cos(math.radians(2)), math.sin(math.radians(2)), 0.0)
HAND = _direction(1.0, -0.08, -0.12)

#: Anny's bones, by the start of their names, and the SMPL joint (without side) they follow.
LIMB_BONES = (
    ("upperleg", "hip"),
    ("lowerleg", "knee"),
    ("foot", "ankle"),
    ("toe", "foot"),
    ("clavicle", "collar"),
    ("shoulder", "collar"),
    ("upperarm", "shoulder"),
    ("lowerarm", "elbow"),
    ("wrist", "wrist"),
    ("metacarpal", "wrist"),
    ("finger1-1", "wrist"),
    ("finger", "hand"),
)
TRUNK_BONES = {
    "root": "pelvis",
    "pelvis": "pelvis",
    "spine05": "pelvis",
    "spine04": "spine1",
    "spine03": "spine1",
    "spine02": "spine2",
    "spine01": "spine3",
    "neck01": "neck",
    "neck02": "neck",
    "neck03": "neck",
    "head": "head",
    "eye": "head",
}


@dataclass(frozen=True)
class Rig:
    """Anny's skeleton and skin: B bones, V vertices, K bones a vertex."""

    model: Any
    labels: tuple[str, ...]
    parents: tuple[int, ...]
    skin_bones: Array  # (V, K)
    skin_weights: Array  # (V, K)
    base_vertices: Array  # (V,) numbers in MakeHuman's base mesh
    faces: Array  # (F, 3)
    data: Path  # folder of Anny's data files

    @classmethod
    def load(cls) -> Rig:
        """Make Anny's default full-body model."""
        import anny  # a heavy import, made here so that --help needs none of it

        model = anny.Anny()
        return cls(
            model=model,
            labels=tuple(model.bone_labels),
            parents=tuple(int(parent) for parent in model.bone_parents),
            skin_bones=model.vertex_bone_indices.numpy(),
            skin_weights=model.vertex_bone_weights.numpy(),
            base_vertices=model.base_mesh_vertex_indices.numpy(),
            faces=model.faces.numpy(),
            data=Path(anny.__file__).parent / "data",
        )

    def index(self, bone: str) -> int:
        """Number of a bone."""
        return self.labels.index(bone)

    def smpl_joint(self, bone: str) -> int:
        """The SMPL joint that a bone follows."""
        stem = bone.split(".")[0]
        if stem in TRUNK_BONES:
            return JOINT[TRUNK_BONES[stem]]
        side = "left" if bone.endswith(".L") else "right"
        for start, joint in LIMB_BONES:
            if stem.startswith(start):
                return JOINT[f"{side}_{joint}"]
        raise ValueError(f"Anny's bone {bone} has no SMPL joint; was its rig changed?")


def draw_phenotypes(rng: np.random.Generator, count: int) -> dict[str, Array]:
    """Draw adults; the first is the neutral one. Anny's units, each in [0, 1]."""
    drawn = {
        "gender": rng.beta(0.35, 0.35, count),
        "age": rng.uniform(2 / 3, 1.0, count),
        "muscle": np.clip(rng.normal(0.5, 0.17, count), 0.05, 0.95),
        "weight": np.clip(rng.normal(0.5, 0.17, count), 0.05, 0.95),
        "height": np.clip(rng.normal(0.373, 0.062, count), 0.2, 0.56),
        "proportions": np.clip(rng.normal(0.5, 0.2, count), 0, 1),
    }
    neutral = {"age": 0.75, "height": 0.373}
    for name, values in drawn.items():
        values[0] = neutral.get(name, 0.5)
    return drawn


def rest_shapes(rig: Rig, phenotypes: dict[str, Array]) -> tuple[Array, Array]:
    """Vertices (n, V, 3) and bone heads (n, B, 3) at rest, SMPL's axes."""
    dtype = rig.model.dtype
    count = len(phenotypes["gender"])
    vertices, heads = [], []
    for start in range(0, count, CHUNK):
        chunk = {
            name: torch.tensor(values[start : start + CHUNK], dtype=dtype)
            for name, values in phenotypes.items()
        }
        size = len(chunk["gender"])
        pose = torch.eye(4, dtype=dtype)[None, None].repeat(size, len(rig.labels), 1, 1)
        with torch.no_grad():
            output = rig.model(pose_parameters=pose, phenotype_kwargs=chunk)
        vertices.append(output["rest_vertices"].numpy())
        heads.append(output["rest_bone_heads"].numpy())
    turn = SMPL_FROM_ANNY.T
    return (np.concatenate(vertices) @ turn).astype(np.float32), np.concatenate(heads) @ turn


def frame(first: Array, near_second: Array) -> Array:
    """Orthonormal frames: the first axis exact, the second in the plane of ``near_second``."""
    x = unit(first)
    y = unit(near_second - (near_second * x).sum(-1, keepdims=True) * x)
    return np.stack([x, y, np.cross(x, y)], -1)


def turn_frame(target: tuple[Array, Array], source: tuple[Array, Array]) -> Array:
    """Rotations that take the source's frame to the target's."""
    return frame(*target) @ np.swapaxes(frame(*source), -1, -2)


def least_rotation(source: Array, target: Array) -> Array:
    """Shortest rotations from vectors (n, 3) to one direction (3,)."""
    source = unit(source)
    target = np.broadcast_to(unit(target), source.shape)
    axis = np.cross(source, target)
    cosine = (source * target).sum(-1)
    cross = np.zeros((*axis.shape[:-1], 3, 3))
    cross[..., 0, 1], cross[..., 0, 2] = -axis[..., 2], axis[..., 1]
    cross[..., 1, 0], cross[..., 1, 2] = axis[..., 2], -axis[..., 0]
    cross[..., 2, 0], cross[..., 2, 1] = -axis[..., 1], axis[..., 0]
    return np.eye(3) + cross + (cross @ cross) / (1 + cosine)[..., None, None]


def t_pose_rotations(rig: Rig, heads: Array) -> Array:
    """World rotations (n, B, 3, 3) that bend each bone from rest to the T-pose."""
    rotations = np.tile(np.eye(3), (len(heads), len(rig.labels), 1, 1))
    tilt = Rotation.from_euler("x", -TRUNK_TILT).as_matrix()
    for _, suffix, sign in SIDES:
        by_stem = side_rotations(rig, heads, suffix, sign)
        for bone in rig.labels:
            stem = bone.split(".")[0]
            if not bone.endswith("." + suffix):
                continue
            for start, rotation in by_stem:
                if stem.startswith(start):
                    rotations[:, rig.index(bone)] = rotation
                    break
    for bone in rig.labels:
        stem = bone.split(".")[0]
        place = rig.index(bone)
        if stem == "spine04":
            rotations[:, place] = Rotation.from_euler("x", -0.5 * TRUNK_TILT).as_matrix()
        elif stem in ("spine03", "spine02", "spine01"):
            rotations[:, place] = tilt
        elif stem.startswith("neck") or stem in ("head", "eye"):
            rotations[:, place] = np.eye(3)
        elif stem == "clavicle" or stem.startswith("shoulder"):
            rotations[:, place] = tilt @ rotations[:, place]
    return rotations


def side_rotations(rig: Rig, heads: Array, suffix: str, sign: float) -> list[tuple[str, Array]]:
    """World rotations of one side's bones, by the start of their names."""
    mirror = np.array([sign, 1.0, 1.0])
    forward = np.array([0.0, 0.0, 1.0])

    def head(bone: str) -> Array:
        return heads[:, rig.index(f"{bone}.{suffix}")]

    toes = 0.5 * (head("toe2-1") + head("toe3-1")) - head("foot")
    level_toes = toes * np.array([1, 0, 1])
    thigh = turn_frame(
        (THIGH * mirror, forward),
        (head("lowerleg01") - head("upperleg01"), 0.5 * unit(level_toes) + 0.5 * forward),
    )
    shin_front = np.array([sign * math.sin(math.radians(6.0)), 0.0, 1.0])
    shin = turn_frame((SHIN * mirror, shin_front), (head("foot") - head("lowerleg01"), level_toes))
    yaw = sign * TOE_OUT - np.arctan2(toes[:, 0], toes[:, 2])  # the sole's pitch is kept
    foot = Rotation.from_euler("y", yaw[:, None]).as_matrix()

    clavicle = Rotation.from_euler("z", sign * CLAVICLE_RAISE).as_matrix()
    fore = head("wrist") - head("lowerarm01")
    upper_arm = turn_frame(
        (UPPER_ARM * mirror, forward), (head("lowerarm01") - head("upperarm01"), fore)
    )
    hand = turn_frame(
        (HAND * mirror, forward),
        (head("finger3-1") - head("wrist"), head("finger2-1") - head("finger5-1")),
    )
    # The forearm's direction is exact; its roll is shared out between upper arm and hand.
    axis = FOREARM * mirror
    bent = least_rotation(np.einsum("nij,nj->ni", upper_arm, fore), axis) @ upper_arm
    relative = Rotation.from_matrix(hand @ np.swapaxes(bent, 1, 2)).as_quat()
    roll = 2 * np.arctan2((relative[:, :3] * axis).sum(1), relative[:, 3])
    roll = (roll + np.pi) % (2 * np.pi) - np.pi
    near, far = (
        Rotation.from_rotvec(roll[:, None] * share * axis).as_matrix() @ bent
        for share in (0.35, 0.75)
    )
    return [
        ("upperleg", thigh),
        ("lowerleg", shin),
        ("foot", foot),
        ("toe", foot),
        ("clavicle", clavicle),
        ("shoulder", clavicle),
        ("upperarm", upper_arm),
        ("lowerarm01", near),
        ("lowerarm02", far),
        ("wrist", hand),
        ("metacarpal", hand),
        ("finger", hand),
    ]


def bend_to_t_pose(rig: Rig, vertices: Array, heads: Array) -> tuple[Array, Array]:
    """Skin all shapes with the T-pose: vertices (n, V, 3) and bone heads (n, B, 3)."""
    rotations = t_pose_rotations(rig, heads)
    new_heads = heads.copy()
    for bone, parent in enumerate(rig.parents):
        if parent >= 0:
            offset = heads[:, bone] - heads[:, parent]
            turned = np.einsum("nij,nj->ni", rotations[:, parent], offset)
            new_heads[:, bone] = new_heads[:, parent] + turned
    shifts = (new_heads - np.einsum("nbij,nbj->nbi", rotations, heads)).astype(np.float32)
    rotations = rotations.astype(np.float32)
    weights = rig.skin_weights.astype(np.float32)
    bent = np.zeros_like(vertices)
    for slot in range(weights.shape[1]):
        used = weights[:, slot] > 0
        bones = rig.skin_bones[used, slot]
        for start in range(0, len(vertices) if used.any() else 0, CHUNK):
            part = slice(start, start + CHUNK)
            moved = np.einsum("nvij,nvj->nvi", rotations[part][:, bones], vertices[part][:, used])
            bent[part, used] += weights[used, slot][None, :, None] * (
                moved + shifts[part][:, bones]
            )
    return bent, new_heads


def smpl_joints(rig: Rig, heads: Array) -> Array:
    """SMPL's joints (n, 24, 3) of T-posed bone heads, by rounded design choices.

    MakeHuman's hips sit on the outside and its spine has other divisions than SMPL's.
    """

    def head(bone: str) -> Array:
        return heads[:, rig.index(bone)]

    def between(start: Array, end: Array, share: float) -> Array:
        return start + (end - start) * share

    joints = np.zeros((len(heads), len(JOINT), 3))
    size = np.linalg.norm(head("foot.L") - head("lowerleg01.L"), axis=1) / 0.42
    joints[:, JOINT["pelvis"]] = between(head("root"), head("spine04"), 0.5)
    joints[:, JOINT["pelvis"], 2] += 0.018 * size
    joints[:, JOINT["spine1"]] = head("spine03")
    joints[:, JOINT["spine2"]] = between(head("spine02"), head("spine01"), 0.4)
    joints[:, JOINT["spine3"]] = between(head("spine02"), head("spine01"), 0.8)
    joints[:, JOINT["neck"]] = head("neck01")
    joints[:, JOINT["head"]] = between(head("neck03"), head("head"), 0.5)
    joints[:, JOINT["head"], 2] += 0.01 * size
    for side, suffix, _ in SIDES:

        def limb(bone: str, suffix: str = suffix) -> Array:
            return head(f"{bone}.{suffix}")

        hip = between(limb("upperleg01"), limb("lowerleg01"), 0.05)
        hip[:, 0] *= 0.80
        hip[:, 2] += 0.018 * size
        toes = (limb("toe2-1") + limb("toe3-1")) / 2
        fingers = np.mean([limb(f"finger{number}-1") for number in (2, 3, 4, 5)], axis=0)
        placed = {
            "hip": hip,
            "knee": limb("lowerleg01"),
            "ankle": limb("foot"),
            "foot": between(limb("foot"), toes, 0.86),
            "collar": between(limb("clavicle"), limb("upperarm01"), 0.38),
            "shoulder": limb("upperarm01"),
            "elbow": limb("lowerarm01"),
            "wrist": limb("wrist"),
            "hand": between(limb("wrist"), fingers, 0.95),
        }
        for name, place in placed.items():
            joints[:, JOINT[f"{side}_{name}"]] = place
    return joints


@dataclass(frozen=True)
class Skin:
    """The thinned-out surface: each of its V' vertices as three of Anny's, with shares."""

    faces: Array  # (F', 3)
    sources: Array  # (V', 3) vertex numbers of Anny's mesh
    shares: Array  # (V', 3) barycentric

    def of(self, values: Array) -> Array:
        """Values (..., V, c) on Anny's mesh, on this surface: (..., V', c)."""
        shares = self.shares.astype(values.dtype)
        return np.einsum("vk,...vkc->...vc", shares, values[..., self.sources, :])


def thin_out(rig: Rig, vertices: Array, face_count: int) -> Skin:
    """Drop the mouth's inside and thin the neutral body's triangles out."""
    import fast_simplification
    import trimesh

    cavities = torch.load(rig.data / "template_mesh_internal_cavities.pth", weights_only=True)
    inner = np.isin(rig.base_vertices, np.array(cavities["vertex_indices"]))
    outer = rig.faces[~inner[rig.faces].any(1)]
    adjacency = trimesh.Trimesh(vertices, outer, process=False).face_adjacency
    parts = trimesh.graph.connected_components(adjacency, min_len=1)
    # The body is the largest part and the eyes are the next two.
    parts = sorted((part for part in parts if len(part) > 60), key=len, reverse=True)[:3]
    used, faces = np.unique(outer[np.concatenate(parts)], return_inverse=True)
    surface, faces = vertices[used].astype(np.float32), faces.reshape(-1, 3)
    points, thinned = fast_simplification.simplify(
        surface, faces.astype(np.int32), target_count=face_count, agg=4
    )
    mesh = trimesh.Trimesh(points, thinned, process=False)
    mesh.remove_unreferenced_vertices()
    nearest, _, triangles = trimesh.proximity.closest_point(
        trimesh.Trimesh(surface, faces, process=False), np.asarray(mesh.vertices)
    )
    corners = faces[triangles]
    shares = trimesh.triangles.points_to_barycentric(surface[corners], nearest)
    shares = np.clip(shares, 0, None)
    shares /= shares.sum(1, keepdims=True)
    return Skin(np.asarray(mesh.faces), used[corners], shares)


def bone_weights(rig: Rig) -> Array:
    """Skinning weights of Anny's mesh gathered to SMPL's joints, (V, 24)."""
    joint_of = np.array([rig.smpl_joint(bone) for bone in rig.labels])
    weights = np.zeros((len(rig.base_vertices), len(JOINT)))
    rows = np.arange(len(weights))
    for slot in range(rig.skin_bones.shape[1]):
        columns = joint_of[rig.skin_bones[:, slot]]
        np.add.at(weights, (rows, columns), rig.skin_weights[:, slot])
    return weights


class RegressorFit:
    """Fits points by convex sums of nearby vertices over a sample of shapes."""

    SAMPLES = 60
    SUM_WEIGHT = 30.0  # pull of the shares' sum to one, against metres of error

    def __init__(self, shapes: Array, rng: np.random.Generator) -> None:
        self.shapes = shapes
        self.tree = cKDTree(shapes[0])
        self.rng = rng

    def row(self, targets: Array, neighbours: int) -> Array:
        """Shares (V',) for a point at ``targets`` (n, 3), of the nearest vertices."""
        _, near = self.tree.query(targets[0], k=neighbours)
        near = np.unique(near)
        others = self.rng.choice(np.arange(1, len(self.shapes)), self.SAMPLES - 1, replace=False)
        chosen = np.r_[0, others]
        places = self.shapes[chosen][:, near].transpose(0, 2, 1).reshape(-1, len(near))
        system = np.vstack([places.astype(np.float64), self.SUM_WEIGHT * np.ones((1, len(near)))])
        shares, _ = nnls(system, np.r_[targets[chosen].reshape(-1), self.SUM_WEIGHT], maxiter=20000)
        row = np.zeros(self.shapes.shape[1])
        row[near] = shares / shares.sum()
        return row


def shape_space(shapes: Array) -> tuple[Array, Array]:
    """Mean (V', 3) and ten directions of one standard deviation (10, V', 3) of the shapes."""
    count = len(shapes)
    mean = shapes.mean(0)
    centred = (shapes - mean).reshape(count, -1).astype(np.float64)
    _, spread, directions = np.linalg.svd(centred, full_matrices=False)
    scale = spread[:NUM_BETAS, None] / math.sqrt(count)
    components = (directions[:NUM_BETAS] * scale).reshape(NUM_BETAS, -1, 3)
    top = mean[:, 1].astype(np.float64).argmax()
    taller = np.where(components[:, top, 1] < 0, -1.0, 1.0)  # a positive beta adds height
    return mean.astype(np.float64), components * taller[:, None, None]


def contact_vertices(template: Array, keypoints: dict[str, Array]) -> dict[str, int]:
    """The lowest vertex near each big toe and heel."""
    found = {}
    for side, _, _ in SIDES:
        for short, name in (("toe", "big_toe"), ("heel", "heel")):
            place = keypoints[f"{side}_{name}"] @ template
            distance = np.linalg.norm((template - place) * np.array([1, 0.6, 1]), axis=1)
            near = np.where(distance < distance.min() + 0.025)[0]
            found[f"{side[0]}_{short}"] = int(near[np.argmin(template[near, 1])])
    return found


def finger_tips(rig: Rig, vertices: Array, heads: Array, fit: RegressorFit) -> dict[str, int]:
    """The vertex nearest to each finger's end, under smplx's names."""
    tips = {}
    for _, suffix, _ in reversed(SIDES):
        for number, finger in enumerate(("thumb", "index", "middle", "ring", "pinky"), start=1):
            bone = rig.index(f"finger{number}-3.{suffix}")
            share = ((rig.skin_bones == bone) * rig.skin_weights).sum(1)
            held = np.where(share > 0.5)[0]
            start = heads[rig.index(f"finger{number}-1.{suffix}")]
            end = held[np.argmax(np.linalg.norm(vertices[held] - start, axis=1))]
            tips[suffix.lower() + finger] = int(fit.tree.query(vertices[end])[1])
    return tips


def smplx_vertex_ids(
    template: Array, keypoints: dict[str, Array], tips: dict[str, int]
) -> dict[str, int]:
    """The vertex numbers that ``smplx`` asks for to make its extra joints."""

    def nearest(name: str) -> int:
        return int(np.argmin(np.linalg.norm(template - keypoints[name] @ template, axis=1)))

    face = {"nose": "nose"} | {
        f"{side[0]}{part}": f"{side}_{part}"
        for part in ("eye", "ear")
        for side in ("right", "left")
    }
    feet = {
        f"{side[0].upper()}{short}": f"{side}_{name}"
        for side in ("left", "right")
        for short, name in (("BigToe", "big_toe"), ("SmallToe", "small_toe"), ("Heel", "heel"))
    }
    numbers = {short: nearest(name) for short, name in face.items()}
    return numbers | tips | {short: nearest(name) for short, name in feet.items()}


def common14_rows(joint_regressor: Array, template: Array) -> list[Array]:
    """Rows of the 14 common joints: SMPL's joints, and the highest vertex."""
    top = np.zeros(len(template))
    top[np.argmax(template[:, 1])] = 1
    return [top if name == "head_top" else joint_regressor[JOINT[name]] for name in COMMON14_NAMES]


def build(samples: int, face_count: int, seed: int) -> tuple[dict[str, Array], Array, Array, dict]:
    """Make the body, the key-point and the feet regressors, and the table of names."""
    rng = np.random.default_rng(seed)
    rig = Rig.load()
    rest, rest_heads = rest_shapes(rig, draw_phenotypes(rng, samples))
    posed, heads = bend_to_t_pose(rig, rest, rest_heads)
    joints = smpl_joints(rig, heads)
    # Every shape is aligned at the pelvis, so that no shape direction is a translation.
    shift = (PELVIS - joints[0, 0]) - (joints[:, 0] - joints[0, 0])
    posed = posed + (PELVIS - joints[0, 0]).astype(np.float32)
    posed = posed - (joints[:, 0] - joints[0, 0])[:, None].astype(np.float32)
    joints = joints + shift[:, None]
    neutral_heads = heads[0] + shift[0]

    skin = thin_out(rig, posed[0], face_count)
    shapes = skin.of(posed)
    weights = skin.of(bone_weights(rig))
    weights[weights < 1e-3] = 0
    weights /= weights.sum(1, keepdims=True)

    fit = RegressorFit(shapes, rng)
    trunk = ("pelvis", "left_hip", "right_hip", "spine1", "spine2", "spine3", "neck")
    joint_regressor = np.stack(
        [
            fit.row(joints[:, number], 900 if name in trunk else 420)
            for name, number in JOINT.items()
        ]
    )
    template, directions = shape_space(shapes)
    template = template + (PELVIS - joint_regressor[0] @ template)

    on_anny = torch.load(rig.data / "keypoints" / "coco.pth", weights_only=True)
    keypoints = {
        name: fit.row(np.einsum("v,nvc->nc", row.numpy()[rig.base_vertices], posed), 300)
        for name, row in on_anny.items()
    }
    # Anny's COCO shoulders are 3.5 cm closer together than its own joints; detectors' are not.
    shoulders = {name: joint_regressor[JOINT[name]] for name in ("left_shoulder", "right_shoulder")}
    rows = [shoulders.get(name, keypoints[name]) for name in COCO17_NAMES]
    rows += common14_rows(joint_regressor, template)
    feet = contact_vertices(template, keypoints)
    feet_regressor = np.zeros((len(feet), len(template)), np.float32)
    feet_regressor[range(len(feet)), list(feet.values())] = 1

    parents = [2**32 - 1, *SMPL_PARENTS[1:]]
    body = {
        "v_template": template.astype(np.float32),
        "f": skin.faces.astype(np.uint32),
        "J_regressor": joint_regressor.astype(np.float32),
        "kintree_table": np.array([parents, list(JOINT.values())], np.uint32),
        "weights": weights.astype(np.float32),
        "shapedirs": directions.transpose(1, 2, 0).astype(np.float32),
        "posedirs": np.zeros((len(template), 3, 9 * (len(JOINT) - 1)), np.float32),
        "J": (joint_regressor @ template).astype(np.float32),
        "bs_type": np.array("lrotmin"),
        "bs_style": np.array("lbs"),
    }
    tips = finger_tips(rig, posed[0], neutral_heads, fit)
    names = {
        "vertex_ids": smplx_vertex_ids(template, keypoints, tips),
        "feet_vertices": feet,
        "keypoint_names_23": list(keypoints),
        "wham31": list(WHAM31_NAMES),
        "joint_names": [
            name.replace("left_", "l_").replace("right_", "r_") for name in SMPL_JOINT_NAMES
        ],
        "parents": list(SMPL_PARENTS),
    }
    return body, np.stack(rows).astype(np.float32), feet_regressor, names


def main(
    out: Annotated[Path, typer.Argument(help="Folder for the body, regressors and ids.json.")],
    samples: Annotated[int, typer.Option(help="Adult shapes to draw.")] = 500,
    faces: Annotated[int, typer.Option(help="Triangles of the body.")] = 9000,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
) -> None:
    """Rebuild the packaged body from Anny (about two minutes, 3 GB of memory, no network)."""
    body, keypoints, feet, names = build(samples, faces, seed)
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "ANNY_SMPL_NEUTRAL.npz", **body)  # type: ignore[arg-type]
    np.save(out / "J_regressor_wham31.npy", keypoints)
    np.save(out / "J_regressor_feet.npy", feet)
    (out / "ids.json").write_text(json.dumps(names, indent=1))
    height = np.ptp(body["v_template"][:, 1])
    print(f"{out}: {len(body['v_template'])} vertices, {len(body['f'])} faces, {height:.3f} m tall")


if __name__ == "__main__":
    typer.run(main)
