"""Names, parents, mirror pairs and edges of SMPL's joints, COCO-17 and WHAM's key-points."""

from __future__ import annotations

__all__ = [
    "COCO17_EDGES",
    "COCO17_FLIP",
    "COCO17_NAMES",
    "COMMON14_NAMES",
    "FOOT_POINT_MIRROR",
    "FOOT_POINT_NAMES",
    "LEFT_HIP",
    "RIGHT_HIP",
    "SMPL_EDGES",
    "SMPL_JOINT_NAMES",
    "SMPL_MIRROR",
    "SMPL_PARENTS",
    "WHAM31_NAMES",
]

#: SMPL's 24 joints (Loper et al., SIGGRAPH Asia 2015) in file order.
SMPL_JOINT_NAMES: tuple[str, ...] = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hand",
    "right_hand",
)

#: Parent of each SMPL joint; -1 for the pelvis. A parent always precedes its children.
SMPL_PARENTS: tuple[int, ...] = (
    *(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8),
    *(9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21),
)

#: (parent, child) of each of the 23 bones.
SMPL_EDGES: tuple[tuple[int, int], ...] = tuple(
    (parent, child) for child, parent in enumerate(SMPL_PARENTS) if parent >= 0
)

#: COCO's 17 key-points in file order.
COCO17_NAMES: tuple[str, ...] = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)

#: Lines between COCO's key-points, for drawing.
COCO17_EDGES: tuple[tuple[int, int], ...] = (
    *((0, 1), (0, 2), (1, 3), (2, 4)),
    *((5, 6), (5, 7), (7, 9), (6, 8), (8, 10)),
    *((5, 11), (6, 12), (11, 12)),
    *((11, 13), (13, 15), (12, 14), (14, 16)),
)

#: The 14 joints common to human data sets (LSP order), as WHAM regresses them after COCO's.
COMMON14_NAMES: tuple[str, ...] = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "neck",
    "head_top",
)

#: COCO-17, then the 14 common joints: the rows of WHAM's key-point regressor.
WHAM31_NAMES: tuple[str, ...] = COCO17_NAMES + COMMON14_NAMES

#: Points that touch the ground, in WHAM's order of contacts.
FOOT_POINT_NAMES: tuple[str, ...] = ("left_toe", "left_heel", "right_toe", "right_heel")

#: Indices of the hips in COCO-17 (and in WHAM's 31); "mid-hip" is their mean.
LEFT_HIP, RIGHT_HIP = 11, 12


def _mirror(names: tuple[str, ...]) -> tuple[int, ...]:
    """For each name the index of the same name on the other side of the body."""
    swap = {"left": "right", "right": "left"}
    other = []
    for name in names:
        side, _, rest = name.partition("_")
        other.append(names.index(f"{swap[side]}_{rest}") if side in swap else names.index(name))
    return tuple(other)


#: ``mirrored[i] = original[PERMUTATION[i]]`` under reflection of the body.
SMPL_MIRROR: tuple[int, ...] = _mirror(SMPL_JOINT_NAMES)
COCO17_FLIP: tuple[int, ...] = _mirror(COCO17_NAMES)
FOOT_POINT_MIRROR: tuple[int, ...] = _mirror(FOOT_POINT_NAMES)
