"""Asking a model changes nothing, and the answers are those of the model itself."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lab import watch
from lab.core.estimate import Estimate
from lab.measure import predict
from lab.models import ModelSpec, NetworkError, ask, create_model, random_pictures, to_input
from lab.training import sample_answers

PICTURES = torch.randint(
    0, 256, (23, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


class Fidgety(nn.Module):
    """Everything that may leave traces: running statistics, dropout, noise, a counter."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(3, 2)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        noise = torch.randn(3)
        out: Tensor = self.last(self.drop(self.norm(x).mean((2, 3))) + 0 * noise)
        return out


def test_measuring_changes_nothing() -> None:
    model = Fidgety().train()
    model.drop.eval()
    model(to_input(PICTURES))
    model.last(torch.randn(4, 3)).sum().backward()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    modes = {name: module.training for name, module in model.named_modules()}
    gradients = [parameter.grad for parameter in model.parameters()]
    random = torch.get_rng_state()
    predict(model, PICTURES, batch_size=5)
    assert model.state_dict().keys() == state.keys()
    for name, value in model.state_dict().items():
        assert value.numpy().tobytes() == state[name].numpy().tobytes(), name
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert all(p.grad is g for p, g in zip(model.parameters(), gradients, strict=True))
    assert torch.equal(torch.get_rng_state(), random)


def test_a_run_ends_alike_whether_measured_or_not() -> None:
    ends = []
    for measured in (False, True):
        torch.manual_seed(0)
        model = Fidgety().train()
        optimizer = torch.optim.AdamW(model.parameters())
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(to_input(PICTURES)), torch.arange(23) % 2).backward()
            optimizer.step()
            if measured:
                predict(model, PICTURES)
        ends.append([value.numpy().tobytes() for value in model.state_dict().values()])
    assert ends[0] == ends[1]


