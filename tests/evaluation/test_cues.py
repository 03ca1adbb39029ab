from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prepared import SIDE, encoded, filled, frame, prepared, presentation
from vivant.datasets.dataset import by_split
from vivant.errors import DataError, InputError
from vivant.evaluation.cues import (
    CLIP_STATISTICS,
    STATISTICS,
    CueReport,
    Side,
    check_cues,
    clip_statistics,
    measure,
    statistics,
    with_clips,
)
from vivant.metrics.rates import rates
from vivant.metrics.thresholds import eer_threshold
from vivant.preparation.clips import ClipStore
from vivant.records import Label, Split

NUM = len(CLIP_STATISTICS)
CROP = (224, 224, 3)
COLOURS = ("red", "green", "blue")


def named(crop: np.ndarray) -> dict[str, float]:
    return dict(zip(STATISTICS, statistics(crop).tolist(), strict=True))


def noise(deviation: float, seed: int = 0) -> np.ndarray:
    """Grey noise about 128."""
    grey = 128 + np.random.default_rng(seed).normal(0, deviation, (224, 224, 1))
    return np.repeat(np.round(grey), 3, axis=2).astype(np.uint8)


def test_flat_crop_has_a_mean_and_nothing_else() -> None:
    found = named(np.full(CROP, 100, np.uint8))
    means = {f"mean_{name}": 100.0 for name in COLOURS}
    others = dict.fromkeys(set(STATISTICS) - set(means) - {"jpeg_size"}, 0.0)
    assert {name: found[name] for name in means | others} == pytest.approx(means | others, abs=1e-3)


def test_colour_is_told_by_channel() -> None:
    crop = np.full(CROP, (200, 100, 50), np.uint8)
    crop[:112, :, 1] = 120
    found = named(crop)
    assert [found[f"mean_{name}"] for name in COLOURS] == pytest.approx([200, 110, 50])
    assert [found[f"std_{name}"] for name in COLOURS] == pytest.approx([0, 10, 0], abs=1e-4)
    assert found["saturation"] == round(255 * (200 - 50) / 200)  # (max - min) / max of 255.


