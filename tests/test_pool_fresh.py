"""The fresh pictures of a pool have the class shares of its training pictures: networks that know
nothing but shares are not said to know pictures, and what is compared is told."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lab.core.config import DataConfig, ModelConfig, RunConfig
from lab.pool import membership, run_pool
from lab.pool.attacks import LOSS, RELATIVE, RELATIVE_OFFLINE
from lab.pool.findings import Findings
from lab.pool.fresh import fresh_of, in_shares
from lab.pool.report import report
from lab.pool.words import sentences, tell
from lab.runs.resolve import resolve
from lab.worlds import open_world
from lab.worlds.groups import true_groups
from support.configs import tiny
from support.executors import Here
from support.pools import findings_of

pytestmark = pytest.mark.usefixtures("short_bootstraps")

NETWORKS = 20

LONG, EVEN, ALIKE = (140, 40, 20), (400, 400, 400), (210, 60, 30)
"""Numbers of pictures of the classes a, b and c."""


def pictures(
    place: Path, train: Sequence[int], test: Sequence[int], *, groups: bool = False, **used: int
) -> DataConfig:
    """Pictures of noise, so many of each class, or with `groups` of each class and place, of which
    the first are `used`."""
    random, arrays = np.random.default_rng(0), {}
    for end, counts in (("", train), ("_test", test)):
        kinds = random.permutation(np.repeat(np.arange(len(counts)), counts))
        pixels = random.integers(0, 256, (len(kinds), 16, 16, 3))
        arrays[f"x{end}"] = pixels.astype(np.uint8)
        arrays[f"y{end}"] = np.array([*"abc"])[kinds // 2 if groups else kinds]
        if groups:
            arrays[f"place{end}"] = kinds % 2
    np.savez(place.with_suffix(".npz"), **arrays)
    return DataConfig(
        data=str(place.with_suffix(".npz")),
        image_size=16,
        num_train=used.get("num_train", sum(train)),
        num_test=used.get("num_test", sum(test)),
        groups=("place",) if groups else (),
    )


def settings(out: Path, data: DataConfig) -> RunConfig:
    """Those of a small pool."""
    return replace(
        tiny(
            out,
            model="linear",
            width=ModelConfig().width,
            steps=10,
            batch_size=8,
            counterfactuals=0,
        ),
        data=data,
    )


def constant(labels: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """The logits of networks that see nothing: what each thinks of how frequent the classes are,
    and a little noise of each picture's own."""
    lean = torch.tensor([2.0, 0.8, 0.0, -1.0][:classes]).expand(NETWORKS, 1, classes)
    own = torch.Generator().manual_seed(1)
    each = 0.1 * torch.randn((NETWORKS, 1, classes), generator=own)
    noise = 0.05 * torch.randn((NETWORKS, len(labels), classes), generator=generator)
    return lean + each + noise


def planted(out: Path, data: DataConfig) -> Findings:
    """What is found of such networks."""
    run = resolve(settings(out, data))
    train = run.world.load("train", run.config.data.num_train)
    test = run.world.load("test", run.config.data.num_test)
    generator, count = torch.Generator().manual_seed(0), len(train)
    classes = len(train.classes)
    members = torch.stack([membership(k, count=count, share=0.7, seed=0) for k in range(NETWORKS)])
    logits = constant(train.labels, classes, generator), constant(test.labels, classes, generator)
    return findings_of(run, (train, test), members, logits)


def test_networks_that_give_one_answer_to_all_do_not_know_the_frequent_classes_pictures(
    tmp_path: Path,
) -> None:
    found = planted(tmp_path / "pools", pictures(tmp_path / "own", LONG, EVEN))
    assert found.attacks is not None
    for rates in (
        found.attacks.fresh[LOSS],
        found.attacks.fresh[RELATIVE_OFFLINE],
        found.attacks.left_out[RELATIVE],
        found.attacks.null,
    ):
        assert rates[0.1].value < 0.13
    same = found.identity
    assert same.members.value == same.others.value == pytest.approx(0.7)
    assert same.fresh.value == pytest.approx(0.7, abs=0.01)
    said = "\n".join(sentences(found))
    assert (
        "Of the 1,200 test pictures 571 are used as fresh ones, in the class shares of the training"
        " pictures: 400 of a, 114 of b, 57 of c." in said
    )
    assert "not like the fresh ones" not in said
    assert "Warning" not in said
    plain = found.as_dict()["fresh"]
    assert (plain["used"], plain["of"], plain["other_shares"]) == (571, 1200, None)


