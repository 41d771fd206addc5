"""What an attribution method gets: trained networks with their checkpoints, and examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from lab.models import to_input


class Unsuitable(ValueError):
    """The networks are not of the kind that a method is for; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network that was trained on the whole training set.

    Args:
        model: takes the weights of the checkpoints in turn.
        weights: its state at some steps of its training, in their order; the last one is that of
            the trained network.
        rates: the learning rate at each of them.
    """

    model: nn.Module
    weights: Sequence[Mapping[str, Tensor]]
    rates: Sequence[float]

    def trained(self) -> nn.Module:
        """The trained network, in eval mode, until another method of this is called."""
        self.model.load_state_dict(dict(self.weights[-1]))
        return self.model.eval()

    def checkpoints(self) -> Iterator[tuple[float, nn.Module]]:
        """At each checkpoint the learning rate and the network, in eval mode, which is another one
        afterwards."""
        for rate, weights in zip(self.rates, self.weights, strict=True):
            self.model.load_state_dict(dict(weights))
            yield rate, self.model.eval()


@dataclass(frozen=True, kw_only=True)
class Case:
    """Networks, N training examples, and M others that the networks' predictions are asked for.

    Args:
        networks: one or more.
        images: of the training examples, as they are stored.
        labels: theirs (N,) int64, as they were given.
        other_images: of the others.
        other_labels: theirs (M,) int64: what is attributed is the evidence for these.
        classes: how many there are.
        to_input: makes stored images what a network is fed.
    """

    networks: Sequence[Network]
    images: Tensor
    labels: Tensor
    other_images: Tensor
    other_labels: Tensor
    classes: int
    to_input: Callable[[Tensor], Tensor] = to_input
