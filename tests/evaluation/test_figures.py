import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure

from vivant.evaluation.figures import det_svg, histogram_svg, to_svg

BONA_FIDE = np.array([0.9, 0.8, 0.7, 0.4])
ATTACKS = {"print": np.array([0.1, 0.2, 0.5]), "replay": np.array([0.3, 0.75])}


def words(svg: str) -> str:
    return " ".join(re.findall(r">([^<>]+)</text>", svg))


def test_det_plot_names_its_axes_curves_and_rates() -> None:
    svg = det_svg({"all": (BONA_FIDE, ATTACKS)}, [(0.5, 0.25)])
    ET.fromstring(svg)
    told = words(svg)
    for word in ("APCER of the worst PAI species, %", "BPCER, %", "all", "20", "40"):
        assert word in told


def test_det_plot_of_perfect_and_of_useless_scores_has_axes() -> None:
    apart = (np.array([0.9, 0.8]), {"print": np.array([0.1])})
    swapped = (np.array([0.1]), {"print": np.array([0.9, 0.8])})
    for scores in (apart, swapped):
        ET.fromstring(det_svg({"one": scores}))


def test_histogram_has_a_row_for_each_kind_with_its_n() -> None:
    told = words(histogram_svg((BONA_FIDE, ATTACKS), 0.6))
    for word in ("bona fide, n = 4", "print, n = 3", "replay, n = 2"):
        assert word in told
    without = histogram_svg((BONA_FIDE, ATTACKS), None)
    assert without != histogram_svg((BONA_FIDE, ATTACKS), 0.6)


def test_the_same_figure_has_the_same_bytes_and_needs_no_network() -> None:
    one, other = (det_svg({"all": (BONA_FIDE, ATTACKS)}) for _ in range(2))
    assert one == other
    assert not re.search(r'(?:src|href)="(?!#)', one)
    assert "<?xml" not in to_svg(Figure())


@pytest.mark.parametrize("scale", [1, 1000])
def test_scores_of_any_scale_are_shown(scale: float) -> None:
    shown = histogram_svg((scale * BONA_FIDE, {"print": -scale * ATTACKS["print"]}), 0.5)
    ET.fromstring(shown)
