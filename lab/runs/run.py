"""One run, from its settings to its verdict: the only module that sees every part of the lab.

start(config)   a new run in a new folder
resume(folder)  goes on where an interrupted one stopped
load_run(folder)  the settings and the network of a run, to ask it things
"""

import json
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from lab.core.atomic import replace_text
from lab.core.config import (
    Provenance,
    RunConfig,
    check,
    from_json,
    read_provenance,
    settled,
    to_json,
)
from lab.core.estimate import Estimate
from lab.core.program import spelled
from lab.core.run_dir import CHECKPOINTS, CONFIG, give_up, locked, make_folder
from lab.core.seeds import torch_seed
from lab.core.text import missing, one_line, plain
from lab.evaluators import DataSummary, EvaluatorSuite, SuiteResult, log_graph
from lab.measure import SplitMetric, load_metrics, locate_metric, try_metrics
from lab.models import (
    TURN,
    ModelSpec,
    NotAgreed,
    count_parameters,
    differences,
    first_pass,
    has_width,
    isolated,
    locate,
    only_agreed,
    seeded_model,
)
from lab.runs.display import Display
from lab.runs.provenance import (
    ANYWAY,
    digest_of_provenance,
    moved,
    provenance_of,
    refuse_changed_sources,
    refuse_other_world,
)
from lab.tracking import hparams, texts, views
from lab.tracking.summary import Outcome, read_summary, write_summary
from lab.tracking.writer import Tracker
from lab.training import (
    BEST,
    LAST,
    PREVIOUS,
    Batch,
    Batches,
    Checkpoint,
    Damaged,
    Diverged,
    EpochBatches,
    Groups,
    Interrupted,
    Metrics,
    Objective,
    OnlineBatches,
    PeerLost,
    Processes,
    Trial,
    answers_otherwise,
    choose_device,
    create_objective,
    describe,
    evaluation_steps,
    first_seed,
    fit,
    give_state,
    graceful_stop,
    joined,
    load_checkpoint,
    load_weights,
    locate_objective,
    make_deterministic,
    newest,
    sample_answers,
    set_threads,
    try_out,
    world_size,
)
from lab.verdict import Setting, verdict
from lab.worlds import (
    DrawnWorld,
    Examples,
    World,
    audit,
    check_memory,
    classes_of,
    open_world,
)
from lab.worlds.counterfactuals import fewer_counterfactuals
from lab.worlds.groups import group_index

T = TypeVar("T")

FINISHED = "finished"
"""What the first process says instead of a checkpoint if there is nothing left to do."""

TRIED = 64
"""Samples drawn before anything is written: enough to meet every class and every contradiction."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came out of a run: its folder, its last metrics and its verdict."""

    folder: Path
    metrics: Metrics
    verdict: str


def start(config: RunConfig, *, began: float | None = None) -> Result:
    """Do a new run; `began` is when the program was started, on `time.perf_counter`'s clock.

    Of several processes (started by torchrun) each calls it, and each gets the result.
    Raises `ValueError` before anything is written if a setting cannot work, and later `OSError`,
    `Diverged`, or `Interrupted`, which leaves a run that `resume` goes on with.
    """
    began = time.perf_counter() if began is None else began
    check(config)
    device = choose_device(config.device)
    with _alone(device):
        world = open_world(config.data, seed=config.seed, device=device)
        config = fitted_to(config, world)
        if isinstance(world, DrawnWorld):
            world.sample(TRIED, split="tried")
        kept = config.data.num_test + (0 if config.train.online else config.data.num_train)
        check_memory(kept + config.validation_faces, size=config.data.image_size)
        config = replace(settled(config), world_size=_world_size(config))
        with TURN:
            make_deterministic(config.deterministic)
            threads = set_threads(config.threads)
        config = replace(config, device=device.type, threads=threads)  # type: ignore[arg-type]
        config = _located(config)
        own = own_metrics(config)
        trial = dry_run(config, device=device)
        model = build_model(config, finished=trial.unfinished)
        objective = create_objective(config.train.objective)
        with joined(device) as processes:
            model.to(device)
            if not processes.first:
                return _assist(config, world, model, objective, processes)  # type: ignore[return-value]
            made_of = provenance_of(config, model, objective)
            folder = make_folder(config)
            config = replace(config, name=folder.name)
            with locked(folder):
                try:
                    replace_text(folder / CONFIG, to_json(config, made_of) + "\n")
                except OSError:
                    give_up(folder)
                    raise
                processes.broadcast_object(None)  # no checkpoint
                done = _train(
                    config, world, made_of, folder, model, objective, device, processes,
                    checkpoint=None, began=began, doubts=trial.warnings, own=own,
                )  # fmt: skip
            return processes.broadcast_object(done)


