from pathlib import Path

import pytest

from vivant.errors import DataError, OutputError
from vivant.preparation.manifest import FILE, current_manifest, load_manifest, save_manifest
from vivant.preparation.place import to_place
from vivant.preparation.settings import PreparationSettings


def test_manifest_comes_back_as_it_went_in(tmp_path: Path) -> None:
    manifest = current_manifest("siw", PreparationSettings(max_frames=50), is_synthetic=False)
    save_manifest(tmp_path, manifest)
    assert load_manifest(tmp_path) == manifest
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_manifest_names_what_makes_the_numbers() -> None:
    manifest = current_manifest("siw", PreparationSettings(), is_synthetic=False)
    assert {"vivant", "av", "opencv-python-headless"} <= set(manifest.programs[0])
    assert all(len(digest) == 64 for digest in manifest.models.values())
    assert len(manifest.models) == 2


def test_folder_without_one_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a folder written by `vivant data prepare`"):
        load_manifest(tmp_path)


def test_damaged_one_says_so(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"format": 2}')
    with pytest.raises(DataError, match=r"store\.json is damaged"):
        load_manifest(tmp_path)


def test_another_format_is_not_read(tmp_path: Path) -> None:
    manifest = current_manifest("siw", PreparationSettings(), is_synthetic=False)
    save_manifest(tmp_path, manifest.model_copy(update={"format": 99}))
    with pytest.raises(DataError, match="is a store of format 99"):
        load_manifest(tmp_path)


def test_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        save_manifest(
            tmp_path / "file" / "store",
            current_manifest("siw", PreparationSettings(), is_synthetic=False),
        )


def test_manifest_at_a_url_comes_back_as_it_went_in(bucket: str) -> None:
    folder = to_place(f"{bucket}/store")
    manifest = current_manifest("siw", PreparationSettings(max_frames=50), is_synthetic=False)
    save_manifest(folder, manifest)
    assert load_manifest(folder) == manifest
    with pytest.raises(
        DataError, match=r"at s3://.*/other, found no store\.json \(nothing is there"
    ):
        load_manifest(to_place(f"{bucket}/other"))
