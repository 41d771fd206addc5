"""Which training examples each network of a pool is trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from lab.core.seeds import permutation, torch_seed

BLOCK = 10
"""Networks that share a random order of the examples. Each leaves out another stretch of it, so
that after a block every example has been left out equally often (as nearly as their numbers allow).
A network's subset alone is uniform among all of its size."""

STRIDE = 3
"""Tenths of the order between the stretches of one network and the next: at a share of 70 % four
networks leave out every example at least once."""

MOST_TRIED = 1000
"""Networks up to which `networks_for` looks."""


def subset_size(count: int, share: float) -> int:
    """How many of `count` examples a network is trained on; `ValueError` if that is all or none."""
    size = round(share * count)
    if not 0 < size < count:
        raise ValueError(
            f"--share {share:g} of {count:,} training examples is {size:,}: each network must be"
            " trained on some of them, and not on all"
        )
    return size


def membership(network: int, *, count: int, share: float, seed: int) -> Tensor:
    """Which of `count` examples (count,) bool network number `network` (from 0) is trained on:
    `share` of them, above 0 to below 1. The same however many networks there are."""
    left_out = count - subset_size(count, share)
    block, place = divmod(network, BLOCK)
    order = torch.from_numpy(permutation(count, seed, "pool", block))
    start = place * STRIDE % BLOCK * count // BLOCK
    members = torch.ones(count, dtype=torch.bool)
    members[order[(start + torch.arange(left_out)) % count]] = False
    return members


def networks_for(least: int, *, count: int, share: float, seed: int) -> int:
    """How many networks, in whole blocks, it takes until each example was in `least` of them or
    more, and not in as many; `MOST_TRIED` if that is not enough, either."""
    inside, networks = torch.zeros(count, dtype=torch.int64), 0
    while networks < MOST_TRIED:
        for network in range(networks, networks + BLOCK):
            inside += membership(network, count=count, share=share, seed=seed)
        networks += BLOCK
        if int(torch.minimum(inside, networks - inside).min()) >= least:
            break
    return networks


def network_seed(network: int, *, seed: int) -> int:
    """The seed of a network's weights and batches, in a pool with the given `seed`."""
    return torch_seed(seed, "pool network", network)