def resume(
    folder: Path,
    *,
    device: str | None = None,
    model_file: Path | None = None,
    changed_code: bool = False,
    began: float | None = None,
) -> Result | None:
    """Go on with the run in `folder`, exactly as if it had never stopped; None if it is finished.

    `device` replaces the one it was trained on, for a machine that has no such device, and
    `model_file` the file of its network, if that was moved. Raises `ValueError` if the pictures are
    drawn differently now, or the network's source files are not those that it was begun with, but
    for the latter with `changed_code`.
    """
    began = time.perf_counter() if began is None else began
    begun, made_of = read_config(folder), read_run_provenance(folder)
    config = moved(begun, model_file)
    refuse_other_world(config, made_of, what=folder)
    _world_size(config, folder)
    place = _place(folder, device or config.device, asked=device is not None)
    world = open_world(config.data, seed=config.seed, device=place)
    with _alone(place):
        with TURN:
            make_deterministic(config.deterministic)
            set_threads(config.threads)
        model, objective = _rebuild(
            config, made_of, folder, changed_code=changed_code, device=place
        )
        own = own_metrics(config)
        with joined(place) as processes:
            model.to(place)
            if not processes.first:
                return _assist(config, world, model, objective, processes)
            with locked(folder):
                if _finished(folder):
                    processes.broadcast_object(FINISHED)
                    return None
                checkpoint = _go_on_from(folder, config, model, None if changed_code else made_of)
                made_of = _goes_on(folder, begun, config, made_of, model, objective, checkpoint)
                processes.broadcast_object(checkpoint)
                done = _train(
                    config, world, made_of, folder, model, objective, place, processes,
                    checkpoint=checkpoint, began=began, own=own,
                )  # fmt: skip
            return processes.broadcast_object(done)


def fitted_to(config: RunConfig, world: World) -> RunConfig:
    """The config with the numbers of pictures that its world has; `ValueError` in one line if it
    asks for what the world cannot do."""
    if not world.endless and config.train.online:
        raise ValueError(
            f"--online needs new {world.noun} without end, and {world.data.data} has"
            f" {world.data.num_train:,} to train on: leave it out"
        )
    usual = RunConfig().counterfactuals
    if not isinstance(world, DrawnWorld) and config.counterfactuals not in (0, usual):
        raise ValueError(
            f"--counterfactuals {config.counterfactuals} changes what is drawn, and the"
            f" {world.noun} of --data are not drawn: leave it out"
        )
    config = replace(config, data=world.data)
    asked, have = config.validation_faces, world.available("validation")
    if have is None or asked <= have:
        return config
    if have < 2:
        raise ValueError(
            f"{have} of the {world.noun} in {world.data.data} are left for validation: lower"
            f" --num-train to {world.data.num_train - 2 + have} or less"
        )
    return replace(config, train=replace(config.train, num_validation=have))


def _go_on_from(
    folder: Path, config: RunConfig, model: nn.Module, made_of: Provenance | None
) -> Checkpoint | None:
    """The newest checkpoint of a run, if there is one, after its weights were given to `model`.

    `made_of` is what it must have been trained with; None: anything.
    """
    path = newest(folder / CHECKPOINTS)
    if path is None:
        return None
    checkpoint = _load(path, "cpu")
    if made_of is not None:
        _refuse_foreign(checkpoint, made_of, config, path)
    evaluated = checkpoint.progress.get("evaluated")
    if not (isinstance(evaluated, int) and -1 <= evaluated <= checkpoint.step):
        raise ValueError(f"{path} is no state to go on from: was it {BEST} or another?")
    load_weights(model, checkpoint, path)
    if made_of is not None:
        _refuse_otherwise(checkpoint, model, config, path)
    return checkpoint


