"""Names of people follow REP-155."""

from __future__ import annotations

import pytest

from humor_ros.human_names import person_name


def test_names_are_five_lower_case_letters() -> None:
    for track_id in (1, 2, 999, 123_456_789):
        name = person_name(track_id)
        assert len(name) == 5
        assert name.isascii()
        assert name.islower()
        assert name.isalpha()


def test_no_name_comes_twice_in_a_long_run() -> None:
    assert len({person_name(i) for i in range(200_000)}) == 200_000


def test_the_stride_visits_every_name() -> None:
    # A full period needs a stride without a common factor with 26**5 = 2**5 * 13**5.
    assert person_name(0) == person_name(26**5)
    assert person_name(0) not in {person_name(26**5 // 2), person_name(26**5 // 13)}


def test_negative_tracks_are_refused() -> None:
    with pytest.raises(ValueError, match="track_id"):
        person_name(-1)
