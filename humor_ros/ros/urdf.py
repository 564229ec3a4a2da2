"""The URDF of one person: REP-155's 20 joints over the person's own bone lengths.

Link and joint names follow ``human_description`` with the suffix ``_<id>``; the axes are those
of :mod:`humor_ros.ros.human_description`. Shapes are plain cylinders and spheres.
"""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from humor_ros.ros.human_lengths import HumanLengths

__all__ = ["human_urdf"]

_LIMB_RADIUS = 0.03
_HEAD_RADIUS = 0.1
_SKIN = "0.9 0.65 0.4 1"
_FULL = 6.3  # yaw and roll are kept continuous and may pass half a turn

_Vector = tuple[float, float, float]


def human_urdf(person_id: str, lengths: HumanLengths) -> str:
    """Write the description of a person.

    Args:
        person_id: suffix of every link and joint.
        lengths: the person's bones.

    Returns:
        The XML text.
    """
    builder = _Builder(person_id)
    builder.link("body")
    builder.link("waist")
    builder.joint("waist", "body", "waist", (0, 0, 0), axis=(0, 1, 0), limits=(-1.6, 2.8))
    torso = builder.link("torso")
    builder.cylinder(torso, lengths.torso, (0, 0, -lengths.torso / 2))
    builder.cylinder(torso, lengths.shoulder_width, (0, 0, 0), rpy=(1.5708, 0, 0))
    builder.joint("torso", "waist", "torso", (lengths.torso_lean, 0, lengths.torso))
    _head(builder, lengths)
    for side, sign in (("l", 1.0), ("r", -1.0)):
        _arm(builder, side, sign, lengths)
        _leg(builder, side, sign, lengths)
    return builder.text()


class _Builder:
    """A robot under construction; names given here lack the suffix."""

    def __init__(self, person_id: str) -> None:
        self._id = person_id
        self._robot = Xml.Element("robot", name=f"human_{person_id}")
        material = Xml.SubElement(self._robot, "material", name="skin")
        Xml.SubElement(material, "color", rgba=_SKIN)

    def link(self, name: str) -> Xml.Element:
        return Xml.SubElement(self._robot, "link", name=f"{name}_{self._id}")

    def joint(
        self,
        name: str,
        parent: str,
        child: str,
        origin: _Vector,
        *,
        axis: _Vector | None = None,
        limits: tuple[float, float] = (-_FULL, _FULL),
    ) -> None:
        """A fixed joint, or a revolute one about ``axis``."""
        kind = "fixed" if axis is None else "revolute"
        joint = Xml.SubElement(self._robot, "joint", name=f"{name}_{self._id}", type=kind)
        Xml.SubElement(joint, "parent", link=f"{parent}_{self._id}")
        Xml.SubElement(joint, "child", link=f"{child}_{self._id}")
        Xml.SubElement(joint, "origin", xyz=_numbers(origin), rpy="0 0 0")
        if axis is not None:
            Xml.SubElement(joint, "axis", xyz=_numbers(axis))
            lower, upper = (f"{limit:g}" for limit in limits)
            Xml.SubElement(joint, "limit", lower=lower, upper=upper, effort="1000", velocity="30")

    def cylinder(
        self, link: Xml.Element, length: float, origin: _Vector, rpy: _Vector = (0, 0, 0)
    ) -> None:
        geometry = self._visual(link, origin, rpy)
        Xml.SubElement(geometry, "cylinder", length=f"{length:.4f}", radius=str(_LIMB_RADIUS))

    def sphere(self, link: Xml.Element, radius: float, origin: _Vector) -> None:
        geometry = self._visual(link, origin, (0, 0, 0))
        Xml.SubElement(geometry, "sphere", radius=f"{radius:g}")

    def text(self) -> str:
        return '<?xml version="1.0"?>\n' + Xml.tostring(self._robot, encoding="unicode")

    def _visual(self, link: Xml.Element, origin: _Vector, rpy: _Vector) -> Xml.Element:
        visual = Xml.SubElement(link, "visual")
        Xml.SubElement(visual, "origin", xyz=_numbers(origin), rpy=_numbers(rpy))
        Xml.SubElement(visual, "material", name="skin")
        return Xml.SubElement(visual, "geometry")


