"""`lab.watch`: a binary classifier of one output whose threshold is not 0."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss, relu, softplus

from lab import watch
from lab.watching import Watcher

Loss = Callable[[Tensor, Tensor], Tensor]


class Distance(nn.Module):
    """How far an embedding is from 0, or its negative."""

    def __init__(self, sign: int = 1) -> None:
        super().__init__()
        self.inner, self.sign = nn.Linear(16, 8), sign

    def forward(self, x: Tensor) -> Tensor:
        away: Tensor = self.inner(x).norm(dim=1)
        return self.sign * away


class Apart(nn.Module):
    """A linear function, and something after it."""

    def __init__(self, after: Callable[[Tensor], Tensor] = lambda z: z) -> None:
        super().__init__()
        self.inner, self.after = nn.Linear(16, 1), after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.inner(x))[:, 0]


def data(count: int, seed: int, share: float) -> tuple[Tensor, Tensor]:
    """Rows of 16 numbers, of which a share is of class 1."""
    generator = torch.Generator().manual_seed(seed)
    y = (torch.rand(count, generator=generator) < share).long()
    x = torch.randn(count, 16, generator=generator)
    x[:, :4] += 1.5 * y[:, None]
    return x, y


def trained(
    model: nn.Module, loss: Loss, out: Path, *, steps: int = 300, rate: float = 0.03,
    share: float = 0.5, **given: Any,
) -> Watcher:  # fmt: skip
    """Watch some steps on all of 150 examples."""
    train, test = data(150, 0, share), data(100, 1, share)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    with watch(model, train=train, test=test, out=out, every=1000, **given) as watcher:
        for _ in range(steps):
            optimizer.zero_grad()
            loss(model(train[0]), train[1].float()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            watcher()
    return watcher


def contrastive(z: Tensor, y: Tensor) -> Tensor:
    return (y * relu(1 - z.abs()) ** 2 + (1 - y) * z**2).mean()


def reconstruction(z: Tensor, y: Tensor) -> Tensor:
    """As if class 1 was what comes near."""
    return ((1 - y) * relu(4 - z) + y * z).mean()


SAID = "the one output of the model is taken for a logit"

SHIFTED: dict[str, tuple[Callable[[], nn.Module], Loss, str]] = {
    "0 and 1": (Apart, mse_loss, "model(x) - 0.5"),
    "distances": (Distance, contrastive, "model(x) - 0."),
    "negative": (lambda: Distance(-1), contrastive, " - model(x)"),
    "the other way": (Distance, reconstruction, " - model(x)"),
    "softplus": (lambda: Apart(softplus), lambda z, y: mse_loss(z, 3 * y), "model(x) - 1."),
}


@pytest.mark.parametrize(("model", "loss", "code"), SHIFTED.values(), ids=SHIFTED)
def test_another_threshold_is_told_with_a_function_that_mends_it(
    model: Callable[[], nn.Module], loss: Loss, code: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    torch.manual_seed(0)
    found = trained(model(), loss, tmp_path / "run", pictures=False)
    (said,) = (line for line in capsys.readouterr().out.splitlines() if SAID in line)
    function = said.partition("give forward=lambda model, x: ")[2]
    assert code in function
    assert found.verdict.startswith("Its one output was taken for a logit")
    assert "More training" not in found.verdict
    torch.manual_seed(0)
    mended = eval(f"lambda model, x: {function}")
    again = trained(model(), loss, tmp_path / "again", quiet=True, forward=mended)
    right, before = (each.metrics["accuracy/train"].value for each in (again, found))  # type: ignore[union-attr]
    assert right > 0.9
    assert right > before + 0.1
    assert "taken for a logit" not in again.verdict


def weighted(z: Tensor, y: Tensor) -> Tensor:
    """The rare class, one in five, counts as much as the other one."""
    return binary_cross_entropy_with_logits(z, y, pos_weight=torch.tensor(4.0))


FITTING: dict[str, tuple[Callable[[], nn.Module], Loss, dict[str, Any]]] = {
    "logits": (Apart, binary_cross_entropy_with_logits, {}),
    "few steps": (Apart, binary_cross_entropy_with_logits, {"steps": 60, "rate": 0.001}),
    "no steps": (Distance, contrastive, {"steps": 0}),
    "barely trained": (Distance, contrastive, {"steps": 20}),
    "rare": (Apart, binary_cross_entropy_with_logits, {"share": 0.04, "rate": 0.003}),
    "weighted": (Apart, weighted, {"share": 0.2}),
    "hinge": (Apart, lambda z, y: relu(1 - z * (2 * y - 1)).mean(), {}),
    "-1 and 1": (Apart, lambda z, y: mse_loss(z, 2 * y - 1), {}),
    "nothing to learn": (
        lambda: Apart(softplus), lambda z, y: mse_loss(z, y[torch.randperm(len(y))]), {},
    ),
    "probabilities": (
        lambda: Apart(torch.sigmoid), nn.functional.binary_cross_entropy, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("model", "loss", "given"), FITTING.values(), ids=FITTING)
def test_logits_have_no_other_threshold(
    model: Callable[[], nn.Module], loss: Loss, given: dict[str, Any], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    torch.manual_seed(0)
    found = trained(model(), loss, tmp_path / "run", pictures=False, **given)
    assert SAID not in capsys.readouterr().out
    assert "taken for a logit" not in found.verdict


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_number_is_not_taken_for_a_logit_without_a_word(outputs: int, tmp_path: Path) -> None:
    x, y = torch.randn(60, 4), torch.arange(60) % 5
    model, given = nn.Linear(4, outputs), {"train": (x, y), "test": (x + 1, y), "quiet": True}
    with pytest.raises(ValueError, match="a label 4, and the model tells 2 classes") as caught:
        watch(model, out=tmp_path / "run", **given).open()  # type: ignore[arg-type]
    code = str(caught.value)
    function = code.partition("forward=lambda ")[2]
    assert bool(function) == (outputs == 1)
    if function:
        forward = eval(f"lambda {function}", {"torch": torch})
        with watch(model, out=tmp_path / "mended", forward=forward, **given) as mended:  # type: ignore[arg-type]
            pass
        right = (model(x).round().clamp(0, 4)[:, 0] == y).double().mean()
        assert mended.metrics["accuracy/train"].value == pytest.approx(float(right))  # type: ignore[union-attr]
