"""Objectives in a run: from the flag to its checkpoint, also those in files of one's own."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lab.core.config import DataConfig, RunConfig
from lab.core.run_dir import RunDir
from lab.core.run_names import automatic_name
from lab.experiments import make_grid, make_jobs, run_grid
from lab.models import Settings
from lab.models.sources import ITSELF
from lab.runs.load import open_run
from lab.runs.provenance import OBJECTIVE
from lab.runs.train import resume, start
from lab.tracking.hparams import row_name
from lab.training import (
    LAST,
    Diverged,
    create_objective,
    load_checkpoint,
    locate_objective,
)
from lab.training.objectives import check_objective
from lab.worlds import draw_examples, population_of
from lab.worlds.groups import group_counts, group_index
from support.configs import tiny
from support.run_folders import same_state, stop
from support.scripts import is_refused, load_script

FOCAL = """
from focus import sharpness
from torch.nn.functional import cross_entropy

def focal(logits, batch):
    losses = cross_entropy(logits, batch.labels, reduction="none")
    return ((1 - (-losses).exp()) ** sharpness() * losses).mean()
"""
FOCUS = "def sharpness():\n    from late import power\n    return power"
LATE = "power = {power}"


def config(out: Path, objective: str, **data: object) -> RunConfig:
    """A run of six steps."""
    usual: dict[str, Any] = {
        "num_train": 24, "num_test": 4, "cues": ("eye_color:0.8",), "width": 16, "steps": 6,
        "batch_size": 8, "checkpoint_every": 0.0, "name": "run",
    }  # fmt: skip
    return tiny(out, objective=objective, **{**usual, **data})


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder with an objective and what it imports, some of it only when it is called."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "focal.py").write_text(FOCAL)
    (folder / "focus.py").write_text(FOCUS)
    (folder / "late.py").write_text(LATE.format(power=2))
    return folder


@pytest.fixture
def run(mine: Path, tmp_path: Path) -> Path:
    """A run with that objective, as it is when it was stopped before its end."""
    folder = start(config(tmp_path / "runs", f"{mine}/focal.py:focal")).folder
    stop(folder)
    return folder


def test_a_run_notes_the_sources_of_its_objective(run: Path) -> None:
    names = {f"{OBJECTIVE}{name}" for name in (ITSELF, "focus.py", "late.py")}
    assert set(RunDir(run).settings()[1].sources) == names


@pytest.mark.parametrize("changed", ["focal.py", "focus.py", "late.py"])
def test_a_changed_objective_is_refused_where_training_goes_on(
    changed: str, run: Path, mine: Path
) -> None:
    (mine / changed).write_text((mine / changed).read_text() + "\n# changed")
    words = ["--resume", str(run)]
    line = is_refused(load_script("train").train, words)
    assert f"{OBJECTIVE}{ITSELF if changed == 'focal.py' else changed} is changed" in line
    assert "--changed-code" in line
    open_run(run)  # to measure it, the objective is of no use
    assert resume(run, changed_code=True) is not None
    assert RunDir(run).settings()[1].changed_at == (5,)


def test_a_lost_objective_is_named(run: Path, mine: Path) -> None:
    there = mine.with_name("elsewhere")
    shutil.move(mine, there)
    line = is_refused(load_script("train").train, ["--resume", str(run)])
    assert "focal.py" in line
    assert "objective" in line
    shutil.move(there, mine)
    assert resume(run) is not None


def test_another_runs_checkpoint_does_not_fit(tmp_path: Path) -> None:
    """Not even one of the same network and examples, trained to another end."""
    one, two = (
        start(config(tmp_path / name, name)).folder for name in ("reweighting", "group_dro")
    )
    shutil.copy(one / "checkpoints" / LAST, two / "checkpoints" / LAST)
    with pytest.raises(ValueError, match="other settings"):
        open_run(two)


def test_each_objective_makes_another_network(tmp_path: Path, mine: Path) -> None:
    names = ("erm", "reweighting", "group_dro", f"{mine}/focal.py:focal")
    weights = []
    for number, name in enumerate(names):
        folder = start(config(tmp_path / str(number), name)).folder
        kept = load_checkpoint(folder / "checkpoints" / LAST)
        weights.append(torch.cat([w.flatten() for w in kept.model.values()]))
        assert set(kept.objective) == ({"weights"} if name == "group_dro" else set())
        assert RunDir(folder).config().train.objective == name
    for number, one in enumerate(weights):
        assert not any(torch.equal(one, other) for other in weights[:number])


@pytest.mark.parametrize("name", ["reweighting", "group_dro"])
def test_online_training_has_groups_too(name: str, tmp_path: Path) -> None:
    mine = config(tmp_path, name)
    done = start(replace(mine, train=replace(mine.train, online=True)))
    assert load_checkpoint(done.folder / "checkpoints" / LAST).step == 6


BROKEN = """
import torch
from torch.nn.functional import cross_entropy
from lab.training import Objective

