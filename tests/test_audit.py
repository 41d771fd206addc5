"""The certificate: planted faults are named, what is declared is not, and the exit code says so."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from lab.commands import audit as command
from lab.core.config import DataConfig
from lab.core.estimate import wilson
from lab.worlds import DrawnWorld, Examples, Population, population_of
from lab.worlds import audit as auditing
from lab.worlds.audit import Audit, audit, to_text, warnings
from lab.worlds.leaks import Certificate, Probe
from support.scripts import run_here


def small(count: int = 300, **settings: object) -> DataConfig:
    return DataConfig(num_train=count, num_test=200, image_size=16, **settings)  # type: ignore[arg-type]


def faces(
    config: DataConfig, population: Population | None = None
) -> tuple[DrawnWorld, Examples, Examples]:
    population = population or population_of(config)
    world = DrawnWorld(population=population, data=config, seed=0)
    return world, world.load("train", config.num_train), world.load("test", config.num_test)


def tied(train: Examples, name: str) -> Examples:
    """The same pictures, said to have an attribute that follows the label."""
    column = train.clean_labels.to(train.samples[name].dtype)
    return replace(train, samples=train.samples.redrawn({name: column}))


CUES = ("eye_color:0.95", "background_color:0.8")


@pytest.mark.parametrize("count", [2, 100, 2000])
@pytest.mark.parametrize("cues", [(), CUES])
def test_sound_faces_give_no_warning(count: int, cues: tuple[str, ...]) -> None:
    assert warnings(*faces(small(count, cues=cues))) == []


def test_label_noise_is_no_reason_to_warn() -> None:
    assert warnings(*faces(small(cues=CUES, label_noise=1.0))) == []


@pytest.mark.parametrize("cues", [(), ("eye_color:0.9",)])
def test_copies_are_no_further_evidence_of_a_link(cues: tuple[str, ...]) -> None:
    """With each face there several times, chance looks like a link, and a cue unlike its
    strength."""
    for seed in range(3):
        config = small(400, copies=0.8, cues=cues)
        world = DrawnWorld.of(config, seed=seed)
        train, test = world.load("train", 400), world.load("test", 50)
        assert warnings(world, train, test) == []
        found = audit(config, seed=seed, probes=False)
        assert found.faults == ()
        assert found.twice.repeated > 200, "they are told"
        assert sum(number for number, _ in found.subpopulations.values()) == 400
        own = len(set(train.samples.identity.tolist()))
        assert all(one.shown.count == own for one in found.cues)


def test_an_undeclared_link_is_named() -> None:
    world, train, test = faces(small())
    (said,) = warnings(world, tied(train, "gaze"), test)
    assert said.startswith("gaze is associated with the label, though it is no cue: 1.000 bits")


def test_a_cue_that_is_not_as_strong_as_asked_is_named() -> None:
    config = small(cues=("eye_color:0.95",))
    population = population_of(config)
    world, _, _ = faces(config)
    _, train, test = faces(config, population.unbiased())
    (said,) = warnings(world, train, test)
    assert said.startswith("eye_color agrees with the label for 1")
    assert said.endswith("strength 0.95.")


def test_what_comes_twice_is_named() -> None:
    world, train, test = faces(small())
    images, identity = train.images.clone(), train.samples.identity.clone()
    images[:2], identity[0] = test.images[0], test.samples.identity[0]
    planted = replace(train, images=images, samples=replace(train.samples, identity=identity))
    assert warnings(world, planted, test) == [
        "2 of 300 training pictures are test pictures, too.",
        "1 of 300 training pictures has the identity of a test picture.",
        "1 of 300 training pictures is a copy of an earlier one.",
    ]


def test_what_a_hold_out_ties_to_a_cue_is_declared_and_nothing_else() -> None:
    holds = (
        "eye_color=blue,hair_length=long",
        "hair_length=short,gaze=left",
        "blush=rosy,blur=sharp",
    )
    result = audit(
        small(cues=("eye_color=blue/brown:1",), unseen_combinations=holds), seed=0, probes=False
    )
    assert result.declared["hair_length"] == result.declared["gaze"] == "by combination"
    assert not {"blush", "blur"} & set(result.declared)
    assert result.faults == ()
    assert "by combination" in to_text(result)
    free = population_of(small(unseen_combinations=holds[:1]))
    world, train, test = faces(small(), free)
    assert len(warnings(world, tied(train, "hair_length"), test)) == 1


def test_the_counts_add_up() -> None:
    result = audit(small(cues=CUES), seed=1, probes=False)
    for counts in (result.subpopulations, result.groups):
        train, test = zip(*counts.values(), strict=True)
        assert (sum(train), sum(test)) == (300, 200)
    assert len(result.groups) == 8
    assert not audit(small(), seed=1, probes=False).groups


def test_the_certificate_can_be_read() -> None:
    text = to_text(audit(small(cues=CUES), seed=0, probes=False))
    assert max(map(len, text.splitlines())) <= 100
    assert "cue 0.95: 0.9" in text
    assert "cue 0.8: 0." in text
    assert "stray_ears" in text
    assert text.splitlines()[-1].startswith("clean: ")


def test_a_probe_above_its_bound_is_a_fault() -> None:
    result = audit(small(), seed=0, probes=False)
    probes = Certificate((Probe("boosted tree", "all", wilson(70, 100), 0.6),), (), ())
    leaky: Audit = replace(result, probes=probes)
    assert leaky.faults == ("boosted tree (all) above its bound",)
    assert to_text(leaky).splitlines()[-1] == "NOT CLEAN: boosted tree (all) above its bound"


def test_probes_see_the_faces_without_their_cues(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def certificate(train: Examples, test: Examples) -> Certificate:
        seen["probes"] = train
        return Certificate((), (), ())

    def tree_accuracy(train: Examples, test: Examples) -> object:
        seen["tree"] = train
        return wilson(9, 10)

    monkeypatch.setattr(auditing, "certificate", certificate)
    monkeypatch.setattr(auditing, "tree_accuracy", tree_accuracy)
    config = small(cues=("background_color:1",))
    (cue,) = population_of(config).cues
    result = audit(config, seed=0)
    assert "the boosted tree (all) reaches 0.900" in to_text(result)
    for name, low, high in (("probes", 0.4, 0.6), ("tree", 1, 1)):
        agrees = (cue.says(seen[name].samples) == seen[name].labels).double().mean()
        assert low <= agrees <= high
    seen.clear()
    assert audit(small(), seed=0).tree is None
    assert list(seen) == ["probes"]


def same_pictures(train: Examples) -> Examples:
    return replace(train, images=torch.zeros_like(train.images))


@pytest.mark.parametrize(
    ("plant", "fault"),
    [
        (lambda train: tied(train, "gaze"), "gaze is associated with the label"),
        (lambda train: tied(train, "eye_color"), "eye_color not as requested"),
        (same_pictures, "train and test share pictures"),
    ],
)
def test_the_exit_code_is_1_where_something_is_wrong(
    plant: Callable[[Examples], Examples],
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    load = DrawnWorld.load
    monkeypatch.setattr(DrawnWorld, "load", lambda *rest, **more: plant(load(*rest, **more)))
    flags = command.Flags(probes=False, data=small(cues=("eye_color:0.7",)))
    assert command.audit(flags) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"NOT CLEAN: {fault}")


def test_the_command_exits_with_0_for_clean_faces_and_2_for_wrong_flags() -> None:
    done = run_here("audit", *["--no-probes", "--num-train", "50", "--num-test", "50"])
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1].startswith("clean: ")
    done = run_here("audit", *["--no-probes", "--num-train", "1", "--num-test", "50"])
    assert done.code == 2
    assert "--num-train must be 2 to 1,000,000" in done.err
