"""Names for people as REP-155 wants them: five lower-case letters, none used twice."""

from __future__ import annotations

__all__ = ["person_name"]

_LETTERS = 26**5
#: Coprime to 26**5, so that successive people get unlike names and none comes twice.
_STRIDE = 4_565_831
_START = 7_654_321


def person_name(track_id: int) -> str:
    """Five lower-case letters for a track.

    Args:
        track_id: positive integer, never reused by the tracker.

    Returns:
        A name; unique for 11,881,376 people in a row.

    Raises:
        ValueError: if ``track_id`` is negative.
    """
    if track_id < 0:
        raise ValueError(f"track_id must not be negative, got {track_id}")
    rest = (_START + track_id * _STRIDE) % _LETTERS
    letters = []
    for _ in range(5):
        rest, letter = divmod(rest, 26)
        letters.append(chr(ord("a") + letter))
    return "".join(letters)
