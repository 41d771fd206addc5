"""Objectives that know something of each picture, by its name; and those whose loss is on what the
network's forward keeps, or on its gradients."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.pool import run_pool
from lab.runs.load import open_run
from lab.runs.resolve import resolve
from lab.runs.train import start
from lab.training import Numbering
from lab.training.batches import Batch
from lab.training.objectives import ObjectiveSpec, check_objective
from lab.training.objectives.objective import FunctionObjective, Objective
from support.configs import tiny
from support.picture_folders import fill

COUNT = 40

VOTES = """
import re
import torch
from lab.training import Objective

TRUE = torch.tensor({labels})

class ByNumber(Objective):
    def __call__(self, logits, batch):
        rows = TRUE[batch.indices % len(TRUE)]
        return torch.nn.functional.cross_entropy(logits, rows)

class ByName(Objective):
    def start(self, spec):
        self.rows = torch.tensor([int(re.fullmatch(r"x.(\\d+).", each)[1]) for each in spec.names])

    def __call__(self, logits, batch):
        rows = self.rows[batch.indices]
        with open({log!r}, "a") as file:  # in the dry run pictures are others
            print(torch.equal(batch.images[:, 0, 0, 0].long(), rows), file=file)
        return torch.nn.functional.cross_entropy(logits, TRUE[rows])
"""


@pytest.fixture
def votes(tmp_path: Path) -> RunConfig:
    """Noise in an array, of which the first pixel is the row, and an objective that has the label
    of each row."""
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (2 * COUNT, 16, 16), dtype=np.uint8)
    x[:, 0, 0] = np.arange(2 * COUNT)
    labels = random.integers(0, 2, 2 * COUNT)
    np.savez(
        tmp_path / "own.npz", x=x, y=labels,
        x_test=random.integers(0, 256, (20, 16, 16), dtype=np.uint8), y_test=np.arange(20) % 2,
    )  # fmt: skip
    (tmp_path / "votes.py").write_text(
        VOTES.format(labels=labels.tolist(), log=str(tmp_path / "log.txt"))
    )
    return tiny(tmp_path, data=str(tmp_path / "own.npz"), num_train=COUNT, num_test=20, steps=8)


def trained_by(votes: RunConfig, name: str) -> RunConfig:
    """Its settings with an objective of the file beside the pictures."""
    objective = f"{Path(str(votes.data.data)).parent}/votes.py:{name}"
    return replace(votes, train=replace(votes.train, objective=objective))


def own_rows(votes: RunConfig) -> int:
    """In how many steps each picture had its own row; in none after the first it had not."""
    lines = (Path(str(votes.data.data)).parent / "log.txt").read_text().split()
    trained = lines[lines.index("True") :]
    assert set(trained) == {"True"}
    return len(trained)


def test_names_lead_to_what_is_known_of_each_picture(
    votes: RunConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    start(trained_by(votes, "ByName"))
    assert "batch.indices" not in capsys.readouterr().out
    assert own_rows(votes) == 8


def test_numbers_in_place_of_rows_are_told(
    votes: RunConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    start(trained_by(votes, "ByNumber"))
    said = " ".join(capsys.readouterr().out.split())
    assert "its loss goes by batch.indices, the numbers of pictures in the order in which" in said
    assert "spec.names" in said


@pytest.mark.usefixtures("runs_here")
def test_networks_of_a_pool_get_the_names_of_their_own_pictures(votes: RunConfig) -> None:
    run_pool(trained_by(votes, "ByName"), networks=4, say=lambda _: None)
    assert own_rows(votes) >= 4 * 8


def test_names_of_a_folder_are_paths_and_drawn_faces_have_none(tmp_path: Path) -> None:
    for kind in ("cat", "dog"):
        fill(tmp_path / kind, 8)
    data = DataConfig(data=str(tmp_path), image_size=16, num_train=10, num_test=2)
    world = resolve(RunConfig(data=data, device="cpu", out=tmp_path / ".runs")).world
    names = world.names_of("train", 10)
    assert names == tuple(world.name("train", k) for k in range(10))
    assert all((tmp_path / name).is_file() for name in names)
    drawn = resolve(RunConfig(device="cpu", out=tmp_path / "runs")).world
    assert drawn.names_of("train", 10) == ()


class Remembers(Objective):
    """As early-learning regularization does: what it keeps begins alike for all examples."""

    def start(self, spec: ObjectiveSpec) -> None:
        self.kept = torch.zeros(sum(spec.groups.counts), len(spec.groups.names))

    def __call__(self, logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        self.kept[batch.indices] = 0.7 * self.kept[batch.indices] + 0.3 * logits.detach().softmax(1)
        agreed = (self.kept[batch.indices] * logits.softmax(1)).sum(1).clamp(max=0.99)
        plain = torch.nn.functional.cross_entropy(logits, batch.labels)
        return plain + 3 * (1 - agreed).log().mean()

    def state(self) -> dict[str, torch.Tensor]:
        return {"kept": self.kept.clone()}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        self.kept = state["kept"].clone()


def test_what_is_kept_of_each_example_is_not_taken_for_a_table() -> None:
    numbering = Numbering(30, None, tuple(f"{n}.png" for n in range(30)))
    for make in (Remembers, lambda: FunctionObjective(lambda logits, batch:
                 torch.nn.functional.cross_entropy(logits, batch.labels))):  # fmt: skip
        said = check_objective(make, name="mine", classes=2, numbering=numbering)
        assert not [each for each in said if "batch.indices" in each]


BESIDE = """
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

