"""Two levels of PAI species."""

from vivant.datasets.species import PaiLevel, at_level, pai_of
from vivant.records import Label, Presentation

BONA_FIDE = Presentation("a", Label.BONA_FIDE, None, columns={"phone": "1"})
PRINT_1 = Presentation("b", Label.ATTACK, "print", columns={"instrument": "print_1"})
PRINT_2 = Presentation("c", Label.ATTACK, "print", columns={"instrument": "print_2"})
OWN_WORDS = Presentation("d", Label.ATTACK, "silicone")
ROWS = (BONA_FIDE, PRINT_1, PRINT_2, OWN_WORDS)


def test_type_pools_what_instrument_tells_apart() -> None:
    assert [pai_of(row, PaiLevel.TYPE) for row in ROWS] == [None, "print", "print", "silicone"]
    assert [pai_of(row, PaiLevel.INSTRUMENT) for row in ROWS] == [
        None, "print_1", "print_2", "silicone",
    ]  # fmt: skip


def test_rows_at_a_level_are_the_same_but_for_their_species() -> None:
    assert at_level(ROWS, PaiLevel.TYPE) == ROWS
    finer = at_level(ROWS, PaiLevel.INSTRUMENT)
    assert [row.pai_species for row in finer] == [None, "print_1", "print_2", "silicone"]
    assert [(r.path, r.label, r.columns) for r in finer] == [
        (r.path, r.label, r.columns) for r in ROWS
    ]


def test_bona_fide_has_no_species_even_with_the_column() -> None:
    row = Presentation("e", Label.BONA_FIDE, None, columns={"instrument": "print_1"})
    assert pai_of(row, PaiLevel.INSTRUMENT) is None