def vector(logits, batch): return cross_entropy(logits, batch.labels, reduction="none")
def number(logits, batch): return 0.5
def nothing(logits, batch): pass
def wild(logits, batch): return logits.sum() * float("nan")
def steep(logits, batch): return (logits - logits.detach()).sqrt().mean()
def detached(logits, batch): return cross_entropy(logits.detach(), batch.labels)
def elsewhere(logits, batch): return torch.ones((), requires_grad=True) * 2
def flat(logits, batch): return (logits * 0).sum()
def fails(logits, batch): return logits[batch.colors]
def one(logits): return logits.sum()
class Needs(Objective):
    def __init__(self, rate): pass
class Alien:
    def __call__(self, logits, batch): return logits.mean()
class Late(Objective):
    def start(self, spec): self.count = spec.groups.number
"""


@pytest.mark.parametrize(
    "name",
    [
        "vector", "number", "nothing", "wild", "steep", "detached", "elsewhere", "flat", "fails",
        "one", "Needs", "Alien", "Late", "missing",
    ],
)  # fmt: skip
def test_a_broken_objective_is_one_line_before_anything_is_written(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(BROKEN)
    words = ["--objective", f"{tmp_path}/mine.py:{name}", "--num-train", "8", "--num-test", "4"]
    words += ["--out", str(tmp_path / "runs"), "--image-size", "16"]
    line = is_refused(load_script("train").train, words)
    assert f"--objective {tmp_path}/mine.py:{name}" in line
    assert not (tmp_path / "runs").exists()


def test_a_loss_of_torch_is_answered_with_a_function(tmp_path: Path) -> None:
    """Its `forward` takes labels, not a batch, and it is no network."""
    text = "from torch import nn\ncriterion = nn.CrossEntropyLoss(label_smoothing=0.1)"
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ValueError, match=r"is a CrossEntropyLoss, not a function: .*def loss") as e:
        create_objective(f"{tmp_path}/mine.py:criterion")
    assert "return criterion(logits, batch.labels)" in str(e.value)
    assert "network" not in str(e.value)


TUPLES = """
from torch.nn.functional import cross_entropy

def pair(logits, batch):
    return sum(cross_entropy(each, batch.labels) for each in (logits[0], logits[1]))
"""


def test_one_that_takes_a_tuple_is_told_what_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TUPLES)
    words = ["--objective", f"{tmp_path}/mine.py:pair", "--num-train", "8", "--num-test", "4"]
    words += ["--out", str(tmp_path / "runs"), "--image-size", "16"]
    line = is_refused(load_script("train").train, words)
    assert "given logits of the shape (N, C) = (8, 2), one tensor, fails" in line
    assert not (tmp_path / "runs").exists()


OF_EACH_EXAMPLE = """
import torch
from torch.nn.functional import cross_entropy
from lab.training import Objective

class OfTheSet(Objective):
    "A mean of the probabilities of each example, as in temporal ensembling."

    def rows(self, spec): return sum(spec.groups.counts)
    def start(self, spec): self.kept = torch.full((self.rows(spec), 2), 0.5)
    def __call__(self, logits, batch):
        chances = logits.softmax(dim=1)
        kept = self.kept[batch.indices] = 0.5 * (self.kept[batch.indices] + chances.detach())
        return cross_entropy(logits, batch.labels) + (chances - kept).square().mean()
    def state(self): return {"kept": self.kept.clone()}
    def restore(self, state): self.kept.copy_(state["kept"])

