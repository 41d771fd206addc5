"""Training steps on an NVIDIA GPU, captured once as a CUDA graph and then replayed.

A step of a small network launches some hundred kernels of a few microseconds each, and most of its
time goes by in Python and in launching them. A graph launches all of them at once. It repeats what
the captured step did, kernel by kernel: whatever Python decides anew at each step (random numbers
of its own, counters, branches) it would not decide again. So only networks are captured whose
modules are known not to do so; see `can_be_captured`.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache

import torch
from torch import Tensor, nn

from lab.core.text import one_line
from lab.models import is_known
from lab.training.batches import Batch
from lab.training.optimizer import Optimizer, capturing

SWITCH = "MEMLAB_CUDA_GRAPHS"
"""Environment variable: "off" launches every kernel of every step, as for debugging."""

EAGER_STEPS = 3
"""Steps before the one that is captured: what is made at first use (workspaces, the optimizer's
moments, the choice of kernels) must be there. As many as torch's documentation takes."""


def can_be_captured(model: nn.Module) -> bool:
    """Whether steps of this network can be captured: its layers are known (`is_known`), none reads
    numbers back from the GPU, and the environment does not forbid it."""
    chosen = os.environ.get(SWITCH, "")
    if chosen not in ("", "off"):
        raise ValueError(f'{SWITCH} must be "off" or not set, not {chosen!r}')
    return not chosen and is_known(model) and not any(map(_reads_back, model.modules()))


class GraphedStep:
    """A training step of `model` on the current GPU without its random seed and learning rate:
    launched kernel by kernel at first, and later as one CUDA graph.

    Steps whose batches have another shape than the captured one are launched kernel by kernel, and
    so are all from then on where the network's tensors are exchanged or frozen, or where a capture
    fails: after that none is tried again in this process, because torch may not be as it was.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        self._model = model
        self._optimizer = optimizer
        self._eager_left: float = EAGER_STEPS
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: Batch | None = None
        self._captured: list[tuple[Mapping[str, Tensor | None], str, Tensor, int, bool]] = []

    @property
    def captured(self) -> bool:
        """Whether there is a graph to replay."""
        return self._graph is not None

    def __call__(self, compute: Callable[[Batch], None], batch: Batch) -> None:
        """Perform a step, which is `compute(batch)`, the same function at each call."""
        if self._graph is None and self._eager_left <= 0 and not failed:
            self._capture(compute, batch)
        if self._graph is not None and not self._is_same():
            self.forget()
            self._eager_left = math.inf
            _warn("the network exchanged or froze some of its tensors")
        if self._graph is None or self._batch is None or not _are_alike(self._batch, batch):
            self._launch(compute, batch)
            return
        for each in fields(Batch):
            getattr(self._batch, each.name).copy_(getattr(batch, each.name))
        self._graph.replay()

    def forget(self) -> None:
        """Launch the next steps kernel by kernel, and capture a new graph after them."""
        self._graph, self._batch, self._captured = None, None, []
        self._eager_left = EAGER_STEPS

    def _launch(self, compute: Callable[[Batch], None], batch: Batch) -> None:
        """Kernel by kernel, on a stream that is not the default one: autograd's nodes remember
        theirs, and the default stream cannot take part in a capture."""
        self._eager_left -= 1
        stream, here = _side_stream(torch.cuda.current_device()), torch.cuda.current_stream()
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            compute(batch)
        here.wait_stream(stream)

    def _capture(self, compute: Callable[[Batch], None], batch: Batch) -> None:
        """Capture a step, without performing it."""
        held = Batch(*(getattr(batch, each.name).clone() for each in fields(Batch)))
        graph = torch.cuda.CUDAGraph()
        device = torch.cuda.current_device()
        stream = _side_stream(device)
        generator = torch.cuda.default_generators[device]
        before = generator.clone_state()
        try:
            # The outer stream is the current one again, which torch forgets where a capture fails.
            # Another thread may use the GPU meanwhile, so only this one's calls are looked at.
            with (
                torch.cuda.stream(torch.cuda.current_stream()),
                capturing(self._optimizer),
                torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"),
            ):
                compute(held)
        except Exception as error:  # torch's, in many forms
            failed.append(True)
            # The generator believes that the capture goes on, and would refuse to draw numbers.
            generator.graphsafe_set_state(before)
            _warn(f"{one_line(error)} ({SWITCH}=off in the environment leaves it out)")
            return
        self._graph, self._batch = graph, held
        for module in self._model.modules():
            owners: tuple[Mapping[str, Tensor | None], ...] = module._parameters, module._buffers
            for own in owners:
                for name, tensor in own.items():
                    if tensor is not None:
                        kept = own, name, tensor, tensor.data_ptr(), tensor.requires_grad
                        self._captured.append(kept)

    def _is_same(self) -> bool:
        """Whether the network's tensors are those that the graph writes to."""
        return all(
            own.get(name) is tensor
            and tensor.data_ptr() == place
            and tensor.requires_grad == trained
            for own, name, tensor, place, trained in self._captured
        )


failed: list[bool] = []
"""Not empty once a capture has failed in this process."""


@cache
def _side_stream(device: int) -> torch.cuda.Stream:
    """The stream of all steps on a GPU: each has workspaces of its own, which torch keeps."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _are_alike(one: Batch, other: Batch) -> bool:
    """Whether two batches have the same shapes and types."""
    return all(
        getattr(one, each.name).shape == getattr(other, each.name).shape
        and getattr(one, each.name).dtype == getattr(other, each.name).dtype
        for each in fields(Batch)
    )


def _warn(why: str) -> None:
    log = logging.getLogger(__name__)
    log.warning("training without a CUDA graph, which is slower: %s", why)


def _reads_back(module: nn.Module) -> bool:
    """Whether a layer is a batch normalization with a cumulative average, which needs the number of
    steps in Python."""
    return isinstance(module, nn.modules.batchnorm._BatchNorm) and module.momentum is None
