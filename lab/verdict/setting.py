"""What a verdict is made of: what it must know of a run, and a finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from lab.core.estimate import Estimate
from lab.measure.better_threshold import BetterThreshold
from lab.measure.smallest_right import SmallestRight
from lab.measure.unmet import Unmet
from lab.worlds import Cue
from lab.worlds.clusters import Clusters

Metrics = Mapping[str, Estimate]

Relabeled = Literal["", "others", "classes"]
"""What shows that a network was trained with other labels: nothing; that few of its answers are
right; that they are right of other classes."""


class Peak(NamedTuple):
    """The highest training accuracy of earlier evaluations, 0 to 1, and its step."""

    step: int
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the verdict uses of a run besides its metrics."""

    num_train: int
    num_test: int
    num_classes: int
    """Classes of the task, or outputs of a network of another program."""
    met_classes: int | None = None
    """Classes that test examples have, where these may be fewer; None: all."""
    frequent: float = 0.0
    """Share of the most frequent class among the test examples, 0 to 1, if the classes are not
    equally frequent; 0: they are."""
    frequent_train: float = 0.0
    """Share of the most frequent label among the training examples on which accuracy is measured, 0
    to 1; 0: not known."""
    label_noise: float
    label_noise_kind: Literal["random", "flip"] = "random"
    steps: int
    """Optimizer steps that were done."""
    width: int | None
    """Width of the network; None: it has no such setting."""
    patience: int | None = None
    """Evaluations without a lower validation loss after which it was stopped early; None: it was
    not."""
    bound: float | None = None
    """Mean training loss at which it ended, in nats; None: not by that."""
    relevant: tuple[str, ...] = ()
    """Relevant attributes; (): not known, so that nothing is called a nuisance."""
    varied: tuple[str, ...] = ()
    """Relevant attributes that vary in the training set."""
    cues: tuple[Cue, ...] = ()
    """Nuisances that are tied to the label."""
    held: tuple[str, ...] = ()
    """Attributes of which unseen combinations show one value each, or one of a few."""
    kept: int | None = None
    """The step of which it has the weights, where that is not the last one; None: it is."""
    peak: Peak | None = None
    """The best evaluation before the step whose weights it has; None: not known."""
    forgotten: tuple[str, ...] = ()
    """Classes of which it got nearly all training examples right at an earlier evaluation, and now
    hardly any, as where a loop shows it classes one after the other."""
    online: int | None = None
    """Number of training examples of online training, each used once; training accuracy is measured
    on the first `num_train`. None: `num_train` examples, re-used in every epoch."""
    replaced: int = 0
    """Of the examples on which training accuracy is measured those in whose place online training
    had counterfactuals."""
    shown: int | None = None
    """Training examples in all batches before it had its weights, the same one again in each epoch;
    None: not known."""

    measured_train: int | None = None
    """Training examples on which accuracy was measured, a random sample; None: all of them."""
    shared: int = 0
    """Test examples that are known to be training examples, too."""
    shared_otherwise: int = 0
    """How many of these, or of those that are `alike`, have another label in training."""
    alike: int = 0
    """Those that are the same as training examples, maybe by chance, as short rows of a table."""
    turned: int = 0
    """Further ones that are training examples mirrored or turned."""
    clusters: Clusters | None = None
    """Test examples that may belong together, or with training examples."""
    stated: tuple[int, int] | None = None
    """Clusters of training and of test examples, where it is known which belong together; None: it
    is not."""
    other_scale: bool = False
    """Whether the inputs of the test set are of another scale than those of the training set."""
    filled: bool = False
    """Whether one number of them is most often the same in one of the two sets alone."""
    other_shape: bool = False
    """Whether they are of another shape."""
    opposite: float | None = None
    """The correlation of the mean pictures of the two sets, where one is dark where the other is
    bright."""
    shared_nearly: int = 0
    """Of these pictures that are nearly, and none that is exactly, the same as one for training."""
    shared_more: bool = False
    """Whether there may be more of them."""
    fed: tuple[int, int] | None = None
    """How many inputs were seen that another program fed the network while it trained it, and how
    many of them are test examples; None: too few of them to say so."""
    fed_more: bool = False
    """Whether more of them may be, as only some of the test examples were searched for."""
    part: tuple[int, int, int] | None = None
    """How many of the training examples another program seems to go through, how many it was seen
    to feed the network, and among how many inputs; None: it may be all of them, or not known."""
    broken: int = 0
    """Examples of which inputs are not finite."""
    first_not_finite: bool | None = None
    """Whether the untrained network already had logits that are not finite; None: not known."""
    rescaled: bool = False
    """Whether another program fed the network other inputs while it trained it: of another scale or
    shape, or changed in a way that is not random."""
    one_compared: bool = False
    """Whether its inputs are several tensors, of which only one is compared with what the loop
    feeds it."""
    unrecognized: bool = False
    """Whether none of the inputs that another program was seen to feed it is one of those on which
    it was measured, as they are or changed in a way that is known."""
    uncalled: bool = False
    """Whether another program was not seen to call the network itself while it trained it, so that
    it is not known which inputs it fed it."""
    redrawn: bool = False
    """Whether the training examples are random augmentations, of which one draw was measured."""
    test_redrawn: bool = False
    """Whether the test examples are."""
    before: Estimate | None = None
    """Accuracy on the test set before training, where that shows that the network was trained
    earlier already; None: not so, or not known."""
    probabilities: bool = False
    """Whether its outputs, which are taken for logits, are probabilities that sum to 1."""
    in_training: Estimate | None = None
    """The share of training examples that it gets right in training mode, where that is surely more
    than in eval mode, by far; else None."""
    relabeled: Relabeled = ""
    """Whether another program seems to have trained the network with other labels, by what shows
    it: fewer are right than by one answer to all, or each class gets one answer, mostly another."""
    exchanged: tuple[tuple[str, str], ...] = ()
    """Classes whose test examples get the name of another one, each with that."""
    smallest: SmallestRight | None = None
    """What shows that the smallest of its outputs, not the largest, is that of the right class;
    None: nothing does."""
    threshold: str = ""
    """A function of `model` and `x` whose threshold is 0, where that of the one output of the model
    seems to be another one."""
    ranked: BetterThreshold | None = None
    """A threshold by which the outputs for two classes surely tell training examples better apart
    than the answers do; None: there is none, or it is not known."""
    unmet: Unmet | None = None
    """Which answers are classes that no example has; None: none or hardly any are, or it is not
    known."""
    untouched: bool = False
    """Whether no weight of the network changed in all of `steps`."""
    changes: tuple[str, ...] = ()
    """Interventions of the user's own, of which it is not known what they should change."""
    flags: bool = True
    """Whether advice names flags of the lab; False: another program trained the model."""

    noun: str = "faces"
    """Plural noun for the examples."""
    concept: str = "the task"
    """What there is to learn, as the object of a sentence: "what makes a person"."""
    more_train: int | None = None
    more_test: int | None = None
    """Further training and test examples that exist; None: unlimited."""

    @property
    def even(self) -> float:
        """The mean accuracy over the classes that test examples have which one answer to all gets,
        0 to 1."""
        return 1 / (self.met_classes or self.num_classes)

    @property
    def chance(self) -> float:
        """Chance level of accuracy, 0 to 1: of a guess, or of always predicting the most frequent
        class."""
        return max(self.frequent, 1 / self.num_classes)

    @property
    def train_chance(self) -> float:
        """Chance level of training accuracy, 0 to 1, likewise."""
        return max(self.frequent_train, 1 / self.num_classes)

    @property
    def studied(self) -> int:
        """Of the `num_train` examples, how many it was trained on, as far as that is known."""
        seen = self.shown if self.online is None else self.online
        return self.num_train if seen is None else min(seen, self.num_train)


@dataclass(frozen=True)
class Finding:
    """A claim: `kind` is its identifier, `text` its sentences."""

    kind: str
    text: str
