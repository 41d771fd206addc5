"""One optimizer step after the other, as fast as a bare loop, and never past a number gone wild."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import get_total_norm

from lab.config import TrainConfig
from lab.data import to_input
from lab.estimate import Estimate
from lab.seeds import torch_seed
from lab.training.batches import Batches
from lab.training.checkpoint import Checkpoint
from lab.training.processes import ALONE, Processes
from lab.training.schedule import learning_rate


class Diverged(RuntimeError):
    """Loss or gradient stopped being finite; the weights are those after `step` good steps."""

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class Stepper:
    """A model in training: `take()` does one step, `step` counts them.

    Every step draws dropout and augmentation from a random state of its own, so that nothing but
    weights, optimizer and the step's number decides what the next step does.

    A step whose loss or gradient is not finite must not reach the weights. Asking for the numbers
    would make a GPU wait at every step, so the optimizer gets the answer as a tensor on the device
    (`found_inf`, which AMP's scaler uses too) and skips that update and all later ones, until
    `check` asks and raises. On a CPU asking is free, and every step does.
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
        self._model = model.train()
        self._batches = batches
        self._config = config
        self._seed = seed
        self._processes = processes
        self._weights = [weight for weight in model.parameters() if weight.requires_grad]
        self._device = self._weights[0].device
        self._seeders = _seeders(self._device)
        self._forward = _compiled(model) if config.compile else model
        self._augment = _augmentation() if config.augment else None
        # Fused: 1.0 to 1.3 times the default's speed on a CPU, and the one kind that can skip.
        self._optimizer = torch.optim.AdamW(
            self._weights, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self._bad = torch.zeros((), device=self._device)  # 1.0 from the first bad step on
        self._good = torch.zeros((), dtype=torch.int64, device=self._device)  # steps before it
        self._counted = 0  # steps since `_good` was 0
        self._optimizer.found_inf = self._bad  # type: ignore[attr-defined]
        self._loss = self._norm = self._bad  # of the last step
        self.rest()

    @property
    def batch_size(self) -> int:
        """Faces per step, of all processes together."""
        return self._batches.batch_size

    def take(self) -> None:
        """Do one step: on a CPU, raise `Diverged` instead of taking a bad one."""
        own_seed = torch_seed(self._seed, "training", self.step, self._processes.rank)
        for start_anew in self._seeders:
            start_anew(own_seed)
        images, targets = self._batches(self.step)
        inputs = to_input(images)
        if self._augment is not None:
            inputs = self._augment(inputs)
        if self._config.precision == "bfloat16":
            with torch.autocast(self._device.type, torch.bfloat16):
                loss = cross_entropy(self._forward(inputs), targets)
        else:
            loss = cross_entropy(self._forward(inputs), targets)
        if not self._processes.alone:  # the parts' means, weighted, add up to the batch's mean
            loss = loss * (len(targets) / self.batch_size)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._loss = loss.detach()
        gradients = [weight.grad for weight in self._weights if weight.grad is not None]
        self._processes.add_up([*gradients, self._loss])
        self._processes.follow(list(self._model.buffers()))
        self._norm = get_total_norm(gradients)
        self._look()
        if self._device.type == "cpu":
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
        step = self.step - (self._counted - good) + (self._device.type == "cpu")
        raise Diverged(self._explain(step), step)

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
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint."""
        self._model.load_state_dict(checkpoint.model)
        self._optimizer.load_state_dict(checkpoint.optimizer)
        self.step = checkpoint.step
        self.rest()

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


def _seeders(device: torch.device) -> list[Callable[[int], object]]:
    """What gives a seed to the random states that training on `device` draws from.

    `torch.manual_seed` would look for every kind of device there is, which takes 0.2 ms.
    """
    own = {"cuda": [torch.cuda.manual_seed], "mps": [torch.mps.manual_seed]}
    return [torch.default_generator.manual_seed, *own.get(device.type, [])]


def _compiled(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """The model through `torch.compile`, which shares its weights; the first call compiles."""
    compiled: Callable[[Tensor], Tensor] = torch.compile(model)

    def forward(inputs: Tensor) -> Tensor:
        from torch._dynamo.exc import TorchDynamoException

        try:
            return compiled(inputs)
        except TorchDynamoException as error:
            reason = " ".join(str(error).partition("Set TORCHDYNAMO")[0].split())
            raise ValueError(f"--compile: torch cannot compile this network: {reason}") from error

    return forward


def _augmentation() -> Callable[[Tensor], Tensor]:
    from lab.training.augment import augmentation  # torchvision takes 2 s to import

    return augmentation()
