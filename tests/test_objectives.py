"""Objectives: rules that every registered one keeps, and each against a computation of its own."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lab.core.config import TrainConfig
from lab.training import (
    LAST,
    Batch,
    EpochBatches,
    Groups,
    Interrupted,
    Objective,
    Processes,
    Stop,
    create_objective,
    fit,
    list_objectives,
    load_checkpoint,
)
from lab.training.checkpoint import Checkpoint, decode, encode
from lab.training.objectives import GroupDRO, ObjectiveSpec, check_objective

CLASSES, SIZE = 3, 24
GROUPS = Groups(names=("a", "b", "c", "d", "nobody"), counts=(60, 25, 10, 5, 0))
SHARES = torch.tensor(GROUPS.counts) / 100
OBJECTIVES = pytest.mark.parametrize("name", list_objectives())


def started(name: str, processes: Processes | None = None) -> Objective:
    """The objective before its first step."""
    objective = create_objective(name)
    spec = ObjectiveSpec(groups=GROUPS, **({"processes": processes} if processes else {}))
    objective.start(spec)
    return objective


def random_batch(seed: int) -> tuple[Tensor, Batch]:
    """Logits that record gradients, and a batch whose groups come in the shares of `GROUPS`."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(SIZE, CLASSES, generator=draw) * 2
    labels = torch.randint(CLASSES, (SIZE,), generator=draw)
    groups = torch.multinomial(SHARES, SIZE, replacement=True, generator=draw)
    images = torch.randint(256, (SIZE, 3, 4, 4), generator=draw).byte()
    indices = torch.randperm(100, generator=draw)[:SIZE]
    return logits.requires_grad_(), Batch(images, labels, groups, indices)


def chosen(logits: Tensor, batch: Batch, index: Tensor | slice) -> tuple[Tensor, Batch]:
    """Some examples of a batch."""
    parts = (batch.images, batch.labels, batch.groups, batch.indices)
    return logits[index], Batch(*(part[index] for part in parts))


# Rules for all


@OBJECTIVES
def test_the_loss_is_a_finite_scalar_whose_gradient_reaches_every_logit(name: str) -> None:
    objective = started(name)
    for step in range(5):
        logits, batch = random_batch(step)
        loss = objective(logits, batch)
        assert loss.shape == ()
        assert loss.isfinite()
        (gradient,) = torch.autograd.grad(loss, logits)
        assert gradient.isfinite().all()
        assert (gradient.abs().sum(dim=1) > 0).all()
        good = objective(torch.nn.functional.one_hot(batch.labels, CLASSES) * 20.0, batch)
        assert good < 1e-3 < loss, "right and sure is best"


@OBJECTIVES
def test_the_order_of_a_batch_does_not_matter(name: str) -> None:
    one, other = started(name), started(name)
    for step in range(4):
        logits, batch = random_batch(step)
        order = torch.randperm(SIZE, generator=torch.Generator().manual_seed(step))
        torch.testing.assert_close(one(logits, batch), other(*chosen(logits, batch, order)))


@OBJECTIVES
def test_it_goes_on_exactly_from_its_state_in_a_checkpoint(name: str, tmp_path: Path) -> None:
    one, other = started(name), started(name)
    for step in range(6):
        one(*random_batch(step))
    kept = encode(Checkpoint(step=6, model={}, objective=one.state()))
    other.restore(decode(kept, tmp_path / LAST).objective)
    for step in range(6, 9):
        assert torch.equal(one(*random_batch(step)), other(*random_batch(step)))


@OBJECTIVES
def test_a_new_start_forgets_the_steps_before(name: str) -> None:
    used, new = started(name), started(name)
    for step in range(6):
        used(*random_batch(step))
    used.start(ObjectiveSpec(groups=GROUPS))
    assert torch.equal(used(*random_batch(9)), new(*random_batch(9)))


class Pair(Processes):
    """One of two processes that are threads of this one."""

    def __init__(self, rank: int, meeting: threading.Barrier, table: dict[int, list[Tensor]]):
        super().__init__(rank, 2)
        self._meeting, self._table = meeting, table

    def all_reduce_sum_(self, tensors: Sequence[Tensor]) -> None:
        self._table[self.rank] = [tensor.clone() for tensor in tensors]
        self._meeting.wait(10)
        for tensor, *parts in zip(tensors, self._table[0], self._table[1], strict=True):
            tensor.copy_(sum(parts))
        self._meeting.wait(10)


