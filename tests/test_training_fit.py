"""The loop: equal to a plain one, exact when it goes on, and never past a number gone wild."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lab.core.config import TrainConfig
from lab.core.estimate import Estimate
from lab.core.seeds import torch_seed
from lab.models import to_input
from lab.training import (
    BEST,
    LAST,
    Diverged,
    Fitted,
    Interrupted,
    Metrics,
    Stop,
    choose_device,
    fit,
    graceful_stop,
    load_checkpoint,
)
from lab.training.batches import Order
from lab.training.schedule import learning_rate
from support.run_folders import same_state
from support.training import EPOCHS, IMAGES, LABELS, network

PLAIN = TrainConfig(steps=30, batch_size=16)
RICH = TrainConfig(steps=30, batch_size=16, augment=True, weight_decay=0.1, eval_every=7)


def perceptron() -> nn.Module:
    """One whose gradients are nowhere 0 but for rounding, which Adam would enlarge."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(768, 8), nn.ReLU(), nn.Linear(8, 2))


def measure(model: nn.Module) -> dict[str, Estimate | float]:
    """An evaluator."""
    with torch.no_grad():
        loss = nn.functional.cross_entropy(model(to_input(IMAGES)), LABELS)
    return {"loss/validation": Estimate.point(float(loss)), "accuracy/train": 0.5}


def test_it_trains_as_a_plain_loop_does() -> None:
    model, plain = perceptron(), perceptron()
    fit(model, EPOCHS, PLAIN, seed=3)
    optimizer = torch.optim.AdamW(plain.parameters(), weight_decay=0.0, foreach=False)
    batches = Order(50, 16, seed=3)
    for step in range(30):
        picked = batches.positions(step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps=30, peak=PLAIN.learning_rate)
        optimizer.zero_grad()
        nn.functional.cross_entropy(plain(to_input(IMAGES[picked])), LABELS[picked]).backward()
        optimizer.step()
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    assert not model.training


def test_measuring_changes_nothing() -> None:
    alone, measured = network(dropout=0.3), network(dropout=0.3)
    fit(alone, EPOCHS, RICH, seed=3)
    steps: list[int] = []
    fit(
        measured, EPOCHS, RICH, seed=3, evaluators=[measure],
        log=lambda step, figures: steps.append(step),
    )  # fmt: skip
    assert same_state(alone.state_dict(), measured.state_dict())
    assert steps == [0, 7, 14, 21, 28, 30]


class Killed(BaseException):
    """Stands for a death at any moment."""


