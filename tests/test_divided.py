"""Training steps whose batch is divided among CPU threads."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lab.core.config import TrainConfig
from lab.measure import predict
from lab.models import ModelSpec, create_model, treats_examples_alone
from lab.models.threads import Threads, given_threads, lent
from lab.runs.evaluate import evaluate
from lab.runs.train import start
from lab.training import Checkpoint, EpochBatches, parts_of_batches
from lab.training.divided import DividedPass
from lab.training.objectives import list_objectives
from lab.training.train_step import TrainStep
from support.configs import tiny
from support.training import IMAGES, LABELS

SPEC = ModelSpec(image_size=16)


def small(*, width: int = 4) -> nn.Module:
    return create_model("cnn", ModelSpec(image_size=16, width=width), seed=1)


@pytest.mark.parametrize("parts", [2, 3, 7, 50])
@pytest.mark.parametrize("width", [4, 12])
def test_gradients_are_those_of_the_whole_batch(parts: int, width: int) -> None:
    """Networks in C and by torch, parts of several sizes, and more parts than examples."""
    inputs, labels = IMAGES[:30].float() / 255, LABELS[:30]
    whole, divided = small(width=width), small(width=width)
    loss = cross_entropy(whole(inputs), labels)
    loss.backward()
    each = DividedPass(divided, list(divided.parameters()), Threads(parts))
    again = cross_entropy(each(inputs), labels)
    again.backward()
    each.backward()
    torch.testing.assert_close(again, loss)
    for one, other in zip(whole.parameters(), divided.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-4, atol=1e-6)
        assert other.grad.stride() == other.stride()


def test_each_part_has_a_thread_of_its_own() -> None:
    """They are in the network at the same time."""
    together = threading.Barrier(3)
    seen: list[tuple[int, str]] = []

    class Meeting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            together.wait(20)
            seen.append((len(x), threading.current_thread().name))
            return self.layer(x)  # type: ignore[no-any-return]

    model = Meeting()
    DividedPass(model, list(model.parameters()), Threads(3))(torch.zeros(8, 3))
    assert sorted(count for count, _ in seen) == [2, 3, 3]
    assert len({name for _, name in seen}) == 3


@pytest.mark.skipif(
    not Path("/proc/self/maps").exists(), reason="where OpenMP is loaded from is read on Linux"
)
def test_operations_in_other_threads_get_as_many_threads_as_here() -> None:
    """OpenMP's own number, which oneDNN goes by, is that of the processors in a new thread."""
    script = (
        "import ctypes, re, torch, threading; torch.set_num_threads(1)\n"
        "from lab.models.threads import Threads\n"
        "maps = open('/proc/self/maps').read()\n"
        "openmp = ctypes.CDLL(re.search(r'/\\S*lib[gi]omp\\S*', maps)[0])\n"
        "meet = threading.Barrier(3)\n"
        "def told(part):\n"
        "    meet.wait(20)\n"
        "    return openmp.omp_get_max_threads()\n"
        "print(*Threads(3).map(told, range(3)))\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "4"}
    told = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["1", "1", "1"]


@pytest.mark.parametrize("objective", list_objectives())
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_agrees_with_one_thread(objective: str, precision: str) -> None:
    config = TrainConfig(
        steps=12, batch_size=16, objective=objective,
        precision=precision,  # type: ignore[arg-type]
    )  # fmt: skip
    batches = EpochBatches(IMAGES, LABELS, batch_size=16, seed=3)
    found = []
    for parts in (1, 2, 2):
        step = TrainStep(small(), batches, config, seed=3, parts=parts)
        for _ in range(12):
            step.take()
        found.append((step.loss(), list(step.model.parameters()), step.state()["objective"]))
    (loss, weights, state), (other, others, its), (again, repeated, _) = found
    rough = 0.05 if precision == "bfloat16" else 1e-3
    assert other == pytest.approx(loss, rel=rough)
    for one, two, three in zip(weights, others, repeated, strict=True):
        torch.testing.assert_close(two, one, rtol=rough, atol=rough)
        assert two.equal(three), "the same threads give the same bits"
    assert other == again
    for name, value in state.items():
        torch.testing.assert_close(its[name], value, rtol=rough, atol=rough)


def test_an_error_in_any_thread_reaches_the_step() -> None:
    class Failing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            if float(x[0, 0]) == 5:
                raise ValueError("no fives")
            return self.layer(x)  # type: ignore[no-any-return]

    model = Failing()
    each = DividedPass(model, list(model.parameters()), Threads(2))
    for place in (0, 7):
        inputs = torch.zeros(8, 3)
        inputs[place // 4 * 4, 0] = 5
        with pytest.raises(ValueError, match="no fives"):
            each(inputs)
    assert each(torch.zeros(8, 3)).shape == (8, 2)


class Own(nn.Module):
    """A layer whose code nobody knows."""

    def forward(self, x: Tensor) -> Tensor:
        """The input."""
        return x


def test_only_networks_that_treat_each_example_alone_are_divided(tmp_path: Path) -> None:
    for name in ("cnn", "cnn_avgpool", "resnet", "vit", "mlp", "linear", "bagnet"):
        assert treats_examples_alone(create_model(name, SPEC, seed=0)), name
        dropping = create_model(name, ModelSpec(image_size=16, dropout=0.3), seed=0)
        assert treats_examples_alone(dropping) == (name == "linear"), name
    refused = [
        nn.BatchNorm2d(3), nn.SyncBatchNorm(3), nn.RReLU(), nn.Dropout(0.1), Own(),
        nn.FractionalMaxPool2d(2, output_size=8), nn.InstanceNorm2d(3, track_running_stats=True),
        nn.MultiheadAttention(4, 2, dropout=0.1), nn.MultiheadAttention(4, 2),
        nn.TransformerEncoderLayer(4, 2, dropout=0.0), nn.Softmax(dim=0), nn.Softmax(), nn.GLU(-2),
        nn.Flatten(0), nn.Unflatten(0, (2, -1)),
    ]  # fmt: skip
    for layer in refused:
        assert not treats_examples_alone(nn.Sequential(layer, nn.Flatten(), nn.Linear(768, 2))), (
            layer
        )
    attention = nn.TransformerEncoderLayer(4, 2, dropout=0.0, batch_first=True)
    for layer in (attention, nn.Softmax(dim=1), nn.LogSoftmax(-1), nn.GLU(), nn.Flatten()):
        assert treats_examples_alone(nn.Sequential(layer)), layer
    model = small()
    assert parts_of_batches(model, tiny(tmp_path, threads=3)) == 3
    assert parts_of_batches(model, tiny(tmp_path, threads=3, world_size=2)) == 1
    assert parts_of_batches(model, tiny(tmp_path, threads=3, compile=True)) == 1
    assert parts_of_batches(nn.Sequential(Own(), nn.Linear(2, 2)), tiny(tmp_path, threads=3)) == 1


def test_predictions_are_the_same_with_threads() -> None:
    model = small(width=12)
    images = IMAGES.repeat(9, 1, 1, 1)  # 450: five batches
    alone = predict(model, images)
    with lent(Threads(3)):
        assert predict(model, images).equal(alone)
        assert given_threads().count == 3
    assert given_threads().count == 1


def test_a_restored_step_goes_on_exactly() -> None:
    config = TrainConfig(steps=12, batch_size=16, optimizer="muon")
    batches = EpochBatches(IMAGES, LABELS, batch_size=16, seed=3)
    whole, first, rest = (TrainStep(small(), batches, config, seed=3, parts=2) for _ in range(3))
    for _ in range(12):
        whole.take()
    for _ in range(5):
        first.take()
    state = first.state()
    rest.restore(Checkpoint(**{name: state[name] for name in state}))
    for _ in range(7):
        rest.take()
    for one, other in zip(whole.model.parameters(), rest.model.parameters(), strict=True):
        assert one.equal(other)


def test_a_run_with_threads_is_measured_the_same_again(tmp_path: Path) -> None:
    """Measuring takes one thread, as it did in the run."""
    result = start(tiny(tmp_path, threads=2, steps=8, num_test=100, name="run"))
    file = tmp_path / "again.json"
    evaluate(result.folder, device="cpu", json_file=file, lists={}, numbers={}, counterfactuals=0)
    final = json.loads((result.folder / "summary.json").read_text())
    again = json.loads(file.read_text())
    for kind in ("accuracy", "loss"):
        assert again[kind]["test"] == final[kind]["test"]
