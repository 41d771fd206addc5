"""Training of one network of a pool, in a worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from torch import Tensor, nn

from lab.core.config import RunConfig
from lab.core.errors import Interrupted, LabError
from lab.core.estimate import Estimate, wilson
from lab.core.finite import NOT_FINITE
from lab.core.text import one_line, plain
from lab.experiments.runner.jobs import Seen, refuse_other_key
from lab.measure import loss, predict
from lab.measure.example_scores import ScoreCollector
from lab.models import TURN, DataFiles, ModelSpec, changed_files, isolated
from lab.pool.membership import membership, network_seed
from lab.pool.second_split import train_on
from lab.pool.store import Trained
from lab.runs.batches import names_for_objective, training_batches
from lab.runs.network import build_model, model_spec
from lab.runs.provenance import digest_of_provenance, provenance_of
from lab.training import (
    Checkpoint,
    EpochBatches,
    choose_device,
    create_objective,
    fit,
    make_deterministic,
    sample_answers,
    set_threads,
)
from lab.training.batches import WHOLE
from lab.training.checkpoint import encode
from lab.worlds import Examples, World, open_world

Look = Callable[[nn.Module], None]
"""Is shown a network during its training, and leaves it as it is."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One network of a pool.

    Args:
        network: its number, from 0.
        config: the settings of the pool, resolved.
        share: of the training examples, above 0 to below 1.
        key: of the run that `config` describes: a worker of another version of the lab, or with
            other source files of the network, has another one.
        unfinished: the network needs a first forward pass to have all its weights.
        keep_weights: report them, too.
        data_files: what the code read as data when it was tried.
        seen: the pictures that went into the key; None: not known.
    """

    network: int
    config: RunConfig
    share: float
    key: str
    unfinished: bool = False
    keep_weights: bool = False
    data_files: DataFiles = field(default_factory=dict)
    seen: Seen | None = None

    @property
    def seed(self) -> int:
        """The seed of the network's weights and batches."""
        return network_seed(self.network, seed=self.config.seed)

    @property
    def scores(self) -> bool:
        """Whether the training scores its examples, by `lab.measure.example_scores`, and a second
        one scores them, too, by `lab.measure.second_split`."""
        return False

    def members(self, count: int) -> Tensor:
        """Which of `count` training examples (count,) bool it is trained on."""
        return membership(self.network, count=count, share=self.share, seed=self.config.seed)


@dataclass(frozen=True, kw_only=True)
class Report:
    """The end of a job: the trained network's predictions, or an `error` in one line."""

    network: int
    seconds: float
    trained: Trained | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Sets:
    """What all networks of a pool have in common: drawn once in each process."""

    world: World
    spec: ModelSpec
    train: Examples
    test: Examples
    validation: Examples | None


def do(job: Job, *, look: Look | None = None) -> Report:
    """Train a network, as `train_network` does; errors are reported, only a signal is raised."""
    began = time.process_time()
    trained, error = None, ""
    try:
        with _ONE_AT_A_TIME:
            trained = train_network(job, look=look)
    except (Interrupted, KeyboardInterrupt):
        raise
    except BaseException as caught:  # a network of the user's may even call exit()
        known = isinstance(caught, (ValueError, LabError))
        error = plain(str(caught)) if known else one_line(caught)
    seconds = time.process_time() - began
    return Report(network=job.network, seconds=seconds, trained=trained, error=error)