_RUNNING = threading.Lock()


@contextmanager
def _alone(device: torch.device) -> Iterator[None]:
    """One run at a time in this process, which leaves its random states and torch's settings as
    they were: another one would draw from the same generators."""
    if not _RUNNING.acquire(blocking=False):
        raise ValueError(
            "another run is going on in this process: wait for it, or give each run a process of"
            " its own, as scripts/sweep.py does"
        )
    try:
        with isolated(device, reseeded=True):
            yield
    finally:
        _RUNNING.release()


def _place(folder: Path, device: str, *, asked: bool) -> torch.device:
    """The device to go on with; if this machine lacks it, a line that says how to do without."""
    try:
        return choose_device(device)
    except ValueError as error:
        if asked:
            raise
        why = str(error).partition("; ")[0].partition(": ")[2]
        raise ValueError(
            f"{folder} was trained on {device}, but {why}; go on with --device cpu (figures may"
            " differ in their last digits)"
        ) from None


def _goes_on(
    folder: Path,
    begun: RunConfig,
    config: RunConfig,
    recorded: Provenance,
    model: nn.Module,
    objective: Objective,
    checkpoint: Checkpoint | None,
) -> Provenance:
    """What the run is made of from now on, noted in its `config.json` if that is something new."""
    now = provenance_of(config, model, objective)
    same = (now.sources, now.metric_sources) == (recorded.sources, recorded.metric_sources)
    if config == begun and same:
        return recorded
    changed_at = recorded.changed_at
    if differences(recorded.sources, now.sources):
        changed_at = (*changed_at, checkpoint.step if checkpoint else 0)
    now = replace(now, changed_at=changed_at)
    replace_text(folder / CONFIG, to_json(config, now) + "\n")
    return now


def load_run(
    folder: Path,
    *,
    device: str | torch.device = "cpu",
    config: RunConfig | None = None,
    model_file: Path | None = None,
    changed_code: bool = False,
    any_world: bool = False,
) -> tuple[RunConfig, nn.Module]:
    """A run's settings (`config`, where they are known already) and its network in eval mode, as
    far as it was trained: with early stopping the one with the lowest validation loss, else the
    last.

    `model_file` says where the network's file is now, if it was moved. Raises `ValueError` with one
    line that says what is missing; if the network's source files are not those that it was trained
    with (`changed_code`: used all the same); and if its pictures were drawn differently
    (`any_world`: does not matter, for whoever draws none).
    """
    config, made_of = config or read_config(folder), read_run_provenance(folder)
    if not any_world:
        refuse_other_world(config, made_of, what=folder)
    checkpoints = folder / CHECKPOINTS
    path = checkpoints / BEST if config.train.early_stopping else newest(checkpoints)
    if path is None:
        raise ValueError(f"{folder} has no checkpoint: its run stopped before the first")
    config = moved(config, model_file)
    model = _rebuild_model(config, made_of, folder, changed_code=changed_code)
    model.to(device)
    checkpoint = _load(path, device)
    if not changed_code:
        _refuse_foreign(checkpoint, made_of, config, path)
    load_weights(model, checkpoint, path)
    model.eval()
    if not changed_code:
        _refuse_otherwise(checkpoint, model, config, path)
    return config, model


def _rebuild(
    config: RunConfig,
    made_of: Provenance,
    folder: Path,
    *,
    changed_code: bool,
    device: torch.device,
) -> tuple[nn.Module, Objective]:
    """Network and objective of a run that goes on, both made by the source files that it was begun
    with."""
    with _own_sources(config, made_of, folder, changed_code=changed_code, objective=True):
        model = _untrained(config, folder, device)
        return model, create_objective(config.train.objective)


def _rebuild_model(
    config: RunConfig, made_of: Provenance, folder: Path, *, changed_code: bool
) -> nn.Module:
    """The untrained network of a run, made by the source files that it was trained with."""
    with _own_sources(config, made_of, folder, changed_code=changed_code):
        return _untrained(config, folder)


def _untrained(config: RunConfig, folder: Path, device: str | torch.device = "cpu") -> nn.Module:
    """The untrained network of a run, after its first pass if it needs one before it takes weights
    or is trained."""
    saved = any((folder / CHECKPOINTS / name).exists() for name in (LAST, PREVIOUS, BEST))
    return build_model(config, finished=saved or dry_run(config, device=device).unfinished)


