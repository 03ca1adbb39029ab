"""ROSE-Youtu: a sample of its real names, its subjects' sides, and names that are none."""

from pathlib import Path

import pytest

from datasets.trees import plant, rose_youtu_tree
from vivant.datasets.dataset import counts
from vivant.datasets.rose_youtu import rose_youtu
from vivant.errors import DataError
from vivant.records import Split


def test_divides_by_subject(tmp_path: Path) -> None:
    rose_youtu_tree(tmp_path)
    reading = rose_youtu().read(tmp_path)
    assert reading.problems == ()
    found = counts(rose_youtu().split(reading.presentations, "grandtest"))
    assert found == {Split.TRAIN: (16, 64), Split.DEV: (0, 0), Split.TEST: (24, 96)}
    found = counts(rose_youtu().split(reading.presentations, "gradiant"))
    assert found == {Split.TRAIN: (16, 64), Split.DEV: (4, 16), Split.TEST: (20, 80)}


@pytest.mark.parametrize(
    ("name", "species", "instrument"),
    [
        ("G_NT_5s_g_E_2_1", None, None),
        ("Ps_T_HS_wg_E_2_1", "print", "print_still"),
        ("Vm_T_ZTE_g_E_2_10", "replay", "video_mac"),
        ("Ml_NT_IP_wg_E_2_113", "paper_mask", "mask_lower"),
    ],
)
def test_a_name_is_a_species(
    tmp_path: Path, name: str, species: str | None, instrument: str | None
) -> None:
    plant(tmp_path, [f"2/{name}.MP4"])
    (row,) = rose_youtu().read(tmp_path).presentations
    assert (row.subject, row.pai_species) == ("2", species)
    assert row.columns.get("instrument") == instrument
    assert row.columns["glasses"] == ("yes" if "_g_" in name else "no")
    assert row.columns["talking"] == ("no" if "_NT_" in name else "yes")


@pytest.mark.parametrize(
    "path",
    [
        "2/X_NT_5s_g_E_2_1.mp4",
        "2/G_NT_5s_g_E_3_1.mp4",
        "2/G_NT_6s_g_E_2_1.mp4",
        "2/G_NT_5s_g_2_1.mp4",
        "2/G_NT_5s_g_E_2_1.avi",
        "8/G_NT_5s_g_E_8_1.mp4",
        "24/G_NT_5s_g_E_24_1.mp4",
        "2/more/G_NT_5s_g_E_2_1.mp4",
        "G_NT_5s_g_E_2_1.mp4",
    ],
)
def test_lists_names_that_are_none(tmp_path: Path, path: str) -> None:
    plant(tmp_path, [path, "3/G_NT_5s_g_E_3_1.mp4"])
    reading = rose_youtu().read(tmp_path)
    assert [problem.path for problem in reading.problems] == [path]
    assert len(reading.presentations) == 1


def test_refuses_another_folder(tmp_path: Path) -> None:
    plant(tmp_path, ["train/2/G_NT_5s_g_E_2_1.mp4"])
    with pytest.raises(DataError, match="found train/: name the folder"):
        rose_youtu().read(tmp_path)
