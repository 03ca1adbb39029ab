"""What every reader of a published data set owes: one way to name PAI species, and paths that stay.

A new one needs a tree here and no new test.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from datasets import oulu_tree, siw_tree, trees
from vivant.datasets.dataset import DataSet
from vivant.datasets.species import INSTRUMENT, TYPES, PaiLevel, pai_of
from vivant.plugins import discover
from vivant.records import Label, Presentation

TREES: dict[str, Callable[[Path], object]] = {
    "casia_fasd": trees.casia_fasd_tree,
    "celeba_spoof": trees.celeba_spoof_tree,
    "msu_mfsd": trees.msu_mfsd_tree,
    "nuaa": trees.nuaa_tree,
    "oulu_npu": oulu_tree.grow,
    "replay_attack": trees.replay_attack_tree,
    "rose_youtu": trees.rose_youtu_tree,
    "siw": siw_tree.grow,
}
# Whose species are the words of whoever made the folder or the table.
OWN_WORDS = {"folder", "manifest"}
BUILDERS = discover("vivant.datasets")


def test_every_reader_has_a_tree() -> None:
    ours = {name for name, build in BUILDERS.items() if build.__module__.startswith("vivant.")}
    made = {name for name in ours if "synthetic" in name}
    assert ours - made == set(TREES) | OWN_WORDS


@pytest.fixture(scope="module", params=list(TREES))
def rows(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Presentation, ...]:
    root = tmp_path_factory.mktemp(request.param)
    TREES[request.param](root)
    data_set: DataSet = BUILDERS[request.param]()
    assert data_set.name == request.param
    reading = data_set.read(root)
    assert reading.problems == ()
    assert all((root / row.path).is_file() for row in reading.presentations)
    return reading.presentations


def test_species_are_of_the_known_types(rows: tuple[Presentation, ...]) -> None:
    assert {row.pai_species for row in rows if row.label is Label.ATTACK} <= TYPES


def test_an_instrument_is_of_one_type_and_of_attacks_alone(rows: tuple[Presentation, ...]) -> None:
    pairs = {(pai_of(row, PaiLevel.INSTRUMENT), row.pai_species) for row in rows}
    assert len(pairs) == len({instrument for instrument, _ in pairs})
    assert not any(INSTRUMENT in row.columns for row in rows if row.label is Label.BONA_FIDE)


def test_rows_come_in_the_order_of_their_paths(rows: tuple[Presentation, ...]) -> None:
    paths = [row.path for row in rows]
    assert paths == sorted(set(paths))
