import pytest
import torch

from training.small import made_up_batch
from vivant.networks.network import Advice
from vivant.training.cache import AdviceCache
from vivant.training.loader import Batch

NUM, FRAMES, CHANNELS = 4, 2, 3


def advice(num: int = NUM, seed: int = 0, *, has_features: bool = True) -> Advice:
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(num, *shape, generator=generator)

    features = drawn(1, CHANNELS, 7, 7) if has_features else None
    return Advice(drawn(2), drawn(8), drawn(FRAMES, 7, 7), features)


def of_keys(*keys: int) -> Batch:
    return made_up_batch(len(keys), side=4, keys=torch.tensor(keys))


def cache() -> AdviceCache:
    return AdviceCache(torch.device("cpu"))


def same(one: Advice, other: Advice) -> bool:
    return all(
        (a is None and b is None) or torch.equal(a, b) for a, b in zip(one, other, strict=True)
    )


def test_what_was_kept_comes_back() -> None:
    kept, said = cache(), advice()
    kept.keep(of_keys(0, 1, 2, 3), said)
    assert same(kept.of(of_keys(0, 1, 2, 3)), said)


def test_what_was_kept_comes_back_in_any_order_and_of_any_batch() -> None:
    kept, first, second = cache(), advice(3, 1), advice(2, 2)
    kept.keep(of_keys(7, 0, 5), first)
    kept.keep(of_keys(2, 9), second)
    found = kept.of(of_keys(9, 5, 7, 9))
    for name in ("logits", "embedding", "cam", "features"):
        one, other = getattr(first, name), getattr(second, name)
        expected = torch.stack([other[1], one[2], one[0], other[1]])
        assert torch.equal(getattr(found, name), expected), name


def test_network_without_a_second_module_has_no_features() -> None:
    kept, said = cache(), advice(has_features=False)
    kept.keep(of_keys(0, 1, 2, 3), said)
    found = kept.of(of_keys(3, 0))
    assert found.features is None
    assert torch.equal(found.cam, said.cam[[3, 0]])


def test_later_changes_of_the_batch_are_not_seen() -> None:
    kept, said = cache(), advice()
    before = said.logits.clone()
    kept.keep(of_keys(0, 1, 2, 3), said)
    said.logits.zero_()
    assert torch.equal(kept.of(of_keys(0, 1, 2, 3)).logits, before)


def test_bytes_are_counted_once_a_clip() -> None:
    kept = cache()
    assert kept.num_bytes == 0
    kept.keep(of_keys(0, 1, 2, 3), advice())
    numbers = 2 + 8 + FRAMES * 49 + CHANNELS * 49
    assert kept.num_bytes == NUM * numbers * 4
    kept.keep(of_keys(2, 3, 4, 5), advice(seed=1))
    assert kept.num_bytes == 6 * numbers * 4
    small = cache()
    small.keep(
        of_keys(0), Advice(*(part if part is None else part[:1].half() for part in advice()))
    )
    assert small.num_bytes == numbers * 2


def test_clip_that_was_not_kept_is_our_mistake() -> None:
    kept = cache()
    kept.keep(of_keys(0, 1, 2, 3), advice())
    with pytest.raises(KeyError, match="4"):
        kept.of(of_keys(3, 4))
