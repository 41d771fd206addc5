"""The requests of the page, by name: from checked parameters to JSON values."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from lab.core.config import DataConfig
from lab.playground import (
    causes,
    counterfactual,
    explain,
    game,
    levels,
    neighbors,
    pictures,
    training_faces,
)
from lab.playground.answers import SIZES, Views, answer, as_seen, picture
from lab.playground.describe_run import character, conditions, in_short, picture_conditions
from lab.playground.effects import without_effect
from lab.playground.errors import NotThere, RequestError, one_line
from lab.playground.logdir import (
    Logdir,
    RunEntry,
    open_logdir,
    share,
    snapshots_of,
    stamp,
    summary,
)
from lab.playground.model_cache import (
    Key,
    LoadedRun,
    ModelCache,
    NeedsConsent,
    NotReady,
    face_world,
)
from lab.playground.over_training import over_training
from lab.playground.read_ahead import ReadAhead
from lab.playground.request import QueryParams, start_face, write_face
from lab.playground.table import page_table
from lab.playground.work_queue import WorkQueue
from lab.runs.provenance import refuse_other_world
from lab.worlds import population_of
from lab.worlds.faces import Faces, render

Values = dict[str, Any]

MOST_ASKED = 24
"""Most runs in one request."""

MOST_OTHERS = 3
"""Most other runs that are asked about one picture."""

MOST_NUMBER = 2**31 - 1
"""The largest number of a random face or of a round of the game."""

MOST_STEPS = 10_000_000
"""The largest step of training."""

_LOOK = ("face", "size", "run", "seen", "exact", "step", "film")
"""The parameters of a look; `film`: the page has the timeline, and may ask about any step next."""

SLOT = "slot"
"""The parameter by which a newer request replaces an older one."""


class Service:
    """Processes the page's requests about the runs in TensorBoard's logdir."""

    def __init__(
        self,
        logdir: str | None,
        model_files: Sequence[Path] = (),
        allowed: Collection[Key] = (),
    ) -> None:
        """`logdir` is TensorBoard's; the others are as a `ModelCache` takes them."""
        self._place = logdir
        self._cache = ModelCache(model_files, allowed)
        # one queue for each order of duration, so that short requests do not wait for long ones:
        # some 20, 50 and over 1,000 milliseconds; the list of a thousand runs takes 500
        self._quick, self._lists = WorkQueue("playground-quick"), WorkQueue("playground-lists")
        self._slow = WorkQueue("playground-slow", first=self._quick)
        self._long = WorkQueue("playground-long", first=self._quick)
        self._ahead = ReadAhead(self._cache, first=self._quick)
        self._slow.begin(_build_drawing)
        # the first look at a large folder takes long: nobody who looks at faces waits for it
        self._pictures = pictures.Pictures(self._cache)
        disk = WorkQueue("playground-pictures", first=self._quick)
        about_one = ("run", "split", "number", "change")
        self._questions: dict[
            str, tuple[WorkQueue, Callable[[QueryParams], Values], tuple[str, ...]]
        ] = {
            "table": (self._quick, lambda asked: page_table(), ()),
            "runs": (self._lists, self._runs, ()),
            "about": (self._lists, self._about_one, ("run",)),
            "effects": (self._quick, lambda asked: _effects(asked.face()), ("face",)),
            "look": (self._quick, self._look, _LOOK),
            "random": (self._quick, self._random, ("number", "run")),
            "strips": (self._slow, self._strips, ("face", "run", "step")),
            "parts": (self._slow, self._parts, ("face", "run", "step")),
            "nearest": (self._long, self._nearest, ("face", "run", "step")),
            "causes": (self._long, self._causes, ("face", "run")),
            "fool": (self._long, self._fool, ("face", "run", "step")),
            "over_training": (self._slow, self._over_training, ("face", "run")),
            "training_faces": (self._slow, self._training_faces, ("run", "start")),
            "levels": (self._quick, lambda asked: levels.list_levels(), ()),
            "tray": (self._slow, lambda asked: levels.show_tray(asked.text("level")), ("level",)),
            "play": (self._long, _play, ("level", "chosen")),
            "round": (self._slow, self._round, ("number", "run")),
            "album": (disk, self._album, ("run", "split", "only", "class", "start")),
            "picture": (disk, self._picture, (*about_one, "other", "step")),
            "occluded": (disk, self._occluded, (*about_one, "step")),
            "similar": (disk, self._similar, about_one),
            "place": (self._quick, self._place_of, ("of",)),
        }

    def ask(
        self,
        question: str,
        parameters: Mapping[str, Sequence[str]],
        *,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Values:
        """The response to a request; `RequestError` says in one line why there is none.

        Of the requests with the same parameter `slot` only the newest is processed; older ones that
        wait end with `Overtaken`, and so do those whose `wanted()` is false by then.
        """
        lane, function, allowed = self._questions[question]
        asked = QueryParams(parameters, (*allowed, SLOT))
        slot = next(iter(asked.texts(SLOT, most=1)), None)
        told = sorted((name, tuple(each)) for name, each in parameters.items() if name != SLOT)
        return lane.run(lambda: function(asked), key=(question, *told), slot=slot, wanted=wanted)

    def allow(self, name: str) -> Values:
        """Agree that opening the run `name` runs the file that makes its network."""
        self._cache.allow(self._logdir.find(name))
        return {"allowed": name}

    @property
    def _logdir(self) -> Logdir:
        return open_logdir(self._place)

    def _open(self, asked: QueryParams) -> LoadedRun:
        """The run that is asked about, at the step that is."""
        return self._cache.get(self._find(asked)).at(_step(asked))

    def _find(self, asked: QueryParams) -> RunEntry:
        return self._logdir.find(asked.text("run"))

    def _runs(self, asked: QueryParams) -> Values:
        logdir = self._logdir
        found = logdir.runs()
        return {
            "logdir": self._place or "",
            "trouble": logdir.trouble,
            "runs": [self._about(run) for run in found.runs],
            "more": found.more,
            "searched": found.searched,
        }

    def _about_one(self, asked: QueryParams) -> Values:
        """The entry of one run in the list, also beyond its end."""
        try:
            return self._about(self._find(asked))
        except NotThere as refusal:
            return {"name": asked.text("run"), "kind": "gone", "trouble": str(refusal)}

    def _about(self, run: RunEntry) -> Values:
        """The entry of a run in the list, without loading its network."""
        about: Values = {"name": run.name, "trouble": run.trouble}
        if run.config is None:
            return {**about, "kind": "foreign"}
        told = summary(run)
        try:
            if run.config.data.data is None:
                world = face_world(run.config)
                about |= {
                    "task": world.task.name,
                    "conditions": conditions(run.config, world, told),
                    "cued": bool(world.cues),
                }
            else:
                world = None  # not opened for the list: to compare the version reads all files
                classes = run.provenance.classes
                about |= {
                    "pictures": run.provenance.world,
                    "conditions": picture_conditions(run.config, len(classes), told),
                }
            marks = stamp(run)
        except (ValueError, RequestError) as error:
            return {**about, "kind": "broken", "trouble": one_line(error)}
        step = told.get("weights_of_step", told.get("step"))
        saved = [at for name, _, at in marks if name.endswith(".pt")]
        about |= {
            "size": run.config.data.image_size,
            "changed": str(max(saved, default=0)),
            "age": round(max(0.0, time.time() - max(saved) / 1e9)) if saved else None,
            "status": told.get("status") if isinstance(told.get("status"), str) else "",
            "verdict": told.get("verdict") if isinstance(told.get("verdict"), str) else "",
            "snapshots": snapshots_of(run),
            "step": step if isinstance(step, int) else None,
            "character": character(run.config, told),
            "short": in_short(run.config, world, told) if world is not None else {},
            "figures": {tag: share(told, tag) for tag in ("accuracy/train", "accuracy/test")},
        }
        if not saved:
            return {**about, "kind": "waiting", "trouble": "it has no checkpoint yet"}
        if world is None and (gone := pictures.lost(run)):
            return {**about, "kind": "broken", "trouble": gone}
        try:
            if world is not None:
                refuse_other_world(world, run.provenance, what="it")
        except ValueError as error:
            return {**about, "kind": "broken", "trouble": str(error)}
        code = self._cache.code_of(run)
        if code is not None and code.trouble:
            return {**about, "kind": "broken", "trouble": code.trouble}
        if code is not None and not self._cache.consented(run):
            return {**about, "kind": "consent", "code": code.told}
        if code is not None and code.changed:
            number, *more = about["conditions"]
            changed = f"not the code that was trained: {code.changed}"
            about["conditions"] = [number, changed, *more]
        return {**about, "kind": "ready" if world is not None else "pictures"}

    def _look(self, asked: QueryParams) -> Values:
        face = asked.face()
        size = asked.whole("size", *SIZES, default=384)
        views, logdir, step = Views(face), self._logdir, _step(asked)
        answers, filmed = [], []
        for name in asked.texts("run", most=MOST_ASKED):
            try:
                run = self._cache.get(logdir.find(name)).at(step)
                answers.append({"name": name, "step": run.step, **answer(run, views)})
                filmed.append(run.whole)
            except RequestError as refusal:
                answers.append({"name": name, "trouble": str(refusal), "kind": _kind(refusal)})
        if asked.whole("film", 0, 1, default=0):
            self._ahead.read(filmed)
        seen = asked.texts("seen", most=1)
        result = {"picture": picture(face, size), "face": write_face(face), "answers": answers}
        if seen and not any(a["name"] == seen[0] and "trouble" in a for a in answers):
            run = self._cache.get(logdir.find(seen[0]))
            shown = picture(as_seen(face, run), run.size, exact=True)
            result["seen"] = {"name": run.name, "size": run.size, "picture": shown}
        if asked.whole("exact", 0, 1, default=0):
            result["exact"] = picture(face, size, exact=True)
        return result

    def _random(self, asked: QueryParams) -> Values:
        """A random face; for a `run`, one that its cues decide: `game.person_with_cues`."""
        number = asked.whole("number", 0, MOST_NUMBER)
        if "run" in asked:
            return {"face": write_face(game.person_with_cues(self._find(asked), number))}
        faces = population_of(DataConfig()).sample(1, seed=0, split="playground", start=number)
        return {"face": write_face(faces)}

    def _place_of(self, asked: QueryParams) -> Values:
        """How many requests are processed before the one that waits in the slot `of`."""
        slot = asked.text("of")
        return {"before": sum(queue.before(slot) for queue in (self._slow, self._long))}

    def _strips(self, asked: QueryParams) -> Values:
        return explain.strips(self._open(asked), asked.face())

    def _parts(self, asked: QueryParams) -> Values:
        return explain.parts(self._open(asked), asked.face())

    def _nearest(self, asked: QueryParams) -> Values:
        return neighbors.nearest(self._open(asked), asked.face(), self._cache)

    def _causes(self, asked: QueryParams) -> Values:
        run = self._cache.get(self._find(asked))
        return causes.causes(run, asked.face(), self._logdir, self._cache)

    def _fool(self, asked: QueryParams) -> Values:
        return counterfactual.fool(self._open(asked), asked.face())

    def _over_training(self, asked: QueryParams) -> Values:
        return over_training(self._open(asked), asked.face(), self._cache)

    def _training_faces(self, asked: QueryParams) -> Values:
        start = asked.whole("start", 0, training_faces.MOST, default=0)
        return training_faces.listed(self._open(asked), start)

    def _round(self, asked: QueryParams) -> Values:
        return game.play(self._open(asked), asked.whole("number", 0, MOST_NUMBER))

    def _album(self, asked: QueryParams) -> Values:
        label = asked.whole("class", -1, MOST_NUMBER, default=-1)
        return self._pictures.listed(
            self._find(asked),
            split=asked.choice("split", pictures.SETS, default=pictures.SETS[0]),
            only=asked.choice("only", pictures.ONLY, default=pictures.ONLY[0]),
            label=None if label < 0 else label,
            start=asked.whole("start", 0, pictures.MOST, default=0),
        )

    def _picture(self, asked: QueryParams) -> Values:
        run, logdir = self._find(asked), self._logdir
        names = [name for name in asked.texts("other", most=MOST_OTHERS) if name != run.name]
        others = [logdir.find(name) for name in names]
        return self._pictures.shown(run, others, step=_step(asked), **_which(asked))

    def _occluded(self, asked: QueryParams) -> Values:
        return self._pictures.occluded(self._find(asked), step=_step(asked), **_which(asked))

    def _similar(self, asked: QueryParams) -> Values:
        return self._pictures.similar(self._find(asked), **_which(asked))


class Which(TypedDict):
    """One picture of a run's set, perturbed or not."""

    split: str
    number: int
    change: str


def _which(asked: QueryParams) -> Which:
    return Which(
        split=asked.choice("split", pictures.SETS, default=pictures.SETS[0]),
        number=asked.whole("number", 0, pictures.MOST - 1),
        change=asked.choice("change", pictures.CHANGES, default=pictures.PLAIN),
    )


def _step(asked: QueryParams) -> int | None:
    """The step of training that is asked about; None: the trained network."""
    step = asked.whole("step", -1, MOST_STEPS, default=-1)
    return None if step < 0 else step


def _play(asked: QueryParams) -> Values:
    return levels.play(asked.text("level"), asked.wholes("chosen", 0, 999, most=200))


def _effects(face: Faces) -> Values:
    return {"without": without_effect(face)}


def _kind(refusal: RequestError) -> str:
    kinds = {NotThere: "gone", NotReady: "waiting", NeedsConsent: "consent"}
    return kinds.get(type(refusal), "broken")


def _build_drawing() -> None:
    """Compile the drawing beforehand, if possible, so that no slider has to wait for it."""
    try:
        render(start_face(), backend="c")
    except ValueError:
        return  # torch draws instead, some 30 times slower
