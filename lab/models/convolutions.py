"""Layers of convolution, pooling and ReLU as one operation in C, forward and backward.

For networks so small that torch spends its time between the multiplications. The code is
`convolutions.c`, built once by a C compiler (`lab.core.compiled`) and used only after it has
computed an example like torch; without a compiler torch computes, and results differ in rounding.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

from lab.core import compiled

FLAGS = ("-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",
         "-fno-strict-aliasing", "-fPIC", "-shared")  # fmt: skip
"""No flag that reorders a sum. Multiplication and addition may be fused, which rounds once less."""

SWITCH = "MEMLAB_CONVOLUTIONS"
"""The environment variable that says who computes: `auto` (the default), C where it is faster, or
`torch`."""

MOST_LAYERS = 16
"""Layers of a stack at most, as in `convolutions.c`."""

_CODE = Path(__file__).with_suffix(".c")


class Layer(NamedTuple):
    """The parameters of a convolution of 3 x 3 with padding 1, and whether max pooling of 2 x 2
    positions (ceil mode) follows it; ReLU is last."""

    weight: Tensor
    bias: Tensor
    pooled: bool


def in_torch(pictures: Tensor, layers: Sequence[Layer]) -> Tensor:
    """What the layers make of pictures (N, C, H, W), as torch computes it, without autocast."""
    out = pictures
    with torch.autocast("cpu", enabled=False):
        for layer in layers:
            out = conv2d(out, layer.weight, layer.bias, padding=1)
            out = (max_pool2d(out, 2, ceil_mode=True) if layer.pooled else out).relu()
    return out


def in_c(pictures: Tensor, layers: Sequence[Layer], *, rounded: bool = False) -> Tensor:
    """The same in C: float32 on the CPU, with weights contiguous or channels last, and 16 layers at
    most, of which only the last may be without pooling; `is_available` must be true. `rounded`: the
    result as bfloat16, channels last.

    A picture's result depends on no other one. Gradients come from C as well; of gradients that are
    themselves differentiated (`create_graph`) the second derivative comes from torch.
    """
    pictures = pictures.contiguous()
    pooled = tuple(layer.pooled for layer in layers)
    tensors = [tensor for layer in layers for tensor in layer[:2]]
    if torch.is_grad_enabled() and any(each.requires_grad for each in (pictures, *tensors)):
        result: Tensor = _InC.apply(pooled, rounded, pictures, *tensors)
        return result
    return _forward(shape_of(pooled, pictures, tensors), pictures, tensors, None, rounded)


def switch() -> str:
    """What the environment variable says; `ValueError` if it is neither `auto` nor `torch`."""
    said = os.environ.get(SWITCH, "").strip() or "auto"
    if said not in ("auto", "torch"):
        raise ValueError(f"the environment variable {SWITCH} must be auto or torch, not {said!r}")
    return said


@functools.cache
def is_available() -> bool:
    """Whether the C code can be used; if not because of the machine, one warning says why."""
    return works(_compare, "small networks are trained")


def works(check: Callable[[], None], what: str, *, level: int = logging.WARNING) -> bool:
    """Whether C is wanted, and `check` raises no `compiled.Unavailable`; if it does, a line of that
    `level` in the log says `what` is slower for it."""
    if switch() == "torch":
        return False
    try:
        check()
    except compiled.Unavailable as reason:
        log = logging.getLogger(__name__)
        log.log(level, "%s by torch, which is slower than C: %s", what, reason)
        return False
    return True


@functools.cache
def library() -> ctypes.CDLL:
    """The compiled library; raises `compiled.Unavailable` if it cannot be built."""
    text = _CODE.read_text(encoding="utf-8")
    loaded = compiled.load(text, compiled.library_paths("convolutions", text, FLAGS), FLAGS)
    numbers, count, data = ctypes.POINTER(ctypes.c_int), ctypes.c_long, ctypes.c_void_p
    loaded.stored_bytes.restype = count
    loaded.stored_bytes.argtypes = [numbers, count]
    loaded.forward.argtypes = [numbers, count, data, data, ctypes.c_int, data, data]
    loaded.backward.argtypes = [numbers, count, ctypes.c_int, *5 * [data]]
    return loaded


def _compare() -> None:
    """Raise `compiled.Unavailable` unless there is a library, and an example and its gradients come
    out as from torch."""
    library()
    made = [_numbers(18, 3, 9, 7), _numbers(5, 3, 3, 3), _numbers(5), _numbers(2, 5, 3, 3),
            _numbers(2)]  # fmt: skip
    results = []
    with torch.inference_mode(False), torch.enable_grad():
        for compute in (in_c, in_torch):
            given = [tensor.clone().requires_grad_() for tensor in made]
            out = compute(
                given[0], [Layer(given[1], given[2], True), Layer(given[3], given[4], False)]
            )
            results.append([out, *torch.autograd.grad(out.sum(), given)])
    for one, other in zip(*results, strict=True):
        if not torch.allclose(one, other, rtol=1e-3, atol=1e-3 * float(other.detach().abs().max())):
            raise compiled.Unavailable("the compiled library computes differently from torch")


def _numbers(*shape: int) -> Tensor:
    """Numbers from -1 to 1 that look random."""
    count = math.prod(shape)
    return (
        torch.arange(1, count + 1, dtype=torch.float64, device="cpu")
        .square()
        .sin()
        .float()
        .view(shape)
    )


class Shape(NamedTuple):
    """What the library is told of a stack and its pictures, and what follows from it."""

    numbers: Any
    """An array of C's."""
    out: tuple[int, ...]
    """Of the result: channels, rows, columns."""
    stored: int
    """Bytes that are kept for the backward pass."""