class OfForty(OfTheSet):
    def rows(self, spec): return 40

class Wraps(OfForty):
    def __call__(self, logits, batch):
        batch.indices.remainder_(40)
        return super().__call__(logits, batch)
"""


@pytest.mark.parametrize(
    ("name", "flags", "last"),
    [
        ("OfTheSet", "--online --num-train 24 --steps 6", 47),
        ("OfForty", "--online --num-train 24 --steps 6", 47),
        ("OfForty", "--num-train 41", 40),
    ],
)
def test_a_table_of_each_example_must_have_a_row_for_the_last_one(
    name: str, flags: str, last: int, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(OF_EACH_EXAMPLE)
    words = ["--objective", f"{tmp_path}/mine.py:{name}", *flags.split(), "--num-test", "4"]
    words += ["--out", str(tmp_path / "runs"), "--image-size", "16", "--batch-size", "8"]
    line = is_refused(load_script("train").train, words)
    assert f"--objective {tmp_path}/mine.py:{name}: its __call__" in line
    assert f"number {last} in batch.indices" in line
    assert "IndexError" in line
    assert ("--online" in line) == ("--online" in flags)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("name", "count", "online"),
    [
        ("OfTheSet", 24, False), ("OfTheSet", 2, False), ("OfTheSet", 40, False),
        ("OfForty", 40, False), ("OfForty", 4, True), ("Wraps", 4, True), ("Wraps", 48, False),
    ],
)  # fmt: skip
def test_a_table_of_each_example_that_is_large_enough_is_taken(
    name: str, count: int, online: bool, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(OF_EACH_EXAMPLE)
    steps = 5 if name == "OfForty" else 6
    mine = config(tmp_path, f"{tmp_path}/mine.py:{name}", num_train=count, steps=steps)
    done = start(replace(mine, train=replace(mine.train, online=online)))
    assert load_checkpoint(done.folder / "checkpoints" / LAST).step == steps


def test_a_grid_tries_an_objective_with_the_most_examples(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OF_EACH_EXAMPLE)
    mine = config(tmp_path, f"{tmp_path}/mine.py:OfForty", name=None)
    with pytest.raises(ValueError, match=r"number 40 in batch\.indices"):
        run_grid(mine, {"num_train": [24, 41]}, seeds=1, out=tmp_path / "grid", processes=1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("group_dor", "group_dro"), ("no/such.py:mine", "no/such.py: there is no such file"),
        ("mine.py", "mine.py:NAME"), ("", "reweighting"),
    ],
)  # fmt: skip
def test_an_unknown_objective_is_answered_with_what_there_is(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^--objective\b") as caught:
        create_objective(name)
    assert said in str(caught.value)


def test_an_objective_that_fails_later_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch.nn.functional import cross_entropy\n"
        "def mine(logits, batch):\n"
        "    assert batch.images.shape[0] != 8 or batch.images.shape[-1] != 16 or len(logits) < 8\n"
        "    return cross_entropy(logits, batch.labels)\n"
    )
    mine = config(tmp_path / "runs", f"{tmp_path}/mine.py:mine")
    with pytest.raises(ValueError, match=r"mine\.py:3"):
        start(mine)


UNTIDY = """
import torch
from torch.nn.functional import cross_entropy
from lab.training.objectives import Objective

def settings():
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(not torch.are_deterministic_algorithms_enabled())

class Tidy(Objective):
    def __call__(self, logits, batch): return cross_entropy(logits, batch.labels)

class Untidy(Objective):
    def __init__(self): settings()
    def start(self, spec): settings()
    def __call__(self, logits, batch):
        loss = cross_entropy(logits, batch.labels)
        settings()
        return loss
    def state(self):
        settings()
        return {}
    def restore(self, state): settings()

if ALONE:
    settings()
