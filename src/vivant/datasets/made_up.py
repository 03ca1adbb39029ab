"""Whether presentations were drawn or simulated by a program: what is trained on them says so."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from vivant.datasets import simulation, synthetic
from vivant.records import Presentation

__all__: list[str] = []

MARKERS = (synthetic.MARKER, simulation.MARKER)


def is_made_up(root: Path, presentations: Iterable[Presentation]) -> bool:
    """Whether any presentation lies in, or below, a folder that such a program has marked.

    A mixture of recorded and simulated clips counts as made up.

    Args:
        root: Of the data set.
        presentations: Read from it.
    """
    folders = {parent for row in presentations for parent in PurePosixPath(row.path).parents}
    folders.add(PurePosixPath())
    return any((root / folder / marker).is_file() for folder in folders for marker in MARKERS)
