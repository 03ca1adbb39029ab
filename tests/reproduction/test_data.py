from pathlib import Path

import pytest

from vivant.datasets import synthetic_plan
from vivant.errors import DataError, UnknownNameError
from vivant.preparation.store import Store
from vivant.reproduction.data import Data, open_stores

Told = list[tuple[str, int, int]]


def ignore(what: str, done: int, num: int) -> None: ...


def test_a_store_that_is_given_is_taken_as_it_is(oulu: Data, out: Path) -> None:
    found = open_stores({"oulu_npu": oulu.store}, out, None, ignore)
    assert found == {"oulu_npu": oulu}
    assert not out.exists()


def test_what_is_neither_given_nor_drawn_is_told_with_its_option(oulu: Data, out: Path) -> None:
    with pytest.raises(DataError, match="this needs siw, .* say --siw DIR"):
        open_stores({"oulu_npu": oulu.store, "siw": None}, out, None, ignore)


def test_a_store_of_another_set_is_refused(siw: Data, out: Path) -> None:
    with pytest.raises(DataError, match="expected a store of oulu_npu at .*, found siw"):
        open_stores({"oulu_npu": siw.store}, out, None, ignore)


def test_a_folder_that_is_not_there_or_not_the_set_s_is_refused(out: Path, tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(DataError, match="OULU-NPU"):
            open_stores({"oulu_npu": folder}, out, None, ignore)


def test_a_size_that_is_not_known_is_told(out: Path) -> None:
    with pytest.raises(UnknownNameError, match="size"):
        open_stores({"siw": None}, out, "huge", ignore)


@pytest.mark.slow
def test_a_set_is_drawn_and_prepared_and_found_again(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = synthetic_plan.Size(num_frames=12, is_whole=False, num_train=1, num_others=0)
    monkeypatch.setitem(synthetic_plan.SIZES, "smoke", few)
    told: Told = []
    found = open_stores({"siw": None}, out, "smoke", lambda *state: told.append(state))["siw"]
    assert found.is_synthetic
    assert len(Store(found.store).presentations()) == 14
    assert {what for what, *_ in told} == {"drawing siw", "preparing siw"}
    assert told[-1][1:] == (14, 14)
    again: Told = []
    assert open_stores({"siw": None}, out, "smoke", lambda *s: again.append(s))["siw"] == found
    assert again == [("drawing siw", 14, 14)]
