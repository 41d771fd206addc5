"""Training steps on an NVIDIA GPU, captured once as a CUDA graph and then replayed.

A step of a small network launches some hundred kernels of a few microseconds each, and most of its
time goes by in Python and in launching them. A graph launches all of them at once. It repeats what
the captured step did, kernel by kernel: whatever Python decides anew at each step (random numbers
of its own, counters, branches) it would not decide again. So only networks are captured whose
modules are known not to do so; see `can_be_captured`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import fields

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
    """`compute(batch)`, a training step of `model` on a GPU without its random seed and learning
    rate: launched kernel by kernel at first, and later as one CUDA graph.

    Calls must be given batches of one shape. Where the network's tensors are exchanged, and where
    a capture fails, steps are launched kernel by kernel from then on.
    """

    def __init__(
        self, compute: Callable[[Batch], None], model: nn.Module, optimizer: Optimizer
    ) -> None:
        self._compute = compute
        self._model = model
        self._optimizer = optimizer
        self._eager_left: float = EAGER_STEPS
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: Batch | None = None
        self._captured: list[tuple[Mapping[str, Tensor | None], str, Tensor, int]] = []

    @property
    def captured(self) -> bool:
        """Whether the next step is a replay."""
        return self._graph is not None

    def __call__(self, batch: Batch) -> None:
        """Perform a step."""
        if self._graph is None and self._eager_left <= 0:
            self._capture(batch)
        if self._graph is not None and not self._is_same():
            self._give_up("the network exchanged some of its tensors")
        if self._graph is None or self._batch is None:
            self._launch(batch)
            return
        for each in fields(Batch):
            getattr(self._batch, each.name).copy_(getattr(batch, each.name))
        self._graph.replay()

    def _launch(self, batch: Batch) -> None:
        """Kernel by kernel, on a stream that is not the default one: autograd's nodes remember
        theirs, and the default stream cannot take part in a capture."""
        self._eager_left -= 1
        here = torch.cuda.current_stream()
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            self._compute(batch)
        here.wait_stream(self._stream)

    def _capture(self, batch: Batch) -> None:
        """Capture a step, without performing it."""
        self._batch = Batch(*(getattr(batch, each.name).clone() for each in fields(Batch)))
        graph = torch.cuda.CUDAGraph()
        try:
            # Another thread may use the GPU meanwhile, so only this one's calls are looked at.
            with (
                capturing(self._optimizer),
                torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"),
            ):
                self._compute(self._batch)
        except Exception as error:  # torch's, in many forms
            self._give_up(one_line(error))
            return
        self._graph = graph
        for module in self._model.modules():
            owners: tuple[Mapping[str, Tensor | None], ...] = module._parameters, module._buffers
            for own in owners:
                for name, tensor in own.items():
                    if tensor is not None:
                        self._captured.append((own, name, tensor, tensor.data_ptr()))

    def _is_same(self) -> bool:
        """Whether the network's tensors are those that the graph writes to."""
        return all(
            own.get(name) is tensor and tensor.data_ptr() == place
            for own, name, tensor, place in self._captured
        )

    def _give_up(self, why: str) -> None:
        self._graph, self._batch, self._captured = None, None, []
        self._eager_left = float("inf")
        log = logging.getLogger(__name__)
        log.warning("training without a CUDA graph, which is slower: %s", why)


def _reads_back(module: nn.Module) -> bool:
    """Whether a layer is a batch normalization with a cumulative average, which needs the number of
    steps in Python."""
    return isinstance(module, nn.modules.batchnorm._BatchNorm) and module.momentum is None