KEPT = {}
CODES = torch.tensor([[0., 0, 1, 1, 0], [1, 1, 0, 1, 0]])

class Net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        size = spec.in_channels * spec.image_size**2
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(size, 8), nn.Tanh())
        self.head = nn.Linear(8, spec.num_outputs)
        self.bits = nn.Linear(8, 5)

    def forward(self, x):
        if self.training:
            x = x.requires_grad_()
            KEPT["x"] = x
        found = self.head(self.body(x))
        if self.training:  # a Jacobian penalty: gradients are there in training
            (slope,) = torch.autograd.grad(found.sum(), x, create_graph=True)
            KEPT["slope"] = slope.square().sum()
        return found

def net(spec):
    return Net(spec)

class Codes(Net):
    def forward(self, x):
        bits = self.bits(self.body(x))
        KEPT["bits"] = bits
        return -(bits.sigmoid()[:, None] - CODES.to(x.device)).abs().sum(2)

def codes(spec):
    return Codes(spec)

def double_backprop(logits, batch):
    total = cross_entropy(logits, batch.labels, reduction="sum")
    (slope,) = torch.autograd.grad(total, KEPT["x"], create_graph=True)
    return total / len(logits) + 0.01 * slope.square().sum(dim=(1, 2, 3)).mean()

def jacobian(logits, batch):
    return cross_entropy(logits, batch.labels) + 0.001 * KEPT["slope"]

def of_bits(logits, batch):
    return binary_cross_entropy_with_logits(KEPT["bits"], CODES.to(logits.device)[batch.labels])

def soft(spec):
    return nn.Sequential(net(spec).body, nn.Linear(8, spec.num_outputs), nn.Softmax(1))

def of_probabilities(p, batch):  # NaN for logits
    return torch.nn.functional.nll_loss(p.log(), batch.labels)

def of_nothing(logits, batch):
    return binary_cross_entropy_with_logits(KEPT["bits"].detach(), CODES[batch.labels]) \\
        + 0 * logits.sum()
"""


def beside(place: Path, net: str, objective: str) -> RunConfig:
    """The config of a run of a network and an objective of one file."""
    file = place / "beside.py"
    file.write_text(BESIDE)
    return RunConfig(
        data=DataConfig(num_train=40, num_test=20, image_size=16),
        model=ModelConfig(model=f"{file}:{net}"),
        train=TrainConfig(steps=40, batch_size=20, objective=f"{file}:{objective}"),
        counterfactuals=0, pictures=False, device="cpu", out=place / "runs",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("net", "objective", "aside"),
    [("net", "double_backprop", False), ("net", "jacobian", False), ("codes", "of_bits", True)],
)
def test_losses_on_gradients_and_on_what_forward_keeps_are_trained(
    net: str, objective: str, aside: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = beside(tmp_path, net, objective)
    result = start(config)
    said = " ".join(capsys.readouterr().out.split())
    assert ("it trains what the network's forward keeps for it, and not the logits" in said) == (
        aside
    )
    before, after = (
        torch.nn.utils.parameters_to_vector(model.parameters())
        for model in (
            open_run(start(untrained(config)).folder).model,
            open_run(result.folder).model,
        )
    )
    assert not torch.allclose(before, after)


def untrained(config: RunConfig) -> RunConfig:
    return replace(config, train=replace(config.train, steps=0))


def test_a_loss_of_probabilities_goes_by_no_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (80, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(80) % 2)  # pictures that have names
    config = beside(tmp_path, "soft", "of_probabilities")
    own = replace(config.data, data=str(tmp_path / "own.npz"), num_test=16)
    assert start(replace(config, data=own)) is not None
    said = capsys.readouterr().out
    assert "probabilities" in said
    assert "batch.indices" not in said


def test_a_loss_that_trains_nothing_is_refused(tmp_path: Path) -> None:
    config = beside(tmp_path, "codes", "of_nothing")
    with pytest.raises(ValueError, match="nothing is learned"):
        start(config)
    assert not (tmp_path / "runs").exists()


FAIR = """
import torch
from lab.training import Objective