def test_step_is_sharp_and_no_noise() -> None:
    crop = np.full(CROP, 50, np.uint8)
    crop[:, 112:] = 150
    found = named(crop)
    # The Laplacian is +100 and -100 in two columns of 224.
    assert found["sharpness"] == pytest.approx(np.log(1 + 2 / 224 * 100**2), abs=1e-4)
    assert found["noise"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("deviation", [2.0, 5.0, 12.0])
def test_noise_is_its_standard_deviation(deviation: float) -> None:
    assert named(noise(deviation))["noise"] == pytest.approx(deviation, rel=0.03)


def test_jpeg_size_is_that_of_another_writer() -> None:
    crop = noise(12)
    crop[..., 0] //= 2
    file = BytesIO()
    Image.fromarray(crop).save(file, "JPEG", quality=90)
    assert named(crop)["jpeg_size"] == pytest.approx(np.log(file.tell()), abs=0.01)


def test_dark_bar_is_a_border() -> None:
    crop = np.full(CROP, 100, np.uint8)
    crop[:10] = 0
    found = named(crop)
    dark = 10 * 224 / (224**2 - 168**2)  # Of the frame of 28 pixels; the middle is 168.
    assert found["border_mean"] == pytest.approx(-100 * dark, abs=1e-3)
    assert found["border_std"] == pytest.approx(100 * np.sqrt(dark * (1 - dark)), abs=1e-3)
    assert found["border_edge"] == pytest.approx(100, abs=1e-3)


@pytest.mark.parametrize("turns", range(4))
def test_edge_is_found_at_every_side_and_when_it_is_held_askew(turns: int) -> None:
    row, column = np.mgrid[:224, :224]
    askew = np.where(row < 8 + 0.02 * column, 0, 100)  # About one degree.
    crop = np.repeat(np.rot90(askew, turns)[..., None], 3, axis=2).astype(np.uint8)
    assert named(crop)["border_edge"] > 40
    assert named(noise(20))["border_edge"] < 20  # Strong, but in no line.


def test_what_is_in_the_middle_is_no_border() -> None:
    crop = np.full(CROP, 100, np.uint8)
    crop[40:180, 40:180] = 0
    assert named(crop)["border_edge"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    "crop", [np.zeros((64, 64, 3), np.uint8), np.zeros(CROP), np.zeros((224, 224), np.uint8)]
)
def test_other_crops_are_refused(crop: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"expected a crop of uint8 \(224, 224, 3\), got "):
        statistics(crop)


def test_clip_is_the_middle_one_and_its_change_is_that_of_its_frames(tmp_path: Path) -> None:
    store = ClipStore(filled(tmp_path / "store", [prepared(presentation("a"))]).folder)
    found = dict(
        zip(CLIP_STATISTICS, clip_statistics(store, store.presentations[0]).tolist(), strict=True)
    )
    # Frames 0 to 6 are of grey 60, 70, ...: the middle clip is 1 to 5. JPEG is a little off.
    assert found["mean_green"] == pytest.approx(90, abs=1)
    assert found["mean_green_change"] == pytest.approx(10, abs=1)
    assert found["motion"] == pytest.approx(10, abs=1)
    assert found["std_red_change"] == pytest.approx(0, abs=1)


def test_presentation_without_a_clip_is_named(tmp_path: Path) -> None:
    rows = [prepared(presentation("a"), [frame(0)])]
    store = ClipStore(filled(tmp_path / "store", rows).folder)
    with pytest.raises(DataError, match=r"expected a clip of videos/a\.mp4, found none"):
        measure(store, store.presentations)


def side(num: int, features: Callable[[Label], np.ndarray]) -> Side:
    """Bona fide, print, bona fide, replay, ..."""
    rows = [
        replace(
            presentation(str(i), Label(i % 2)), pai_species=(None, "print", None, "replay")[i % 4]
        )
        for i in range(num)
    ]
    return Side(tuple(rows), np.stack([features(row.label) for row in rows]))


def sides(of_attack: float, num: int = 80) -> tuple[Side, Side, Side]:
    """Noise, and to the third statistic of attacks something is added."""
    generator = np.random.default_rng(0)

    def features(label: Label) -> np.ndarray:
        found = generator.normal(size=NUM)
        found[2] += of_attack * label
        return found

    train, dev, test = (side(num, features) for _ in range(3))
    return train, dev, test


@pytest.mark.parametrize("of_attack", [20.0, -20.0])
def test_what_gives_attacks_away_is_found(of_attack: float) -> None:
    report = check_cues(*sides(of_attack))
    assert report.dev_eer == 0
    # The threshold is the lowest bona fide score of dev, and one of test may be lower.
    assert report.together.acer < 0.05
    (first, strongest), *others = report.alone.items()
    assert first == CLIP_STATISTICS[2] == "mean_blue"
    assert strongest.acer < 0.05
    assert all(found.acer > 0.3 for _, found in others)
    assert report.counts == dict.fromkeys(Split, (40, 40))


def test_where_nothing_does_nothing_is_found() -> None:
    report = check_cues(*sides(0))
    assert report.together.acer > 0.35
    assert min(found.acer for found in report.alone.values()) > 0.35


def test_one_statistic_alone_is_a_threshold_on_it() -> None:
    train, dev, test = sides(1.5)

    def scores(of: Side) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        species = [row.pai_species for row in of.presentations]
        low = -of.features[:, 2]  # Attacks are high.
        return (
            low[[each is None for each in species]],
            {name: low[[each == name for each in species]] for name in ("print", "replay")},
        )

    threshold, _ = eer_threshold(*scores(dev))
    expected = rates(*scores(test), threshold)
    found = check_cues(train, dev, test).alone["mean_blue"]
    assert (found.bpcer, found.apcer_by_species) == (expected.bpcer, expected.apcer_by_species)
    assert 0.05 < found.acer < 0.45


def test_the_report_is_the_same_every_time() -> None:
    assert check_cues(*sides(0.7)) == check_cues(*sides(0.7))


def test_side_without_attacks_is_named() -> None:
    train, dev, test = sides(0, num=8)
    alone = Side(dev.presentations[::2], dev.features[::2])
    with pytest.raises(DataError, match="clip on train, dev and test, found 4 and 0 on dev"):
        check_cues(train, alone, test)


def report_of(folder: Path, brightness: Callable[[Label, np.random.Generator], float]) -> CueReport:
    """The report on a store of noise whose brightness is drawn by class."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(36):
        row = presentation(
            f"{number:02}", Label(number % 2), subject=str(number), split=[*Split][number % 3]
        )
        grey = brightness(row.label, generator)
        pixels = generator.normal(grey, 8, (5, SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
        frames = [replace(frame(i), crop=encoded(pixels[i], "JPEG")) for i in range(5)]
        rows.append(prepared(row, frames))
    store = ClipStore(filled(folder, rows).folder)
    splits = with_clips(store, by_split(store.presentations))
    return check_cues(*(measure(store, splits[split]) for split in Split))


def test_store_whose_attacks_are_dark_is_noticed(tmp_path: Path) -> None:
    report = report_of(
        tmp_path / "store", lambda label, generator: generator.uniform(120, 150) - 50 * label
    )
    assert report.together.apcer == 0
    assert report.together.acer < 0.1
    assert {"mean_red", "mean_green", "mean_blue"} <= set([*report.alone][:4])


def test_store_whose_brightness_says_nothing_passes(tmp_path: Path) -> None:
    report = report_of(tmp_path / "store", lambda label, generator: generator.uniform(70, 150))
    assert report.together.acer > 0.25


def test_those_without_a_clip_are_left_out_and_an_empty_class_is_named(tmp_path: Path) -> None:
    rows = []
    for number, split in enumerate(Split):
        for label in Label:
            row = presentation(f"{number}{label}", label, split=split)
            rows.append(prepared(row))
    rows.append(prepared(presentation("short", split=Split.TEST), [frame(0)]))
    store = ClipStore(filled(tmp_path / "store", rows).folder)
    splits = by_split(store.presentations)
    found = with_clips(store, splits)
    assert len(splits[Split.TEST]) == 3
    assert [row.path for row in found[Split.TEST]] == ["videos/20.mp4", "videos/21.mp4"]
    with pytest.raises(DataError, match="found 0 and 0 on dev: use another protocol"):
        with_clips(store, {**splits, Split.DEV: ()})