def test_every_part_of_them_has_these_shares(tmp_path: Path) -> None:
    """Attacks look at halves, and rates of few examples at less."""
    found = planted(tmp_path / "pools", pictures(tmp_path / "own", LONG, EVEN)).result
    labels = found.test.clean_labels[found.fresh.positions]
    assert len(set(found.fresh.positions.tolist())) == len(labels)
    for part in labels.chunk(4):
        counts = torch.bincount(part, minlength=3) / len(part)
        assert torch.allclose(counts, torch.tensor([0.7, 0.2, 0.1]), atol=0.04)


def test_test_sets_of_the_same_shares_and_drawn_ones_are_used_whole_and_silently(
    tmp_path: Path,
) -> None:
    found = planted(tmp_path / "pools", pictures(tmp_path / "own", LONG, ALIKE))
    assert found.result.fresh.positions.tolist() == list(range(300))
    assert not found.result.fresh.said
    assert "fresh" not in found.as_dict()
    assert "are used as fresh ones" not in "\n".join(sentences(found))
    drawn = open_world(DataConfig(num_train=200, num_test=100), seed=0)
    train, test = drawn.load("train", 200), drawn.load("test", 100)
    few = train.take(train.labels == 0)  # whatever it looks like
    for one in (train, few):
        chosen = fresh_of(drawn, one, test)
        assert chosen.positions.tolist() == list(range(100))
        assert not chosen.said


def test_classes_that_the_training_set_lacks_are_left_out(tmp_path: Path) -> None:
    data = pictures(tmp_path / "own", (100, 100, 1), (40, 40, 40), num_train=90)
    fresh = planted(tmp_path / "pools", data).result.fresh
    assert len(fresh.positions) == 80
    assert not fresh.mixed
    assert fresh.said.endswith(
        "those of a class that the training pictures have, too: 40 of a, 40 of b."
    )


def test_rare_classes_that_the_training_set_lacks_by_accident_change_nothing(
    tmp_path: Path,
) -> None:
    data = pictures(tmp_path / "own", (100, 100, 1), (60, 60, 1), num_train=90)
    fresh = planted(tmp_path / "pools", data).result.fresh
    assert fresh.positions.tolist() == list(range(121))
    assert not fresh.said


def test_a_rare_class_that_the_test_set_lacks_is_no_warning(tmp_path: Path) -> None:
    data = pictures(tmp_path / "own", (140, 58, 2), (200, 200, 1), num_test=180)
    fresh = planted(tmp_path / "pools", data).result.fresh
    assert fresh.said == (
        "Of the 180 test pictures 127 are used as fresh ones, in the class shares of the training"
        " pictures: 90 of a, 37 of b."
    )
    assert not fresh.mixed


@pytest.mark.parametrize(
    ("train", "test", "used", "told"),
    [
        ((140, 10), (10, 100), 110, "hardly any test pictures could be used"),
        ((140, 60), (200, 1), 80, "But none is of b, as 60 of the 200 training"),
    ],
)
def test_where_shares_cannot_be_had_it_is_said_first(
    train: Sequence[int], test: Sequence[int], used: int, told: str, tmp_path: Path
) -> None:
    found = planted(tmp_path / "pools", pictures(tmp_path / "own", train, test, num_test=used))
    assert len(found.result.fresh.positions) == used
    assert told in tell(found).known[0]
    assert tell(found).known[0].startswith("Warning: ")
    assert tell(found).known[0].endswith("what is said of fresh pictures comes from that, too.")
    (check,) = (line for line in sentences(found) if line.startswith("Check of the networks"))
    assert check.endswith("it should be 0 where both have the same class shares, which they have"
                          " not.")  # fmt: skip