@contextmanager
def _own_sources(
    config: RunConfig,
    made_of: Provenance,
    folder: Path,
    *,
    changed_code: bool,
    objective: bool = False,
) -> Iterator[None]:
    """Execute only the source files that a run was trained with (`changed_code`: any); `ValueError`
    if they have changed: those of its network, and of its `objective` where it is executed, too."""
    if changed_code:
        yield
        return
    refuse_changed_sources(config, made_of, what=folder, objective=objective)
    try:
        with only_agreed(made_of.sources.values()):
            yield
    except ValueError as error:
        if _not_agreed(error):
            raise ValueError(
                f"{folder}: {error}; it was trained without that file, or with another content:"
                f" {ANYWAY} uses it all the same"
            ) from None
        raise


def _not_agreed(error: BaseException | None) -> bool:
    """Whether an error comes from a source file that may not be executed."""
    return error is not None and (isinstance(error, NotAgreed) or _not_agreed(error.__cause__))


def _refuse_foreign(
    checkpoint: Checkpoint, made_of: Provenance, config: RunConfig, path: Path
) -> None:
    """Raise `ValueError` if a checkpoint was not written by the run that it lies in."""
    if checkpoint.provenance != digest_of_provenance(made_of, config):
        raise ValueError(
            f"{path} was trained with other settings, source files or pictures than those in"
            f" {CONFIG}: was it copied from another run, or that file changed? {ANYWAY} uses it all"
            " the same"
        )


def _refuse_otherwise(
    checkpoint: Checkpoint, model: nn.Module, config: RunConfig, path: Path
) -> None:
    """Raise `ValueError` if the network, given its weights, is not the one that was kept."""
    if answers_otherwise(model, checkpoint.progress.get("sample"), _spec(config)):
        raise ValueError(
            f"{path}: with these weights --model {config.model.model} answers otherwise than when"
            " they were saved: its code goes by something that is neither in its state_dict nor in"
            " its source files (a file that it reads, an environment variable, a plain attribute)."
            f" {ANYWAY} uses it all the same"
        )


def _other_when_opened(config: RunConfig, folder: Path) -> str:
    """A sentence if the network of a finished run is another one when the run is opened."""
    path = folder / CHECKPOINTS / (BEST if config.train.early_stopping else LAST)
    try:
        model = build_model(config, finished=True)
        checkpoint = load_checkpoint(path)
        load_weights(model, checkpoint, path)
    except ValueError as error:
        return f"This run cannot be opened again: {error}"
    if not answers_otherwise(model, checkpoint.progress.get("sample"), _spec(config)):
        return ""
    return (
        "Whoever opens this run gets another network: read back from its checkpoint it answers"
        " otherwise, since not all that decides its answers is in its state_dict (a plain"
        " attribute that training changes?)."
    )


def _load(path: Path, device: str | torch.device) -> Checkpoint:
    """A checkpoint, or a line that says what is wrong with its file and what to do."""
    try:
        return load_checkpoint(path, device=device)
    except ValueError as error:
        older = path.with_name(PREVIOUS)
        hint = "train the run anew"
        if isinstance(error, Damaged) and path.name == LAST and older.exists():
            hint = f"delete it to go on from {older}, some seconds older"
        raise ValueError(f"{error}; {hint}") from None


def read_config(folder: Path) -> RunConfig:
    """The settings of the run in `folder`; `ValueError` if it holds none."""
    return _read(folder, from_json)


def read_run_provenance(folder: Path) -> Provenance:
    """What else decided the run in `folder`; `ValueError` if it holds none."""
    return _read(folder, read_provenance)


