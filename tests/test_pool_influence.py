"""What a pool says of influences: planted ones are shown, noise is not."""

import csv
import io
from pathlib import Path

import pytest
import torch
from PIL import Image

from lab.measure import right
from lab.measure.influence import influence
from lab.pool import Pool, membership
from lab.pool.findings import Findings
from lab.pool.influence import MOST, SHEET, TABLE, influence_section
from lab.pool.report import report
from lab.pool.run import PoolResult
from lab.runs.resolve import resolve
from support.configs import tiny

NETWORKS = 80


def pool_of_guesses(out: Path, *, helped: bool) -> PoolResult:
    """Networks that know their members and guess elsewhere; with `helped` those trained on example
    5 are right on test example 9 and wrong on 11, and no others."""
    config = tiny(out, task="shape", num_train=30, num_test=50, label_noise=0.1)
    run = resolve(config)
    train, test = run.world.load("train", 30), run.world.load("test", 50)
    members = torch.stack([membership(k, count=30, share=0.7, seed=0) for k in range(NETWORKS)])
    generator = torch.Generator().manual_seed(1)
    hits = torch.rand(NETWORKS, 50, generator=generator) < 0.6
    if helped:
        hits[:, 9], hits[:, 11] = members[:, 5], ~members[:, 5]
    known = members | (torch.rand(NETWORKS, 30, generator=generator) < 0.5)

    def logits(labels: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
        given = torch.where(found, labels, (labels + 1) % len(train.classes))
        return torch.nn.functional.one_hot(given, len(train.classes)).float()

    return PoolResult(
        folder=out, run=run, share=0.7, train=train, test=test, seconds=0.0, failed=(),
        pool=Pool(
            networks=tuple(range(NETWORKS)), members=members,
            train_logits=logits(train.labels, known), test_logits=logits(test.clean_labels, hits),
            steps=torch.ones(NETWORKS, dtype=torch.int64),
            weights_of=torch.ones(NETWORKS, dtype=torch.int64),
            fitted=torch.ones(NETWORKS, dtype=torch.bool), losses=torch.zeros(NETWORKS),
        ),
    )  # fmt: skip


def test_a_planted_influence_is_shown_and_told(tmp_path: Path) -> None:
    result = pool_of_guesses(tmp_path, helped=True)
    section = influence_section(Findings.of(result))
    assert section is not None
    assert section.summary["pairs"] == 1500
    beyond, helping = (section.summary[name] for name in ("beyond_noise", "helping"))
    assert 2 <= beyond <= 6, "those on which almost the same networks were trained may seem to help"
    assert 1 <= helping < beyond
    assert "Of 1,500 pairs" in section.sentences[0]
    assert "networks that were trained on shape 5 get unseen shape" in section.sentences[0]
    assert f"In {helping} of them" in section.sentences[0]
    assert f"In {beyond - helping} it hurts" in section.sentences[0]
    with Image.open(io.BytesIO(section.sheets[SHEET].png)) as picture:
        assert picture.size[0] > 600
    rows = list(csv.DictReader(section.files[TABLE].splitlines()))
    assert len(rows) == min(MOST, 1500)
    strongest = {(row["training"], row["test"], row["beyond_noise"]) for row in rows[:2]}
    assert strongest == {("5", "9", "yes"), ("5", "11", "yes")}
    assert [row["beyond_noise"] for row in rows].count("yes") == beyond
    pairs = [
        tuple(cell.caption[0][0].split()[-1] for cell in pair)
        for pair in section.sheets[SHEET].pairs
    ]
    first = [(row["training"], row["test"]) for row in rows[:beyond]]
    assert pairs == first, "all that are counted, in the order of the table"
    assert f"trained on shape {pairs[0][0]} get unseen shape {pairs[0][1]}" in section.sentences[0]
    signs = [pair[1].caption[1][0][0] for pair in section.sheets[SHEET].pairs]
    assert signs.count("-") == beyond - helping
    hits = torch.stack([right(each, result.test.clean_labels) for each in result.pool.test_logits])
    found = influence(hits, result.pool.members)
    strengths = [abs(float(row["strength"])) for row in rows]
    assert strengths == sorted(strengths, reverse=True)
    for row in rows[::99]:
        i, j = int(row["training"]), int(row["test"])
        assert float(row["influence"]) == pytest.approx(float(found.values[i, j]), abs=1e-4)
        assert row["training_label"] == result.train.classes[int(result.train.labels[i])]
        assert row["test_label"] == result.test.classes[int(result.test.clean_labels[j])]


@pytest.mark.usefixtures("short_bootstraps", "plain_figures")
def test_noise_is_not_shown_and_a_former_sheet_goes(tmp_path: Path) -> None:
    lines = report(pool_of_guesses(tmp_path, helped=True))
    assert str(tmp_path / SHEET) in lines
    assert "data:image/png" in (tmp_path / "pool.html").read_text(encoding="utf-8")
    lines = report(pool_of_guesses(tmp_path, helped=False))
    assert str(tmp_path / SHEET) not in lines
    assert not (tmp_path / SHEET).exists()
    said = " ".join(" ".join(lines).split())
    assert "Which unseen shape a single training shape helps, 80 networks cannot tell" in said
    assert "are no more than noise" in said
    rows = list(csv.DictReader((tmp_path / TABLE).read_text(encoding="utf-8").splitlines()))
    assert {row["beyond_noise"] for row in rows} == {"no"}


def test_a_pool_that_is_too_small_says_nothing(tmp_path: Path) -> None:
    result = pool_of_guesses(tmp_path, helped=True)
    few = {name: value[:15] for name, value in vars(result.pool).items()}
    small = PoolResult(**{**vars(result), "pool": Pool(**few)})
    assert influence_section(Findings.of(small)) is None
