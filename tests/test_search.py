"""The search for failures: it fools what can be fooled, by changes that should not matter alone."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, chisquare
from torch import Tensor

from lab.core.config import DataConfig
from lab.measure import predict
from lab.robustness import CHILDREN, Failures, Predict, find_failures
from lab.robustness import oracle as oracle_module
from lab.robustness.minimal import undo_changes
from lab.robustness.resample_and_evolve import at_quantile, quantile_of
from lab.worlds import DrawnWorld, Population, population_of
from lab.worlds.faces import ATTRIBUTES, STRAYS, Faces, render
from support.drawn_worlds import world_of
from support.planted import ByPixels, Planted

SIZE, SEED, COUNT = 16, 5, 40
POPULATION = population_of(DataConfig(cues=("eye_color=blue/brown:0.9",)))
FACES = POPULATION.sample(COUNT, seed=SEED, split="test")


def brightness(inputs: Tensor) -> Tensor:
    return inputs.mean(dim=(1, 2, 3))


def remainder(inputs: Tensor) -> Tensor:
    """What no attribute says anything about: changes that undo each other."""
    return ((inputs + 1) * 127.5).round().long().sum(dim=(1, 2, 3)) % 7 / 7


@cache
def by_brightness() -> Predict:
    """A network that calls bright pictures persons; half of all pictures are bright."""
    bound = (render(FACES, size=SIZE).float() / 127.5 - 1).mean(dim=(1, 2, 3)).median()
    return partial(predict, ByPixels(brightness, float(bound)))


def hunt(
    population: Population = POPULATION,
    faces: Faces = FACES,
    *,
    ask: Predict | None = None,
    **changes: int,
) -> Failures:
    numbers = {"resamples": 4, "generations": 4, **changes}
    world = world_of(population, size=SIZE, seed=numbers.pop("seed", SEED))
    return find_failures(ask or by_brightness(), world, faces, **numbers)


@cache
def found() -> Failures:
    return hunt()


def same(one: Faces, other: Faces) -> bool:
    return len(one) == len(other) and all(torch.equal(one[n], other[n]) for n in ATTRIBUTES)


def wrong(faces: Faces) -> Tensor:
    said = by_brightness()(render(faces, size=SIZE)).argmax(dim=1)
    return said != POPULATION.task.label(faces)


def test_a_reader_of_brightness_is_fooled() -> None:
    failures = found()
    assert torch.equal(failures.right, ~wrong(FACES))
    assert len(failures.found) > 0.8 * int(failures.right.sum())
    assert wrong(failures.after).all()
    assert not wrong(failures.before).any()
    fooled = torch.zeros(COUNT, dtype=torch.bool)
    fooled[failures.found] = True
    assert torch.equal(fooled, failures.right & ~failures.after_search)
    assert (failures.after_search <= failures.after_resamples).all()
    assert (failures.after_resamples <= failures.right).all()
    assert failures.after_search.sum() < failures.after_resamples.sum() < failures.right.sum()
    sure = failures.logits_after.softmax(dim=1).amax(dim=1)
    assert torch.equal(sure, sure.sort(descending=True).values)


def test_only_nuisances_change_and_all_changes_are_named() -> None:
    failures = found()
    assert torch.equal(failures.after.identity, failures.before.identity)
    for i, names in enumerate(failures.changed):
        assert set(names) <= set(POPULATION.task.nuisances)
        assert len(set(names)) == len(names) > 0
        for name in ATTRIBUTES:
            same = torch.equal(failures.after[name][i], failures.before[name][i])
            assert same == (name not in names)
    for name in ATTRIBUTES:
        assert torch.equal(failures.before[name], FACES[name][failures.found])


def test_no_change_is_left_that_is_not_needed() -> None:
    """Without any one of the changes the answer is right; the first is missed most."""
    erratic = partial(predict, ByPixels(remainder, 0.5))
    for ask, most in ((by_brightness(), 6), (erratic, 3)):
        failures = hunt(ask=ask)
        assert len(failures.found) > 5
        assert np.mean([len(names) for names in failures.changed]) < most
        for i, names in enumerate(failures.changed):
            index = torch.tensor([i])
            before, after = failures.before[index], failures.after[index]
            without = Faces.cat([after.redrawn({name: before[name]}) for name in names])
            logits = ask(render(without, size=SIZE))
            label = int(failures.labels[failures.found[i]])
            assert (logits.argmax(dim=1) == label).all()
            assert int((logits[:, label] - logits[:, 1 - label]).argmax()) == 0


def test_what_could_not_go_back_is_tried_again() -> None:
    """Of four changes a goes back, b cannot while c is there, c goes back, and then b can."""
    margins = {"abcd": -9, "bcd": -4, "acd": -3, "abd": -2, "abc": 9, "cd": 1, "bd": -1, "d": -1}

    class Change:
        all = torch.ones(1, 4, dtype=torch.bool)

        def predict_toggled(
            self, changed: Tensor, rows: Tensor, columns: Tensor
        ) -> oracle_module.OraclePredictions:
            left = [
                "".join(x for k, x in enumerate("abcd") if changed[0, k] and k != column)
                for column in columns.tolist()
            ]
            margin = torch.tensor([margins.get(key, 5) for key in left], dtype=torch.float64)
            return oracle_module.OraclePredictions(torch.zeros(len(rows), 2), margin, margin < 0)

    oracle = oracle_module.Oracle(
        by_brightness(), world_of(POPULATION, size=SIZE), lambda what, done, total: None
    )
    changed, need = undo_changes(oracle, Change(), Change.all.clone())  # type: ignore[arg-type]
    assert changed.tolist() == [[False, False, False, True]]
    assert need[0, 3] == 5


def test_what_knows_the_truth_is_never_fooled(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Planted(POPULATION.task.label, size=SIZE)

    def draw(world: DrawnWorld, faces: Faces) -> Tensor:
        model.teach(faces)
        return render(faces, size=SIZE)

    monkeypatch.setattr(DrawnWorld, "render", draw)
    failures = find_failures(
        partial(predict, model), world_of(POPULATION, size=SIZE), FACES, resamples=3, generations=2
    )
    assert failures.right.all()
    assert failures.after_search.all()
    assert failures.changed == ()
    assert len(failures.found) == len(failures.before) == len(failures.after) == 0
    assert failures.shown == {
        "as they are": COUNT, "resamples": 3 * COUNT, "search": 2 * CHILDREN * COUNT,
    }  # fmt: skip


def test_what_is_always_wrong_is_left_alone() -> None:
    def ask(images: Tensor) -> Tensor:
        return torch.zeros(len(images), 2).index_fill(1, torch.tensor([0]), 1.0)

    persons = FACES[POPULATION.task.label(FACES) == 1]
    failures = find_failures(ask, world_of(POPULATION, size=SIZE), persons)
    assert not failures.right.any()
    assert failures.shown == {"as they are": len(persons)}
    assert failures.changed == ()


def test_the_same_seed_finds_the_same() -> None:
    one, other = found(), hunt()
    assert one.changed == other.changed
    assert torch.equal(one.found, other.found)
    assert same(one.after, other.after)
    for part in ({"resamples": 0}, {"generations": 0}):
        assert not same(hunt(seed=SEED, **part).after, hunt(seed=SEED + 1, **part).after)


def test_a_face_is_tried_in_the_same_way_among_others() -> None:
    half, errors = COUNT // 2, (~found().right).nonzero()[:, 0]
    index = torch.cat([errors.repeat(half)[:half], torch.arange(half, COUNT)])
    for part in ({"resamples": 0}, {"generations": 0}):
        one, other = hunt(**part), hunt(faces=FACES[index], **part)
        assert len(other.found) > 0
        mine = one.found >= half
        assert torch.equal(one.found[mine], other.found)
        assert same(one.after[mine], other.after)


def test_the_evolution_strategy_moves_numbers_within_their_ranges() -> None:
    population = replace(POPULATION, variation=0.5)
    faces = population.sample(COUNT, seed=SEED, split="test")
    failures = hunt(population, faces, resamples=0, generations=12)
    assert torch.equal(failures.after_resamples, failures.right)
    assert len(failures.found) > 0
    for names in failures.changed:
        for name in names:
            row = ATTRIBUTES[name]
            assert row.kind == "continuous"
            low, high = row.quantile(np.array([0.0, 1.0]), variation=0.5).astype(np.float32)
            assert (failures.after[name] >= float(low)).all()
            assert (failures.after[name] <= float(high)).all()


def test_held_out_combinations_are_no_failures() -> None:
    held = ("light_strength=hard,background_pattern=plain", "light_strength=soft,scale=small")
    population = population_of(DataConfig(unseen_combinations=held))
    faces = population.sample(COUNT, seed=SEED, split="test")
    failures = hunt(population, faces)
    assert len(failures.found) > 0
    drawn = population.redraw_nuisances(faces, np.arange(COUNT), seed=0, split="x")
    for hold in population.unseen_combinations:
        assert not hold.met(failures.after).any()
        assert not hold.met(drawn).any()

    combined = population.combined().sample(COUNT, seed=SEED, split="test")
    oracle = oracle_module.Oracle(
        by_brightness(), world_of(population, size=SIZE), lambda what, done, total: None
    )
    said = oracle("", combined, population.task.label(combined))
    assert not said.wrong.any()
    assert (said.margin == torch.inf).all()


def test_where_everyone_is_alike_there_is_nothing_to_try() -> None:
    alike = replace(POPULATION, variation=0.0, cues=())
    faces = alike.sample(COUNT, seed=SEED, split="test")
    faces = faces.do(**dict.fromkeys(STRAYS.values(), 0))
    failures = hunt(alike, faces, resamples=0)
    assert torch.equal(failures.after_search, failures.right)


def test_nuisances_are_drawn_as_the_population_has_them() -> None:
    count, task = 4000, POPULATION.task
    some = POPULATION.sample(200, seed=1, split="test")
    for label, kind in ((1, "person"), (0, "missing")):
        which = [k.name for k in task.subpopulations].index(kind)
        first = (task.subpopulation_of(some) == which).nonzero()[0]
        faces = some.take(first.expand(count))
        drawn = POPULATION.redraw_nuisances(faces, np.arange(count), seed=2, split="a")
        for name in task.relevant:
            assert torch.equal(drawn[name], faces[name])
        assert torch.equal(drawn.identity, faces.identity)
        assert set(drawn["eye_color"].tolist()) == {0, 1}
        assert binomtest(int(drawn["eye_color"].sum()), count).pvalue > 1e-4
        row = ATTRIBUTES["beard"]
        seen = torch.bincount(drawn["beard"], minlength=len(row.values))
        assert chisquare(seen, row.mass() * count).pvalue > 1e-4
        if label == 1:
            assert all(int(drawn[stray].max()) == 1 for stray in STRAYS.values())
        else:
            lacks = {part for part in STRAYS if int(faces[part][0]) < ATTRIBUTES[part].values[-1]}
            for part, stray in STRAYS.items():
                share = (drawn[stray] > 0).double().mean()
                assert (share > 0.5) == (part in lacks)


def test_nuisances_are_drawn_within_variation_and_with_the_parts_that_all_have() -> None:
    data = DataConfig(task="open_mouth", missing=("nose",), variation=0.0)
    population = population_of(data)
    faces = population.sample(COUNT, seed=0, split="test")
    drawn = population.redraw_nuisances(faces, np.arange(COUNT), seed=1, split="a")
    for part in ("eyes", "ears"):
        assert (drawn[part] == ATTRIBUTES[part].values[-1]).all()
    assert len(drawn["nose"].unique()) == 2
    assert not torch.equal(drawn["nose"], faces["nose"])
    for name in population.task.nuisances:
        if ATTRIBUTES[name].group in ("face", "scene", "camera"):
            assert torch.equal(drawn[name], faces[name])


@pytest.mark.parametrize("visibility", [1.0, 0.4])
def test_levels_are_the_inverse_of_values(visibility: float) -> None:
    cues = ("hair_length=short/long:0.9", "scale:0.8")
    data = DataConfig(cues=cues, cue_visibility=visibility, variation=0.7)
    population = population_of(data)
    faces = population.sample(300, seed=0, split="test")
    for name, row in ATTRIBUTES.items():
        if row.kind == "continuous":
            again = at_quantile(population, name, quantile_of(population, name, faces[name]))
            close = 1e-5 * (row.high - row.low)
            assert torch.allclose(again, faces[name], rtol=0, atol=close), name
