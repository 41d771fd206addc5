"""The making of a report card, from the first run to the page."""

from __future__ import annotations

import io
import json
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image

from lab.core.atomic import replace_text
from lab.core.config import RunConfig
from lab.core.paths import at_home
from lab.core.text import model_labels, one_line
from lab.core.words import in_steps, percent
from lab.experiments.metrics import FITTED
from lab.experiments.plan import check_plans, failures, run_plans
from lab.experiments.report_card import plots, words
from lab.experiments.report_card.card import Card, plain
from lab.experiments.report_card.make import make_card
from lab.experiments.report_card.page import to_html
from lab.experiments.report_card.plan import ending_when_fitted, plans
from lab.experiments.report_card.sections import SECTIONS
from lab.experiments.report_card.sections.parts import part_rows
from lab.experiments.report_card.subject import Subject, subject_of, with_notes
from lab.experiments.runner.grid import with_settings
from lab.experiments.runner.jobs import finished
from lab.experiments.show.folders import replaced
from lab.experiments.show.style import png
from lab.experiments.table import Failure
from lab.experiments.timing import rate, steps_of, take_turns
from lab.measure import predict
from lab.models import ModelSpec, count_parameters, create_model, locate
from lab.runs.network import build_model, dry_run, model_spec
from lab.tracking import texts
from lab.tracking.writer import Tracker
from lab.training import choose_device, set_threads

T = TypeVar("T")

COMPARED = "cnn"
"""The model whose speed is 1."""

TURNS, STEPS, PICTURES = 5, 4, 400
"""How speeds are measured: turns, and training steps and pictures answered in each."""

PAGE, TEXT, DATA = "report_card.html", "report_card.md", "report_card.json"

RUNS = "runs"
"""The folder of all cards' runs."""


@dataclass(frozen=True)
class CardResult:
    """The folder of a report card, its sentences, and the runs that failed (without any card if
    they are the network's own)."""

    folder: Path
    sentences: tuple[str, ...]
    failed: tuple[Failure, ...] = ()


def report(
    model: str,
    base: RunConfig,
    *,
    against: Sequence[str] = (),
    seeds: int = 3,
    sizes: Sequence[int] = (),
    random_sizes: Sequence[int] = (),
    processes: int | None = None,
    executor: str = "local",
    command: str = "",
    say: Callable[[str], None] = print,
    watch: bool = True,
) -> CardResult:
    """Measure the network `model` beside those it is held `against`, and write its report card.

    `sizes` are those of the training sets of the learning curve, `random_sizes` of those with
    random labels; none: what the pictures allow (`Subject.sizes`). Runs go to `base.out`/runs,
    where those that are there already are kept (a file that has changed is another network); the
    card to `base.out`/NAME, or NAME-DATA for pictures from disk, with a number if that is something
    else's: one HTML page, Markdown, JSON, and an event file for TensorBoard. Raises `ValueError`
    before anything is run if a setting cannot work.
    """
    if base.counterfactuals < 1:
        raise ValueError(
            f"--counterfactuals must be 1 or more here, not {base.counterfactuals}: cues are judged"
            " by them"
        )
    subject = subject_of(base, seeds=seeds)
    base = replace(subject.adapted(base), out=at_home(base.out, "--out"))
    sizes, random_sizes = subject.sizes(sizes), subject.random_sizes(random_sizes)
    models = tuple(dict.fromkeys(locate(name) for name in (model, *against)))
    tried = {name: _try_out(name, base, subject) for name in models}
    found = plans(base, models, subject, sizes=sizes, random_sizes=random_sizes)
    jobs = check_plans(found, seeds=seeds, out=base.out / RUNS)
    subject = with_notes(subject, base, sizes[-1], seeds=seeds)
    for note in subject.notes:
        say(f"warning: {note}")
    done = sum(map(finished, jobs))
    say(f"{len(jobs)} runs" + (f", {done} of them done already" if done else ""))
    tables = run_plans(
        found, seeds=seeds, out=base.out / RUNS, processes=processes, executor=executor,
        watch=watch, say=say,
    )  # fmt: skip
    failed = failures(tables)
    lost = {failure.settings["model"] for failure in failed}
    folder = card_folder(base.out, models[0], subject.source)
    if models[0] in lost:
        return CardResult(folder, (), failed)
    say("speeds and last questions")
    device = choose_device(base.device)
    set_threads(1)
    spec, labels = model_spec(base, subject.classes), model_labels(models)

    def unless_it_fails(name: str, measure: Callable[[], T]) -> T | None:
        """What `measure` finds of a network; None if that fails, which takes it from the card and
        loses no other."""
        try:
            return measure()
        except Exception as error:
            nonlocal failed
            why = f"its runs are finished, and it cannot be measured: {one_line(error)}"
            settings, trace = {"model": name}, traceback.format_exc()
            failed += (Failure(settings, base.seed, base.out / RUNS, why, trace),)
            lost.add(name)
            return None

    for name in models:
        if name not in lost:
            unless_it_fails(name, partial(_try_speed, name, spec))
    timed = [name for name in models if name not in lost]
    speeds = _speeds(timed, base, subject)
    found_cards = [
        unless_it_fails(
            name,
            partial(
                make_card, name, tables, base, subject,
                name=labels[name], parameters=tried[name][0], warnings=tried[name][1],
                training_speed=speeds[name][0], answering_speed=speeds[name][1], device=str(device),
            ),
        )
        for name in timed
    ]  # fmt: skip
    if models[0] in lost:
        return CardResult(folder, (), failed)
    cards = [card for card in found_cards if card is not None]
    said = words.sentences(cards, subject, steps=base.train.max_steps, compared=COMPARED)
    _write(folder, cards, said, base, subject, seeds=seeds, command=command)
    return CardResult(folder, tuple(said), failed)