@OBJECTIVES
@pytest.mark.parametrize("cut", [12, 5])
def test_the_parts_of_two_processes_add_up_to_the_whole(name: str, cut: int) -> None:
    """Loss and gradient, at every step: means of the parts, weighted by their sizes."""
    steps, meeting = 4, threading.Barrier(2)
    table: dict[int, list[Tensor]] = {}
    found: dict[int, list[tuple[Tensor, Tensor]]] = {0: [], 1: []}

    def work(rank: int) -> None:
        objective = started(name, Pair(rank, meeting, table))
        for step in range(steps):
            logits, batch = random_batch(step)
            index = torch.arange(SIZE)[:cut] if rank == 0 else torch.arange(SIZE)[cut:]
            mine = chosen(logits, batch, index)
            loss = objective(*mine) * len(mine[1]) / SIZE
            found[rank].append((loss.detach(), torch.autograd.grad(loss, logits)[0]))

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = started(name)
    for step in range(steps):
        logits, batch = random_batch(step)
        loss = whole(logits, batch)
        (gradient,) = torch.autograd.grad(loss, logits)
        parts = [found[rank][step] for rank in range(2)]
        torch.testing.assert_close(parts[0][0] + parts[1][0], loss.detach())
        torch.testing.assert_close(parts[0][1] + parts[1][1], gradient)


@OBJECTIVES
def test_it_passes_the_check_before_a_run(name: str) -> None:
    check_objective(lambda: create_objective(name), name=name, classes=CLASSES)


# Each against a computation of its own


def test_erm_is_cross_entropy_bit_for_bit() -> None:
    logits, batch = random_batch(0)
    assert torch.equal(started("erm")(logits, batch), cross_entropy(logits, batch.labels))


def log_losses(logits: Tensor, labels: Tensor) -> np.ndarray:
    """-log softmax(logits)[label] in float64, each example's."""
    z = logits.detach().double().numpy()
    return np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels.numpy()]


def test_reweighting_counts_each_group_the_same() -> None:
    logits, batch = random_batch(1)
    losses, groups = log_losses(logits, batch.labels), batch.groups.numpy()
    total, present = sum(GROUPS.counts), sum(count > 0 for count in GROUPS.counts)
    weights = [total / (present * GROUPS.counts[group]) for group in groups]
    expected = sum(w * loss for w, loss in zip(weights, losses, strict=True)) / SIZE
    found = started("reweighting")(logits.detach(), batch)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_reweighting_of_the_whole_training_set_is_the_mean_of_the_groups_means() -> None:
    draw = torch.Generator().manual_seed(4)
    groups = torch.arange(5).repeat_interleave(torch.tensor(GROUPS.counts))
    labels = torch.randint(CLASSES, (100,), generator=draw)
    logits = torch.randn(100, CLASSES, generator=draw)
    losses = log_losses(logits, labels)
    means = [losses[groups.numpy() == g].mean() for g in range(4)]
    batch = Batch(torch.empty(100, 0), labels, groups, torch.arange(100))
    found = started("reweighting")(logits, batch)
    assert float(found) == pytest.approx(np.mean(means), rel=1e-5)


def test_group_dro_is_algorithm_1_of_the_paper() -> None:
    """Exponentiated gradient on the weights of the groups that the training data has, written as a
    loop over them."""
    objective = started("group_dro")
    q = [1 / 4] * 4
    for step in range(30):
        logits, batch = random_batch(step)
        losses, groups = log_losses(logits, batch.labels), batch.groups.numpy()
        mean = {g: losses[groups == g].mean() for g in range(len(q)) if (groups == g).any()}
        q = [q[g] * np.exp(0.01 * mean[g]) if g in mean else q[g] for g in range(len(q))]
        q = [value / sum(q) for value in q]
        expected = sum(q[g] * mean[g] for g in mean)
        assert float(objective(logits, batch).detach()) == pytest.approx(expected, rel=1e-5)
    *weights, nobody = objective.state()["weights"].tolist()
    assert [weight / (1 - nobody) for weight in weights] == pytest.approx(q, rel=1e-5)


