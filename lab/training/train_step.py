"""One optimizer step after the other, as fast as a bare loop, and never past a number gone wild."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import get_total_norm

from lab.core.config import TrainConfig
from lab.core.estimate import Estimate
from lab.core.seeds import torch_seed
from lab.core.text import plain
from lab.models import TURN, Generators, NetworkError, Settings, blame
from lab.training.batches import Batches
from lab.training.checkpoint import Checkpoint, give_state
from lab.training.distributed import ALONE, Processes
from lab.training.schedule import learning_rate
from lab.worlds import to_input


class Diverged(RuntimeError):
    """Loss or gradient stopped being finite; the weights are those after `step` good steps."""

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class Stepper:
    """A model in training: `take()` does one step, `step` counts them.

    Every step draws dropout, augmentation and whatever else asks Python, NumPy or torch for random
    numbers from a seed of its own, so that nothing but weights, optimizer and the step's number
    decides what the next step does. torch's settings are put back where the network changes them.

    A step whose loss or gradient is not finite must not reach the weights. Asking for the numbers
    would make a GPU wait at every step, so the optimizer gets the answer as a tensor on the device
    (`found_inf`, which AMP's scaler uses too) and skips that update and all later ones, until
    `check` asks and raises. On a CPU asking is free, and every step does; so does one with complex
    weights, whose optimizer cannot skip.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        config: TrainConfig,
        *,
        seed: int,
        processes: Processes = ALONE,
    ) -> None:
        self.step = 0
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
        self._augment = _augmentation() if config.augment else None
        # Fused: 1.0 to 1.3 times the default's speed on a CPU, and the one kind that can skip.
        fused = all(weight.is_floating_point() for weight in self._weights)
        self._optimizer = torch.optim.AdamW(
            self._weights,
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=fused or None,
        )
        self._asks = self._device.type == "cpu" or not fused
        self._bad = torch.zeros((), device=self._device)  # 1.0 from the first bad step on
        self._good = torch.zeros((), dtype=torch.int64, device=self._device)  # steps before it
        self._counted = 0  # steps since `_good` was 0
        if fused:
            self._optimizer.found_inf = self._bad  # type: ignore[attr-defined]
        self._loss = self._norm = self._bad  # of the last step
        self.rest()

    @property
    def batch_size(self) -> int:
        """Faces per step, of all processes together."""
        return self._batches.batch_size

    def take(self) -> None:
        """Do one step: on a CPU, raise `Diverged` instead of taking a bad one.

        Raises `NetworkError` if the network's code fails.
        """
        images, targets = self._batches(self.step)
        own_seed = torch_seed(self._seed, "training", self.step, self._processes.rank)
        try:
            with TURN:
                self._generators.seed(own_seed)
                loss = self._loss_of(to_input(images), targets)
                if not loss.requires_grad:
                    raise NetworkError(
                        "its logits carry no gradient; is forward under torch.no_grad, or does it"
                        " detach them?"
                    )
                self._optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
        except (Exception, SystemExit) as error:
            blame(error, f"step {self.step + 1:,} of training", self.step)
        self._loss = loss.detach()
        gradients = self._gradients()
        self._processes.broadcast_(list(self.model.buffers()))
        self._norm = get_total_norm(gradients)
        self._look()
        if self._asks:
            self.check()
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate(self.step)
        self._optimizer.step()
        self.step += 1

    def check(self) -> None:
        """Wait for the device; raise `Diverged` if a step since the last check was a bad one."""
        good = int(self._good)
        if good == self._counted:
            return
        step = self.step - (self._counted - good) + self._asks
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
        return learning_rate(step, steps=config.steps, peak=config.learning_rate)

    def loss(self) -> float:
        """The last step's loss on its batch; waits for the device."""
        return float(self._loss)

    def figures(self) -> dict[str, Estimate | float]:
        """What the loop itself has to say about the steps since the last `rest`; nothing at 0."""
        if self.step == 0:
            return {}
        seconds = time.perf_counter() - self._rested_at
        images = (self.step - self._rested) * self.batch_size
        return {
            "optim/learning_rate": self.learning_rate(self.step - 1),
            "optim/gradient_norm": float(self._norm),
            "speed/images_per_second": images / seconds,
        }

    def rest(self) -> None:
        """Start measuring the speed anew."""
        self._rested, self._rested_at = self.step, time.perf_counter()

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on from here."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint. Raises `ValueError` if the weights come in another order than
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
        self.step = checkpoint.step
        self.rest()

    def _loss_of(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of this process's part of the batch."""
        if self._augment is not None:
            inputs = self._augment(inputs)
        kind, rough = self._device.type, self._config.precision == "bfloat16"
        with torch.autocast(kind, torch.bfloat16) if rough else nullcontext():
            settings = Settings.now() if rough else self._settings
            logits = self._forward(inputs)
            settings.restore()
            loss = cross_entropy(logits, targets)
        if not self._processes.alone:  # the parts' means, weighted, add up to the batch's mean
            loss = loss * (len(targets) / self.batch_size)
        return loss

    def _gradients(self) -> list[Tensor]:
        """The gradients of the weights that have one, dense, and of all processes together."""
        for weight in self._weights:
            if weight.grad is not None and weight.grad.layout is not torch.strided:
                weight.grad = weight.grad.to_dense()  # AdamW knows no sparse ones
        if not self._processes.alone:
            self._add_up()
        return [weight.grad for weight in self._weights if weight.grad is not None]

    def _add_up(self) -> None:
        """Add up gradients and loss over all processes. A weight that only some of them used has a
        gradient in all of them then; one that none used has none."""
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

    def _look(self) -> None:
        """Note, on the device, whether this step's loss and gradient are finite."""
        finite = (self._loss + self._norm).isfinite()
        torch.maximum(self._bad, finite.logical_not().float(), out=self._bad)
        self._good += self._bad == 0
        self._counted += 1

    def _explain(self, step: int) -> str:
        peak = self._config.learning_rate
        what = "the gradient" if self._loss.isfinite() else "the loss"
        if step == 0:
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
    """The parameters that training can adjust; `ValueError` if there are none.

    Those that are frozen now are among them, and stay as they are until the network thaws them.
    """
    weights = [p for p in model.parameters() if p.is_floating_point() or p.is_complex()]
    if not weights:
        raise ValueError("it has no parameters: there is nothing to train")
    if not any(weight.requires_grad for weight in weights):
        raise ValueError(
            f"all its {len(weights)} parameters are frozen (requires_grad is False): there is"
            " nothing to train"
        )
    return weights


def _compiled(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """The model through `torch.compile`, which shares its weights; the first call compiles."""
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
