"""Associations and duplicates: counted as others count them, and found where they were planted."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, chi2, chi2_contingency, random_table
from sklearn.metrics import mutual_info_score

from lab.worlds import Examples, Population, association, get_task
from lab.worlds.association import (
    associations,
    chance_information,
    chi_square,
    count,
    digests,
    duplicates,
    matches_request,
    mutual_information,
    pooled,
)
from lab.worlds.faces import STRAYS, attribute
from support.drawn_worlds import world_of

TASK = get_task("person")


def drawn(number: int, split: str = "train", seed: int = 0) -> Examples:
    faces = Population(TASK).sample(number, seed=seed, split=split)
    return world_of(Population(TASK), size=16).examples(faces)


@pytest.mark.parametrize("seed", range(20))
def test_information_is_what_others_find(seed: int) -> None:
    random = np.random.default_rng(seed)
    table = random.integers(0, 40, size=random.integers(2, 7, size=2))
    bits = mutual_information(table)
    nats = mutual_info_score(None, None, contingency=table)
    assert bits * np.log(2) == pytest.approx(nats, abs=1e-12)
    table += 1
    g = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    assert 2 * table.sum() * np.log(2) * mutual_information(table) == pytest.approx(g)


def test_information_knows_all_and_nothing() -> None:
    assert mutual_information(np.diag([5, 5, 5, 5])) == pytest.approx(2)
    assert mutual_information(np.array([[30, 10], [60, 20]])) == 0


@pytest.mark.parametrize("level", [0.01, 1e-3, 0.01 / 40])
def test_chi_square_is_near_the_truth_and_above_it(level: float) -> None:
    for freedom in range(1, 31):
        ratio = chi_square(freedom, level) / chi2.isf(level, freedom)
        assert 0.99 < ratio < 1 + 0.065 / freedom**0.5


@pytest.mark.parametrize("number", [80, 100, 1000])
def test_chance_exceeds_its_bound_as_often_as_it_says(number: int) -> None:
    rows, columns = [number // 2, number - number // 2], [number // 8] * 7
    tables = random_table(rows, [*columns, number - sum(columns)], seed=0)
    drawn_tables = tables.rvs(3000).astype(np.int64)
    above = sum(
        mutual_information(table) > chance_information(table, level=0.01) for table in drawn_tables
    )
    assert binomtest(above, len(drawn_tables), 0.01).pvalue > 1e-3


@pytest.mark.parametrize("seed", range(10))
def test_rare_values_are_pooled(seed: int) -> None:
    random = np.random.default_rng(seed)
    table = random.poisson(random.exponential(6, size=(3, 9))) * np.array([[1], [1], [seed % 2]])
    small = pooled(table)
    assert np.array_equal(small.sum(axis=1), table.sum(axis=1)[table.sum(axis=1) > 0])
    if small.shape[1] > 1:
        expected = np.outer(small.sum(axis=1), small.sum(axis=0)) / small.sum()
        assert expected.min() >= 5
    assert mutual_information(small) <= mutual_information(table) + 1e-12


def test_bins_of_a_number_are_as_likely_as_one_another() -> None:
    faces = Population(TASK, variation=0.5).sample(4000, seed=0, split="train")
    labels = TASK.label(faces)
    for name in ("gaze", "hair_length", "blur"):
        table = count(name, faces, labels, classes=2, variation=0.5)
        assert table.shape == (2, 8)
        assert np.array_equal(table.sum(axis=1), [2000, 2000])
        assert abs(table.sum(axis=0) - 500).max() < 100  # 500 ± 21
    table = count("eye_color", faces, labels, classes=2)
    blue = attribute("eye_color").option("blue")
    assert table[1, blue] == ((faces["eye_color"] == blue) & (labels == 1)).sum()


@pytest.mark.parametrize("name", ["gaze", "glasses", "clothes_color"])
def test_a_planted_association_is_found(name: str) -> None:
    faces = Population(TASK).sample(200, seed=0, split="train")
    labels = TASK.label(faces)
    row = attribute(name)
    mine = row.within(labels.numpy(), np.full(200, 0.5))
    column = torch.where(
        torch.arange(200) % 2 == 0, torch.from_numpy(mine), faces[name].double()
    ).to(faces[name].dtype)
    found = associations(faces.redrawn({name: column}), labels, TASK.nuisances, classes=2)
    assert found[0].attribute == name
    assert [
        one.attribute for one in found if one.above_chance and "stray" not in one.attribute
    ] == [name]


@pytest.mark.parametrize(("number", "seeds"), [(10, 20), (100, 40), (1000, 15)])
def test_chance_alone_is_rarely_taken_for_a_link(number: int, seeds: int) -> None:
    names = [name for name in TASK.nuisances if name not in STRAYS.values()]
    alarms = 0
    for seed in range(seeds):
        faces = Population(TASK).sample(number, seed=seed, split="train")
        found = associations(faces, TASK.label(faces), names, classes=2)
        alarms += any(one.above_chance for one in found)
    assert alarms <= 2  # expected: 0.4 of 40


def test_a_strength_is_as_asked_if_wilsons_interval_says_so() -> None:
    for total in (1, 7, 100, 2000):
        for agreeing in {0, 1, total // 2, round(0.93 * total), total - 1, total}:
            interval = binomtest(agreeing, total).proportion_ci(0.999, method="wilson")
            for strength in (0.0, 0.03, 0.5, 0.9, 0.95, 1.0):
                inside = interval.low - 1e-9 <= strength <= interval.high + 1e-9
                assert matches_request(agreeing, total, strength) == inside


def test_nothing_comes_twice() -> None:
    train, test = drawn(300), drawn(300, "test")
    found = duplicates(train, test)
    assert (found.shared_pictures, found.shared_identities, found.repeated) == (0, 0, 0)


def test_planted_duplicates_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(association, "BLOCK", 5 * 3 * 16 * 16)  # several blocks
    train, test = drawn(30), drawn(20, "test")
    images, identity = train.images.clone(), train.samples.identity.clone()
    images[3], images[29] = test.images[7], test.images[7]
    images[4] = images[5]
    identity[[1, 2, 8]] = test.samples.identity[[0, 0, 19]]
    planted = replace(train, images=images, samples=replace(train.samples, identity=identity))
    found = duplicates(planted, test)
    assert (found.shared_pictures, found.shared_identities, found.repeated) == (2, 3, 2)


def test_one_changed_byte_is_another_picture() -> None:
    images = drawn(2).images[:1].repeat(3, 1, 1, 1)
    images[2, 2, 15, 15] ^= 1
    first, same, other = digests(images)
    assert first == same != other