def test_groups_without_examples_change_nothing_for_group_dro() -> None:
    """Of classes and values of a column some pairs may never occur, as of subclasses."""
    torch.manual_seed(0)
    few, many = GroupDRO(), GroupDRO()
    few.start(ObjectiveSpec(groups=Groups(("a", "b"), (10, 20)), device=torch.device("cpu")))
    names, counts = tuple("abcde"), (10, 0, 20, 0, 0)
    many.start(ObjectiveSpec(groups=Groups(names, counts), device=torch.device("cpu")))
    for _ in range(5):
        logits, labels = 3 * torch.randn(8, 2), torch.randint(0, 2, (8,))
        place = torch.randint(0, 2, (8,))
        images = torch.zeros(8, 3, 4, 4, dtype=torch.uint8)
        losses = [
            objective(logits, Batch(images, labels, groups, torch.arange(8)))
            for objective, groups in ((few, place), (many, 2 * place))
        ]
        assert torch.allclose(*losses)


def test_group_dro_turns_to_the_group_with_the_highest_loss() -> None:
    class Fast(GroupDRO):
        step_size = 1.0

    objective = Fast()
    objective.start(ObjectiveSpec(groups=GROUPS))
    labels = torch.zeros(4, dtype=torch.int64)
    batch = Batch(torch.empty(4, 0), labels, torch.arange(4), torch.arange(4))
    logits = torch.tensor([[9.0, 0, 0], [9, 0, 0], [0, 0, 3], [9, 0, 0]])  # group 2 is wrong
    losses = [float(objective(logits, batch)) for _ in range(10)]
    assert losses == sorted(losses)
    assert int(objective.state()["weights"].argmax()) == 2
    assert losses[-1] == pytest.approx(float(cross_entropy(logits[2:3], labels[:1])), rel=1e-3)


# In training


def perceptron(seed: int) -> nn.Module:
    """A network with one hidden layer for pictures of 8 px."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 2))


def cue_task(count: int, seed: int, strength: float) -> tuple[Tensor, Tensor, Tensor]:
    """Images uint8, labels and groups (class × cue) of a task with a faint part that decides the
    label and a bright cue that agrees with it with probability `strength`."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=count)
    cue = np.where(rng.random(count) < strength, labels, 1 - labels)
    pixels = rng.normal(128, 40, size=(count, 3, 8, 8))
    pixels[:, :, :4] += (labels * 2 - 1)[:, None, None, None] * 12
    pixels[:, :, 4:] += (cue * 2 - 1)[:, None, None, None] * 36
    images = torch.from_numpy(pixels.clip(0, 255)).byte()
    return images, torch.from_numpy(labels), torch.from_numpy(labels * 2 + cue)


def worst_group(name: str, seed: int) -> float:
    """Accuracy in the worst group of a test set, after 150 steps of training."""
    images, labels, groups = cue_task(1000, seed, strength=0.95)
    names = ("00", "01", "10", "11")
    batches = EpochBatches(
        images, labels, batch_size=128, seed=seed, groups=groups, group_names=names
    )
    model = perceptron(seed)
    config = TrainConfig(
        steps=150, batch_size=128, learning_rate=1e-3, weight_decay=1.0, objective=name
    )
    fit(model, batches, config, seed=seed)
    images, labels, groups = cue_task(2000, seed + 1000, strength=0.5)
    with torch.no_grad():
        right = (model(images.float() / 127.5 - 1).argmax(dim=1) == labels).float()
    return min(float(right[groups == group].mean()) for group in range(4))


def test_reweighting_and_group_dro_raise_the_accuracy_of_the_worst_group() -> None:
    for seed in range(3):
        plain, *better = (worst_group(name, seed) for name in ("erm", "reweighting", "group_dro"))
        assert min(better) > plain + 0.05, (seed, plain, better)


class Killed(BaseException):
    """Stands for a death at any moment."""


