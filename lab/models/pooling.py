"""Max pooling and ReLU as one operation in C, forward and backward, with the bits of torch.

torch goes over the pictures five times for these two, three of them backward; the code in
`pooling.c` goes over them twice, and only selects numbers, so that nothing is rounded. It is built
once by a C compiler (`lab.core.compiled`); without one torch computes the same.
"""

from __future__ import annotations

import ctypes
import functools
import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from lab.core import compiled
from lab.models.convolutions import FLAGS, has_memory, works

NAMES = {torch.float32: "float", torch.bfloat16: "bfloat"}
"""The types that C computes, as its functions are named for them."""

_CODE = Path(__file__).with_suffix(".c")


def pool_relu_in_torch(pictures: Tensor) -> Tensor:
    """Max pooling of 2 x 2 positions (ceil mode), then ReLU, of pictures (N, C, H, W)."""
    return max_pool2d(pictures, 2, ceil_mode=True).relu()


def pool_relu_in_c(pictures: Tensor) -> Tensor:
    """The same in C, to the bit but for the sign of zeros, for what `serves` accepts;
    `is_available` must be true.

    Gradients come from C as well; of gradients that are themselves differentiated (`create_graph`)
    the second derivative comes from torch.
    """
    if torch.is_grad_enabled() and pictures.requires_grad:
        result: Tensor = _PoolReLU.apply(pictures)
        return result
    return _forward(pictures)[0]


def serves(pictures: Tensor) -> bool:
    """Whether C computes these: more than one channel, channels last, float32 or bfloat16."""
    return (
        pictures.ndim == 4
        and pictures.dtype in NAMES
        and pictures.device.type == "cpu"
        and pictures.shape[1] > 1
        and pictures.numel() > 0
        and has_memory(pictures)
        and pictures.is_contiguous(memory_format=torch.channels_last)
        and not pictures.is_contiguous()
    )


@functools.cache
def is_available() -> bool:
    """Whether the C code can be used. If not, no warning is due: torch gives the same bits, and is
    little slower."""
    return works(_compare, "max pooling is computed", level=logging.INFO)


@functools.cache
def library() -> ctypes.CDLL:
    """The compiled library; raises `compiled.Unavailable` if it cannot be built."""
    text = _CODE.read_text(encoding="utf-8")
    loaded = compiled.load(text, compiled.library_paths("pooling", text, FLAGS), FLAGS)
    data, number = ctypes.c_void_p, ctypes.c_int
    for name in NAMES.values():
        for way in (f"forward_{name}", f"backward_{name}"):
            compute = getattr(loaded, way)
            compute.restype = None
            compute.argtypes = [data, ctypes.c_long, number, number, number, data, data]
    return loaded


def _compare() -> None:
    """Raise `compiled.Unavailable` unless examples and their gradients come out as from torch."""
    for dtype in NAMES:
        count = 3 * 5 * 7 * 9
        made = torch.arange(1, count + 1, dtype=torch.float64, device="cpu").square().sin()
        made = made.to(dtype).view(3, 5, 7, 9).to(memory_format=torch.channels_last)
        results = []
        with torch.inference_mode(False), torch.enable_grad():
            for compute in (pool_relu_in_c, pool_relu_in_torch):
                given = made.clone().requires_grad_()
                out = compute(given)
                weighted = (
                    out * made[:, :, :4, :5].cos()
                ).sum()  # a scalar needs no sympy, 0.3 s to import
                results.append((out, *torch.autograd.grad(weighted, given)))
        if not all(torch.equal(one, other) for one, other in zip(*results, strict=True)):
            raise compiled.Unavailable("the compiled library computes differently from torch")


def _forward(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """The results, channels last, and which of the four positions each comes from."""
    count, channels, rows, columns = pictures.shape
    shape = (count, channels, (rows + 1) // 2, (columns + 1) // 2)
    out = torch.empty(shape, dtype=pictures.dtype, device="cpu", memory_format=torch.channels_last)
    chosen = torch.empty(out.numel(), dtype=torch.uint8, device="cpu")
    compute = getattr(library(), f"forward_{NAMES[pictures.dtype]}")
    compute(pictures.data_ptr(), count, rows, columns, channels, out.data_ptr(), chosen.data_ptr())
    return out, chosen


class _PoolReLU(torch.autograd.Function):
    """The operation, as autograd sees it."""

    @staticmethod
    def forward(ctx: Any, pictures: Tensor) -> Tensor:
        out, chosen = _forward(pictures)
        ctx.save_for_backward(pictures, chosen)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        pictures, chosen = ctx.saved_tensors
        if torch.is_grad_enabled() or not has_memory(gradient):
            with torch.enable_grad():
                out = pool_relu_in_torch(pictures)
            again = torch.is_grad_enabled()
            made: Tensor = torch.autograd.grad(out, pictures, gradient, create_graph=again)[0]
            return made
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        count, channels, rows, columns = pictures.shape
        found = torch.empty_like(pictures)
        compute = getattr(library(), f"backward_{NAMES[pictures.dtype]}")
        compute(
            found.data_ptr(), count, rows, columns, channels, gradient.data_ptr(),
            chosen.data_ptr(),
        )  # fmt: skip
        return found
