"""Pictures from disk (`--data`): those of a run, perturbed, and what its network makes of them.

They are read only if they are what the run was trained on, by the version that it noted.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from lab.core.config import DataConfig, RunConfig
from lab.core.paths import is_there
from lab.core.run_dir import RunDir
from lab.measure import example_losses
from lab.measure.label_doubts import LabelDoubts, label_doubts
from lab.measure.perturbations import GRID, PERTURBATIONS, occlusions
from lab.playground.answers import address
from lab.playground.errors import RequestError, one_line
from lab.playground.logdir import RunEntry, share, summary
from lab.playground.model_cache import ModelCache, PictureRun
from lab.playground.neighbors import distances
from lab.runs.provenance import refuse_other_classes, refuse_other_world
from lab.worlds import Examples, StoredWorld, classes_of, open_world
from lab.worlds.copies import equal_pairs, near_copies

SETS = ("test", "train")
"""The sets whose pictures are shown."""

ONLY = ("all", "mistakes", "doubts", "mislabeled")
"""Which of them: all; those whose prediction is not their label, the largest loss first; training
pictures by how likely their label is wrong (`lab.measure.label_doubts`); those whose label was
made wrong (`--label-noise`)."""

PLAIN = "none"
"""The name of no perturbation."""

CHANGES = (PLAIN, *PERTURBATIONS)

MOST, MEMORY = 20_000, 2**26
"""Most pictures of a set that are looked at (the first ones), and most bytes of their pixels."""

SETS_MEMORY, WORLDS = 2**28, 8
"""Most bytes of all sets that are kept, and most folders or files whose contents are known."""

AGAIN, SPARING = 30.0, 50
"""Seconds after which it is looked whether the pictures are still the same, at least, and as a
multiple of the time that this takes."""

PAGE, SHOWN, THUMBNAIL = 40, 6, 96
"""Pictures in one part of the list, nearest pictures, and the largest side of their small copies in
pixels."""

Values = dict[str, Any]
Key = tuple[DataConfig, int, str]


class LostPictures(RequestError):
    """Pictures that are no longer where they were, or not what they were."""

    status = 404


@dataclass
class _Known:
    """A world whose version was compared; `due`: when it has to be compared again."""

    world: StoredWorld[Any]
    due: float


class Pictures:
    """The pictures of runs that were trained on some from disk. Used by one thread at a time."""

    def __init__(self, cache: ModelCache) -> None:
        self._cache = cache
        self._worlds: OrderedDict[Key, _Known] = OrderedDict()
        self._sets: OrderedDict[tuple[Key, str], Examples] = OrderedDict()

    def listed(
        self, entry: RunEntry, *, split: str, only: str, label: int | None, start: int
    ) -> Values:
        """`PAGE` pictures of a set from place `start` on: those that `only` says, of all classes or
        with one `label`."""
        if only == "doubts" and split != "train":
            raise RequestError("only=doubts is about training pictures: ask with split=train")
        world, run, examples = self._open(entry, split)
        if label is not None and label >= len(run.classes):
            raise RequestError(f"class must be 0 to {len(run.classes) - 1}, not {label}")
        logits = self._answers(run, examples, split)
        says, losses = logits.argmax(dim=1), example_losses(logits, examples.labels)
        wrong = says != examples.labels
        if only == "doubts":
            order = self._doubts(run, examples, losses).order
        elif only == "mistakes":
            order = losses.argsort(descending=True, stable=True)
            order = order[wrong[order]]
        else:
            order = torch.arange(len(examples))
            order = order[examples.mislabeled] if only == "mislabeled" else order
        counts = {"all": len(examples), "mistakes": int(wrong.sum())}
        if world.data.label_noise:
            counts["mislabeled"] = int(examples.mislabeled.sum())
        if label is not None:
            order = order[examples.labels[order] == label]
        return {
            "classes": list(run.classes),
            "size": run.size,
            "totals": {each: _total(world, each) for each in SETS},
            "searched": len(examples),
            "counts": counts,
            "of_class": torch.bincount(examples.labels, minlength=len(run.classes)).tolist(),
            "found": len(order),
            "pictures": [
                {
                    **_entry(world, examples, split, i),
                    "says": int(says[i]),
                    "chance": round(float(logits[i].double().softmax(dim=0)[says[i]]), 5),
                }
                for i in order[start : start + PAGE].tolist()
            ],
        }

    def shown(
        self,
        entry: RunEntry,
        others: Sequence[RunEntry],
        *,
        split: str,
        number: int,
        change: str,
        step: int | None = None,
    ) -> Values:
        """One picture as it is and with each perturbation, and the predictions of the run and of
        `others` on the same pictures, as they were after `step` steps (None: trained). How many
        test pictures get another answer is known of the trained network alone."""
        world, run, examples = self._open(entry, split)
        run = run.at(step)
        one = _one(examples, number)
        variants = torch.cat([_changed(one, name) for name in CHANGES])
        item = world.item(split, number)
        told = summary(entry)
        answers = [
            {**self._answer(run, variants, change), **self._studied(entry, world, item, one)}
        ]
        for other in others:
            try:
                theirs, its = self._alike(other, entry)
                its = its.at(step)
                known = self._studied(other, theirs, item, one)
                answers.append({**self._answer(its, variants, change), **known})
            except RequestError as refusal:
                answers.append({"name": other.name, "trouble": str(refusal)})
        return {
            **_entry(world, examples, split, number),
            "classes": list(run.classes),
            "size": run.size,
            "picture": address(variants[CHANGES.index(change)]),
            "changes": [
                {
                    "name": name,
                    "picture": address(_small(variant)),
                    "share": share(told, f"perturbation/{name}") if run.trained is None else None,
                }
                for name, variant in zip(CHANGES, variants, strict=True)
            ],
            "answers": answers,
        }

    def occluded(
        self, entry: RunEntry, *, split: str, number: int, change: str, step: int | None = None
    ) -> Values:
        """By how much the probability of the predicted class falls when each of `GRID` x `GRID`
        patches is occluded, and what is predicted then, after `step` steps (None: trained)."""
        _, run, examples = self._open(entry, split)
        run = run.at(step)
        image = _changed(_one(examples, number), change)
        pictures = torch.cat([image, *(occluded for _, occluded in occlusions(image))])
        chances = run.ask(pictures).double().softmax(dim=1)
        says = int(chances[0].argmax())
        drops = (chances[0, says] - chances[1:, says]).reshape(GRID, GRID)
        return {
            "says": says,
            "drops": [[round(drop, 5) for drop in row] for row in drops.tolist()],
            "then": chances[1:].argmax(dim=1).reshape(GRID, GRID).tolist(),
        }

    def similar(self, entry: RunEntry, *, split: str, number: int, change: str) -> Values:
        """The nearest training pictures by the network's features and by pixels, nearest first. A
        training picture is left out of its own."""
        world, run, examples = self._open(entry, split)
        image = _changed(_one(examples, number), change)
        known = self._set(entry, world, "train")
        says = self._answers(run, known, "train").argmax(dim=1)
        features = self._features(run, known)
        far = distances(known.images, features, image, run.features(image))
        itself = split == "train" and change == PLAIN
        ways = []
        for way, each in far.items():
            if itself:
                each[number] = torch.inf
            order = each.topk(min(SHOWN, len(known) - itself), largest=False).indices.tolist()
            ways.append(
                {
                    "way": way,
                    "pictures": [
                        {
                            **_entry(world, known, "train", i),
                            "says": int(says[i]),
                            "distance": round(float(each[i]), 4),
                        }
                        for i in order
                    ],
                }
            )
        return {
            "searched": len(known),
            "studied": _total(world, "train"),
            "same": bool((far["pixels"] == 0).any()),
            "ways": ways,
        }

    def _open(self, entry: RunEntry, split: str) -> tuple[StoredWorld[Any], PictureRun, Examples]:
        """The run's world, its network, and the first pictures of a set."""
        world = self._world(entry)
        run = self._cache.of_pictures(entry)
        return world, run, self._set(entry, world, split)

    def _alike(self, other: RunEntry, entry: RunEntry) -> tuple[StoredWorld[Any], PictureRun]:
        """Another run on the same pictures."""
        first, second = _config(entry), _config(other)
        if (
            other.provenance.world != entry.provenance.world
            or second.data.image_size != first.data.image_size
        ):
            raise RequestError(
                "it was trained on other pictures, or with another --image-size, --resize or"
                " --groups"
            )
        return self._world(other), self._cache.of_pictures(other)

    def _world(self, entry: RunEntry) -> StoredWorld[Any]:
        """The pictures that a run was trained on; `LostPictures` if they are not there."""
        key, now = _key(entry), time.monotonic()
        known = self._worlds.get(key)
        if known is not None and now < known.due and Path(str(key[0].data)).exists():
            self._worlds.move_to_end(key)
            return known.world
        self._worlds.pop(key, None)
        try:
            world = _verified(entry)
        except LostPictures:
            for name in SETS:
                self._sets.pop((key, name), None)
            raise
        took = time.monotonic() - now
        self._worlds[key] = _Known(world, due=now + max(AGAIN, SPARING * took))
        while len(self._worlds) > WORLDS:
            self._worlds.popitem(last=False)
        return world

    def _set(self, entry: RunEntry, world: StoredWorld[Any], split: str) -> Examples:
        key = (_key(entry), split)
        if key not in self._sets:
            most = min(MOST, max(2, MEMORY // (3 * world.data.image_size**2)))
            try:
                self._sets[key] = world.load(split, min(_total(world, split), most))
            except (ValueError, OSError, RuntimeError, MemoryError) as error:
                raise LostPictures(f"its pictures cannot be read: {one_line(error)}") from None
        self._sets.move_to_end(key)
        while len(self._sets) > 1 and sum(map(_bytes, self._sets.values())) > SETS_MEMORY:
            self._sets.popitem(last=False)
        return self._sets[key]

    def _answers(self, run: PictureRun, examples: Examples, split: str) -> Tensor:
        """Its logits (N, C) on the pictures of a set."""
        made = run.remember(f"answers {split}", lambda: run.ask(examples.images), _size)
        self._cache.fits()
        return made

    def _features(self, run: PictureRun, known: Examples) -> Tensor | None:
        """Its features (N, D) of the training pictures `known`; None: it has no such layer."""
        made = run.remember(
            "features", lambda: run.features(known.images), lambda f: 0 if f is None else _size(f)
        )
        self._cache.fits()
        return made

    def _doubts(self, run: PictureRun, known: Examples, losses: Tensor) -> LabelDoubts:
        return run.remember(
            "doubts",
            lambda: label_doubts(self._features(run, known), known.labels, losses),
            lambda doubts: _size(doubts.order) * 3,
        )

    def _studied(self, entry: RunEntry, world: StoredWorld[Any], item: Any, one: Tensor) -> Values:
        """Whether a run was trained on a picture `one` (1, 3, S, S), stored as `item`; if not, the
        name of a training picture that is the same, `exact` or nearly (None: there is none), and
        whether all training pictures were compared."""
        if world.trained_on(item):
            return {"studied": True, "copy": None, "exact": False, "compared": True}
        known = self._set(entry, world, "train")
        pairs = near_copies(one, known.images).pairs
        equal = equal_pairs(one, known.images, pairs)
        exact = bool(equal.any())
        named = (pairs[equal] if exact else pairs)[:1, 1].tolist()
        return {
            "studied": False,
            "copy": world.name("train", named[0]) if named else None,
            "exact": exact,
            "compared": len(known) == _total(world, "train"),
        }

    def _answer(self, run: PictureRun, variants: Tensor, change: str) -> Values:
        chances = run.ask(variants).double().softmax(dim=1)
        says = chances.argmax(dim=1).tolist()
        return {
            "name": run.name,
            "step": run.step,
            "chances": [round(each, 6) for each in chances[CHANGES.index(change)].tolist()],
            "says": says,
            "sure": [round(float(row[at]), 5) for row, at in zip(chances, says, strict=True)],
        }


def lost(entry: RunEntry) -> str:
    """Why a run's pictures cannot be shown, as far as it can be told without reading any; empty if
    nothing speaks against it."""
    place = _config(entry).data.data
    if place is None or is_there(place):
        return ""
    return (
        f"its pictures are no longer at {place}: put them back there, or say where they are now:"
        " train.py --resume RUN --data NEW"
    )


def _verified(entry: RunEntry) -> StoredWorld[Any]:
    """The world of a run, whose version is that of its training."""
    config = _config(entry)
    if gone := lost(entry):
        raise LostPictures(gone)
    try:
        # cheap: settings that name some other folder do not let all of it be read
        refuse_other_classes(
            classes_of(config.data), entry.provenance, config=config, what=entry.name
        )
        world = open_world(config.data, seed=config.seed)
        refuse_other_world(world, entry.provenance, what=entry.name, run=RunDir(entry.folder))
    except (ValueError, OSError) as error:
        raise LostPictures(one_line(error)) from None
    if not isinstance(world, StoredWorld):
        raise RequestError(f"{entry.name} was trained on drawn pictures, not on some from disk")
    return world


def _config(entry: RunEntry) -> RunConfig:
    if entry.config is None:
        raise RequestError(entry.trouble)
    if entry.config.data.data is None:
        raise RequestError(f"{entry.name} was trained on drawn pictures, not on some from disk")
    return entry.config


def _key(entry: RunEntry) -> Key:
    config = _config(entry)
    return config.data, config.seed, entry.provenance.world


def _total(world: StoredWorld[Any], split: str) -> int:
    return world.data.num_train if split == "train" else world.data.num_test


def _one(examples: Examples, number: int) -> Tensor:
    """Picture `number` (1, 3, S, S) of a set."""
    if not 0 <= number < len(examples):
        raise RequestError(
            f"number must be a whole number from 0 to {len(examples) - 1}, not {number}"
        )
    return examples.images[number : number + 1]


def _changed(images: Tensor, change: str) -> Tensor:
    return images if change == PLAIN else PERTURBATIONS[change](images)


def _entry(world: StoredWorld[Any], examples: Examples, split: str, i: int) -> Values:
    """What the page shows of example `i` of a set."""
    return {
        "number": i,
        "name": world.name(split, i),
        "thumbnail": address(_small(examples.images[i])),
        "label": int(examples.labels[i]),
        "truth": int(examples.clean_labels[i]),
    }


def _small(image: Tensor) -> Tensor:
    """A picture (3, S, S) uint8 of at most `THUMBNAIL` pixels to a side."""
    if image.shape[-1] <= THUMBNAIL:
        return image
    made = interpolate(
        image[None].float(), size=(THUMBNAIL, THUMBNAIL), mode="bilinear", antialias=True
    )
    return made[0].round().clamp(0, 255).to(torch.uint8)


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _bytes(examples: Examples) -> int:
    return _size(examples.images) + 100 * len(examples)