def test_answers_are_those_of_single_pictures() -> None:
    torch.manual_seed(0)
    model = create_model("cnn", ModelSpec(image_size=16, width=4, num_outputs=3, dropout=0.5))
    logits = predict(model, PICTURES, batch_size=7)
    assert logits.shape == (23, 3)
    assert logits.dtype == torch.float32
    assert not logits.is_inference()
    with torch.no_grad():
        naive = torch.cat([model.eval()((p[None].float() - 127.5) / 127.5) for p in PICTURES])
    torch.testing.assert_close(logits, naive, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(predict(model, PICTURES[:0]), logits[:0])


def test_another_normalization_and_precision() -> None:
    torch.manual_seed(0)
    model = create_model("cnn", ModelSpec(image_size=16, width=4))
    logits = predict(model, PICTURES)
    black = predict(model, PICTURES, to_input=lambda images: to_input(images * 0))
    torch.testing.assert_close(black, predict(model, PICTURES * 0))
    rough = predict(model, PICTURES, precision="bfloat16")
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, logits)
    torch.testing.assert_close(rough, logits, rtol=0.05, atol=0.02)


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.last = nn.Linear(768, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(x.flatten(1))
        return out


class WritesIntoABuffer(Linear):
    """Returns a part of a tensor that the next batch is written into."""

    def __init__(self, registered: bool) -> None:
        super().__init__()
        self.register_buffer("out", torch.zeros(32, 2), persistent=False)
        if not registered:
            out = self.out
            del self.out
            self.out = out

    def forward(self, x: Tensor) -> Tensor:
        self.out[: len(x)] = super().forward(x).detach()
        part: Tensor = self.out[: len(x)]
        return part


@pytest.mark.parametrize("registered", [True, False])
def test_answers_are_not_overwritten_by_the_next(registered: bool) -> None:
    model, spec = WritesIntoABuffer(registered), ModelSpec(image_size=16)
    wanted = nn.functional.linear(
        (PICTURES.float() / 127.5 - 1).flatten(1), model.last.weight, model.last.bias
    )
    assert wanted.abs().max() > 0.1
    for batch_size in (5, 23):
        torch.testing.assert_close(predict(model, PICTURES, batch_size=batch_size), wanted)
    pictures = random_pictures(spec, 3)
    one, other = (
        ask(asked, pictures, spec, name="net") for asked in (model, WritesIntoABuffer(False))
    )
    ask(model, -pictures, spec, name="net")
    assert torch.equal(one, other)
    logits = sample_answers(model, spec)["logits"]
    torch.testing.assert_close(logits, sample_answers(Linear(), spec)["logits"])


class Scales(Linear):
    """Changes its weight in place whenever it is called."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.last.weight.mul_(0.5)
        return super().forward(x)


class Normalizes(Linear):
    """Binds the numbers of its weight anew whenever it is called."""

    def forward(self, x: Tensor) -> Tensor:
        self.last.weight.data = nn.functional.normalize(self.last.weight.data, dim=1)
        return super().forward(x)


class Replaces(Linear):
    """Has another parameter in place of its weight from its first call on."""

    def forward(self, x: Tensor) -> Tensor:
        self.last.weight = nn.Parameter(self.last.weight[:, :768].detach() * 2)
        return super().forward(x)


@pytest.mark.parametrize("kind", [Scales, Normalizes, Replaces])
def test_weights_that_a_network_changes_in_eval_mode_are_put_back(kind: type[Linear]) -> None:
    model = kind()
    weight, numbers = model.last.weight, model.last.weight.detach().clone()
    one, again = predict(model, PICTURES), predict(model, PICTURES)
    assert torch.equal(one, again)
    assert model.last.weight is weight
    assert torch.equal(weight, numbers)
    assert not torch.equal(one, predict(Linear(), PICTURES))


def test_pictures_of_another_kind_are_not_blamed_on_the_network() -> None:
    images = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    model = create_model("linear", ModelSpec(image_size=16))
    for wrong, says in (
        (images.double() / 255, "must be uint8"),
        (images[0], r"must be \(N, C, S, S\)"),
        (images.numpy(), "must be a tensor, not a ndarray"),
    ):
        with pytest.raises(ValueError, match=f"^pictures {says}"):
            predict(model, wrong)  # type: ignore[arg-type]


def test_a_network_that_returns_no_tensor_is_told_so() -> None:
    class InADict(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"logits": x.flatten(1)[:, :2]}

    with pytest.raises(NetworkError, match=r"must return logits \(N, C\), not a dict"):
        predict(InADict(), torch.zeros(2, 3, 16, 16, dtype=torch.uint8))


NO_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 140 GiB"),
    RuntimeError(
        "MPS backend out of memory (MPS allocated: 5.56 GB, other allocations: 1.10 GB, max"
        " allowed: 6.80 GB). Tried to allocate 768.00 MB on private pool. Use"
        " PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0 to disable upper limit for memory allocations (may"
        " cause system failure)."
    ),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
)
"""As torch raises them."""


class Hungry(nn.Module):
    """Has memory for so many pictures at once, else raises `error`; `asked` is how many it was
    given each time."""

    def __init__(self, most: int, error: Exception = NO_MEMORY[0]) -> None:
        super().__init__()
        self.error = error
        self.most, self.layer = most, nn.Linear(3 * 16 * 16, 2)
        self.asked: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.asked.append(len(x))
        if len(x) > self.most:
            raise self.error
        found: Tensor = self.layer(x.flatten(1))
        return found


def test_where_memory_runs_out_fewer_pictures_are_shown_at_once() -> None:
    torch.manual_seed(0)
    images = torch.randint(0, 256, (230, 3, 16, 16), dtype=torch.uint8)
    enough = Hungry(10_000)
    for most in (7, 1):
        little = Hungry(most)
        little.load_state_dict(enough.state_dict())
        torch.testing.assert_close(predict(little, images), predict(enough, images))
        assert little.asked[:3] == [100, 50, 25]
        assert sum(n for n in little.asked if n <= most) == len(images)
    with pytest.raises(torch.OutOfMemoryError):
        predict(Hungry(0), images)
    with pytest.raises(torch.OutOfMemoryError):
        predict(Hungry(7), images, batch_size=20)


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda error: str(error)[:20])
def test_memory_runs_out_in_other_words_on_other_devices(error: Exception) -> None:
    images = torch.randint(0, 256, (60, 3, 16, 16), dtype=torch.uint8)
    little = Hungry(7, error)
    expected = little.layer((images.float() / 127.5 - 1).flatten(1))
    torch.testing.assert_close(predict(little, images), expected.detach(), rtol=1e-4, atol=1e-5)


def test_another_error_is_not_taken_for_one_of_memory() -> None:
    little = Hungry(7, RuntimeError("CUDA error: CUBLAS_STATUS_INVALID_VALUE when calling sgemm"))
    with pytest.raises(NetworkError, match="INVALID_VALUE"):
        predict(little, torch.zeros(60, 3, 16, 16, dtype=torch.uint8))
    assert len(little.asked) == 1


def test_a_loop_is_watched_where_memory_is_enough_for_small_batches_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, images = Hungry(16), torch.randn(60, 3, 16, 16)
    labels = (images.mean(dim=(1, 2, 3)) > 0).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    sets = (images[:40], labels[:40]), (images[40:], labels[40:])
    with watch(model, train=sets[0], test=sets[1], out=tmp_path / "run", quiet=True) as watched:
        for first in [*range(0, 40, 8)] * 10:
            rows = slice(first, first + 8)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images[:40][rows]), labels[rows]).backward()
            optimizer.step()
            watched()
    for name, (shown, right) in zip(("train", "test"), sets, strict=True):
        own = (model.layer(shown.flatten(1)).argmax(dim=1) == right).float().mean().item()
        found = watched.metrics[f"accuracy/{name}"]
        assert isinstance(found, Estimate)
        assert found.value == pytest.approx(own)
