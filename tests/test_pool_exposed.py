"""True positives by memorization score, against loops and planted networks."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lab.measure import right
from lab.measure.shadow_models import likelihood_ratios
from lab.pool import run_pool
from lab.pool.attacks import OFFLINE, ONLINE, attack, attack_with, blocks_of, log_odds_of
from lab.pool.exposed import ALL, BANDS, OWN, exposed, exposed_with
from support.configs import tiny
from support.executors import Here

LOW, MIDDLE, HIGH = BANDS


def planted(networks: int = 40, count: int = 300) -> tuple[Tensor, Tensor, Tensor]:
    """A third of the examples are right with any network and look alike with and without them, a
    third are right in every second network without them, a third only in those with them."""
    generator = torch.Generator().manual_seed(0)
    members = torch.rand(networks, count, generator=generator) < 0.5
    coins = torch.rand(networks, count, generator=generator)
    kind = torch.arange(count) % 3
    known = torch.tensor([1.0, 0.7, 0.0])[kind]
    hits = members | (coins < known)
    noise = torch.randn(networks, count, generator=generator)
    odds = 4 * hits.double() + noise
    return odds, hits, members


def test_those_known_by_heart_are_found_and_the_rest_is_not() -> None:
    odds, hits, members = planted()
    found = exposed_with(odds, hits, members)
    assert found[HIGH].rates[ALL][0.01].low > 0.5
    assert found[LOW].rates[ALL][0.01].value < 0.02
    assert abs(found[LOW].rates[OWN][0.1].value - 0.1) < 0.05
    assert math.isclose(sum(band.members for band in found.values()), 1)


def test_bands_and_rates_are_those_of_loops() -> None:
    odds, hits, members = planted(networks=18, count=40)
    found = exposed_with(odds, hits, members)
    ratios = likelihood_ratios(odds, members)
    band: dict[tuple[int, int], str] = {}
    for k in range(18):
        others = [j for j in range(18) if j != k]
        for i in range(40):
            with_it = [float(hits[j, i]) for j in others if members[j, i]]
            without = [float(hits[j, i]) for j in others if not members[j, i]]
            score = sum(with_it) / len(with_it) - sum(without) / len(without)
            band[k, i] = LOW if score < 0.1 - 1e-6 else MIDDLE if score < 0.5 - 1e-6 else HIGH
    non_members = sorted((float(ratios[k, i]) for k, i in band if not members[k, i]), reverse=True)
    threshold = non_members[int(0.1 * len(non_members))]
    for name, part in found.items():
        inside = [float(ratios[k, i]) for k, i in band if members[k, i] and band[k, i] == name]
        assert part.rates[ALL][0.1].count == len(inside)
        assert math.isclose(part.members, len(inside) / int(members.sum()), rel_tol=1e-6)
        named = sum(ratio > threshold for ratio in inside) / len(inside)
        assert math.isclose(part.rates[ALL][0.1].value, named)


def test_a_pools_networks_are_attacked_by_those_of_other_blocks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("lab.pool.run.open_executor", lambda name, processes: Here())
    monkeypatch.setattr("lab.measure.shadow_models.RESAMPLES", 20)
    config = tiny(tmp_path, task="shape", num_train=60, model="linear", label_noise=0.4)
    result = run_pool(config, networks=20)
    pool, labels = result.pool, result.train.labels
    assert blocks_of(pool).tolist() == [0] * 10 + [1] * 10
    odds = log_odds_of(pool.train_logits, labels)
    fresh = torch.zeros(20, 20)
    for blocks, same in ((blocks_of(pool), True), (None, False)):
        wanted = attack_with(odds, fresh, pool.members, blocks)
        found = attack(result)
        assert found is not None
        for name in (ONLINE, OFFLINE):
            assert (found.left_out[name] == wanted.left_out[name]) == same, name
        hits = torch.stack([right(logits, labels) for logits in pool.train_logits])
        assert (str(exposed(result)) == str(exposed_with(odds, hits, pool.members, blocks))) == same
