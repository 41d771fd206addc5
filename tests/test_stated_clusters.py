"""Clusters that the user states: sets of whole clusters, and what is said of them."""

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lab import watch
from lab.core.config import DataConfig
from lab.experiments.report_card.subject import subject_of
from lab.runs.evaluate import evaluate
from lab.runs.resolve import resolve
from lab.runs.train import start
from lab.watching.watcher import Watcher
from lab.worlds import open_world
from lab.worlds.groups import told_by, told_by_chance
from lab.worlds.stated_clusters import by_column, by_pattern, by_values, for_the_test
from lab.worlds.stored import StoredWorld
from support.configs import tiny


def patients(
    root: Path, sizes: Sequence[int], *, seed: int = 0, table: bool = True, below: str = ""
) -> Path:
    """Pictures of patients, each of whom has a pattern of its own and one of two classes, which has
    nothing to do with it."""
    random = np.random.default_rng(seed)
    rows = []
    for number, size in enumerate(sizes):
        pattern = random.integers(0, 256, (4, 4, 3))
        name = "sick" if number % 2 else "well"
        folder = root / name / below.format(number)
        folder.mkdir(parents=True, exist_ok=True)
        for _ in range(size):
            pixels = np.kron(pattern, np.ones((4, 4, 1))) + random.normal(0, 25, (16, 16, 3))
            file = folder / f"{random.integers(2**60):x}.png"
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file)
            rows.append((file.relative_to(root).as_posix(), f"{number}"))
    if table:
        with (root / "metadata.csv").open("w", newline="") as opened:
            csv.writer(opened).writerows([("file_name", "who"), *rows])
    return root


def world_of(root: Path, clusters: str | None = "who", seed: int = 0, **data: Any) -> StoredWorld:
    """The world of a folder or file."""
    data = {"num_train": 60, "num_test": 1000, "image_size": 16, **data}
    world = open_world(DataConfig(data=str(root), clusters=clusters, **data), seed=seed)
    assert isinstance(world, StoredWorld)
    return world


def clusters_in(world: StoredWorld, split: str) -> list[int]:
    """The cluster of each picture of a split."""
    found = world.clusters_in(split, world.available(split))
    assert found is not None
    return found.tolist()


ALIKE = [
    ("AB01", "ab01", "AB-01", "AB 1", "ab_1", "Ab.01"), ("patient-12", "Patient 12", "PATIENT_012"),
    ("T001", "t-001", "T_1", "t1"), ("1-2", "01_2", "1 2"), ("Łódź 3", "łódź_03"),
    ("cat (4)", "Cat4", "cat_4"), ("Smith, J.", "smith j"), ("P01_L", "p1-l"),
]  # fmt: skip
"""Spellings of one value each."""

APART = [
    ("-10C", "10C"), ("A", "A-", "A+"), ("0.05", "0.5"), ("0.05 mg", "0.5 mg", "0_5 mg"),
    ("1.2.840.10", "1.2.840.010"), ("BH1_1.05m", "BH1_1.5m"), ("12", "1-2", "-12"), ("5", "5-"),
    ("lat-15_lon100", "lat-15_lon-100", "lat15_lon100"), ("snr-10", "snr10", "snr_-1"),
    ("46.05_7.9", "46.5_7.9"), ("10%", "10"), ("Cl", "Cl-"), ("कि", "की"), ("t_-5", "t_5"),
]  # fmt: skip
"""Values that are others, though they look alike."""


def test_values_that_differ_in_spelling_alone_are_of_one_cluster() -> None:
    values = [each for spellings in ALIKE for each in spellings]
    clusters = by_values(dict(enumerate(values)))
    wanted = [place for place, spellings in enumerate(ALIKE) for _ in spellings]
    numbers = clusters.numbers(range(len(values))).tolist()
    assert len({*zip(numbers, wanted, strict=True)}) == len(ALIKE)
    assert "leading zeros alone are of one cluster" in clusters.spelled_told
    for each in APART:
        apart = by_values(dict(enumerate([*each, *each])))
        assert len({*apart.numbers(range(2 * len(each))).tolist()}) == len(each)
        assert apart.spelled_told == ""
    paths = {n: f"sick/{name}_{n}.png" for n, name in enumerate(("P01", "p1", "P02", "p-3"))}
    assert by_pattern("(?i)(p[^_]+)_", paths).numbers(range(4)).tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize("seed", range(8))
