from dataclasses import FrozenInstanceError

import pytest

from vivant.faces.look import Look
from vivant.records import FaceBox, Finding, Reason

BOX = FaceBox(0.0, 0.0, 9.0, 9.0)


def test_look_is_usable_only_with_a_face_and_without_faults() -> None:
    fault = Finding(Reason.TOO_DARK, "too dark", 1.0, 2.0)
    assert Look(0.0, box=BOX).is_usable
    assert not Look(0.0).is_usable
    assert not Look(0.0, box=BOX, faults=(fault,)).is_usable


def test_look_keeps_what_it_saw() -> None:
    with pytest.raises(FrozenInstanceError):
        Look(0.0).box = BOX