def _read(folder: Path, parse: Callable[[str], T]) -> T:
    path = folder / CONFIG
    if not path.is_file():
        around = next((place for place in folder.parents if (place / CONFIG).is_file()), None)
        why = f"it has no {CONFIG}" if folder.is_dir() else missing(folder)
        why = "it is a file" if folder.is_file() else why
        hint = f"; did you mean {around}?" if around is not None else ""
        raise ValueError(f"{folder} is no run's folder: {why}{hint}")
    try:
        return parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def dry_run(config: RunConfig, *, device: str | torch.device = "cpu") -> Trial:
    """Try a run's network out on random pictures: see `try_out`. Of several processes each does so
    on its own CPU."""
    batch, processes = config.train.batch_size, max(1, config.world_size)
    faces = batch if config.train.online else min(batch, config.data.num_train)
    return try_out(
        lambda seed: build_model(replace(config, seed=seed)),
        _spec(config),
        replace(config.train, batch_size=max(1, faces // processes)),
        name=config.model.model,
        seed=config.seed,
        device=device if processes == 1 else "cpu",
    )


def _located(config: RunConfig) -> RunConfig:
    """The settings with absolute paths of the files of the network, the objective and metrics."""
    model = replace(config.model, model=locate(config.model.model))
    train = replace(config.train, objective=locate_objective(config.train.objective))
    metric = tuple(map(locate_metric, config.metric))
    return replace(config, model=model, train=train, metric=metric)


def own_metrics(config: RunConfig) -> tuple[SplitMetric, ...]:
    """The user's metrics that a run's settings name, tried on random predictions; `ValueError` in
    one line if one of them cannot work."""
    own = load_metrics(config.metric)
    try_metrics(own, classes=classes_of(config.data))
    return own


def build_model(config: RunConfig, *, finished: bool = False) -> nn.Module:
    """The untrained network of a run, on the CPU, as it is made, or as it is after its first pass
    (`finished`), which makes the rest of it where layers wait for their first input."""
    name, spec = config.model.model, _spec(config)
    model = seeded_model(name, spec, seed=torch_seed(config.seed, "weights"))
    if finished:
        first_pass(model, spec, name=name, seed=first_seed(config.seed))
    return model


def _spec(config: RunConfig) -> ModelSpec:
    return ModelSpec(
        image_size=config.data.image_size,
        num_outputs=len(classes_of(config.data)),
        width=config.model.width,
        dropout=config.model.dropout,
    )


def _world_size(config: RunConfig, folder: Path | None = None) -> int:
    """How many processes the run has; `ValueError` if that is not what its settings say."""
    asked, have = config.world_size, world_size()
    if asked != have and (folder or asked > 1):
        what = f"{folder} was begun" if folder else f"--world-size {asked} must be run"
        unset = " (unset RANK and WORLD_SIZE, by which there are several)" if have > 1 else ""
        raise ValueError(
            f"{what} by {asked} processes, not {have}{unset}: {_command(asked, folder)}"
        )
    if min(config.train.batch_size, config.data.num_train) < have:
        raise ValueError(f"--batch-size must be {have} or more, a face for each of the processes")
    return have


def _command(processes: int, folder: Path | None) -> str:
    """How a run of so many processes is started, or gone on with."""
    rest = f"--resume {shlex.quote(str(folder))}" if folder else "…"
    return f"{spelled('train', processes=processes)} {rest}"


def _assist(
    config: RunConfig,
    world: World,
    model: nn.Module,
    objective: Objective,
    processes: Processes,
) -> Result | None:
    """What the other processes do while the first one does the run: their part of each step."""
    checkpoint: Any = processes.broadcast_object(None)
    if checkpoint == FINISHED:
        return None
    if checkpoint is not None:
        give_state(model, checkpoint.model)
    train = world.load("train", world.data.num_train)
    with graceful_stop() as stop:
        fit(
            model,
            _batches(config, world, train, processes),
            config.train,
            seed=config.seed,
            objective=objective,
            resume=checkpoint,
            stop=stop,
            processes=processes,
        )
    result: Result | None = processes.broadcast_object(None)
    return result


def _batches(config: RunConfig, world: World, train: Examples, processes: Processes) -> Batches:
    """The training data: the training set epoch by epoch, or new examples at every step."""
    size, part = config.train.batch_size, processes.part
    index, names = group_index(train, world.cues)
    if not config.train.online:
        return EpochBatches(
            train.images, train.labels, batch_size=size, seed=config.seed, part=part,
            groups=index, group_names=names,
        )  # fmt: skip

    def draw(start: int, count: int, keep: Tensor) -> Batch:
        examples = world.load("train", count, start=start, keep=keep, online=True)
        index, _ = group_index(examples, world.cues)
        device = examples.labels.device
        numbers = (start + keep).to(device)
        return Batch(examples.images, examples.labels, index.to(device), numbers)

    return OnlineBatches(
        draw,
        batch_size=size,
        image_size=config.data.image_size,
        groups=Groups.counted(index, names),
        part=part,
    )


def _train(
    config: RunConfig,
    world: World,
    made_of: Provenance,
    folder: Path,
    model: nn.Module,
    objective: Objective,
    device: torch.device,
    processes: Processes,
    *,
    checkpoint: Checkpoint | None,
    began: float,
    own: tuple[SplitMetric, ...],
    doubts: Sequence[str] = (),
) -> Result:
    """`_work`, with a last word in `summary.json` if it does not come to its end."""
    try:
        return _work(
            config, world, made_of, folder, model, objective, device, processes,
            checkpoint=checkpoint, began=began, own=own, doubts=doubts,
        )  # fmt: skip
    except (Interrupted, KeyboardInterrupt) as error:
        if not isinstance(error, Interrupted):
            error = Interrupted(signal.SIGINT, checkpoint.step if checkpoint else 0)
        error.go_on = f"go on with: {_command(config.world_size, folder)}"
        _last_word(folder, "stopped", error.step, f"It was {error}.", config, made_of)
        raise error from None
    except Exception as error:
        ours = isinstance(error, (Diverged, PeerLost, OSError, ValueError))
        said = f"It failed: {plain(str(error)) if ours else one_line(error)}"
        _last_word(folder, "failed", getattr(error, "step", 0), said, config, made_of)
        raise


def _work(
    config: RunConfig,
    world: World,
    made_of: Provenance,
    folder: Path,
    model: nn.Module,
    objective: Objective,
    device: torch.device,
    processes: Processes,
    *,
    checkpoint: Checkpoint | None,
    began: float,
    own: tuple[SplitMetric, ...],
    doubts: Sequence[str],
) -> Result:
    """Load the examples, train on them, measure, and write down what came of it."""
    display = Display(config, folder, world.noun)
    where = describe(device) + ("" if processes.single else f" by {processes.count} processes")
    display.drawing(where, count_parameters(model))
    drawing = time.perf_counter()
    train = world.load("train", config.data.num_train)
    test = world.load("test", config.data.num_test)
    summary = DataSummary.of(world, train, test)
    suite = EvaluatorSuite.of_run(train, test, world, config, own)
    drawn = time.perf_counter()
    display.groups(summary.subpopulations, summary.mislabeled)
    display.warn([*world.doubts(), *audit.warnings(world, train, test)])
    if isinstance(world, DrawnWorld):
        display.warn(fewer_counterfactuals(config.counterfactuals, world))
    display.cues(summary.cues, summary.groups)
    evaluated = checkpoint.progress["evaluated"] if checkpoint else -1
    display.warn([*doubts, *(suite.doubts(model) if evaluated < 0 else ())])

    with (
        closing(display),
        graceful_stop() as stop,
        Tracker(
            folder,
            start_step=evaluated + 1,
            interruptions=(Interrupted,),
            relevant=world.relevant,
            nuisances=world.nuisances,
            cues=[cue.attribute for cue in world.cues],
        ) as tracker,
    ):
        if evaluated < 0:
            tracker.start(hparams.settings(config))
            summary.log(
                tracker,
                settings=json.loads(to_json(config, made_of)),
                environment=texts.environment(device=device, threads=config.threads),
            )
            if config.pictures:
                log_graph(tracker, model, train.images[:2])
        started = time.perf_counter()
        batches = _batches(config, world, train, processes)
        display.begin(checkpoint.step if checkpoint else 0, batches.batch_size)
        fitted = fit(
            model,
            batches,
            config.train,
            seed=config.seed,
            objective=objective,
            evaluators=[suite],
            log=_logger(tracker, display),
            show=_shower(config, tracker),
            progress=display.step if display.live else None,
            checkpoints=folder / CHECKPOINTS,
            checkpoint_every=config.checkpoint_every,
            resume=checkpoint,
            stop=stop,
            processes=processes,
            provenance=digest_of_provenance(made_of, config),
            sample=partial(sample_answers, spec=_spec(config)),
        )
        ended = time.perf_counter()
        last = next((r for r in fitted.results if isinstance(r, SuiteResult)), None)
        last = last or suite(model)  # a resumed run may have nothing left to evaluate
        final = suite.final(last)
        tracker.final(fitted.step, final.metrics)
        for result in (last, final):
            result.show_final(tracker, fitted.step)
            if config.pictures:
                result.show_projector(tracker)
        metrics = {**fitted.metrics, **final.metrics}
        setting = _setting(config, world, train, steps=fitted.step, batch_size=batches.batch_size)
        try:
            said = verdict({t: m for t, m in metrics.items() if isinstance(m, Estimate)}, setting)
        except KeyError as error:
            raise ValueError(f"{folder}: its checkpoint lacks {error}, train anew") from None
        other = _other_when_opened(config, folder) if made_of.sources else ""
        said = "\n".join(filter(None, [said, other]))
        if fitted.stopped_early and config.pictures:
            last.show_pictures(tracker, fitted.step)
        tracker.text("verdict", texts.paragraphs(said), fitted.step)
        tracker.finished()

    seconds = {"starting": 0.0, "drawing": drawn - drawing, **fitted.seconds}
    seconds["starting"] += drawing - began
    seconds["logging"] += started - drawn + time.perf_counter() - ended
    timed = {f"seconds/{what}": value for what, value in seconds.items()}
    _write_summary(folder, "finished", fitted.step, {**metrics, **timed}, said, config, made_of)
    if config.train.early_stopping:
        display.chosen(fitted.step, fitted.weights_of)
    display.verdict(said, seconds)
    return Result(folder=folder, metrics=metrics, verdict=said)


def _setting(
    config: RunConfig, world: World, train: Examples, *, steps: int, batch_size: int
) -> Setting:
    """What the verdict must know beside the metrics."""
    data, drawn = config.data, train.samples
    varied = [n for n in world.relevant if bool((drawn[n] != drawn[n][0]).any())]
    return Setting(
        num_train=data.num_train,
        num_test=data.num_test,
        num_classes=len(world.classes),
        label_noise=data.label_noise,
        label_noise_kind=data.label_noise_kind,
        steps=steps,
        width=config.model.width if has_width(config.model.model) else None,
        relevant=world.relevant,
        varied=tuple(varied),
        cues=world.cues,
        online=steps * batch_size if config.train.online else None,
        noun=world.noun,
        more_train=world.available("validation"),
        more_test=_left(world.available("test"), data.num_test),
    )


def _left(have: int | None, used: int) -> int | None:
    """How many examples there are beside those used; None: no end."""
    return None if have is None else have - used


def _logger(tracker: Tracker, display: Display) -> Callable[[int, Metrics], None]:
    """What happens to the metrics of an evaluation."""

    def log(step: int, metrics: Metrics) -> None:
        tracker.scalars(step, metrics)
        display.evaluated(metrics)

    return log


def _shower(config: RunConfig, tracker: Tracker) -> Callable[[int, Sequence[Any]], None]:
    """What is shown of the results of an evaluation; at a few of them there are pictures too."""
    pictured = views.picture_steps(evaluation_steps(config.train.steps, config.train.eval_every))

    def show(step: int, results: Sequence[Any]) -> None:
        for result in results if config.pictures else ():
            result.show_distributions(tracker, step)
            if step in pictured:
                result.show_pictures(tracker, step)

    return show


def _last_word(
    folder: Path,
    status: Outcome,
    step: int,
    word: str,
    config: RunConfig,
    made_of: Provenance,
) -> None:
    """Say in `summary.json` why the run has not come to its end, if the disk lets us."""
    with suppress(OSError):
        _write_summary(folder, status, step, {}, word, config, made_of)


def _write_summary(
    folder: Path,
    status: Outcome,
    step: int,
    metrics: Metrics,
    said: str,
    config: RunConfig,
    made_of: Provenance,
) -> None:
    settings = json.loads(to_json(config, made_of))
    write_summary(folder, status=status, step=step, metrics=metrics, verdict=said, config=settings)


def _finished(folder: Path) -> bool:
    with suppress(ValueError):  # a damaged summary is written anew
        return read_summary(folder).get("status") == "finished"
    return False