def test_the_pool_says_so_before_it_begins_and_keeps_what_it_always_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("lab.pool.run.open_executor", lambda name, processes: Here())
    data = pictures(tmp_path / "own", (70, 20, 10), EVEN)
    said: list[str] = []
    result = run_pool(settings(tmp_path / "pools", data), networks=10, say=said.append)
    (warning,) = (line for line in said if "is 70.0 % of the training set" in line)
    assert warning.startswith("warning: the class a is 70.0 % of the training set and 33.3 %")
    chosen = result.fresh.said
    assert chosen.startswith("Of the 1,200 test pictures 571 are used as fresh ones")
    assert said.count(chosen) == 1
    with np.load(result.folder / "networks" / "00000.npz") as kept:
        assert kept["test_logits"].shape == (1200, 3)
    report(result)
    page = (result.folder / "pool.html").read_text()
    assert chosen in page
    assert "571 fresh pictures" in page
    assert json.loads((result.folder / "findings.json").read_text())["fresh"]["used"] == 571
    again = run_pool(settings(tmp_path / "pools", data), networks=10, say=said.append)
    assert again.folder == result.folder
    assert again.seconds == 0
    assert said.count(chosen) == 2


def test_a_pool_of_the_same_shares_warns_of_no_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("lab.pool.run.open_executor", lambda name, processes: Here())
    said: list[str] = []
    data = pictures(tmp_path / "own", LONG, ALIKE)
    result = run_pool(settings(tmp_path / "pools", data), networks=10, say=said.append)
    assert "10 networks, each trained on" in said[0]
    assert all("not evenly spread over the classes" in each for each in said[1:])
    report(result)
    assert "300 fresh pictures" in (result.folder / "pool.html").read_text()


def grouped(folder: Path, train: Sequence[int], test: Sequence[int]) -> Findings:
    """What is found of a pool with so many training and test pictures of each group."""
    return planted(folder / "pools", pictures(folder / "own", train, test, groups=True))


def test_groups_are_used_where_there_are_some(tmp_path: Path) -> None:
    """The classes are half of each set, and what they are seen with is not."""
    result = grouped(tmp_path, [90, 10, 10, 90], [50, 50, 50, 50]).result
    index, _ = true_groups(result.test, result.run.world.grouped_by)
    counts = torch.bincount(index[result.fresh.positions], minlength=4).tolist()
    assert counts in ([50, 6, 5, 50], [50, 5, 6, 50], [50, 6, 6, 50], [50, 5, 5, 50])
    assert "in the group shares of the training pictures" in result.fresh.said
    assert not result.fresh.mixed


def test_groups_of_the_same_shares_change_nothing(tmp_path: Path) -> None:
    fresh = grouped(tmp_path, [90, 10, 10, 90], [45, 5, 5, 45]).result.fresh
    assert fresh.positions.tolist() == list(range(100))
    assert not fresh.said


def test_where_group_shares_cannot_be_had_class_shares_are_and_it_is_told(tmp_path: Path) -> None:
    found = grouped(tmp_path, [150, 10, 20, 20], [2, 98, 50, 50])
    fresh = found.result.fresh
    labels = found.result.test.clean_labels[fresh.positions]
    assert torch.bincount(labels).tolist() == [100, 25]
    assert "But their group shares are others" in fresh.said
    assert fresh.mixed == "group"


def test_as_many_are_taken_as_can_be_had() -> None:
    assert in_shares([140, 40, 20], [1000, 1000, 1000]) == [1000, 286, 143]
    assert in_shares([50, 50], [40, 40]) == [40, 40]
    assert in_shares([50, 50, 0], [40, 44, 90]) == [40, 44, 0]
    assert in_shares([50, 0], [0, 40]) == [0, 0]
    random = np.random.default_rng(0)
    for _ in range(50):
        counts, others = random.integers(1, 300, 8).tolist(), random.integers(1, 300, 8).tolist()
        takes = np.array(in_shares(counts, others))
        assert (takes <= others).all()
        assert (takes == others).any()
        wanted = np.array(counts) * min(o / c for o, c in zip(others, counts, strict=True))
        assert (np.abs(takes - wanted) < 1).all()
