import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from training.small import make_thin
from vivant.networks.backbones import resnet
from vivant.networks.backbones.backbone import Backbone, build_backbone
from vivant.training.memory import checkpoint_blocks

CROPS = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(4))


@pytest.fixture(params=["efficientnet_lite0", "se_resnet18"])
def pair(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> tuple[Backbone, Backbone]:
    """A backbone of few blocks, and the same with checkpoints."""
    make_thin(monkeypatch)
    monkeypatch.setitem(resnet._DEPTHS, 18, (1, 1, 1, 1))
    torch.manual_seed(1)
    plain = build_backbone(request.param)
    saving = copy.deepcopy(plain)
    checkpoint_blocks(saving)
    return plain, saving


def trained(backbone: Backbone) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Output, gradients and buffers after two passes forward and backward."""
    for _ in range(2):
        output = backbone(CROPS)
        output.square().mean().backward()
    gradients = {name: each.grad for name, each in backbone.named_parameters()}
    assert all(each is not None for each in gradients.values())
    return output.detach(), gradients, dict(backbone.named_buffers())


def num_kept_bytes(run: Callable[[], object]) -> int:
    """Bytes of the storages that autograd keeps for the backward pass."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = run()
    assert output is not None
    return sum(kept.values())


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_recomputed_blocks_train_as_kept_ones_and_keep_less(
    pair: tuple[Backbone, Backbone],
) -> None:
    plain, saving = pair
    (output, gradients, buffers), (again, theirs, counted) = trained(plain), trained(saving)
    assert torch.equal(again, output)
    assert equal(theirs, gradients)
    assert equal(counted, buffers)
    counters = [value for name, value in counted.items() if name.endswith("num_batches_tracked")]
    assert {int(counter) for counter in counters} == {2}
    assert num_kept_bytes(lambda: saving(CROPS)) < 0.7 * num_kept_bytes(lambda: plain(CROPS))


def test_names_of_the_weights_stay(pair: tuple[Backbone, Backbone]) -> None:
    plain, saving = pair
    assert plain.state_dict().keys() == saving.state_dict().keys()


def test_copy_is_a_backbone_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    make_thin(monkeypatch)
    original = build_backbone("efficientnet_lite0")
    checkpoint_blocks(original)
    copied = copy.deepcopy(original)
    with torch.no_grad():
        for each in copied.parameters():
            each.zero_()
    before = {name: value + 0 for name, value in original.named_buffers()}
    assert not copied(CROPS).any(), "its blocks are its own"
    assert equal(dict(original.named_buffers()), before)
    assert original.eval()(CROPS).any()


def test_nothing_is_run_twice_where_nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    make_thin(monkeypatch)
    torch.manual_seed(1)
    plain = build_backbone("efficientnet_lite0").eval()
    saving = copy.deepcopy(plain)
    checkpoint_blocks(saving)
    assert torch.equal(saving(CROPS), plain(CROPS))
    monkeypatch.setattr("vivant.training.memory.checkpoint", None)
    saving(CROPS)
    with torch.no_grad():
        saving.train()(CROPS)


@pytest.mark.parametrize(
    ("name", "blocks"), [("efficientnet_lite0", 16), ("resnet18", 8), ("legacy_se_resnet34", 16)]
)
def test_blocks_are_those_of_the_architecture(name: str, blocks: int) -> None:
    with torch.device("meta"):
        backbone = build_backbone(name)
    assert checkpoint_blocks(backbone) == blocks
