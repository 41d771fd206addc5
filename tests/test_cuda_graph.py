"""Steps captured as a CUDA graph, without a GPU: when they are, and what becomes of each batch.
What a GPU makes of it is in `test_gpu.py`."""

import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields

import pytest
import torch
from torch import Tensor, nn

from lab.core.config import TrainConfig
from lab.models import ModelSpec, create_model, is_known
from lab.training import Batch, cuda_graph
from lab.training.cuda_graph import EAGER_STEPS, GraphedStep, can_be_captured
from lab.training.objectives import GroupDRO, Objective, create_objective, list_objectives
from lab.training.objectives.objective import FunctionObjective, is_capturable
from lab.training.optimizer import MuonWithAdamW, capturing, create_optimizer


class Graph:
    """In place of a CUDA graph: a replay notes what the captured batch holds at that time."""

    def __init__(self) -> None:
        self.work: list[Batch] = []
        self.capturing = False

    def replay(self) -> None:
        """Repeat what was captured."""
        for batch in self.work:
            seen.append(("replay", int(batch.labels.sum())))


seen: list[tuple[str, int]] = []


class Generator:
    """In place of the GPU's generator of random numbers."""

    state = "of the steps"

    def clone_state(self) -> str:
        """A copy of its state."""
        return f"{self.state}, copied"

    def graphsafe_set_state(self, state: str) -> None:
        """Take another state."""
        self.state = state


class Stream:
    """In place of a stream: nothing runs beside anything else."""

    def wait_stream(self, other: object) -> None:
        """Nothing to wait for."""


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> list[Graph]:
    """torch.cuda's streams and graphs replaced; the graphs that were captured."""
    made: list[Graph] = []
    seen.clear()

    @contextmanager
    def capture(graph: Graph, **settings: object) -> Iterator[None]:
        made.append(graph)
        graph.capturing = True
        yield
        graph.capturing = False

    fake = types.SimpleNamespace(
        current_stream=Stream, stream=nullcontext, CUDAGraph=Graph, graph=capture,
        current_device=lambda: 0, default_generators=[Generator()],
    )  # fmt: skip
    monkeypatch.setattr(cuda_graph, "_side_stream", lambda device: Stream())
    monkeypatch.setattr(cuda_graph, "failed", [])
    monkeypatch.setattr(cuda_graph, "torch", types.SimpleNamespace(cuda=fake))
    return made


def batch(number: int) -> Batch:
    """Four examples that sum to `number` times four."""
    labels = torch.full((4,), number)
    return Batch(torch.full((4, 3, 16, 16), number, dtype=torch.uint8), labels, labels, labels)


@dataclass
class Step:
    """A graphed step with what it computes."""

    graphed: GraphedStep
    compute: Callable[[Batch], None]

    @property
    def captured(self) -> bool:
        """Whether there is a graph."""
        return self.graphed.captured

    def __call__(self, batch: Batch) -> None:
        """Perform it."""
        self.graphed(self.compute, batch)


def step_of(model: nn.Module, made: list[Graph], *, failing: bool = False) -> Step:
    def compute(given: Batch) -> None:
        if not made or not made[-1].capturing:
            seen.append(("launch", int(given.labels.sum())))
            return
        if failing:
            made[-1].capturing = False
            raise RuntimeError("operation not permitted when stream is capturing")
        made[-1].work.append(given)

    return Step(GraphedStep(model, torch.optim.AdamW(model.parameters())), compute)  # type: ignore[arg-type]


def test_the_first_steps_are_launched_and_later_ones_replayed(no_gpu: list[Graph]) -> None:
    step = step_of(nn.Linear(3, 2), no_gpu)
    for number in range(EAGER_STEPS + 3):
        assert step.captured == (number > EAGER_STEPS)
        step(batch(number))
    launched = [("launch", 4 * number) for number in range(EAGER_STEPS)]
    replayed = [("replay", 4 * number) for number in range(EAGER_STEPS, EAGER_STEPS + 3)]
    assert seen == launched + replayed
    assert len(no_gpu) == 1


