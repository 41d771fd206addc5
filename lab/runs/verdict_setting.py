"""What the verdict must know of a run beside its metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lab.core.estimate import Estimate
from lab.measure.better_threshold import BetterThreshold
from lab.measure.smallest_right import SmallestRight
from lab.measure.unmet import Unmet
from lab.models import has_width
from lab.runs.resolve import ResolvedRun
from lab.verdict import Setting, peak_of
from lab.worlds import DrawnWorld, Examples, StoredWorld
from lab.worlds.copies import Copies
from lab.worlds.pairs import replaced


def verdict_setting(
    run: ResolvedRun,
    train: Examples,
    *,
    steps: int,
    weights_of: int | None = None,
    fitted: bool = False,
    first_not_finite: bool = False,
    copies: Copies | None = None,
    smallest: SmallestRight | None = None,
    exchanged: tuple[tuple[str, str], ...] = (),
    ranked: BetterThreshold | None = None,
    unmet: Unmet | None = None,
    opposite: float | None = None,
    met_classes: int | None = None,
    probabilities: bool = False,
    before: Estimate | None = None,
    in_training: Estimate | None = None,
    evaluations: Sequence[Mapping[str, Any]] = (),
) -> Setting:
    """The setting of a run that was trained for `steps` steps, `train` its training set; it has the
    weights of step `weights_of` (None: the last). `fitted`: the training loss reached its bound;
    `first_not_finite`: the untrained network already had logits that are not finite. `copies` are
    those between its sets, of pictures from disk, and `opposite` is the correlation of the mean
    pictures of these, as `lab.worlds.mean_pictures` has it. `smallest` shows that its smallest
    output is the right one, `ranked` that another threshold is a better one; `unmet` are its
    answers that no example has, `exchanged` classes that seem to be; `met_classes`: so many
    classes do test examples have. `probabilities`: its
    outputs are such, in place of logits. `before`: accuracy on the test set before training, where
    that shows that it was known; `in_training`: on training pictures in training mode, where that
    is far more than in eval mode. `evaluations` are the metrics of all evaluations, each with its
    `step`."""
    early = steps < run.config.train.max_steps and not fitted
    config, world, samples = run.config, run.world, train.samples
    data, left = config.data, world.available("test")
    most = world.most_training(config.validation_faces) if isinstance(world, StoredWorld) else None
    shown = (steps if weights_of is None else weights_of) * config.train.batch_size
    combinations = world.population.unseen_combinations if isinstance(world, DrawnWorld) else ()
    share, others = config.train.counterfactual_pairs, 0
    if share and isinstance(world, DrawnWorld):
        others = replaced(world, data.num_train, share=share)
    varied = [n for n in world.relevant if bool((samples[n] != samples[n][0]).any())]
    return Setting(
        num_train=data.num_train,
        num_test=data.num_test,
        num_classes=len(world.classes),
        frequent=world.majority if isinstance(world, StoredWorld) else 0.0,
        frequent_train=float(torch.bincount(train.labels.cpu()).max()) / len(train),
        label_noise=data.label_noise,
        label_noise_kind=data.label_noise_kind,
        steps=steps,
        width=config.model.width if has_width(config.model.model) else None,
        patience=config.train.early_stopping if early else None,
        bound=config.loss_bound if fitted else None,
        relevant=world.relevant,
        varied=tuple(varied),
        cues=world.cues,
        held=tuple(name for each in combinations for name, _ in each.conditions),
        peak=peak_of(
            evaluations,
            before=steps if weights_of is None else weights_of,
            classes=len(world.classes),
        ),
        kept=None if weights_of == steps else weights_of,
        first_not_finite=first_not_finite,
        shared=copies.shared if copies else 0,
        shared_otherwise=copies.relabeled if copies else 0,
        turned=copies.turned if copies else 0,
        clusters=world.clusters(data.num_train, data.num_test)
        if isinstance(world, StoredWorld)
        else None,
        stated=world.numbers_of_clusters if isinstance(world, StoredWorld) else None,
        shared_nearly=copies.shared - copies.exact if copies else 0,
        shared_more=copies is not None and copies.may_share_more(data.num_test),
        smallest=smallest,
        opposite=opposite,
        met_classes=met_classes,
        exchanged=exchanged,
        ranked=ranked,
        unmet=unmet,
        probabilities=probabilities,
        before=before,
        in_training=in_training,
        online=shown if config.train.online else None,
        replaced=others,
        shown=shown,
        noun=world.noun,
        concept=concept_of(world.classes),
        more_train=most - data.num_train if most is not None else None,
        more_test=None if left is None else left - data.num_test,
    )


def concept_of(classes: Sequence[str]) -> str:
    """What there is to learn, as the object of a sentence: "what makes a person" where the classes
    are a thing and its absence."""
    if len(classes) == 2 and classes[0] == f"not a {classes[1]}":
        return f"what makes a {classes[1]}"
    return "the task"
