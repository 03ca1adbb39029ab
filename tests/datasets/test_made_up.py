"""What a program drew or simulated is known by its folder's mark."""

from pathlib import Path

import pytest

from vivant.datasets.made_up import is_made_up
from vivant.records import Label, Presentation

ROW = Presentation("oulu/Train_files/a.avi", Label.BONA_FIDE, None)


@pytest.mark.parametrize("marker", ["synthetic.json", "simulation.json"])
@pytest.mark.parametrize("folder", ["", "oulu", "oulu/Train_files"])
def test_a_mark_at_or_above_a_presentation_counts(tmp_path: Path, marker: str, folder: str) -> None:
    (tmp_path / "oulu" / "Train_files").mkdir(parents=True)
    assert not is_made_up(tmp_path, [ROW])
    (tmp_path / folder / marker).write_text("{}")
    assert is_made_up(tmp_path, [ROW])


def test_a_mark_beside_it_does_not(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "synthetic.json").write_text("{}")
    assert not is_made_up(tmp_path, [ROW])