def test_a_replay_gets_every_part_of_its_batch(no_gpu: list[Graph]) -> None:
    step = step_of(nn.Linear(3, 2), no_gpu)
    for number in range(EAGER_STEPS + 2):
        given = batch(number)
        step(given)
    held = no_gpu[0].work[0]
    for each in fields(Batch):
        one, other = getattr(held, each.name), getattr(given, each.name)
        assert one.equal(other)
        assert one.data_ptr() != other.data_ptr()


def test_a_failed_capture_is_told_once_and_training_goes_on(
    no_gpu: list[Graph], caplog: pytest.LogCaptureFixture
) -> None:
    step = step_of(nn.Linear(3, 2), no_gpu, failing=True)
    with caplog.at_level("WARNING"):
        for number in range(EAGER_STEPS + 3):
            step(batch(number))
            assert not step.captured
    assert seen == [("launch", 4 * number) for number in range(EAGER_STEPS + 3)]
    (generator,) = cuda_graph.torch.cuda.default_generators
    assert generator.state == "of the steps, copied", "torch leaves it in the middle of a capture"
    (line,) = [record.getMessage() for record in caplog.records]
    assert "without a CUDA graph" in line
    assert "not permitted when stream is capturing" in line
    again = step_of(nn.Linear(3, 2), no_gpu)
    for number in range(EAGER_STEPS + 3):
        again(batch(number))
    assert len(no_gpu) == 1, "no other capture is tried in this process"


def test_exchanged_weights_end_the_replays(
    no_gpu: list[Graph], caplog: pytest.LogCaptureFixture
) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    step = step_of(model, no_gpu)
    for number in range(EAGER_STEPS + 1):
        step(batch(number))
    assert step.captured
    norm = model[1]
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    norm.running_mean = norm.running_mean.clone()
    with caplog.at_level("WARNING"):
        step(batch(50))
        step(batch(51))
    assert seen[-2:] == [("launch", 200), ("launch", 204)]
    assert len(caplog.records) == 1
    assert "exchanged" in caplog.records[0].getMessage()


def test_frozen_weights_end_the_replays(no_gpu: list[Graph]) -> None:
    model = nn.Linear(3, 2)
    step = step_of(model, no_gpu)
    for number in range(EAGER_STEPS + 1):
        step(batch(number))
    model.bias.requires_grad_(False)
    step(batch(50))
    assert seen[-1] == ("launch", 200)
    assert not step.captured


def test_a_batch_of_another_shape_is_launched(no_gpu: list[Graph]) -> None:
    step = step_of(nn.Linear(3, 2), no_gpu)
    for number in range(EAGER_STEPS + 1):
        step(batch(number))
    one = batch(9)
    short = Batch(*(getattr(one, each.name)[:1] for each in fields(Batch)))
    step(short)
    step(batch(10))
    assert seen[-2:] == [("launch", 9), ("replay", 40)]


def test_a_forgotten_graph_is_captured_anew(no_gpu: list[Graph]) -> None:
    step = step_of(nn.Linear(3, 2), no_gpu)
    for number in range(EAGER_STEPS + 1):
        step(batch(number))
    step.graphed.forget()
    for number in range(EAGER_STEPS + 1):
        step(batch(number))
    assert len(no_gpu) == 2
    assert step.captured


class OwnLayer(nn.Module):
    """A layer whose code nobody knows."""

    def forward(self, x: Tensor) -> Tensor:
        """The input."""
        return x


