"""What the user's network returns: logits, or probabilities, of which the log odds are measured."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lab.core.text import unknown
from lab.models import last_operation, sum_to_one, untouched
from lab.watching.trees import Tree, leaves, mapped

Forward = Callable[[nn.Module, Tree], Any]
"""A function of the network and inputs (N, …) that returns logits (N, C)."""

Kind = Literal["logits", "sigmoid", "softmax"]
"""Logits; probabilities of each class by itself (of one column: of class 1); probabilities of all
classes, which sum to 1."""

KNOWN = ("logits", "probabilities")
"""What a user may say that a network returns."""

LEAST = 1e-7
"""Probabilities are kept so far from 0 and 1, as Keras's own losses do (`epsilon`)."""

SQUASHED = ("Sigmoid", "Hardsigmoid", "Softmax")
"""Last operations, as autograd calls them, whose results are probabilities."""

APART = ("Sigmoid", "Hardsigmoid")
"""Those of them that give each class a probability by itself, whatever their sum."""

UNBOUNDED = ("Addmm", "Mm", "Linear", "MkldnnLinear", "Bmm", "Baddbmm", "Convolution",
             "LogSoftmax", "NativeBatchNorm", "CudnnBatchNorm")  # fmt: skip
"""Last operations whose results are no probabilities, whatever values they happen to have."""


def plain_forward(model: nn.Module, inputs: Tree) -> Any:
    """The network's output: a dictionary of inputs is passed as keywords (a single one that is not
    called as the network's argument: as the argument), a tuple as arguments. `ValueError` if they
    do not fit."""
    if isinstance(inputs, Mapping):
        signature = inspect.signature(model.forward)
        try:
            signature.bind(**inputs)
        except TypeError as error:
            if len(inputs) == 1:
                return model(*inputs.values())
            names = ", ".join(map(str, inputs))
            raise ValueError(
                f"the examples have {names}, and the model takes {signature} ({error}): give"
                f" forward=, such as lambda model, x: model(x[{next(iter(inputs))!r}])"
            ) from None
        return model(**inputs)
    if isinstance(inputs, (list, tuple)):
        _refuse_parts(model, inputs)
        return model(*inputs)
    return model(inputs)


def _refuse_parts(model: nn.Module, inputs: Sequence[Tree]) -> None:
    """Raise `ValueError` if the network does not take as many arguments as the inputs have parts;
    of scripted networks that is not known."""
    try:
        signature = inspect.signature(model.forward)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*inputs)
    except TypeError as error:
        raise ValueError(
            f"the input of an example has {len(inputs)} parts, each of which is passed as an"
            f" argument, and the model takes {signature} ({error}): give forward=, such as"
            " lambda model, x: model(x) where it takes all parts as one"
        ) from None


def fitting_item(output: Any, count: int, labels: int, classes: int) -> int:
    """Which item of several that a network returns for `count` examples is taken: the only one that
    has a column for each class (one column, of two classes), or the first if none has. `labels` is
    how many classes the labels have at least, `classes` how many there are, 0: not known.

    `ValueError` if another one might be meant: one that fits too and answers otherwise, or the
    first one where another fits the labels and the first is wider.
    """
    if not isinstance(output, (list, tuple)) or hasattr(output, "logits"):
        return 0
    wanted = classes or labels
    widths = [_width(item, count) for item in output]
    fitting = [i for i, width in enumerate(widths) if _fits(width, wanted)]
    if not fitting:  # the labels may not show all classes
        fitting = [i for i, width in enumerate(widths) if width is not None and width == widths[0]]
    best = fitting[0] if fitting else 0
    rivals = [i for i in fitting[1:] if not _same_answers(output[best], output[i])]
    if rivals:
        told = f"{', '.join(map(str, [best, *rivals][:-1]))} and {rivals[-1]}"
        raise ValueError(
            f"the model returns {len(output)} items, of which {told} may be the logits: say which"
            f" is measured: give forward=lambda m, x: m(x)[{best}], or [{rivals[-1]}] in its place"
        )
    if best and not classes and (widths[0] or 0) > wanted:
        raise ValueError(
            f"the model returns {len(output)} items: item 0 has {widths[0]} columns, item {best}"
            f" has {widths[best]}, and the labels have {labels} classes. Say which has the logits:"
            f" give forward=lambda m, x: m(x)[{best}], or [0] in its place"
        )
    return best


def _same_answers(one: Tensor, other: Tensor) -> bool:
    """Whether one of two outputs (N, C) is surely not other logits than the other one: it is their
    softmax or its logarithm, or a number beside logits of two classes."""
    one, other = (each.detach().double().reshape(len(each), -1) for each in (one, other))
    if one.shape != other.shape:
        return one.shape[1] > other.shape[1]
    (kind, mine), (other_kind, others) = _chances(one), _chances(other)
    return kind != other_kind and torch.allclose(mine, others, rtol=0, atol=1e-2)


def _chances(rows: Tensor) -> tuple[str, Tensor]:
    """What an output (N, C) looks like, and the probabilities that it then stands for."""
    alone = rows.shape[1] == 1
    for kind, chances in (("softmax", rows), ("log", rows.exp())):
        within = bool(((chances >= 0) & (chances <= 1)).all())
        if within and (alone or sum_to_one(chances)):
            return kind, chances
    return "logits", rows.sigmoid() if alone else rows.softmax(dim=1)


def _width(item: Any, count: int) -> int | None:
    """The columns of an item that might be logits; None: it cannot be."""
    if not isinstance(item, Tensor) or not item.is_floating_point():
        return None
    if item.ndim not in (1, 2) or len(item) != count:
        return None
    return item.shape[1] if item.ndim == 2 else 1