def test_each_cluster_is_in_one_set(tmp_path: Path, seed: int) -> None:
    """By a count of the files' own rows in the table."""
    sizes = np.random.default_rng(seed).integers(1, 12, 50).tolist()
    root = patients(tmp_path / "own", sizes)
    world = world_of(root, seed=seed, num_train=100 + seed)
    with (root / "metadata.csv").open() as opened:
        who = {row["file_name"]: row["who"] for row in csv.DictReader(opened)}
    sets = {
        split: {who[name] for name in world.names_of(split, world.available(split))}
        for split in ("train", "validation", "test")
    }
    assert all(sets.values())
    assert not sets["train"] & sets["test"]
    assert not sets["train"] & sets["validation"]
    assert not sets["validation"] & sets["test"]
    labels = torch.tensor([label for _, label in world.tested])
    whole = len(world.pool) + len(world.tested)
    assert 0.15 < len(labels) / whole < 0.25
    assert 0.35 < labels.float().mean() < 0.65
    train = torch.tensor([label for _, label in world.pool[: world.data.num_train]])
    assert 0.35 < train.float().mean() < 0.65
    assert world.clusters(100, 1000) is None  # none is in both
    assert world.validation_doubts(20, stops=True) == []


def test_seeds_divide_differently_and_repeat(tmp_path: Path) -> None:
    root = patients(tmp_path / "own", [4] * 30)
    sets = [frozenset(world_of(root, seed=seed).names_of("test", 20)) for seed in (0, 1, 0)]
    assert sets[0] == sets[2] != sets[1]