@OBJECTIVES
def test_killed_at_any_step_it_goes_on_exactly(name: str, tmp_path: Path) -> None:
    images, labels, groups = cue_task(60, 0, strength=0.8)
    config = TrainConfig(steps=12, batch_size=16, objective=name)

    def train(folder: Path, steps: int) -> None:
        model, left = perceptron(0), [steps]

        def die(module: nn.Module, inputs: object) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        model.register_forward_pre_hook(die)
        path = folder / LAST
        batches = EpochBatches(
            images, labels, batch_size=16, seed=5, groups=groups, group_names=tuple("abcd")
        )
        fit(
            model, batches, config, seed=5, checkpoints=folder, checkpoint_every=0,
            resume=load_checkpoint(path) if path.exists() else None,
        )  # fmt: skip

    train(tmp_path / "whole", 99)
    for steps in (1, 2, 3, 2, 1):
        with pytest.raises(Killed):
            train(tmp_path / "pieces", steps)
    train(tmp_path / "pieces", 99)
    one, other = (load_checkpoint(tmp_path / name / LAST) for name in ("whole", "pieces"))
    for part in ("model", "objective"):
        mine, theirs = getattr(one, part), getattr(other, part)
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_a_checkpoint_of_other_groups_is_refused(tmp_path: Path) -> None:
    images, labels, groups = cue_task(60, 0, strength=0.8)
    config, stop = TrainConfig(steps=4, batch_size=16, objective="group_dro"), Stop(2)
    four = EpochBatches(
        images, labels, batch_size=16, seed=5, groups=groups, group_names=tuple("abcd")
    )
    with pytest.raises(Interrupted):
        fit(perceptron(0), four, config, seed=5, checkpoints=tmp_path, stop=stop)
    two = EpochBatches(images, labels, batch_size=16, seed=5)
    with pytest.raises(ValueError, match="4 groups, not 2"):
        fit(perceptron(0), two, config, seed=5, resume=load_checkpoint(tmp_path / LAST))


# What is wrong with one's own is said before the run


class Stateful(Objective):
    """Counts its steps."""

    def start(self, spec: ObjectiveSpec) -> None:
        self.steps = 0

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        self.steps += 1
        return cross_entropy(logits, batch.labels) * self.steps


class Forgetful(Stateful):
    """Keeps nothing."""


class Foreign(Stateful):
    """Keeps what no checkpoint can."""

    def state(self) -> dict[str, object]:
        return {"path": Path()}


class Complete(Stateful):
    """Keeps all."""

    def state(self) -> dict[str, object]:
        return {"steps": self.steps}

    def restore(self, state: dict[str, object]) -> None:
        self.steps = int(state["steps"])  # type: ignore[call-overload]


def checked(make: Callable[[], Objective]) -> None:
    """Check an objective as a dry run does."""

    def read_back(state: dict[str, object]) -> dict[str, object]:
        return decode(encode(Checkpoint(step=0, model={}, objective=state)), Path("x")).objective

    check_objective(make, read_back, name="mine.py:mine", classes=2)


class KeepsEachExample(Objective):
    """Keeps a mean of the probabilities of each example, by its number, outside its state."""

    def __init__(self) -> None:
        self.kept: dict[int, Tensor] = {}

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        chances = logits.softmax(dim=1)
        for number, row in zip(batch.indices.tolist(), chances.detach(), strict=True):
            self.kept[number] = 0.5 * (self.kept.get(number, row) + row)
        mean = torch.stack([self.kept[number] for number in batch.indices.tolist()])
        return cross_entropy(logits, batch.labels) - (mean * chances).sum(dim=1).log().mean()


class OfComplexNumbers(Objective):
    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        return cross_entropy(logits, batch.labels) * torch.ones((), dtype=torch.complex64)


class HasNoWayBack(Objective):
    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        logits.register_hook(lambda gradient: gradient[batch.colors])  # type: ignore[attr-defined]
        return cross_entropy(logits, batch.labels)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Forgetful, "must be in its state()"),
        (KeepsEachExample, "must be in its state()"),
        (OfComplexNumbers, "must be a real number, not torch.complex64"),
        (HasNoWayBack, "no attribute 'colors'"),
        (Foreign, "tensors and plain Python values"),
        (Objective, "does not define __call__"),
    ],
)
def test_a_state_that_is_lost_is_noticed_before_the_run(kind: type[Objective], said: str) -> None:
    with pytest.raises(ValueError, match=r"^--objective mine\.py:mine: ") as caught:
        checked(kind)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_state_of_plain_values_is_kept() -> None:
    checked(Complete)


def test_weights_of_an_objective_that_are_not_trained_are_told() -> None:
    class Learns(Objective):
        def __init__(self) -> None:
            self.scale = torch.nn.Parameter(torch.ones(2))

        def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
            return cross_entropy(logits * self.scale, batch.labels)

    (line,) = check_objective(Learns, name="mine.py:mine", classes=2)
    assert line.startswith("--objective mine.py:mine: ")
    assert "numbers of its own (2)" in line
    assert check_objective(Complete, name="mine.py:mine", classes=2) == ()
