import pytest

from vivant.datasets.synthetic_plan import LAYOUTS, SIZES, plan
from vivant.datasets.synthetic_readme import readme


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", SIZES)
def test_the_readme_says_what_it_is_and_what_it_is_not(layout, size):
    text = readme(layout, size, 7, len(plan(layout, size)))
    assert text.startswith("# SYNTHETIC: not people\n")
    assert f"These {len(plan(layout, size)):,} videos" in text
    assert f"--layout {layout} --size {size} --seed 7" in text
    assert "prove the machinery and say nothing about accuracy on people" in text
    assert "NASA, in the public domain" in text
    assert all(len(line) <= 100 for line in text.splitlines())
    for part in ("Between subjects", "Between sessions", "Between videos", "instruments"):
        assert part in text
    assert "{" not in text


def test_only_full_says_that_it_has_the_owner_s_lists():
    assert "has the owner's 42 lists" in readme("oulu-npu", "full", 0, 4950)
    for size in ("tiny", "small"):
        assert "`Protocols/` is left out" in readme("oulu-npu", size, 0, 1)
