"""The optimizer step: batch, loss, gradients, update; it stops at non-finite numbers."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import get_total_norm

from lab.core.config import TrainConfig
from lab.core.errors import LabError
from lab.core.estimate import Estimate
from lab.core.finite import ONE_COLOR
from lab.core.seeds import torch_seed
from lab.core.text import plain
from lab.models import TURN, Generators, NetworkError, Settings, blame, settings_kept, to_input
from lab.models.inputs import to_stored
from lab.models.threads import Threads
from lab.training.agreement import check_agreement
from lab.training.batches import Batch, Batches
from lab.training.checkpoint import Checkpoint, give_state
from lab.training.cuda_graph import GraphedStep, can_be_captured
from lab.training.distributed import SINGLE, PeerLost, Processes
from lab.training.divided import DividedPass
from lab.training.objectives import (
    Objective,
    ObjectiveSpec,
    create_objective,
    objective_file,
)
from lab.training.objectives.check import named, refuse_bad_loss
from lab.training.objectives.objective import is_capturable
from lab.training.optimizer import create_optimizer
from lab.training.schedule import learning_rate


class Diverged(LabError, RuntimeError):
    """Loss or gradient is not finite; the weights are those after `step` finite steps."""

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class TrainStep:
    """One model in training: `take()` performs an optimizer step, `step` counts them.

    The random generators of Python, NumPy and torch are seeded anew at every step (dropout,
    augmentation), so that a step is a function of weights, optimizer, objective and its number.
    torch's settings are restored if the network or the objective changes them.

    A step whose loss or gradient is not finite must not change the weights. Reading the numbers
    would synchronize a GPU at every step, so the optimizer gets the result of that test as a tensor
    on the device (`found_inf`, as from AMP's scaler) and skips that update and all later ones,
    until `check` reads it and raises. On a CPU reading is free, and every step does; so does a step
    with complex weights, whose optimizer cannot skip.

    On an NVIDIA GPU the steps of a network that allows it are replays of a CUDA graph, with the
    results of steps that are launched one kernel at a time: see `GraphedStep`.

    `objective` is what is minimized; None: the one that the config names. `parts`: into how many
    each batch is divided, with a CPU thread for each; see `parts_of_batches`.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        config: TrainConfig,
        *,
        seed: int,
        objective: Objective | None = None,
        processes: Processes = SINGLE,
        parts: int = 1,
    ) -> None:
        self.step = 0
        self.suspect = ""
        """Examples without finite logits before any training, in words: why a step may break."""
        self.model = model
        self._weights = trained_weights(model)
        self._named = {name: id(weight) for name, weight in model.named_parameters()}
        model.train()
        self._batches = batches
        self._config = config
        self._seed = seed
        self._processes = processes
        self._device = self._weights[0].device
        self._generators = Generators(self._device)
        self._settings = Settings.now()
        self._forward = _compiled(model) if config.compile else model
        self.threads = Threads(parts)
        self._parts = DividedPass(model, self._weights, self.threads) if parts > 1 else None
        self._forward = self._parts or self._forward
        self._augment = _augmentation() if config.augment else None
        if objective is None:
            objective = create_objective(config.objective, beside=model)
        self._objective = objective
        self._looks = objective_file(config.objective) is not None
        told = ObjectiveSpec(
            groups=batches.groups, names=batches.names, device=self._device, processes=processes,
        )  # fmt: skip
        with named(config.objective), settings_kept():
            try:
                self._objective.start(told)
            except PeerLost:
                raise
            except (Exception, SystemExit) as error:
                blame(error, "its start(spec)")
        # Fused: 1.0 to 1.3 times the default's speed on a CPU, and the only one that can skip.
        fused = all(weight.is_floating_point() for weight in self._weights)
        self._optimizer = create_optimizer(self._weights, config, fused=fused, threads=self.threads)
        self._checks_each_step = self._device.type == "cpu" or not fused
        self._bad = torch.zeros((), device=self._device)  # 1.0 from the first non-finite step on
        self._good = torch.zeros((), dtype=torch.int64, device=self._device)  # steps before it
        self._counted = 0  # steps since `_good` was 0
        if fused:
            self._optimizer.found_inf = self._bad  # type: ignore[attr-defined]
        self._loss = self._norm = self._bad  # of the last step
        self._logits: Tensor | None = None  # its logits, where an objective of the user's got them
        # A CUDA graph reads the learning rates from the device; a number would be in it for ever.
        groups = self._optimizer.param_groups if self._device.type == "cuda" and fused else []
        self._rates = [torch.zeros((), device=self._device) for _ in groups]
        self._graphed: GraphedStep | None = None
        if self._rates and self._suits_a_graph():
            self._graphed = GraphedStep(model, self._optimizer)
        self.restart_timer()

    @property
    def batch_size(self) -> int:
        """Examples per step, of all processes together."""
        return self._batches.batch_size

    @property
    def objective(self) -> Objective:
        """What is minimized."""
        return self._objective

    @property
    def captured(self) -> bool:
        """Whether there is a CUDA graph of the step."""
        return self._graphed is not None and self._graphed.captured

    def take(self) -> None:
        """Perform one step; on a CPU, raise `Diverged` instead of one that is not finite.

        Raises `NetworkError` if the network's or the objective's code fails.
        """
        batch = self._batches(self.step)
        self._set_rates(self.learning_rate(self.step))
        self._counted += 1
        with TURN:
            own_seed = torch_seed(self._seed, "training", self.step, self._processes.rank)
            self._generators.seed(own_seed)
            if self._graphed is None:
                self._compute(batch)
            else:
                self._graphed(self._compute, batch)
        self.step += 1
        if not self._processes.single and self.step.bit_count() == 1:
            self._check_agreement()

    def _check_agreement(self) -> None:
        """Whether the objective has the same state in all processes: asked after 1, 2, 4, … steps,
        as it costs time."""
        with settings_kept():
            state = self._objective.state()
        if state or self._looks:
            name = self._config.objective
            check_agreement(name, state, self._processes, step=self.step)

    def _compute(self, batch: Batch) -> None:
        """What is left of a step once the generators are seeded and the learning rate is set."""
        inputs = to_input(batch.images)
        try:
            loss = self._loss_of(inputs, batch)
            if not loss.requires_grad:
                raise NetworkError(
                    "its logits carry no gradient; is forward under torch.no_grad, or does it"
                    " detach them?"
                )
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if self._parts is not None:
                self._parts.backward()
        except PeerLost:
            raise
        except (Exception, SystemExit) as error:
            blame(error, f"step {self.step + 1:,} of training", self.step)
        self._loss = loss.detach()
        gradients = self._gradients()
        self._processes.broadcast_(list(self.model.buffers()))
        self._norm = get_total_norm(gradients)
        self._note_finiteness()
        if self._checks_each_step:
            self.check()
        self._optimizer.step()

    def check(self) -> None:
        """Synchronize the device; raise `Diverged` if a step since the last check was bad."""
        good = int(self._good)
        if good == self._counted:
            return
        step = self.step - (self._counted - good) + self._checks_each_step
        raise Diverged(self._explain(step), step)

    def check_weights(self) -> None:
        """Raise `NetworkError` if the network has other parameters than when training began: those
        that it has made since are not trained, and those that it has renamed are not found again.
        """
        now = {name: id(weight) for name, weight in self.model.named_parameters()}
        if now != self._named:
            names = [*now, *self._named]
            name = next(n for n in names if now.get(n) != self._named.get(n))
            what = "has made" if name in now else "has lost"
            failure = NetworkError(
                f"by step {self.step:,} of training the network {what} its parameter {name!r}, too"
                " late to be trained: make all of them when the network is built"
            )
            failure.step = self.step
            raise failure

    def learning_rate(self, step: int) -> float:
        """The learning rate of step `step` (the first is 0)."""
        config = self._config
        return learning_rate(step, steps=config.max_steps, peak=config.learning_rate)

    def loss(self) -> float:
        """The last step's loss on its batch; synchronizes the device."""
        return float(self._loss)

    def metrics(self) -> dict[str, Estimate | float]:
        """Metrics of the optimization itself: learning rate, gradient norm, and the speed since the
        last `restart_timer`; none at step 0."""
        if self.step == 0:
            return {}
        seconds = time.perf_counter() - self._timed_since
        images = (self.step - self._timed_from) * self.batch_size
        return {
            "optim/learning_rate": self.learning_rate(self.step - 1),
            "optim/gradient_norm": float(self._norm),
            "speed/images_per_second": images / seconds,
        }

    def restart_timer(self) -> None:
        """Measure the speed from now on."""
        self._timed_from, self._timed_since = self.step, time.perf_counter()

    @contextmanager
    def untimed(self) -> Iterator[None]:
        """Leave what is done inside out of the speed."""
        began = time.perf_counter()
        yield
        self._timed_since += time.perf_counter() - began

    def state(self) -> dict[str, Any]:
        """The entries of a checkpoint that decide the next steps."""
        with settings_kept():
            objective = self._objective.state()
        if self._rates and self.step > 0:  # a checkpoint has numbers, for any device
            self._set_rates(self.learning_rate(self.step - 1), as_numbers=True)
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "objective": objective,
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint. Raises `ValueError` if the weights come in another order than
        when it was saved, by which the optimizer would take each one's moments for another's."""
        names = {name for name, _ in self.model.named_parameters()}
        then = [name for name in checkpoint.model if name in names]
        if then != [name for name in self.model.state_dict() if name in names]:
            raise ValueError(
                "the network's parameters come in another order than when it was saved (is it built"
                " by going through a set?)"
            )
        give_state(self.model, checkpoint.model)
        self._optimizer.load_state_dict(checkpoint.optimizer)
        with settings_kept():
            self._objective.restore(checkpoint.objective)
        self.step = checkpoint.step
        if self._graphed is not None:
            self._graphed.forget()  # the optimizer has other tensors now
        self.restart_timer()

    def _loss_of(self, inputs: Tensor, batch: Batch) -> Tensor:
        """The loss of this process's part of the batch, weighted by the part's size."""
        if self._augment is not None:
            inputs = self._augment(inputs)
            if self._looks:  # at the pictures that the network gets
                batch = replace(batch, images=to_stored(inputs))
        kind, rough = self._device.type, self._config.precision == "bfloat16"
        with torch.autocast(kind, torch.bfloat16) if rough else nullcontext():
            settings = Settings.now() if rough else self._settings
            logits = self._forward(inputs)
            settings.restore()
            self._logits = logits.detach() if self._looks and self._checks_each_step else None
            loss = self._objective(logits, batch)
            settings.restore()
        with named(self._config.objective):
            refuse_bad_loss(loss, logits)
        if not self._processes.single:  # the weighted means of all parts sum to the batch's mean
            loss = loss * (len(batch) / self.batch_size)
        return loss

    def _set_rates(self, rate: float, *, as_numbers: bool = False) -> None:
        """Give each group of weights its learning rate; `as_numbers`: not as a tensor."""
        for place, group in enumerate(self._optimizer.param_groups):
            own = group.get("scale", 1) * rate
            group["lr"] = own if as_numbers or not self._rates else self._rates[place].fill_(own)

    def _suits_a_graph(self) -> bool:
        """Whether a CUDA graph may repeat what a step of this network and objective does."""
        return (
            self._device.index == torch.cuda.current_device()
            and self._processes.single
            and self._augment is None
            and not self._config.compile
            and is_capturable(self._objective)
            and can_be_captured(self.model)
        )

    def _gradients(self) -> list[Tensor]:
        """The dense gradients of the weights that have one, summed over all processes."""
        for weight in self._weights:
            if weight.grad is not None and weight.grad.layout is not torch.strided:
                weight.grad = weight.grad.to_dense()  # AdamW takes no sparse ones
        if not self._processes.single:
            self._sum_over_processes()
        return [weight.grad for weight in self._weights if weight.grad is not None]

    def _sum_over_processes(self) -> None:
        """Sum gradients and loss over all processes. A weight that only some of them used gets a
        gradient in all of them; one that none used keeps none."""
        weights = [weight for weight in self._weights if weight.requires_grad]
        unused = [i for i, weight in enumerate(weights) if weight.grad is None]
        users = torch.ones(len(weights), device=self._device)
        for i in unused:
            weights[i].grad = torch.zeros_like(weights[i])
            users[i] = 0.0
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        self._processes.all_reduce_sum_([*gradients, users, self._loss])
        for i in unused:
            if users[i] == 0:
                weights[i].grad = None

    def _note_finiteness(self) -> None:
        """Record, on the device, whether this step's loss and gradient are finite."""
        finite = (self._loss + self._norm).isfinite()
        torch.maximum(self._bad, finite.logical_not().float(), out=self._bad)
        self._good += self._bad == 0

    def _explain(self, step: int) -> str:
        peak = self._config.learning_rate
        what = "the gradient" if self._loss.isfinite() else "the loss"
        if self.suspect:
            cause = (
                f"for {self.suspect} a logit is not finite, even before any training: {ONE_COLOR}"
            )
        elif what == "the loss" and self._logits is not None and self._logits.isfinite().all():
            cause = (
                f"the logits are finite (up to {float(self._logits.abs().max()):.3g}), so what"
                f" --objective {self._config.objective} makes of them is not: is there a mean over"
                " nothing in some batches, or a logarithm of 0?"
            )
        elif step == 0:
            cause = "the network overflows before any training: how are its weights drawn?"
        else:
            cause = f"the learning rate is likely too high, try --learning-rate {peak / 10:g}"
            if self._config.precision != "float32":
                cause += " or --precision float32"
        return (
            f"{what} of step {step + 1:,} is not a finite number (learning rate"
            f" {self.learning_rate(step):.3g}, batch of {self.batch_size}): {cause}"
        )


