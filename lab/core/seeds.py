"""Named random streams: every random number has an address (seed, name, index).

A stream is a pure function of its name. So draws from one stream do not affect any other, the first
64 of 1,024 numbers are the same as 64 numbers, and number i can be computed without those before
it.

The generator is SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014, figure 16) evaluated at a counter; the key is the SHA-256 of the stream's name.
"""

import hashlib
from functools import lru_cache
from operator import index

import numpy as np
import numpy.typing as npt

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)

Indices = npt.NDArray[np.int64]


def stream_key(seed: int, *name: str | int) -> int:
    """The 64-bit key of the stream `name` under `seed`; `TypeError` for a seed that is no whole
    number, which would share its stream with another."""
    address = "\x1f".join([str(index(seed)), *map(str, name)])
    return int.from_bytes(hashlib.sha256(address.encode()).digest()[:8], "little")


def mix(counter: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's finalizer: uint64 in, well-mixed uint64 out (a bijection)."""
    z = (counter ^ (counter >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


def bits(indices: Indices, seed: int, *name: str | int) -> npt.NDArray[np.uint64]:
    """64 random bits for each of `indices` (N,), from the stream `name` under `seed`."""
    key = np.uint64(stream_key(seed, *name))
    counter = (indices.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    return mix(key + counter)


def uniforms(indices: Indices, seed: int, *name: str | int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each of `indices` (N,), from the stream `name` under `seed`."""
    return _fractions(bits(indices, seed, *name))


def uniforms_of_each(
    streams: range, indices: Indices, seed: int, *name: str | int
) -> npt.NDArray[np.float64]:
    """`uniforms` (S, N) of several streams (*name, s), s in `streams`, in one computation."""
    counter = (indices.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    return _fractions(mix(_keys(streams, seed, *name)[:, None] + counter))


@lru_cache(maxsize=1024, typed=True)
def _keys(streams: range, seed: int, *name: str | int) -> npt.NDArray[np.uint64]:
    keys = np.array([stream_key(seed, *name, s) for s in streams], dtype=np.uint64)
    keys.flags.writeable = False
    return keys


def _fractions(random: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    return (random >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permutation(count: int, seed: int, *name: str | int) -> Indices:
    """A random order of 0 … count-1 from the stream `name` under `seed`."""
    order = np.argsort(bits(np.arange(count, dtype=np.int64), seed, *name), kind="stable")
    return order.astype(np.int64)


def torch_seed(seed: int, *name: str | int) -> int:
    """A seed in [0, 2^63) for a `torch.Generator` or `torch.manual_seed`."""
    return stream_key(seed, *name) >> 1
