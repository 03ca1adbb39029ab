from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluations import GreyRunner, grey_store, scored
from vivant.errors import DataError
from vivant.evaluation.embedding import Embedding
from vivant.evaluation.scoring import StoreSource, score_sides
from vivant.records import Split
from vivant.reproduction.figures import (
    draw_gallery,
    embed_runs,
    measure_displacement,
    plot_embeddings,
    told,
)


def moved(number: int, species: str | None, px: float) -> object:
    return scored(Split.TEST, number, species, (0.5, 0.5), displacement_px=px)


def test_displacement_is_the_mean_over_clips_with_an_interval_over_people() -> None:
    rows = [
        moved(0, None, 10.0), moved(1, None, 6.0), moved(0, "print", 2.0), moved(1, "replay", 4.0),
    ]  # fmt: skip
    found = measure_displacement(rows)
    assert found["bona fide"] == {"mean_px": 8.0, "interval_95": [6.0, 10.0], "clips": 4}
    assert found["attack"]["mean_px"] == 3.0
    assert found["print"]["mean_px"] == 2.0
    assert found["difference"]["mean_px"] == 5.0
    # Both people have clips of both: 10 - 2 = 8 and 6 - 4 = 2 are the ends.
    assert found["difference"]["interval_95"] == [2.0, 8.0]


def test_one_person_has_no_interval_and_one_class_no_displacement() -> None:
    found = measure_displacement([moved(0, None, 1.0), moved(0, "print", 2.0)])
    assert found["bona fide"]["interval_95"] is None
    assert found["difference"]["interval_95"] is None
    with pytest.raises(DataError, match="expected clips of bona fide and of attacks"):
        measure_displacement([moved(0, None, 1.0)])


def test_gallery_shows_boxes_and_a_face_only_when_asked(tmp_path: Path) -> None:
    source = StoreSource(GreyRunner(), grey_store(tmp_path / "store"))
    rows = score_sides(source, "folder", tmp_path / "kept", lambda done, num: None)
    test = [each for each in rows if each.split is Split.TEST]
    blank = draw_gallery(source, test, with_images=False)
    assert [caption.split(",")[0] for caption, _ in blank] == (
        ["bona fide"] * 3 + ["print"] * 3 + ["replay"] * 3
    )
    assert blank[0][0].endswith("8.9 px")  # The runner moves by (8, 4).
    white, orange = (255, 255, 255), (255, 140, 0)
    for _, picture in blank:
        assert picture.shape == (224, 224, 3)
        colours = {tuple(int(v) for v in pixel) for pixel in picture.reshape(-1, 3)}
        assert {white, orange, (128, 128, 128)} <= colours
    # Without its boxes a blank one is all grey, and one with a face is not.
    grey = (blank[0][1] == 128).all(-1).mean()
    shown = (draw_gallery(source, test, with_images=True)[0][1] == 128).all(-1).mean()
    assert grey > 0.7 > 0.1 > shown


Looks = list[tuple[str, Embedding, np.ndarray]]


@pytest.fixture(scope="module")
def looks() -> Looks:
    """Three features of 32 clips, far apart by class."""
    generator = np.random.default_rng(0)
    rows = [
        scored(Split.TEST, number % 4, kind, (0.5,), feature=generator.normal(size=4) + shift)
        for number in range(16)
        for kind, shift in ((None, 0), ("print", 9))
    ]
    return embed_runs(rows, rows)


def test_figure_4_has_three_features_with_their_numbers(looks: Looks) -> None:
    assert [title for title, *_ in looks] == ["CNN-LSTM: h", "Model D: z", "Model D: e"]
    for title, embedding, is_attack in looks:
        assert embedding.probe_auc == 1, title
        assert embedding.points.shape == (32, 3)
        assert is_attack.sum() == 16


def test_figure_4_is_a_picture_in_red_and_blue(looks: Looks, tmp_path: Path) -> None:
    path = tmp_path / "figure4.png"
    path.write_bytes(plot_embeddings(looks))
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    red, blue = pixels[..., 0] - pixels[..., 2], pixels[..., 2] - pixels[..., 0]
    assert (red > 100).sum() > 50
    assert (blue > 100).sum() > 50


def test_points_for_the_page_fit_a_unit_cube(looks: Looks) -> None:
    content = told(looks[0])
    points = np.array(content["points"])
    assert points.shape == (32, 4)
    assert np.abs(points[:, :3]).max() == pytest.approx(1)
    assert set(points[:, 3]) == {0, 1}