def trained_weights(model: nn.Module) -> list[nn.Parameter]:
    """The floating-point parameters; `ValueError` if there are none, all are frozen, or one is of a
    kind that the optimizers cannot train.

    Frozen ones are included, and are trained once the network sets their `requires_grad`.
    """
    weights = [p for p in model.parameters() if p.is_floating_point() or p.is_complex()]
    if not weights:
        raise ValueError("it has no parameters: there is nothing to train")
    if not any(weight.requires_grad for weight in weights):
        raise ValueError(
            f"all its {len(weights)} parameters are frozen (requires_grad is False): there is"
            " nothing to train"
        )
    for name, weight in model.named_parameters():
        kind = _untrainable(weight) if weight.requires_grad else ""
        if kind:
            raise ValueError(
                f"its parameter {name!r} is {kind}, which cannot be trained here: make it a dense"
                " tensor of float32, or a buffer (register_buffer) if it is to stay as it is"
            )
    return weights


def _untrainable(weight: Tensor) -> str:
    """What a parameter is, if no optimizer of the lab takes it; else empty."""
    if is_lazy(weight):
        return ""
    if weight.layout != torch.strided or weight.is_nested:
        return "nested" if weight.is_nested else f"of the layout {weight.layout}"
    float8 = weight.is_floating_point() and weight.itemsize == 1
    return f"of the type {weight.dtype}" if float8 else ""


def _compiled(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """The model as compiled by `torch.compile` (at the first call), with the same weights."""
    compiled: Callable[[Tensor], Tensor] = torch.compile(model)

    def forward(inputs: Tensor) -> Tensor:
        from torch._dynamo.exc import TorchDynamoException

        try:
            return compiled(inputs)
        except TorchDynamoException as error:
            reason = plain(str(error).partition("Set TORCHDYNAMO")[0])
            raise NetworkError(f"--compile: torch cannot compile this network: {reason}") from error

    return forward


def _augmentation() -> Callable[[Tensor], Tensor]:
    from lab.training.augment import augmentation  # torchvision takes 2 s to import

    return augmentation()