def test_only_known_networks_are_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cnn", "resnet", "vit", "mlp", "linear", "bagnet", "cnn_avgpool"):
        assert can_be_captured(create_model(name, ModelSpec(), seed=0)), name
    assert can_be_captured(nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(768, 2)))
    assert not can_be_captured(nn.Sequential(nn.Flatten(), OwnLayer(), nn.Linear(768, 2)))
    cumulative = nn.Sequential(nn.BatchNorm2d(3, momentum=None), nn.Flatten(), nn.Linear(768, 2))
    assert is_known(cumulative)
    assert not can_be_captured(cumulative)
    hooked = nn.Sequential(nn.Flatten(), nn.Linear(768, 2))
    hooked[1].register_forward_hook(lambda *given: None)
    assert not is_known(hooked)
    replaced = nn.Sequential(nn.Flatten(), nn.Linear(768, 2))
    replaced[0].forward = lambda x: x.flatten(1)  # type: ignore[method-assign]
    assert not is_known(replaced)
    for strange in _strange():
        assert not is_known(strange)
    monkeypatch.setenv(cuda_graph.SWITCH, "off")
    assert not can_be_captured(create_model("cnn", ModelSpec(), seed=0))
    monkeypatch.setenv(cuda_graph.SWITCH, "of")
    with pytest.raises(ValueError, match='MEMLAB_CUDA_GRAPHS must be "off" or not set'):
        can_be_captured(create_model("cnn", ModelSpec(), seed=0))


def _strange() -> Iterator[nn.Module]:
    """Networks of torch's layers in which somebody else's code takes part all the same."""

    def plain() -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(784, 2))

    hooked, late, patched, compiled, other = (plain() for _ in range(5))
    hooked[0].weight.register_hook(lambda gradient: gradient * 2)
    yield hooked
    late[0].weight.register_post_accumulate_grad_hook(lambda weight: None)
    yield late
    patched[0].extra_repr = lambda: "another"  # type: ignore[method-assign]
    yield patched
    compiled.compile()
    yield compiled
    other[0].weight = type("Weight", (nn.Parameter,), {})(torch.zeros(4, 3, 3, 3))
    yield other
    yield nn.TransformerEncoderLayer(8, 2, activation=lambda x: x)  # type: ignore[arg-type]


def test_only_declared_objectives_are_captured() -> None:
    assert all(is_capturable(create_objective(name)) for name in list_objectives())

    class Slower(GroupDRO):
        step_size = 0.001

    class Counting(GroupDRO):
        def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
            self.calls = getattr(self, "calls", 0) + 1
            return super().__call__(logits, batch) * self.calls

    class Annealing(GroupDRO):
        @property
        def step_size(self) -> float:  # type: ignore[override]
            """One that changes."""
            return 0.1

    assert is_capturable(Slower())
    assert not is_capturable(Annealing())
    assert not is_capturable(Counting())
    assert not is_capturable(FunctionObjective(lambda logits, batch: logits.sum()))
    assert not is_capturable(Objective())


def test_an_optimizer_may_be_captured_only_inside() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(9, 2))
    config = TrainConfig(optimizer="muon")
    optimizer = create_optimizer(list(model.parameters()), config, fused=True)
    assert isinstance(optimizer, MuonWithAdamW)
    with capturing(optimizer):
        flags = [group.get("capturable") for group in optimizer.param_groups]
        assert flags == [True, None]
    assert [group.get("capturable") for group in optimizer.param_groups] == [False, None]


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_learning_rate_in_a_tensor_is_the_same(name: str) -> None:
    """As on a GPU, where a number would be part of the graph."""
    config = TrainConfig(optimizer=name)  # type: ignore[arg-type]
    found = []
    for in_tensor in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(16, 2)
        )
        optimizer = create_optimizer(list(model.parameters()), config, fused=False)
        for rate in (1e-3, 2e-3):
            for group in optimizer.param_groups:
                own = group.get("scale", 1) * rate
                group["lr"] = torch.tensor(own) if in_tensor else own
            optimizer.zero_grad()
            model(torch.ones(2, 3, 6, 6)).square().mean().backward()
            optimizer.step()
        found.append(list(model.parameters()))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)