def test_clusters_of_several_classes_are_kept_together(tmp_path: Path) -> None:
    """As the left and the right eye of a patient, in folders of their grades."""
    for number in range(40):
        for side, grade in (("left", number % 3), ("right", (number + number // 7) % 3)):
            file = tmp_path / "own" / f"grade{grade}" / f"{number}_{side}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), (number, 40, 90)).save(file)
    world = world_of(tmp_path / "own", "^([0-9]+)_", num_train=40)
    train, test = (
        {name.split("/")[1].split("_")[0] for name in world.names_of(split, 100_000)}
        for split in ("train", "test")
    )
    assert train
    assert test
    assert not train & test
    assert {label for _, label in world.tested} == {0, 1, 2}


def test_a_network_that_knows_patients_is_found_out(tmp_path: Path) -> None:
    """The class has nothing to do with the picture but by its patient: pictures of new patients get
    a guess, those of known ones nearly all right."""
    root = patients(tmp_path / "own", [8] * 40)
    found = {}
    for clusters in (None, "who"):
        config = tiny(
            tmp_path / "runs", data=str(root), clusters=clusters, num_train=200, num_test=60,
            steps=150, width=8, name=f"by-{clusters}",
        )  # fmt: skip
        found[clusters] = start(config)
    leaked, apart = (found[key].metrics["accuracy/test"] for key in (None, "who"))
    assert leaked.interval[0] > 0.85
    assert apart.value < 0.85
    assert apart.interval[0] < 0.5 < apart.interval[1]  # no better than a guess, as it is
    verdict = " ".join(found["who"].verdict.split())
    assert "Intervals take the 8 clusters of its test pictures for independent" in verdict
    assert "of other clusters" in verdict
    assert "Intervals take" not in found[None].verdict


def test_a_run_says_how_many_clusters_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = patients(tmp_path / "own", [5] * 20)
    config = tiny(tmp_path / "runs", data=str(root), clusters="who", num_train=80, num_test=60)
    result = start(config)
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "80 training pictures are of 16 clusters by the column who, 20 test pictures of 4" in said
    )
    assert "which pictures belong together" not in said
    evaluate(result.folder, lists={}, numbers={}, counterfactuals=0)
    assert "of 4 clusters by --clusters who; intervals are over these" in capsys.readouterr().out
    stored = json.loads((result.folder / "config.json").read_text())
    assert stored["data"]["clusters"] == "who"


def test_sets_that_are_given_are_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Clusters in both are told as a fact, and nothing is divided anew."""
    for name in ("train", "test"):
        patients(tmp_path / "own" / name, [4] * 12, table=False, below="p{}")
    world = world_of(tmp_path / "own", "^p([0-9]+)/", num_train=48)
    assert all(name.startswith("test/") for name in world.names_of("test", 48))
    (line,) = world.clusters_doubted(48, 48)
    assert line.startswith("12 of 12 matches of ^p([0-9]+)/ among the test pictures (0 the first)")
    assert "Since the pictures with one match of ^p([0-9]+)/ belong together, test accuracy" in line
    assert "divide" not in line
    assert "interval" not in line  # they allow for it
    config = tiny(
        tmp_path / "runs", data=str(tmp_path / "own"), clusters="^p([0-9]+)/", num_train=48,
        num_test=48,
    )  # fmt: skip
    verdict = " ".join(start(config).verdict.split())
    assert (
        "since the pictures with one match of ^p([0-9]+)/ belong together, what follows" in verdict
    )
    assert "12 of them in both" in " ".join(capsys.readouterr().out.split())


def test_arrays_have_clusters_too(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    who = np.repeat(np.arange(30), 4)
    file = tmp_path / "own.npz"
    x, y = random.integers(0, 256, (120, 16, 16), dtype=np.uint8), who % 2
    np.savez(file, x=x, y=y, who=who)
    world = world_of(file)
    assert not {*clusters_in(world, "train")} & {*clusters_in(world, "test")}
    assert not any("who" in line for line in world.left_out())
    np.savez(file, x=x, y=y, who=who, x_test=x[:40], y_test=y[:40])
    with pytest.raises(ValueError, match=r"--clusters who: .*who_test is missing"):
        world_of(file)
    np.savez(file, x=x, y=y, x_test=x[:40], y_test=y[:40], who=who, who_test=who[:40] + 0.5)
    with pytest.raises(ValueError, match="must be whole numbers or texts"):
        world_of(file)
    np.savez(file, x=x, y=y, x_test=x[:40], y_test=y[:40], who=who, who_test=who[:40] + 25.0)
    (line,) = world_of(file, num_train=120).clusters_doubted(120, 40)
    assert line.startswith(
        "5 of 10 values of the column who among the test pictures (25 the first)"
    )


def test_who_belongs_to_whom_is_part_of_the_version(tmp_path: Path) -> None:
    root = patients(tmp_path / "own", [4] * 20)
    before = world_of(root).version
    assert before != world_of(root, None).version
    text = (root / "metadata.csv").read_text()
    (root / "metadata.csv").write_text(text.replace(",7\r\n", ",8\r\n").replace(",7\n", ",8\n"))
    assert world_of(root).version != before


def test_numbers_are_the_same_however_they_are_written() -> None:
    """pandas writes whole numbers beside missing ones as 7.0, and Excel leaves zeros out."""
    values = {0: "7.0", 1: "7", 2: " 7 ", 3: "007", 4: "7.5", 5: "nan", 6: "nan", 7: "", 8: "70"}
    clusters = by_column("who", values, tuple(values))
    number = clusters.number
    assert number[0] == number[1] == number[2] == number[3]
    assert len(set(number.values())) == 6  # unknown ones are each by themselves
    number = by_pattern("p([0-9]+)", {0: "p007_1.png", 1: "p7_2.png", 2: "p0.png"}).number
    assert number[0] == number[1] != number[2]


@pytest.mark.parametrize("kind", ["old places", "names alone", "no rows", "one row"])
def test_a_table_of_other_paths_is_told_to_be_that(kind: str, tmp_path: Path) -> None:
    """And not that each picture is of another cluster."""
    root = patients(tmp_path / "own", [4] * 20)
    first, *rows = (root / "metadata.csv").read_text().splitlines()
    if kind == "old places":
        rows = [f"/home/anna/{row}" for row in rows]
    elif kind == "names alone":
        rows = [row.rpartition("/")[2] for row in rows]
    else:
        rows = rows[: kind == "one row"]
    (root / "metadata.csv").write_text("\n".join([first, *rows]) + "\n")
    why = {
        "old places": "has no picture's path from the folder of the table on .*, but /home/anna/",
        "names alone": "has no picture's path from the folder of the table on .*, but [^/]*$",
        "no rows": "metadata.csv: it has no rows",
        "one row": "1 of the 80 pictures has a value, and no two the same, so that none belong",
    }[kind]
    with pytest.raises(ValueError, match=why) as raised:
        world_of(root)
    assert str(raised.value).startswith("--clusters who: ")


def test_pictures_without_a_value_count_by_themselves(tmp_path: Path) -> None:
    root = patients(tmp_path / "own", [4] * 20)
    lines = (root / "metadata.csv").read_text().splitlines()
    (root / "metadata.csv").write_text("\n".join(lines[:-8]))
    world = world_of(root, num_train=1000)
    assert "8 of these pictures have no such value" in world.unmarked()
    everyone = [*clusters_in(world, "train"), *clusters_in(world, "test")]
    assert len(set(everyone)) == 18 + 8


@pytest.mark.parametrize(
    ("clusters", "said"),
    [
        ("wo", "--clusters wo: .*unknown column 'wo'; did you mean 'who'"),
        ("(wo", "--clusters .wo: it is no regular expression: missing"),
        ("(xyz)", "--clusters .xyz.: it finds nothing in the 80 paths"),
        ("(", "it is no regular expression"),
        ("(?:x)", "brackets must be around the part"),
        ("file_name", "each of the 80 pictures is of another cluster"),
        (r"\.(png)", "all 80 pictures are of one cluster, png"),
    ],
)
def test_what_makes_no_clusters_is_refused(tmp_path: Path, clusters: str, said: str) -> None:
    root = patients(tmp_path / "own", [4] * 20)
    with pytest.raises(ValueError, match=said):
        world_of(root, clusters)


def test_a_column_whose_name_has_brackets_is_a_column(tmp_path: Path) -> None:
    root = patients(tmp_path / "own", [4] * 20)
    text = (root / "metadata.csv").read_text()
    (root / "metadata.csv").write_text(text.replace("who", "who (number)", 1))
    assert "by the column who (number)" in world_of(root, "who (number)").unmarked()


def test_there_must_be_a_table_or_brackets(tmp_path: Path) -> None:
    root = patients(tmp_path / "own", [4] * 20, table=False)
    with pytest.raises(ValueError, match=r"--clusters who: there is no .*metadata.csv"):
        world_of(root)


def test_drawn_pictures_have_none() -> None:
    with pytest.raises(ValueError, match="--clusters who says which pictures of --data belong"):
        open_world(DataConfig(clusters="who"))


@pytest.mark.parametrize(
    ("owners", "said"),
    [
        ([[0, 0, 0], [1, 1, 2]], "all 3 pictures of the class 'a' are of one cluster, 0"),
        ([[0, 1], [0, 1, 1]], None),
        ([[0, 1], [0, 0]], "all 2 pictures of the class 'b' are of one cluster, 0"),
        ([[0, 1], [0, 2], [1, 2]], "the clusters of the class '.' cannot be divided"),
    ],
)
def test_classes_that_cannot_be_in_both_sets_are_refused(
    owners: list[list[int]], said: str | None
) -> None:
    items = [[(label, k) for k in range(len(each))] for label, each in enumerate(owners)]
    values = {item: str(owners[item[0]][item[1]]) for each in items for item in each}
    clusters = by_column("who", values, tuple(values))
    for seed in range(5):
        if said is None:
            assert for_the_test("abc"[: len(items)], items, clusters, share=0.2, seed=seed)
        else:
            with pytest.raises(ValueError, match=said):
                for_the_test("abc"[: len(items)], items, clusters, share=0.2, seed=seed)


def test_the_last_training_cluster_is_not_for_validation(tmp_path: Path) -> None:
    root = patients(tmp_path / "own", [10] * 20)
    world = world_of(root, num_train=35)
    train, validation = (clusters_in(world, split) for split in ("train", "validation"))
    assert len(set(train)) == 4
    assert not {*train} & {*validation}
    assert len(validation) == len(world.pool) - 40
    assert world.most_training(25) == len(world.pool) - 30
    config = tiny(
        tmp_path / "runs", data=str(root), clusters="who", num_train=len(world.pool) - 5,
        num_validation=10,
    )  # fmt: skip
    with pytest.raises(ValueError, match=f"lower --num-train to {world.most_training(2)} or less"):
        resolve(config)


def test_a_report_card_trains_on_what_every_seed_has(tmp_path: Path) -> None:
    sizes = np.random.default_rng(3).integers(1, 15, 30).tolist()
    root = patients(tmp_path / "own", sizes)
    config = tiny(tmp_path / "runs", data=str(root), clusters="who")
    pools = [len(world_of(root, seed=config.seed + k).pool) for k in range(3)]
    assert len(set(pools)) > 1
    assert subject_of(config, seeds=3).most == min(pools)


def test_a_pattern_finds_its_first_group() -> None:
    paths = {0: "patient12/left/a.png", 1: "patient12/right/b.png", 2: "patient3/left/c.png"}
    number = by_pattern("patient([0-9]+)/(left|right)", paths).number
    assert number[0] == number[1] != number[2]


def rows(owners: Sequence[int], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inputs near that of their owner, the owner's label, and the owners."""
    random = torch.Generator().manual_seed(0)
    base = torch.randn(60, 12, generator=random)
    who = torch.tensor(owners).repeat_interleave(8)
    noise = torch.randn(len(who), 12, generator=random.manual_seed(seed + 1))
    return base[who] + 0.2 * noise, who % 2, who


def watched(tmp_path: Path, test: Sequence[int], clusters: bool, name: str) -> Watcher:
    """A network that is trained to know its owners, watched."""
    (x, y, who), (unseen, labels, others) = rows(range(40)), rows(test, seed=5)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    columns = (who, others.numpy()) if clusters else None
    with watch(
        net, train=(x, y), test=(unseen, labels), clusters=columns, out=tmp_path / name,
        pictures=False, quiet=True, every=100,
    ) as each:  # fmt: skip
        for step in range(150):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
            each(step)
    return each


def warnings_of(watcher: Watcher) -> list[str]:
    """What was doubtful of a watched run before it began."""
    assert watcher.folder is not None
    told = json.loads((watcher.folder / "config.json").read_text())
    return list(told["watched"]["warnings"])


def test_a_watched_loop_states_clusters(tmp_path: Path) -> None:
    alone, together = (watched(tmp_path, range(40, 60), use, f"{use}") for use in (False, True))
    narrow, wide = (each.metrics["accuracy/test"] for each in (alone, together))
    assert narrow.value == wide.value
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    verdict = " ".join(together.verdict.split())
    assert "Intervals take the 20 clusters of its test examples for independent" in verdict
    assert not any("clusters" in line for line in warnings_of(together))


def test_a_watched_loop_is_told_of_clusters_in_both_sets(tmp_path: Path) -> None:
    found = watched(tmp_path, range(30, 50), True, "both")
    told = " ".join(warnings_of(found))
    assert "10 of 20 clusters among the test examples (30 the first) have training" in told
    assert "Since the examples of one cluster belong together, test accuracy is too good" in told


@pytest.mark.parametrize(
    ("clusters", "said"),
    [
        (3, "clusters must be a pair"),
        (([1] * 16,), "clusters must be a pair"),
        (([1] * 15, [2] * 8), "needs a value for each of the 16 examples of train"),
        (([1] * 16, [2] * 9), "needs a value for each of the 8 examples of test"),
        (([1] * 16, [1] * 8), "clusters: all 24 examples are of one cluster, 1"),
        ((range(16), range(16, 24)), "clusters: each of the 24 examples is of another cluster"),
    ],
)
def test_values_that_are_no_clusters_are_refused(tmp_path: Path, clusters: Any, said: str) -> None:
    (x, y, _), (unseen, labels, _) = rows([0, 1]), rows([2])
    watcher = watch(
        nn.Linear(12, 2), train=(x, y), test=(unseen, labels), clusters=clusters,
        out=tmp_path / "run", quiet=True,
    )  # fmt: skip
    with pytest.raises(ValueError, match=said), watcher:
        pass
    assert not (tmp_path / "run").exists()


def test_chance_of_a_column_is_that_of_clusters(tmp_path: Path) -> None:
    """A site that each patient has at random tells the class as often as by chance, of patients."""
    surprising = 0
    for seed in range(12):
        root = patients(tmp_path / f"{seed}", [10] * 24, seed=seed)
        lines = (root / "metadata.csv").read_text().splitlines()
        sites = np.random.default_rng(100 + seed).integers(0, 4, 24)
        rows = [f"{line},{sites[int(line.split(',')[1])]}" for line in lines[1:]]
        (root / "metadata.csv").write_text("\n".join(["file_name,who,site", *rows]))
        world = world_of(root, groups=("site",), num_train=1000)
        train = world.load("train", world.data.num_train)
        (site,) = world.grouped_by
        together = world.clusters_in("train", len(train))
        by_chance = told_by_chance(site, train, together)
        surprising += told_by(site, train, together).value > by_chance.interval[1]
        assert np.ptp(by_chance.interval) > 2 * np.ptp(told_by_chance(site, train).interval)
    assert surprising <= 2


def test_examples_that_are_not_measured_count_as_studied(tmp_path: Path) -> None:
    """Of the training examples a few are measured, and each of the test clusters is among all."""
    (x, y, who), (unseen, labels, others) = rows(range(40)), rows(range(20), seed=5)
    with watch(
        nn.Linear(12, 2), train=(x, y), test=(unseen, labels), clusters=(who, others), most=30,
        out=tmp_path / "run", quiet=True, pictures=False,
    ) as watcher:  # fmt: skip
        pass
    (line,) = [line for line in warnings_of(watcher) if "clusters among" in line]
    shared, tested = re.findall(r"^(\d+) of (\d+) clusters", line)[0]
    assert shared == tested
    assert "test accuracy is too good, or too bad where their training" in line


def test_examples_without_a_value_are_counted(tmp_path: Path) -> None:
    (x, y, who), (unseen, labels, _) = rows(range(10)), rows(range(40, 45), seed=5)
    with watch(
        nn.Linear(12, 2), train=(x, y), test=(unseen, labels), out=tmp_path / "run", quiet=True,
        clusters=(who, [None] * len(labels)), pictures=False,
    ) as watcher:  # fmt: skip
        pass
    said = "clusters has no value for 40 examples: each counts as one that belongs with no other"
    assert said in warnings_of(watcher)


def test_a_set_of_one_cluster_is_shown_without_intervals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its accuracies."""
    patients(tmp_path / "own" / "train", [6] * 10, table=False, below="p{}")
    for name in ("sick", "well"):
        for k in range(12):
            file = tmp_path / "own" / "test" / name / "p77" / f"{k}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), (20 * k, 90, 40)).save(file)
    config = tiny(
        tmp_path / "runs", data=str(tmp_path / "own"), clusters="^p([0-9]+)/", num_train=60,
        num_test=24,
    )  # fmt: skip
    result = start(config)
    said = " ".join(capsys.readouterr().out.split())
    assert "24 test pictures of 1: no intervals of what is measured on test pictures." in said
    assert "are of one cluster, from which nothing is known" in " ".join(result.verdict.split())
    evaluate(result.folder, lists={}, numbers={}, counterfactuals=0)
    said = capsys.readouterr().out
    assert "of 1 cluster by --clusters ^p([0-9]+)/; no intervals" in said
    (row,) = [line for line in said.splitlines() if line.startswith("test pictures")]
    assert re.search(r"\d %\s+–\s+24$", row), row


def test_a_pattern_without_brackets_is_explained(tmp_path: Path) -> None:
    root = patients(tmp_path / "own", [4] * 10)
    with pytest.raises(ValueError, match=r"a pattern of paths has brackets around what tells"):
        world_of(root, "p[0-9]+_")
    (root / "metadata.csv").unlink()
    with pytest.raises(ValueError, match=r"a pattern of paths has brackets around what tells"):
        world_of(root, "p[0-9]+_")


def test_a_training_set_of_one_cluster_is_told(tmp_path: Path) -> None:
    """No number of test clusters settles what depends on it."""
    (x, y, _), (unseen, labels, others) = rows([2, 3]), rows(range(10, 30), seed=5)
    with watch(
        nn.Linear(12, 2), train=(x, y), test=(unseen, labels), out=tmp_path / "run", quiet=True,
        clusters=([7] * len(y), others), pictures=False,
    ) as watcher:  # fmt: skip
        pass
    verdict = " ".join(watcher.verdict.split())
    assert "Its training examples are of one cluster, from which nothing is known of" in verdict
    assert "More test" not in verdict


def test_a_training_set_of_one_cluster_that_is_fitted_is_not_nothing(tmp_path: Path) -> None:
    """Though neither its accuracy nor its loss has an interval."""
    (x, y, _), (unseen, labels, others) = rows([2, 3]), rows(range(10, 14), seed=5)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    with watch(
        net, train=(x, y), test=(unseen, labels), out=tmp_path / "run", quiet=True,
        clusters=([7] * len(y), others), pictures=False,
    ) as watcher:  # fmt: skip
        for step in range(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
            watcher(step)
    verdict = " ".join(watcher.verdict.split())
    assert watcher.metrics["accuracy/train"].value == 1
    assert "learned nothing" not in verdict
    assert "longer" not in verdict
    assert "Training examples of other clusters would settle it" in verdict


def test_a_few_examples_with_another_value_than_their_cluster_do_not_matter(
    tmp_path: Path,
) -> None:
    """Where each patient has pictures of both classes, and one visit was elsewhere."""
    surprising = 0
    for seed in range(12):
        random = np.random.default_rng(seed)
        who = np.arange(24).repeat(10)
        sites = random.integers(0, 3, 24)[who]
        sites[random.integers(0, 240, 8)] = random.integers(0, 3, 8)
        file = tmp_path / f"{seed}.npz"
        x = random.integers(0, 256, (240, 16, 16), dtype=np.uint8)
        np.savez(file, x=x, y=np.arange(240) % 2, who=who, site=sites)
        world = world_of(file, groups=("site",), num_train=1000)
        train = world.load("train", world.data.num_train)
        (site,) = world.grouped_by
        together = world.clusters_in("train", len(train))
        by_chance = told_by_chance(site, train, together)
        surprising += told_by(site, train, together).value > by_chance.interval[1]
    assert surprising <= 2


@pytest.mark.parametrize(
    ("train", "test", "then"),
    [
        ("aab", "ccd", "intervals take clusters for independent."),
        ("aaa", "ccd", "no intervals of what is measured on training pictures."),
        ("aab", "ccc", "no intervals of what is measured on test pictures."),
        ("aaa", "ccc", "no intervals."),
    ],
)
def test_the_first_line_says_what_has_intervals(train: str, test: str, then: str) -> None:
    values = dict(enumerate(train + test))
    told = by_values(values).told(range(len(train)), range(len(train), len(values)), "pictures")
    assert told.endswith(f": {then}")
