"""Colours (BGR): sides of the body, people, paper and ink."""

from __future__ import annotations

__all__ = [
    "CONTACT",
    "GRID",
    "INK",
    "KEYPOINT",
    "LEFT",
    "PAPER",
    "RIGHT",
    "Color",
    "PersonColors",
    "faded",
    "ink_on",
]

Color = tuple[int, int, int]

#: Sides of the body; orange and blue are told apart by colour-blind eyes too.
LEFT: Color = (28, 132, 245)
RIGHT: Color = (220, 128, 36)
#: A foot point that rests on the ground.
CONTACT: Color = (92, 190, 46)
#: A measured key-point.
KEYPOINT: Color = (250, 250, 250)
PAPER: Color = (250, 248, 246)
GRID: Color = (222, 216, 210)
INK: Color = (72, 60, 50)

#: After Okabe and Ito (2008), without the two that stand for the sides.
_PEOPLE: tuple[Color, ...] = (
    (120, 158, 0),
    (160, 90, 190),
    (50, 180, 225),
    (150, 70, 70),
    (70, 70, 205),
    (175, 175, 60),
    (60, 110, 130),
    (110, 110, 110),
)


class PersonColors:
    """Gives each person a colour of its own, in order of first appearance."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}

    def of(self, person_id: str) -> Color:
        """The colour of that person, the same at every call."""
        return _PEOPLE[self._index.setdefault(person_id, len(self._index)) % len(_PEOPLE)]


def faded(color: Color, paper: Color, share: float) -> Color:
    """Mix ``color`` with ``paper``: share 1 is the colour itself, 0 the paper."""
    mixed = [round(share * c + (1.0 - share) * p) for c, p in zip(color, paper, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def ink_on(color: Color) -> Color:
    """Black or white, whichever is read better on ``color`` (luma of ITU-R BT.601)."""
    luma = 0.114 * color[0] + 0.587 * color[1] + 0.299 * color[2]
    return (20, 20, 20) if luma > 150.0 else (255, 255, 255)