class Fair(Objective):
    def start(self, spec):
        self.sex = torch.tensor([name.split("sex=")[1] == "f" for name in spec.groups.names])

    def __call__(self, logits, batch):
        women = self.sex[batch.groups]
        share = logits.softmax(1)[:, 1]
        loss = torch.nn.functional.cross_entropy(logits, batch.labels)
        return loss + (share[women].mean() - share[~women].mean()).square()
"""


def test_the_trial_has_the_groups_of_the_run(tmp_path: Path) -> None:
    """Demographic parity, of groups that are found by their names."""
    rows = ["file_name,sex"]
    for kind in ("no", "yes"):
        fill(tmp_path / "own" / kind, 30)
        rows += [f"{kind}/{n:03}.png,{'fm'[n % 2]}" for n in range(30)]
    (tmp_path / "own" / "metadata.csv").write_text("\n".join(rows))
    (tmp_path / "fair.py").write_text(FAIR)
    result = start(tiny(
        tmp_path, data=str(tmp_path / "own"), groups=("sex",), num_train=40, num_test=10, steps=4,
        batch_size=20, objective=f"{tmp_path}/fair.py:Fair",
    ))  # fmt: skip
    assert "group_accuracy/yes,sex=f" in result.metrics


NAMED = """
import torch
from lab.training import Objective, ObjectiveSpec

class ByGroup(Objective):
    def start(self, spec: ObjectiveSpec) -> None:
        self.weight = torch.ones(len(spec.groups.names))
        self.weight[spec.groups.names.index({of!r})] = 2

    def __call__(self, logits, batch):
        losses = torch.nn.functional.cross_entropy(logits, batch.labels, reduction="none")
        return (self.weight[batch.groups] * losses).mean()

class LateError(ByGroup):
    def start(self, spec):
        super().start(spec)
        if spec.groups.counts[0] == 17:
            raise KeyError("seventeen")
"""


@pytest.mark.parametrize("drawn", [False, True])
def test_without_columns_the_groups_of_the_trial_are_the_classes(
    drawn: bool, tmp_path: Path
) -> None:
    for kind in () if drawn else ("ant", "bee", "cat"):
        fill(tmp_path / "own" / kind, 12)
    (tmp_path / "named.py").write_text(NAMED.format(of="not_a_person" if drawn else "cat"))
    of = {} if drawn else {"data": str(tmp_path / "own")}
    start(tiny(
        tmp_path, **of, num_train=20, num_test=6, steps=2, batch_size=9,
        objective=f"{tmp_path}/named.py:ByGroup",
    ))  # fmt: skip


def test_an_error_of_its_start_in_the_run_names_the_objective(tmp_path: Path) -> None:
    fill(tmp_path / "own" / "ant", 17)
    fill(tmp_path / "own" / "bee", 12)
    for kind in ("ant", "bee"):
        fill(tmp_path / "own" / "test" / kind, 4)
    (tmp_path / "own" / "train").mkdir()
    for kind in ("ant", "bee"):
        (tmp_path / "own" / kind).rename(tmp_path / "own" / "train" / kind)
    (tmp_path / "named.py").write_text(NAMED.format(of="bee"))
    objective = f"{tmp_path}/named.py:LateError"
    with pytest.raises(ValueError, match=f"--objective {objective}: its start.spec. fails: .*sev"):
        start(tiny(
            tmp_path, data=str(tmp_path / "own"), num_train=29, num_test=6, steps=2,
            batch_size=9, objective=objective,
        ))  # fmt: skip
