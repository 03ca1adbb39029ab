"""Activation checkpointing: blocks of the backbone are run again in the backward pass, not kept."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vivant.networks.backbones.backbone import Backbone

__all__ = ["checkpoint_blocks"]

_Context = AbstractContextManager[None]


def checkpoint_blocks(backbone: Backbone) -> int:
    """Keep the inputs of the backbone's blocks alone; the rest is computed again when needed.

    Gradients and running statistics are those without it: the second run leaves a batch norm's
    statistics alone, which would otherwise be counted twice.

    Args:
        backbone: Changed in place; the blocks are the children of its `nn.Sequential`s.

    Returns:
        The number of blocks.
    """
    blocks = [
        block
        for part in backbone.children()
        if isinstance(part, nn.Sequential)
        for block in part.children()
    ]
    for block in blocks:
        block.forward = partial(_run_twice, block, block.forward)
    return len(blocks)


def _run_twice(block: nn.Module, run: object, x: Tensor) -> Tensor:
    assert callable(run)
    if not (torch.is_grad_enabled() and block.training):
        result: Tensor = run(x)
        return result
    again: Tensor = checkpoint(run, x, use_reentrant=False, context_fn=lambda: _contexts(block))
    return again


def _contexts(block: nn.Module) -> tuple[_Context, _Context]:
    return nullcontext(), _statistics_kept(block)


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    norms = [each for each in block.modules() if isinstance(each, nn.BatchNorm2d)]
    counters = [each.num_batches_tracked for each in norms]
    momenta = [each.momentum for each in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0
            norm.num_batches_tracked = None
        yield
    finally:
        for norm, momentum, counter in zip(norms, momenta, counters, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, counter