def _head(builder: _Builder, lengths: HumanLengths) -> None:
    for name in ("r_head", "y_head", "p_head"):
        builder.link(name)
    head = builder.link("head")
    builder.sphere(head, _HEAD_RADIUS, (0, 0, 0))
    limits = (-1.6, 1.6)
    neck = (0.0, 0.0, lengths.neck)
    builder.joint("r_head", "torso", "r_head", neck, axis=(1, 0, 0), limits=limits)
    builder.joint("y_head", "r_head", "y_head", (0, 0, 0), axis=(0, 0, 1), limits=limits)
    builder.joint("p_head", "y_head", "p_head", (0, 0, 0), axis=(0, -1, 0), limits=limits)
    builder.joint("head", "p_head", "head", (0.02, 0, _HEAD_RADIUS))


def _arm(builder: _Builder, side: str, sign: float, lengths: HumanLengths) -> None:
    yaw, lift = f"{side}_y_shoulder", f"{side}_p_shoulder"
    builder.link(yaw)
    builder.link(lift)
    at = (0.0, sign * lengths.shoulder_width / 2, 0.0)
    builder.joint(yaw, "torso", yaw, at, axis=(0, 0, -sign))
    builder.joint(lift, yaw, lift, (0, 0, 0), axis=(sign, 0, 0), limits=(-3.3, 3.3))
    _segment(builder, f"{side}_shoulder", lengths.upper_arm)
    builder.joint(f"{side}_r_shoulder", lift, f"{side}_shoulder", (0, 0, 0), axis=(0, 0, sign))
    _segment(builder, f"{side}_elbow", lengths.forearm)
    builder.joint(
        f"{side}_elbow",
        f"{side}_shoulder",
        f"{side}_elbow",
        (0, 0, -lengths.upper_arm),
        axis=(0, -1, 0),
        limits=(0.0, 3.15),
    )
    builder.link(f"{side}_wrist")
    builder.joint(f"{side}_wrist", f"{side}_elbow", f"{side}_wrist", (0, 0, -lengths.forearm))


def _leg(builder: _Builder, side: str, sign: float, lengths: HumanLengths) -> None:
    yaw, lift = f"{side}_y_hip", f"{side}_p_hip"
    builder.link(yaw)
    builder.link(lift)
    at = (0.0, sign * lengths.hip_width / 2, 0.0)
    builder.joint(yaw, "body", yaw, at, axis=(0, 0, -1))
    builder.joint(lift, yaw, lift, (0, 0, 0), axis=(sign, 0, 0), limits=(-1.6, 1.6))
    _segment(builder, f"{side}_hip", lengths.thigh)
    builder.joint(f"{side}_r_hip", lift, f"{side}_hip", (0, 0, 0), axis=(0, -1, 0))
    _segment(builder, f"{side}_knee", lengths.shank)
    builder.joint(
        f"{side}_knee",
        f"{side}_hip",
        f"{side}_knee",
        (0, 0, -lengths.thigh),
        axis=(0, -1, 0),
        limits=(-3.15, 0.0),
    )
    builder.link(f"{side}_ankle")
    builder.joint(f"{side}_ankle", f"{side}_knee", f"{side}_ankle", (0, 0, -lengths.shank))


def _segment(builder: _Builder, name: str, length: float) -> None:
    link = builder.link(name)
    builder.cylinder(link, length, (0, 0, -length / 2))
    builder.sphere(link, _LIMB_RADIUS, (0, 0, -length))


def _numbers(vector: _Vector) -> str:
    return " ".join(f"{value:.5g}" for value in vector)
