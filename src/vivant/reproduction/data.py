"""The stores that runs are trained and tested on: given, prepared, or drawn and prepared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vivant.datasets import synthetic
from vivant.datasets.made_up import is_made_up
from vivant.errors import DataError
from vivant.parallel import num_cores
from vivant.plugins import find
from vivant.preparation.info import fingerprint
from vivant.preparation.manifest import FILE, current_manifest
from vivant.preparation.presentation import preparer
from vivant.preparation.run import prepare
from vivant.preparation.settings import PreparationSettings
from vivant.preparation.store import Store

__all__ = ["Data", "open_stores"]

_LAYOUTS = {"oulu_npu": "oulu-npu", "siw": "siw"}
_OPTIONS = {"oulu_npu": "--oulu", "siw": "--siw"}

Tell = Callable[[str, int, int], None]
"""Is told what is being done, and how many of how many are."""


@dataclass(frozen=True, slots=True)
class Data:
    """A data set's store."""

    store: Path
    fingerprint: str
    is_synthetic: bool


def open_stores(
    needed: Mapping[str, Path | None], folder: Path, size: str | None, tell: Tell
) -> dict[str, Data]:
    """The store of each data set, made where it is not there yet.

    Args:
        needed: Data sets by name, with the owner's folder or a store; None: it is drawn.
        folder: Where what is drawn and prepared here lies.
        size: Of what is drawn: one of `synthetic_plan.SIZES`; None: nothing may be.
        tell: Is told of progress.

    Raises:
        DataError: a data set is neither given nor drawn, or a folder is not what it should be.
        OutputError: no room.
    """
    missing = [name for name, given in needed.items() if given is None]
    if missing and size is None:
        options = " and ".join(f"{_OPTIONS[name]} DIR" for name in missing)
        raise DataError(
            f"this needs {', '.join(missing)}, which only their owners give out: say {options} "
            "(the owner's folder, or a store of `vivant data prepare`), or --data synthetic"
        )
    found = {}
    for name, given in needed.items():
        root = given
        if root is None:
            assert size is not None
            root = folder / "drawn" / f"{name}-{size}"
            _draw(root, name, size, tell)
        store = root if (root / FILE).is_file() else folder / "stores" / f"{name}-{root.name}"
        if store != root:
            _prepare(root, name, store, is_trusted=given is None, tell=tell)
        opened = Store(store)
        if opened.manifest.dataset != name:
            raise DataError(
                f"expected a store of {name} at {store}, found {opened.manifest.dataset}"
            )
        found[name] = Data(store, fingerprint(opened), opened.manifest.is_synthetic)
    return found


def _draw(root: Path, name: str, size: str, tell: Tell) -> None:
    num_workers = num_cores()
    for state in synthetic.generate(root, _LAYOUTS[name], size, 0, num_workers):
        tell(f"drawing {name}", state.done, state.total)


def _prepare(root: Path, name: str, store: Path, *, is_trusted: bool, tell: Tell) -> None:
    reading = find("vivant.datasets", name, "data set")().read(root)
    settings = PreparationSettings()
    made_up = is_made_up(root, reading.presentations)
    target = Store.create(store, current_manifest(name, settings, is_synthetic=made_up))
    work = partial(preparer, root, settings, None, isolated=not is_trusted)
    num_workers = num_cores()
    for outcome in prepare(reading.presentations, target, work, num_workers):
        tell(f"preparing {name}", outcome.num_done, outcome.num_all)