def shape_of(pooled: tuple[bool, ...], pictures: Tensor, tensors: Sequence[Tensor]) -> Shape:
    """That of pictures (N, C, H, W) and layers: which are `pooled`, and their `tensors`, a weight
    and a bias each."""
    layers = [
        (len(weight), pool, not weight.is_contiguous())
        for weight, pool in zip(tensors[::2], pooled, strict=True)
    ]
    return _known_shape(library(), tuple(pictures.shape), tuple(layers))


@functools.lru_cache(maxsize=64)
def _known_shape(
    code: ctypes.CDLL, pictures: tuple[int, ...], layers: tuple[tuple[int, bool, bool], ...]
) -> Shape:
    """That for a library: what it stores depends on the vectors that it was compiled for."""
    count, channels, rows, columns = pictures
    told = [len(layers), channels, rows, columns, *(int(each) for one in layers for each in one)]
    numbers = (ctypes.c_int * len(told))(*told)
    for outputs, pooled, _ in layers:
        channels = outputs
        if pooled:
            rows, columns = (rows + 1) // 2, (columns + 1) // 2
    stored = code.stored_bytes(numbers, count)
    return Shape(numbers=numbers, out=(channels, rows, columns), stored=stored)


def _forward(
    shape: Shape,
    pictures: Tensor,
    tensors: Sequence[Tensor],
    stored: Tensor | None,
    rounded: bool,
) -> Tensor:
    count = len(pictures)
    out = torch.empty(
        (count, *shape.out),
        dtype=torch.bfloat16 if rounded else torch.float32,
        device="cpu",
        memory_format=_stored_as(rounded),
    )
    _check(
        library().forward(
            shape.numbers, count, pictures.data_ptr(), _pointers(tensors), rounded, out.data_ptr(),
            None if stored is None else stored.data_ptr(),
        )
    )  # fmt: skip
    return out


def _stored_as(rounded: bool) -> torch.memory_format:
    """The order of the results' numbers in memory."""
    return torch.channels_last if rounded else torch.contiguous_format


class _InC(torch.autograd.Function):
    """The operation, as autograd sees it."""

    @staticmethod
    def forward(
        ctx: Any, pooled: tuple[bool, ...], rounded: bool, pictures: Tensor, *tensors: Tensor
    ) -> Tensor:
        shape = shape_of(pooled, pictures, tensors)
        stored = torch.empty(shape.stored, dtype=torch.uint8, device="cpu")
        ctx.pooled, ctx.rounded, ctx.shape = pooled, rounded, shape
        ctx.save_for_backward(stored, pictures, *tensors)
        return _forward(shape, pictures, tensors, stored, rounded)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        stored, pictures, *tensors = ctx.saved_tensors
        needed = ctx.needs_input_grad[2:]
        if torch.is_grad_enabled() or not has_memory(gradient):
            made = _in_torch(ctx.pooled, pictures, tensors, gradient.float(), needed)
            return None, None, *made
        gradient = gradient.contiguous(memory_format=_stored_as(ctx.rounded))
        found = [torch.empty_like(tensor) for tensor in tensors]
        of_pictures = torch.empty_like(pictures) if needed[0] else None
        _check(
            library().backward(
                ctx.shape.numbers, len(pictures), ctx.rounded, gradient.data_ptr(),
                _pointers(tensors), _pointers(found),
                None if of_pictures is None else of_pictures.data_ptr(), stored.data_ptr(),
            )
        )  # fmt: skip
        wanted = (each if need else None for each, need in zip(found, needed[1:], strict=True))
        return None, None, of_pictures, *wanted


def _in_torch(
    pooled: tuple[bool, ...],
    pictures: Tensor,
    tensors: Sequence[Tensor],
    gradient: Tensor,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients from torch: differentiable, and of several `gradient` at once in `vmap`."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        pairs = zip(tensors[::2], tensors[1::2], pooled, strict=True)
        out = in_torch(pictures, [Layer(*each) for each in pairs])
    sources = [each for each, need in zip((pictures, *tensors), needed, strict=True) if need]
    found = iter(torch.autograd.grad(out, sources, gradient, create_graph=again))
    return [next(found) if need else None for need in needed]


def has_memory(tensor: Tensor) -> bool:
    """Whether a tensor's numbers are in memory as they are: not those of `torch.func`'s transforms,
    nor where memory holds their negatives or nothing."""
    try:
        tensor.data_ptr()
    except RuntimeError:
        return False
    return not (tensor.is_neg() or tensor._is_zerotensor())


def _pointers(tensors: Sequence[Tensor]) -> Any:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


def _check(code: int) -> None:
    if code:
        raise MemoryError("no memory for the layers of a network")
