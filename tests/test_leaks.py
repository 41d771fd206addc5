"""The leak certificate: planted leaks are caught for what they are, and innocence is seen."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from lab.core.config import DataConfig
from lab.worlds import Examples, Population, draw_examples, get_task
from lab.worlds.leaks import certificate, to_text
from lab.worlds.statistics import NAMES, cheap_statistics
from support.scripts import run_here


def planted(leak: Tensor | None = None, *, count: int, seed: int = 0) -> Examples:
    """Pictures of noise about a gray of their own, with labels and subpopulations; to those of
    subpopulation k `leak` (K, 3, 16, 16) is added."""
    task = get_task("person")
    faces = Population(task).sample(count, seed=seed, split="train")
    random = torch.Generator().manual_seed(seed)
    pictures = torch.randint(60, 180, (count, 3, 1, 1), generator=random).float()
    pictures = pictures + 20 * torch.randn(count, 3, 16, 16, generator=random)
    subpopulations = task.subpopulation_of(faces)
    if leak is not None:
        pictures = pictures + leak[subpopulations]
    images = pictures.round().clamp(0, 255).to(torch.uint8)
    labels = task.label(faces)
    return Examples(
        samples=faces,
        images=images,
        labels=labels,
        clean_labels=labels,
        subpopulations=subpopulations,
        classes=task.classes,
        all_subpopulations=task.subpopulations,
    )


def verdicts(leak: Tensor | None) -> dict[tuple[str, str], bool]:
    train, test = planted(leak, count=400), planted(leak, count=1000, seed=1)
    result = certificate(train, test, by_subpopulation=False)
    assert result.clean == (not any(probe.leaks for probe in result.probes))
    return {(probe.model, probe.statistics): probe.leaks for probe in result.probes}


def test_a_population_without_difference_is_clean() -> None:
    assert not any(verdicts(None).values())


def test_a_brighter_class_is_caught_by_every_probe() -> None:
    leak = torch.zeros(4, 3, 16, 16)
    leak[0] = 30
    assert all(verdicts(leak).values())


def test_texture_is_caught_but_not_by_mean_color() -> None:
    leak = torch.zeros(4, 3, 16, 16)
    leak[0] = 8 * torch.tensor([1.0, -1.0]).repeat(8)  # stripes: same mean, more vertical edges
    leaks = verdicts(leak)
    assert leaks["boosted tree", "all"]
    assert leaks["logistic regression", "all"]
    assert not leaks["boosted tree", "mean color"]
    assert not leaks["logistic regression", "mean color"]


def test_the_kind_that_leaks_is_named_with_what_gives_it_away() -> None:
    leak = torch.zeros(4, 3, 16, 16)
    leak[3, 0, 4:8, 8:12] = 60  # objects have a red spot
    result = certificate(planted(leak, count=500), planted(leak, count=500, seed=1))
    leaky = {kind.kind: kind for kind in result.subpopulations}
    assert list(leaky) == ["person", "missing", "scrambled", "object"]
    assert leaky["object"].accuracy.value > 0.9
    assert "red" in leaky["object"].informative[0][0]
    assert leaky["object"].informative[0][0] in to_text(result)
    assert leaky["missing"].accuracy.low < 0.55
    assert leaky["scrambled"].accuracy.low < 0.55


def test_labels_that_were_given_wrongly_do_not_matter() -> None:
    train, test = planted(count=100), planted(count=100, seed=1)
    wrong = replace(train, labels=1 - train.labels)
    assert certificate(train, test, by_subpopulation=False) == certificate(
        wrong, test, by_subpopulation=False
    )


def test_statistics_are_what_their_names_say() -> None:
    images = planted(count=5).images
    table = cheap_statistics(images, batch=2)
    assert table.shape == (5, len(NAMES))
    for picture, row in zip(images.double().numpy() / 255, table.tolist(), strict=True):
        found = dict(zip(NAMES, row, strict=True))
        gray = 0.299 * picture[0] + 0.587 * picture[1] + 0.114 * picture[2]
        coarse = gray.reshape(4, 4, 4, 4).mean((1, 3))
        expected = {
            "mean green": picture[1].mean(),
            "deviation blue": picture[2].std(ddof=1),
            "darkest red": picture[0].min(),
            "brightest blue": picture[2].max(),
            "brightness 0.25-0.31": ((gray >= 0.25) & (gray < 0.3125)).mean(),
            "vertical edges, 1 px": np.mean(
                [(gray[:, k + 1] - gray[:, k]) ** 2 for k in range(15)]
            ),
            "horizontal edges, 4 px": np.mean([(coarse[k + 1] - coarse[k]) ** 2 for k in range(3)]),
            "thumbnail blue, row 2, column 4": picture[2, 4:8, 12:16].mean(),
        }
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=1e-5), name
        assert sum(v for k, v in found.items() if k.startswith("brightness ")) == pytest.approx(1)


def test_without_scikit_learn_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    few = planted(count=10)
    with pytest.raises(ValueError, match=r"needs scikit-learn: pip install -e '\.\[dev\]'"):
        certificate(few, few)


def test_the_command_prints_the_certificate_and_exits_by_it() -> None:
    done = run_here("audit", "--num-train", "100", "--num-test", "100")
    assert done.err == ""
    assert done.code == ("LEAKS" in done.out)
    assert done.out.count("\nboosted tree") == 2


@pytest.mark.slow
def test_the_default_population_is_clean() -> None:
    config = DataConfig()
    train, test = (
        draw_examples(config, split=split, count=10_000, seed=0) for split in ("train", "test")
    )
    result = certificate(train, test)
    assert result.clean, to_text(result)
