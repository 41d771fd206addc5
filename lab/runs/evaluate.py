"""The evaluation of a run from its folder to the tables, readable top to bottom."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.core.atomic import check_files, replace_text
from lab.core.config import RunConfig, to_json
from lab.core.lines import Lines
from lab.core.program import quoted, spelled
from lab.core.run_dir import RunDir
from lab.core.text import escape
from lab.core.words import those
from lab.evaluators.failure_sheet import failure_sheet, save_picture
from lab.evaluators.populations import evaluation_config, measure
from lab.evaluators.robustness import failure_entries, failure_metrics, failure_text, search
from lab.evaluators.tables import setting_text, to_text
from lab.measure import SplitMetric, load_metrics, try_metrics
from lab.models import Space, changed_files, only_agreed, returns_probabilities, space_of
from lab.runs.example_table import example_table
from lab.runs.load import open_run
from lab.runs.progress import progress_bar
from lab.tracking.summary import nest
from lab.training import choose_device, load_checkpoint, parts_of_batches, set_threads
from lab.verdict import may_be_known
from lab.worlds import DrawnWorld, StoredWorld, World, open_world
from lab.worlds.copies import MOST, copies_between, repeated_told, shared_told
from lab.worlds.counterfactuals import fewer_counterfactuals

FEW = 8
"""Pictures of which the answers are looked at for what they are."""

OWN = ("own",)
"""What stands for the metrics that the run was measured by."""


@dataclass(frozen=True, kw_only=True)
class Hunt:
    """How failures are looked for: `--search-faces`, `--resamples`, `--generations`, `--out`."""

    search_faces: int
    resamples: int
    generations: int
    out: Path | None


def evaluate(
    folder: Path,
    *,
    lists: Mapping[str, Sequence[str]],
    numbers: Mapping[str, float | None],
    counterfactuals: int,
    metric: Sequence[str] = OWN,
    seed: int | None = None,
    device: str = "auto",
    model_file: Path | None = None,
    data: Path | None = None,
    changed_code: bool = False,
    json_file: Path | None = None,
    examples_file: Path | None = None,
    hunt: Hunt | None = None,
) -> None:
    """Print what the run in `folder` makes of a population, and write what is asked for.

    `lists` and `numbers` are data settings that replace the run's own, as in `evaluation_config`.
    `metric` are metrics of the user's own; `OWN`: those of the run. `model_file` and `data` are as
    for `open_run`. `ValueError` or `OSError` before anything is measured if a setting or a file
    cannot work; `OSError` at the end, with all files written, if standard output is gone.
    """
    out = None
    if hunt:
        _check(hunt)
        out = hunt.out or RunDir(folder).failures_file
    place = choose_device(device)
    own, model, measured_step, *_ = open_run(
        folder, device=place, model_file=model_file, data=data, changed_code=changed_code
    )
    set_threads(1 if parts_of_batches(model, own) > 1 else own.threads)
    config = evaluation_config(
        own, counterfactuals=counterfactuals, seed=seed, lists=lists, numbers=numbers
    )
    world = open_world(config.data, seed=config.seed, device=place)
    if not isinstance(world, DrawnWorld) and hunt:
        raise ValueError(
            f"--find-failures changes what is drawn, and the {world.noun} of --data are not drawn:"
            " leave it out"
        )
    own_metrics = _own_metrics(
        RunDir(folder), own, metric, beside=space_of(model), changed_code=changed_code
    )
    try_metrics(own_metrics, classes=world.classes)
    written = {"--json": json_file, "--examples": examples_file, "--out": out}
    check_files(written)
    for flag, path in written.items():
        if path and RunDir(path.parent).owns(path):
            raise ValueError(f"{flag} {path}: that is the run's own; choose another name")

    lines = Lines()
    state = _unfinished(RunDir(folder), own, measured_step)
    known, doubts = _known(world)
    setting = setting_text(own, config, world, known=known)
    lines.say(f"{escape(folder)}{state}\n{setting}\n")
    few = world.load("test", min(FEW, config.data.num_test)).images
    if returns_probabilities(model, few):
        doubts.append(
            "the network returns probabilities, which are taken for logits: losses, calibration and"
            " log odds are those of other answers"
        )
    for line in [*doubts, *_changed_data(RunDir(folder), metric)]:
        lines.say(f"warning: {line}\n")
    if isinstance(world, DrawnWorld):
        for line in fewer_counterfactuals(counterfactuals, world):
            lines.say(f"warning: {line}\n")
    if not any(written.values()):
        lines.end()
    with progress_bar() as progress:
        metrics = measure(
            world, model, counterfactuals=counterfactuals, own=own_metrics, progress=progress
        )
    lines.say(to_text(metrics, world))
    if examples_file:
        trained = open_world(own.data, seed=own.seed, device=place)
        with progress_bar() as progress:
            text = example_table(model, train=trained, test=world, progress=progress)
        replace_text(examples_file, text)
        lines.say(f"\n{escape(examples_file)}")
    told: dict[str, Any] = {"run": str(folder), "config": json.loads(to_json(config))}
    if hunt and out and isinstance(world, DrawnWorld):
        with progress_bar() as progress:
            failures = search(
                world, model, count=hunt.search_faces, resamples=hunt.resamples,
                generations=hunt.generations, progress=progress,
            )  # fmt: skip
        sheet = failure_sheet(failures, world, run=folder.name)
        save_picture(sheet, out)
        words = failure_text(
            failures, noun=world.noun, resamples=hunt.resamples, generations=hunt.generations
        )
        lines.say(f"\n{words}\n\n{escape(out)}")
        metrics |= failure_metrics(failures)
        told["failures"] = failure_entries(failures, world.classes)
    if json_file:
        text = json.dumps(told | nest(metrics), indent=2, allow_nan=False)
        replace_text(json_file, text + "\n")
    lines.end()


def _known(world: World) -> tuple[bool, list[str]]:
    """Whether the network may know test pictures from disk from its training, and a sentence each
    on those that are there several times, on those that it was trained on, and on those that belong
    together; none if there are none. What the run has found is kept, where looking for it takes
    long."""
    if not isinstance(world, StoredWorld):
        return False, []
    data = world.data
    sets = [
        world.load(s, min(n, MOST)) for s, n in (("train", data.num_train), ("test", data.num_test))
    ]
    with progress_bar() as progress:
        copies = copies_between(world, *sets, progress=progress)
    clusters = world.clusters(data.num_train, data.num_test)
    different = int(world.own("test", data.num_test).sum())
    doubts = repeated_told(data.num_test - different, data.num_test)
    doubts += shared_told(world, copies, data.num_test)
    doubts += world.clusters_doubted(data.num_train, data.num_test)
    return may_be_known(copies.shared + copies.turned, clusters), doubts


def _own_metrics(
    run: RunDir,
    config: RunConfig,
    metric: Sequence[str],
    *,
    beside: Space | None,
    changed_code: bool,
) -> tuple[SplitMetric, ...]:
    """The user's metrics, `beside` the network: those named, or those of the run, whose files are
    executed only if they are what the run was measured by (`changed_code`: in any case)."""
    if tuple(metric) != OWN:
        none = [each.lower() for each in metric] == ["none"]
        return load_metrics([] if none else metric, beside=beside)
    try:
        if changed_code:
            return load_metrics(config.metric, beside=beside)
        with only_agreed(run.settings()[1].metric_sources.values()):
            return load_metrics(config.metric, beside=beside)
    except ValueError as error:
        raise ValueError(
            f"{error}; --metric none leaves the run's own metrics out, --metric FILE.py:NAME"
            " measures others"
        ) from None


def _changed_data(run: RunDir, metric: Sequence[str]) -> list[str]:
    """A sentence if a file that the run's own metrics read has changed since; none where others are
    measured."""
    changed = changed_files(run.settings()[1].metric_data_files) if tuple(metric) == OWN else []
    return [
        f"{escape(path)}, which the code of the run's own metrics reads, had another content when"
        " the run was begun: what they say now may be another measure"
        for path in changed[:1]
    ]


def _unfinished(run: RunDir, config: RunConfig, measured: int) -> str:
    """A line that says how far a run is that has not come to its end, and after which step its
    network is `measured`; nothing for others."""
    if run.finished():
        return ""
    path = run.newest()
    step = load_checkpoint(path).step if path else 0
    go_on, what = quoted(run.path), "that is measured"
    if measured != step:
        what = f"the weights of step {measured:,}, the best so far, are measured"
    steps = those(config.train.max_steps, "step is", "steps are")
    return (
        f"\nNot finished: {step:,} of {steps} done, and {what}."
        f" Go on with it: {spelled('train')} --resume {go_on}"
    )


def _check(hunt: Hunt) -> None:
    for name, least in (("search_faces", 1), ("resamples", 0), ("generations", 0)):
        number = getattr(hunt, name)
        if not least <= number <= 10_000:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} must be {least} to 10,000, not {number}")