def train_network(job: Job, *, look: Look | None = None) -> Trained:
    """A network's predictions on all training and test examples after its training, which takes the
    steps that any run with these settings takes on its part of the training set. `look` is shown
    the network at every evaluation, and once more in the end."""
    config = replace(job.config, seed=job.seed)
    device = choose_device(config.device)
    with isolated(device, reseeded=True):
        with TURN:
            make_deterministic(config.deterministic)
            set_threads(1)
        sets = _sets(job.config, job.key, job.seen)
        if changed := changed_files(job.data_files):
            raise ValueError(
                f"{changed[0]}, which its code reads, is not what it was when the pool was begun:"
                " put that file back as it was, and run the same command again"
            )
        chosen = job.members(len(sets.train))
        members = sets.train.take(chosen)
        known = names_for_objective(config, sets.world, "train", len(sets.train))
        names = [known[place] for place in chosen.nonzero()[:, 0].tolist()] if known else ()
        batches = training_batches(config, sets.world, members, WHOLE, names=names)
        assert isinstance(batches, EpochBatches), "a pool has a fixed training set"
        collector = None
        if job.scores:
            collector = ScoreCollector(
                members.images, members.labels, batch_size=batches.batch_size, seed=job.seed
            )
        model = build_model(config, sets.spec, finished=job.unfinished).to(device)
        fitted = fit(
            model,
            batches,
            config.train,
            seed=config.seed,
            objective=create_objective(config.train.objective, beside=model),
            evaluators=[lambda model: _evaluated(model, members, sets.validation, look)],
            loss_bound=config.loss_bound,
            collector=collector,
        )
        if look is not None:
            look(model)
        final = _losses(model, members, None)["loss/train"]
        trained = Trained(
            train_logits=predict(model, sets.train.images),
            test_logits=predict(model, sets.test.images),
            step=fitted.step,
            weights_of=fitted.weights_of,
            fitted=fitted.fitted,
            loss=final.value,
            scores=collector.finish(model) if collector else {},
            left_out=collector.left_out if collector else {},
            weights=weights_of(model, job.config, sets.spec, step=fitted.weights_of)
            if job.keep_weights
            else b"",
        )
        if not job.scores:
            return trained
        second = train_on(
            model,
            config,
            world=sets.world,
            first=members,
            test=sets.test,
            evaluate=lambda model, examples: _evaluated(model, examples, sets.validation, None),
        )
        return replace(
            trained, scores={**trained.scores, **second.scores}, second_epochs=second.epochs
        )


def weights_of(model: nn.Module, config: RunConfig, spec: ModelSpec, *, step: int) -> bytes:
    """The content of a checkpoint with the weights of a network of the pool with these settings,
    and with a sample of what it answers."""
    checkpoint = Checkpoint(
        step=step,
        model={name: value.cpu() if isinstance(value, Tensor) else value
               for name, value in model.state_dict().items()},
        progress={"sample": sample_answers(model, spec)},
        provenance=digest_of_provenance(provenance_of(config, model), config),
    )  # fmt: skip
    return encode(checkpoint)


_ONE_AT_A_TIME = threading.Lock()
"""Networks in threads of one process would draw from the same random generators."""


@lru_cache(maxsize=1)
def _sets(config: RunConfig, key: str, seen: Seen | None) -> Sets:
    anew = "anew (under another --name)" if config.name else "anew"
    refuse_other_key(config, key, seen, when="the pool was begun", anew=anew)
    device = choose_device(config.device)
    world = open_world(config.data, seed=config.seed, device=device)
    count = config.validation_faces
    return Sets(
        world=world,
        spec=model_spec(config, world.classes),
        train=world.load("train", world.data.num_train),
        test=world.load("test", world.data.num_test),
        validation=world.load("validation", count) if count else None,
    )


def _evaluated(
    model: nn.Module,
    members: Examples,
    validation: Examples | None,
    look: Look | None,
) -> dict[str, Estimate]:
    if look is not None:
        look(model)
    return _losses(model, members, validation)


def _losses(
    model: nn.Module, members: Examples, validation: Examples | None
) -> dict[str, Estimate]:
    """What decides when training ends: the mean losses by tag, as a run measures them."""
    found = {}
    for name, examples in (("train", members), ("validation", validation)):
        if examples is not None:
            logits = predict(model, examples.images)
            found[f"loss/{name}"] = loss(logits, examples.labels.cpu())
            if bad := int((~logits.isfinite()).any(dim=1).sum()):
                found[f"{NOT_FINITE}{name}"] = wilson(bad, len(examples))
    return found