def _write(
    folder: Path,
    cards: Sequence[Card],
    said: Sequence[str],
    base: RunConfig,
    subject: Subject,
    *,
    seeds: int,
    command: str,
) -> None:
    told = {"command": command, "conditions": _conditions(base, subject, seeds)}
    drawn = plots.draw(cards, subject)
    markdown = words.to_markdown(cards, said, subject, **told)
    source = {"data": subject.source} if subject.source else {}
    lacking = {section.name for section in SECTIONS if not section.applies(subject)}
    with replaced(folder) as draft:
        (draft / PAGE).write_text(to_html(cards, said, drawn, subject, **told), encoding="utf-8")
        replace_text(draft / TEXT, markdown)
        content = {**told, **source, "date": date.today().isoformat(), "sentences": list(said),
                   "cards": plain(cards, noun=subject.noun, without=lacking)}  # fmt: skip
        replace_text(draft / DATA, json.dumps(content, indent=2, allow_nan=False) + "\n")
        with Tracker(draft) as tracker:
            tracker.text("report_card", _for_board(cards, said, subject))
            for name, figure in drawn.items():
                pixels = Image.open(io.BytesIO(png(figure))).convert("RGB")
                tracker.image(f"report/{name}", 0, np.asarray(pixels))


def _for_board(cards: Sequence[Card], said: Sequence[str], subject: Subject) -> str:
    """The sentences and the table for TensorBoard's Text tab, letter by letter."""
    blocks = [texts.paragraphs("\n".join(said)), texts.table(*words.summary_rows(cards, subject))]
    if cards[0].parts:
        blocks.append(texts.table(*part_rows(cards)))
    return "\n\n".join(blocks)


def _conditions(base: RunConfig, subject: Subject, seeds: int) -> str:
    steps = f"{in_steps(base.train.max_steps)} of {base.train.batch_size} {subject.noun}"
    bound = ending_when_fitted(with_settings(base, {"num_train": 2})).loss_bound
    if bound is not None:
        steps = f"at most {steps}, fewer where the training loss falls to {bound:g}"
    return (
        f"{subject.described}, {base.data.image_size} px, {steps}, width {base.model.width} (where"
        f" a network has one), {subject.tested} test {subject.noun}, {seeds} seeds. Numbers are"
        " means over the seeds; in brackets are Student's 95 % intervals of the mean. A set counts"
        f" as fitted if every seed gets {percent(FITTED, 0)} of it right. Speeds: {COMPARED} is 1,"
        " on one thread of this processor."
    )


def _try_out(name: str, base: RunConfig, subject: Subject) -> tuple[int, tuple[str, ...]]:
    """How many numbers a model has, and what its dry run warns of; `ValueError` if it cannot
    work."""
    config = replace(base, model=replace(base.model, model=name))
    spec = model_spec(config, subject.classes)
    trial = dry_run(config, spec, whole_batches=False)
    model = build_model(config, spec, finished=trial.unfinished)
    return count_parameters(model), trial.warnings


def _try_speed(name: str, spec: ModelSpec) -> None:
    """Do once what is timed of a model."""
    steps_of(name, spec)(1)
    size = spec.image_size
    predict(create_model(name, spec), torch.zeros(1, spec.in_channels, size, size).byte())


def _speeds(
    models: Sequence[str], base: RunConfig, subject: Subject
) -> Mapping[str, tuple[float, float]]:
    """Training steps and answers a second of each model, in times of `COMPARED`'s."""
    names = dict.fromkeys((COMPARED, *models))
    spec, pictures = (
        model_spec(base, subject.classes),
        torch.zeros(PICTURES, 3, *[base.data.image_size] * 2).byte(),
    )

    def answer(name: str) -> Callable[[], int]:
        network = create_model(name, spec)
        return lambda: len(predict(network, pictures))

    def train(name: str) -> Callable[[], int]:
        step = steps_of(name, spec)
        return lambda: step(STEPS)

    found = []
    for job in (train, answer):
        jobs = {name: job(name) for name in names}
        rates = {n: rate(s) for n, s in take_turns(jobs, repetitions=TURNS).items()}
        found.append({name: value / rates[COMPARED] for name, value in rates.items()})
    return {name: (found[0][name], found[1][name]) for name in models}


def card_folder(out: Path, model: str, source: str = "") -> Path:
    """Where the model's card about the pictures of `source` ("": drawn ones) is, or can be: its own
    name, and theirs, with a number if that is taken."""
    name = "-".join(filter(None, [_name(model), _name(Path(source).stem) if source else ""]))
    for number in count(1):
        folder = out / (name if number == 1 else f"{name}-{number}")
        if folder.name != RUNS and (not folder.exists() or _about(folder) == (model, source)):
            return folder
    raise AssertionError("unreachable")


def _about(folder: Path) -> tuple[str, str] | None:
    """The model whose card a folder holds, and where its pictures are from; None if it holds
    none."""
    try:
        card = json.loads((folder / DATA).read_text(encoding="utf-8"))
        return str(card["cards"][0]["model"]), str(card.get("data", ""))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _name(model: str) -> str:
    """A folder's name for a model."""
    file, colon, function = model.rpartition("/")[2].partition(".py:")
    word = function if file == function else f"{file}-{function}" if colon else file
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", word).strip("-.") or "model"