"""


@pytest.mark.parametrize("alone", [True, False], ids=["file", "methods"])
def test_what_an_objective_sets_in_torch_is_not_left_there(alone: bool, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(UNTIDY.replace("ALONE", str(alone)))
    before = Settings.now()
    states = []
    for name in ("Tidy", "Untidy"):
        place = tmp_path / name
        run = start(config(place, f"{tmp_path}/mine.py:{name}")).folder
        assert Settings.now() == before
        states.append(load_checkpoint(run / "checkpoints" / LAST).model)
    assert same_state(*states)


def test_files_of_the_same_name_do_not_mix(tmp_path: Path) -> None:
    for power in (1, 3):
        folder = tmp_path / str(power)
        folder.mkdir()
        (folder / "focal.py").write_text(FOCAL)
        (folder / "focus.py").write_text(FOCUS)
        (folder / "late.py").write_text(LATE.format(power=power))
    made = [create_objective(f"{tmp_path}/{power}/focal.py:focal") for power in (1, 3)]
    logits = torch.tensor([[0.0, 1.0]])
    batch = type("Few", (), {"labels": torch.tensor([0])})()
    loss = torch.nn.functional.cross_entropy(logits, batch.labels)
    for objective, power in zip(made, (1, 3), strict=True):
        torch.testing.assert_close(objective(logits, batch), (1 - (-loss).exp()) ** power * loss)


# Names of runs, rows and jobs


def test_a_runs_name_and_row_tell_its_objective(tmp_path: Path) -> None:
    def of(objective: str) -> RunConfig:
        return replace(config(tmp_path, objective), name=None)

    named = [of(name) for name in ("erm", "reweighting", "group_dro", "a/b.py:c", "a/d.py:c")]
    assert "erm" not in automatic_name(named[0])
    assert "reweighting" in automatic_name(named[1])
    for names in (map(automatic_name, named), map(row_name, named)):
        assert len(set(names)) == len(named)


def test_a_sweep_varies_the_objective_and_knows_its_file(mine: Path, tmp_path: Path) -> None:
    name = f"{mine}/focal.py:focal"
    grid = make_grid({"objective": ["erm", "group_dro", name]})
    base = replace(config(tmp_path, "erm"), name=None)

    def keys() -> list[str]:
        return [job.key for job in make_jobs(base, grid, seeds=1, out=tmp_path)]

    before = keys()
    assert len(set(before)) == 3
    (mine / "focus.py").write_text(FOCUS + "\n# changed")
    after = keys()
    assert [one == two for one, two in zip(before, after, strict=True)].count(False) == 1


def test_a_file_means_the_same_in_every_folder(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mine)
    there = locate_objective("focal.py:focal")
    monkeypatch.chdir("/")
    create_objective(there)
    assert locate_objective("erm") == "erm"


# Groups of the training examples


@pytest.mark.parametrize(
    "cues", [(), ("eye_color:0.8",), ("eye_color=blue/brown:0.9", "hair_length:0.7")]
)
def test_each_example_is_in_the_group_of_its_label_and_cues(cues: tuple[str, ...]) -> None:
    data = DataConfig(num_train=60, image_size=16, cues=cues)
    population = population_of(data)
    examples = draw_examples(data, split="train", count=60, seed=3)
    index, names = group_index(examples, population.cues)
    assert len(names) == len(examples.classes) ** (1 + len(cues))
    counts = torch.bincount(index, minlength=len(names)).tolist()
    assert dict(zip(names, counts, strict=True)) == group_counts(examples, population.cues)
    for place, label in zip(index.tolist(), examples.labels.tolist(), strict=True):
        assert names[place].startswith("_".join(examples.classes[label].split()))


def test_training_groups_go_by_the_given_label(tmp_path: Path) -> None:
    """An objective must not learn from its groups which labels are wrong."""
    data = DataConfig(num_train=60, image_size=16, label_noise=1.0, label_noise_kind="flip")
    examples = draw_examples(data, split="train", count=60, seed=3)
    assert group_index(examples, ())[0].equal(examples.labels)


def test_examples_without_a_cues_values_have_no_groups() -> None:
    plain, cued = (
        DataConfig(num_train=200, image_size=16, cues=cues) for cues in ((), ("eye_color:0.8",))
    )
    examples = draw_examples(plain, split="train", count=200, seed=3)
    with pytest.raises(ValueError, match="eye_color"):
        group_index(examples, population_of(cued).cues)


def test_a_loss_that_breaks_on_finite_logits_is_the_objectives(tmp_path: Path) -> None:
    """As of a mean over the examples of a class that a batch lacks; not of the learning rate."""
    file = tmp_path / "rare.py"
    file.write_text(
        """