def _fits(width: int | None, classes: int) -> bool:
    return width == classes or (width == 1 and classes == 2)


def as_rows(output: Any, count: int) -> Tensor:
    """A network's output for `count` examples as it stands, (N, C) or (N, 1): `.logits` of it, or
    the first of several. Of one example the row may have been squeezed. `ValueError` for another
    shape."""
    if isinstance(output, Mapping) and "logits" in output:
        output = output["logits"]
    elif not isinstance(output, Tensor):
        output = getattr(output, "logits", output)
    if isinstance(output, (list, tuple)) and output:
        output = output[0]
    if not isinstance(output, Tensor):
        raise ValueError(
            f"the model returns a {type(output).__name__}, not logits: give forward=, a function"
            " of model and inputs that returns them"
        )
    found = output.as_subclass(Tensor)
    if count == 1 and found.ndim < 2:
        found = found.reshape(1, -1)
    if found.ndim == 1:
        found = found[:, None]
    if found.ndim != 2 or len(found) != count or not found.is_floating_point():
        raise ValueError(
            f"the model returns {tuple(output.shape)} {output.dtype} for {count} examples, not"
            " (N, classes) logits, or (N,) of a binary classifier: give forward="
        )
    return found


def as_logits(output: Any, count: int) -> Tensor:
    """A network's output for `count` examples as logits (N, C): as `as_rows`; one logit z of a
    binary classifier as (0, z)."""
    logits = as_rows(output, count)
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    return logits


def log_odds(probabilities: Tensor, kind: Kind) -> Tensor:
    """The logits (…) float64 whose sigmoid or softmax the probabilities (…) are."""
    kept = probabilities.double().clamp(LEAST, 1 - LEAST)
    return torch.logit(kept) if kind == "sigmoid" else kept.log()


class Outputs:
    """The user's `forward` as a function of network and inputs that returns logits.

    `said` is what the user says that it returns, None: nothing; `ValueError` for an unknown word.
    `kind` is logits until `settle` finds something else; of several items that it returns `item` is
    taken, the first until `choose` finds another one.
    """

    def __init__(self, forward: Forward | None, said: str | None) -> None:
        if said is not None and said not in KNOWN:
            raise ValueError(f"outputs: {unknown('kind of output', said, KNOWN)}")
        self.kind: Kind = "logits"
        self.settled = said == "logits"
        self.item = 0
        self._forward, self._said = forward or plain_forward, said

    def __call__(self, network: nn.Module, inputs: Tree) -> Any:
        output = self._output(network, inputs)
        if self.kind == "logits":
            return output
        return log_odds(as_rows(output, len(leaves(inputs)[0])), self.kind)

    def choose(self, network: nn.Module, inputs: Tree, labels: int, classes: int) -> None:
        """Find out which item is taken, as `fitting_item` says, from the outputs for two or more
        `inputs`; what the network cannot do with them is left to be told when it is measured."""
        output: Any = None
        with suppress(Exception), untouched(network):
            output = self._forward(network, mapped(inputs, torch.clone))
        self.item = fitting_item(output, len(leaves(inputs)[0]), labels, classes)

    def _output(self, network: nn.Module, inputs: Tree) -> Any:
        output = self._forward(network, inputs)
        return output[self.item] if self.item else output

    def last_operation(self, network: nn.Module, inputs: Tree) -> str:
        """What makes the outputs for `inputs`, as autograd calls it, such as "Sigmoid"; empty where
        that is not known."""
        with suppress(Exception), untouched(network), torch.enable_grad():
            rows = as_rows(self._output(network, inputs), len(leaves(inputs)[0]))
            return last_operation(rows)
        return ""

    def settle(self, rows: Tensor, operation: str, all_rows: Callable[[], Tensor]) -> str:
        """Find out what the network returns, from `rows` (N, C) or (N, 1) of it, from the last
        `operation`, and where these leave it open from the rows of `all_rows`; returns what is to
        be said about it, or nothing.

        `ValueError` in one line where it may be one or the other, or is not what the user says.
        """
        self.settled = True
        within = bool(((rows >= 0) & (rows <= 1)).all())
        summed = operation not in APART and sum_to_one(rows)
        if self._said == "probabilities":
            if not within:
                worst = rows[(rows < 0) | (rows > 1) | rows.isnan()][0].item()
                raise ValueError(
                    f"outputs='probabilities', and the model returns {worst:.3g}: give"
                    " outputs='logits', or leave it out"
                )
            self.kind = "softmax" if summed else "sigmoid"
            return ""
        if operation == "LogSigmoid":
            raise ValueError(
                "the model returns logarithms of sigmoids, not logits: leave out its LogSigmoid, or"
                " give forward="
            )
        if within and (summed or operation in SQUASHED):
            self.kind = "softmax" if summed else "sigmoid"
            of = "of class 1" if rows.shape[1] == 1 else "of each class by itself"
            return (
                f"the model returns probabilities {'that sum to 1' if summed else of}, and their"
                " log odds are measured."
                " outputs='probabilities' says so, outputs='logits' takes them for logits"
            )
        alone = rows.shape[1] == 1
        # several columns of zeros are those of a network whose weights begin with them
        inside = within and (alone or bool(((rows > 0) & (rows < 1)).all()))
        if inside and operation not in UNBOUNDED:
            several = all_rows()
            if bool(((several >= 0) & (several <= 1)).all()):
                what = "a number" if alone else f"{rows.shape[1]} numbers"
                of = "of class 1" if alone else "of the classes"
                raise ValueError(
                    f"the model returns {what} from 0 to 1 for each of {len(several):,} examples:"
                    f" say whether these are probabilities {of} (outputs='probabilities') or logits"
                    " (outputs='logits')"
                )
        return ""
