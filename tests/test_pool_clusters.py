"""Pools of pictures that belong together, as of one patient: their scores, and the check."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lab.core.config import DataConfig
from lab.pool import membership
from lab.pool.findings import Findings
from lab.pool.words import sentences, tell
from lab.runs.resolve import resolve
from support.configs import tiny
from support.pools import findings_of

pytestmark = pytest.mark.usefixtures("short_bootstraps")

NETWORKS, PATIENTS, EACH = 20, 20, 4
ASIDE = "belong together, as of one patient"


def numbered(patient: int, number: int) -> str:
    return f"patient{patient:03}_{number}.png"


def in_folders(patient: int, number: int) -> str:
    return f"patient{patient:03}/{number}.png"


def nameless(patient: int, number: int) -> str:
    return f"{'abcdefghijklmnopqrstuvwxyz'[patient % 26]}{1000 * patient + number}.png"


def pictures(
    place: Path, called: Callable[[int, int], str], *, table: bool = False, lean: bool = False
) -> DataConfig:
    """Pictures of noise of two classes: for training those of some patients, and for the test as
    many of others, one each. `table`: it names them; `lean`: all but one of the test are of a."""
    random = np.random.default_rng(0)
    for name, first, each in (("train", 0, EACH), ("test", PATIENTS, 1)):
        rows = ["file_name,patient"]
        last = first + PATIENTS * EACH // each - 1
        for patient in range(first, last + 1):
            b = patient == last if lean and name == "test" else patient % 2
            for number in range(each):
                file = f"{'ab'[b]}/{called(patient, number)}"
                path = place / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = random.integers(0, 256, (16, 16, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(path)
                rows.append(f"{file},P{patient}")
        if table:
            (place / name / "metadata.csv").write_text("\n".join(rows))
    return DataConfig(data=str(place), image_size=16)


def planted(out: Path, data: DataConfig, *, left_out: float, fresh: float) -> Findings:
    """What is found of networks that know all that they were trained on, and such shares of the
    training examples that were left out and of fresh ones."""
    run = resolve(tiny(out, width=2, counterfactuals=0, **vars(data)))
    counts = run.config.data
    train, test = run.world.load("train", counts.num_train), run.world.load("test", counts.num_test)
    masks = [membership(k, count=len(train), share=0.7, seed=0) for k in range(NETWORKS)]
    members, generator = torch.stack(masks), torch.Generator().manual_seed(0)

    def predicted(labels: Tensor, share: float, known: Tensor | bool) -> Tensor:
        right = (torch.rand((NETWORKS, len(labels)), generator=generator) < share) | known
        given = torch.where(right, labels, 1 - labels)
        return torch.nn.functional.one_hot(given, 2).float() + 0.01 * torch.rand(
            (NETWORKS, len(labels), 2), generator=generator
        )

    known = predicted(train.labels, left_out, members)
    return findings_of(
        run, (train, test), members, (known, predicted(test.clean_labels, fresh, False))
    )


def check(found: Findings) -> str:
    """What is said of the networks' check."""
    (line,) = (line for line in sentences(found) if line.startswith("Check of the networks"))
    return line


@pytest.mark.parametrize(
    ("called", "table", "what"),
    [
        (nameless, True, "20 values of the column patient"),
        (numbered, False, "20 beginnings of file names"),
        (in_folders, False, "20 folders below the classes"),
    ],
)
def test_training_pictures_of_one_patient_are_told(
    called: Callable[[int, int], str], table: bool, what: str, tmp_path: Path
) -> None:
    """The scores of each are those of it alone, and the check names that first."""
    data = pictures(tmp_path / "own", called, table=table)
    found = planted(tmp_path / "pools", data, left_out=0.95, fresh=0.65)
    (line,) = (each for each in tell(found).known if "the effect of one picture alone" in each)
    assert line.startswith(f"{PATIENTS * EACH} training pictures have {what}. If ")
    assert f"{ASIDE} or one scene, their scores may be low" in line
    _, said = check(found).split("it should be 0. ")
    assert said.startswith("If ")
    assert f"{ASIDE} or one scene, that is the likely reason" in said
    assert "so few" not in said


def test_with_other_class_shares_patients_are_a_reason_too(tmp_path: Path) -> None:
    data = pictures(tmp_path / "own", numbered, lean=True)
    found = planted(tmp_path / "pools", data, left_out=0.95, fresh=0.65)
    _, said = check(found).split("have the same class shares, which they have not. ")
    assert said.startswith("If ")
    assert f"{ASIDE} or one scene, that is a reason, too" in said


def test_where_the_check_holds_or_fresh_ones_are_easier_patients_are_no_reason(
    tmp_path: Path,
) -> None:
    data = pictures(tmp_path / "own", numbered)
    alike = planted(tmp_path / "pools", data, left_out=0.7, fresh=0.7)
    assert check(alike).endswith("no difference, as far as can be told.")
    worse = planted(tmp_path / "pools", data, left_out=0.5, fresh=0.9)
    assert (
        "it should be 0. Some of the training pictures may have a wrong label: a network errs on"
        " such a picture unless it was trained on it, and its score is high. Else the training"
        " pictures are not like the fresh ones, or they are so few that"
    ) in check(worse)
    assert ASIDE not in check(worse)


def test_where_no_patients_are_known_they_are_a_possibility(tmp_path: Path) -> None:
    data = pictures(tmp_path / "own", nameless)
    found = planted(tmp_path / "pools", data, left_out=0.95, fresh=0.65)
    assert check(found).endswith(
        "it should be 0. The training pictures are not like the fresh ones, or some of them"
        f" {ASIDE}."
    )
    assert not [line for line in tell(found).known if ASIDE in line]


def test_drawn_faces_belong_to_nobody(tmp_path: Path) -> None:
    data = DataConfig(num_train=60, num_test=60, image_size=16)
    found = planted(tmp_path / "pools", data, left_out=0.95, fresh=0.65)
    assert "so few that" in check(found)
    assert "may have a wrong label" not in check(found)
    assert not [line for line in sentences(found) if ASIDE in line]