from torch.nn.functional import cross_entropy

def rare(logits, batch):
    some = logits.new_ones(len(logits), dtype=bool)
    if len(logits) == 24:
        some &= batch.labels < 0
    return cross_entropy(logits, batch.labels, reduction="none")[some].mean()
"""
    )
    with pytest.raises(Diverged, match=r"the logits are finite \(up to .*--objective .*:rare"):
        start(config(tmp_path / "runs", f"{file}:rare", batch_size=24))


@pytest.mark.parametrize("classes", [2, 100])
def test_a_loss_of_pairs_of_many_classes_is_not_refused(classes: int, tmp_path: Path) -> None:
    """One that has no guard against batches without a pair of one class."""
    file = tmp_path / "pairs.py"
    file.write_text(
        """
def pairs(logits, batch):
    alike = (batch.labels[:, None] == batch.labels).float().fill_diagonal_(0)
    apart = (batch.labels[:, None] != batch.labels).float()
    distance = (logits[:, None] - logits).square().sum(2)
    near, far = (distance * alike).sum() / alike.sum(), (distance * apart).sum() / apart.sum()
    return near - far.clamp(max=9)
"""
    )
    name = f"{file}:pairs"
    check_objective(lambda: create_objective(name), name=name, classes=classes)


@pytest.mark.parametrize(
    ("loss", "bounded"),
    [
        ("F.mse_loss(logits, hot)", True),
        ("F.multi_margin_loss(logits, batch.labels)", True),
        ("((0.9 - logits).relu() * hot + (logits - 0.1).relu() * (1 - hot)).mean()", True),
        ("F.binary_cross_entropy_with_logits(logits, hot)", False),
        ("F.cross_entropy(logits, batch.labels, label_smoothing=0.2)", False),
        ("((F.cross_entropy(logits, batch.labels) - 0.1).abs() + 0.1)", False),
        ("((F.cross_entropy(logits, batch.labels) - 0.5).abs() + 0.5)", False),
        ("F.kl_div(logits.log_softmax(1), hot * 0.2 + 0.4, reduction='batchmean')", False),
        ("F.cross_entropy(logits / 4, batch.labels)", False),
        ("F.binary_cross_entropy_with_logits(logits[:, 1], hot[:, 1])", True),
        ("F.binary_cross_entropy_with_logits(-logits[:, 0], hot[:, 1])", True),
        ("F.binary_cross_entropy_with_logits(logits[:, 1] - logits[:, 0], hot[:, 1])", False),
        (
            "F.cross_entropy(logits, batch.labels) + 0.01 * logits.logsumexp(1).square().mean()",
            False,
        ),
        ("F.cross_entropy(30 * (logits - 0.3 * hot), batch.labels)", False),
        (
            "((1 - (logits.softmax(1) * hot).sum(1)) ** 2"
            " * F.cross_entropy(logits, batch.labels, reduction='none')).mean()",
            False,
        ),
        ("F.cross_entropy(logits, batch.labels, reduction='none').topk(1).values.mean()", False),
    ],
)
def test_an_objective_of_no_logits_is_told(
    loss: str, bounded: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        f"""
from torch.nn import functional as F

def own(logits, batch):
    hot = F.one_hot(batch.labels, logits.shape[1]).float()
    return {loss}
"""
    )
    start(config(tmp_path / "runs", f"{file}:own"))
    output = capsys.readouterr()
    assert ("are no logits" in output.out + output.err) is bounded