def test_it_goes_on_exactly_from_any_step(tmp_path: Path) -> None:
    """Die again and again, in steps and in evaluations; the end is that of one who never died."""
    whole, whole_log = network(dropout=0.3), {}

    def keep(step: int, figures: Metrics) -> None:
        whole_log[step] = {k: v for k, v in figures.items() if not k.startswith("speed")}

    fit(
        whole, EPOCHS, RICH, seed=3, evaluators=[measure], log=keep,
        checkpoints=tmp_path / "whole",
    )  # fmt: skip

    pieces: dict[int, dict[str, Estimate | float]] = {}
    ended, lives = False, 0
    while not ended:
        model, budget = network(dropout=0.3), 3 + lives % 5
        steps_left = [budget]

        def die(module: nn.Module, inputs: object, left: list[int] = steps_left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        model.register_forward_pre_hook(die)
        path = tmp_path / "pieces" / LAST
        resume = load_checkpoint(path) if path.exists() else None

        def note(step: int, figures: Metrics) -> None:
            pieces[step] = {k: v for k, v in figures.items() if not k.startswith("speed")}

        try:
            fit(
                model, EPOCHS, RICH, seed=3, evaluators=[measure], log=note,
                checkpoints=tmp_path / "pieces", checkpoint_every=0, resume=resume,
            )  # fmt: skip
            ended = True
        except Killed:
            lives += 1
    assert lives > 5
    assert pieces == whole_log
    one, other = (load_checkpoint(tmp_path / name / LAST) for name in ("whole", "pieces"))
    for part in ("step", "model", "optimizer"):
        assert same_state(getattr(one, part), getattr(other, part)), part
    assert one.progress["best"] == other.progress["best"]
    best = [load_checkpoint(tmp_path / name / BEST) for name in ("whole", "pieces")]
    assert same_state(best[0].model, best[1].model)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_wild_number_never_reaches_the_weights(bad: float, tmp_path: Path) -> None:
    model = network()
    calls = [0]
    seen: list[dict[str, Tensor]] = []

    def break_down(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        calls[0] += 1
        seen.append({name: value.clone() for name, value in model.named_parameters()})
        return output * bad if calls[0] == 6 else output

    model.register_forward_hook(break_down)
    with pytest.raises(Diverged, match=r"the loss of step 6 is not .*learning rate .*batch of 16"):
        fit(model, EPOCHS, PLAIN, seed=3, checkpoints=tmp_path)
    assert same_state(dict(model.named_parameters()), seen[5])
    assert load_checkpoint(tmp_path / LAST).step < 6


def test_the_device_can_refuse_a_bad_step_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of a GPU, where nobody asks until the next evaluation: updates are skipped."""
    from lab.training.train_step import TrainStep

    model = network()
    train_step = TrainStep(model, EPOCHS, PLAIN, seed=3)
    with monkeypatch.context() as patch:
        patch.setattr(train_step, "check", lambda: None)
        for _ in range(4):
            train_step.take()
        good = {name: value.clone() for name, value in model.named_parameters()}
        hook = model.register_forward_hook(lambda module, inputs, output: output * float("inf"))
        train_step.take()
        hook.remove()
        for _ in range(3):
            train_step.take()
    assert same_state(dict(model.named_parameters()), good)
    with pytest.raises(Diverged) as caught:
        train_step.check()
    assert caught.value.step in (4, 5)


def test_early_stopping_leaves_the_best_weights() -> None:
    model = network()
    losses = iter([3.0, 2.0, 1.0, 1.5, 1.2, 1.1, 9.0])
    on_test = iter([9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0])  # would never stop, and keep the last
    weights: list[dict[str, Tensor]] = []

    def scripted(model: nn.Module) -> dict[str, Estimate | float]:
        weights.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"loss/validation": next(losses), "loss/test": next(on_test)}

    config = TrainConfig(steps=100, batch_size=16, eval_every=5, early_stopping=3)
    fitted: Fitted = fit(model, EPOCHS, config, seed=3, evaluators=[scripted])
    assert (fitted.step, fitted.weights_of, fitted.stopped_early) == (25, 10, True)
    assert same_state(model.state_dict(), weights[2])


def test_early_stopping_needs_something_to_go_by() -> None:
    def on_test_only(model: nn.Module) -> dict[str, Estimate | float]:
        return {"loss/test": 1.0}

    config = TrainConfig(steps=10, batch_size=16, early_stopping=3)
    with pytest.raises(ValueError, match=r"--early-stopping goes by loss/validation"):
        fit(network(), EPOCHS, config, seed=3, evaluators=[on_test_only])


def test_without_validation_no_weights_are_kept_as_the_best(tmp_path: Path) -> None:
    def on_test_only(model: nn.Module) -> dict[str, Estimate | float]:
        return {"loss/test": measure(model)["loss/validation"]}

    fitted = fit(network(), EPOCHS, PLAIN, seed=3, evaluators=[on_test_only],
                 checkpoints=tmp_path)  # fmt: skip
    assert fitted.weights_of == fitted.step == 30
    assert not (tmp_path / BEST).exists()
    fit(network(), EPOCHS, PLAIN, seed=3, evaluators=[measure], checkpoints=tmp_path)
    assert (tmp_path / BEST).exists()


def test_early_stopping_goes_on_exactly_where_it_was_interrupted(tmp_path: Path) -> None:
    """Who was the best so far, and how long ago, outlives the process."""
    config = TrainConfig(steps=60, batch_size=16, eval_every=5, early_stopping=3)

    def worse(model: nn.Module) -> dict[str, Estimate | float]:
        """Best after some steps, and worse and worse from there on."""
        value = measure(model)["loss/validation"]
        assert isinstance(value, Estimate)
        return {"loss/validation": abs(value.value - 0.55)}

    whole, pieces = network(), network()
    expected = fit(whole, EPOCHS, config, seed=3, evaluators=[worse])
    lives = 0
    while True:
        stop, pieces = Stop(), network()

        def interrupt(step: int, figures: Metrics, stop: Stop = stop) -> None:
            stop.signal = signal.SIGTERM

        path = tmp_path / LAST
        try:
            fitted = fit(
                pieces, EPOCHS, config, seed=3, evaluators=[worse], log=interrupt, stop=stop,
                checkpoints=tmp_path, resume=load_checkpoint(path) if path.exists() else None,
            )  # fmt: skip
            break
        except Interrupted:
            lives += 1
    assert expected.stopped_early
    assert 0 < expected.weights_of < expected.step
    assert lives == expected.step // 5
    assert (fitted.step, fitted.weights_of) == (expected.step, expected.weights_of)
    assert same_state(pieces.state_dict(), whole.state_dict())


def falling(*losses: float) -> Callable[[nn.Module], dict[str, Estimate | float]]:
    """An evaluator whose training losses are these, in turn."""
    each = iter(losses)
    return lambda model: {"loss/train": next(each)}


EVERY_FIFTH = TrainConfig(steps=40, batch_size=16, eval_every=5)


@pytest.mark.parametrize(
    ("losses", "ends"),
    [
        ((1.0, 0.1, 0.09, 0.0), 10),  # the bound itself counts
        ((1.0, 0.1, 0.2, 0.1, 0.1, 0.0), 20),  # in a row
        ((1.0, *[0.2, 0.1] * 4), 40),  # never twice in a row
        ((1.0, *[float("nan")] * 8), 40),
    ],
)
def test_training_ends_when_its_loss_was_within_the_bound_twice_in_a_row(
    losses: tuple[float, ...], ends: int
) -> None:
    fitted = fit(
        network(), EPOCHS, EVERY_FIFTH, seed=3, evaluators=[falling(*losses)], loss_bound=0.1
    )
    assert (fitted.step, fitted.weights_of, fitted.fitted) == (ends, ends, ends < 40)


def test_without_a_bound_no_loss_ends_training() -> None:
    fitted = fit(network(), EPOCHS, EVERY_FIFTH, seed=3, evaluators=[falling(*[0.0] * 9)])
    assert (fitted.step, fitted.fitted) == (40, False)


def test_a_loss_bound_needs_the_training_loss() -> None:
    with pytest.raises(ValueError, match=r"--stop-at-loss goes by loss/train"):
        fit(network(), EPOCHS, PLAIN, seed=3, evaluators=[measure], loss_bound=0.1)


def test_evaluations_within_the_bound_are_counted_across_an_interruption(tmp_path: Path) -> None:
    stop = Stop()

    def interrupt(step: int, metrics: Metrics) -> None:
        stop.signal = signal.SIGTERM if step == 10 else 0

    losses = falling(1.0, 1.0, 0.0, 0.0)
    with pytest.raises(Interrupted):
        fit(network(), EPOCHS, EVERY_FIFTH, seed=3, evaluators=[losses], log=interrupt, stop=stop,
            checkpoints=tmp_path, loss_bound=0.1)  # fmt: skip
    fitted = fit(network(), EPOCHS, EVERY_FIFTH, seed=3, evaluators=[losses],
                 resume=load_checkpoint(tmp_path / LAST), loss_bound=0.1)  # fmt: skip
    assert (fitted.step, fitted.fitted) == (15, True)


def test_weights_that_another_figure_chose_are_not_gone_on_from(tmp_path: Path) -> None:
    """As in a checkpoint from when the test set chose."""
    fit(network(), EPOCHS, PLAIN, seed=3, evaluators=[measure], checkpoints=tmp_path)
    checkpoint = load_checkpoint(tmp_path / LAST)
    for best in ({**checkpoint.progress["best"], "by": "loss/test"}, {"loss": 1.0, "step": 3}):
        checkpoint.progress["best"] = best
        with pytest.raises(ValueError, match=r"not chosen by loss/validation"):
            fit(network(), EPOCHS, PLAIN, seed=3, evaluators=[measure], resume=checkpoint)


def test_a_stop_saves_after_a_whole_step(tmp_path: Path) -> None:
    stop = Stop()

    def ask(step: int, loss: float) -> None:
        stop.signal = signal.SIGTERM

    with pytest.raises(Interrupted) as caught:
        fit(network(), EPOCHS, PLAIN, seed=3, progress=ask, stop=stop,
            checkpoints=tmp_path)  # fmt: skip
    assert load_checkpoint(tmp_path / LAST).step == caught.value.step > 0


def test_the_second_signal_does_what_it_always_did() -> None:
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    try:
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        with graceful_stop() as stop:
            assert not stop
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.signal == signal.SIGTERM
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    finally:
        signal.signal(signal.SIGINT, inherited)


def test_it_memorizes_random_pixels() -> None:
    model = network()
    config = TrainConfig(steps=300, batch_size=16, learning_rate=1e-2)
    fit(model, EPOCHS, config, seed=0)
    with torch.no_grad():
        said = model(to_input(IMAGES)).argmax(dim=1)
    assert torch.equal(said, LABELS)


def test_bfloat16_stays_near_float32() -> None:
    models = [network(), network()]
    for model, precision in zip(models, ("float32", "bfloat16"), strict=True):
        config = TrainConfig(steps=5, batch_size=16, precision=precision)  # type: ignore[arg-type]
        fit(model, EPOCHS, config, seed=0)
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        assert one.dtype == other.dtype == torch.float32
        torch.testing.assert_close(one, other, atol=0.01, rtol=0.1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_device_says_what_torch_reports() -> None:
    with pytest.raises(ValueError, match=r"--device cuda: torch \d.*; try --device cpu"):
        choose_device("cuda")
    assert choose_device("auto").type in ("cpu", "mps")


def test_streams_are_seeded_by_the_run() -> None:
    """Dropout draws from the run's own stream, whatever was drawn before."""
    models = [network(dropout=0.5), network(dropout=0.5)]
    for before, model in enumerate(models):
        torch.manual_seed(before)
        fit(model, EPOCHS, PLAIN, seed=3)
    assert same_state(models[0].state_dict(), models[1].state_dict())
    assert torch_seed(3, "training") != torch_seed(4, "training")


def test_compiled_training_is_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of --compile, with a backend that needs no compiler: same batches, same weights."""
    models = [perceptron(), perceptron()]
    real = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model: real(model, backend="eager"))
    for model, compiled in zip(models, (False, True), strict=True):
        config = TrainConfig(steps=5, batch_size=16, compile=compiled)
        fit(model, EPOCHS, config, seed=0)
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(one, other)


def test_what_cannot_be_compiled_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(graph: object, inputs: object) -> None:
        raise RuntimeError("no compiler here")

    torch.compiler.reset()  # which keeps what it failed to compile in earlier tests, and leaves it
    real = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model: real(model, backend=broken))
    config = TrainConfig(steps=5, batch_size=16, compile=True)
    with pytest.raises(ValueError, match=r"--compile: torch cannot compile .*no compiler here$"):
        fit(perceptron(), EPOCHS, config, seed=0)


@pytest.mark.slow
def test_compiled_training_with_the_real_compiler() -> None:
    models = [perceptron(), perceptron()]
    for model, compiled in zip(models, (False, True), strict=True):
        config = TrainConfig(steps=5, batch_size=16, compile=compiled)
        fit(model, EPOCHS, config, seed=0)
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)
