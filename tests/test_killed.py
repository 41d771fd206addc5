"""Law 10: killed at any moment and resumed, a run ends as if nothing had happened."""

import os
import random
from pathlib import Path

import pytest

from lab.runs.train import start
from support.configs import stateful
from support.killing import STAGES, folder_of, kill_after, kill_at_stage, until_done
from support.run_folders import assert_same_run

KILLS = int(os.environ.get("KILLS", "100"))
"""Kills of the endurance test."""

LASTING = 1.5
"""Seconds within which most runs of these tests would have come to their end."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed, done in this process."""
    return start(stateful(tmp_path_factory.mktemp("whole"))).folder


def test_killed_at_every_stage_and_at_random_it_ends_the_same(whole: Path, tmp_path: Path) -> None:
    """SIGKILL before the first checkpoint, twice in a row, at every stage, and at random."""
    mine, kills = stateful(tmp_path), 0
    for stage in ("step", "evaluation", "draft", "first replace", "step"):
        kills += kill_at_stage(mine, stage, 1)
    for stage in STAGES:
        kills += kill_at_stage(mine, stage, 2)
    moments = random.Random(0)
    for _ in range(4):
        kills += kill_after(mine, moments.uniform(0, 0.5))
    until_done(mine)
    print(f"{kills} kills")
    assert kills >= 10
    assert_same_run(folder_of(mine), whole)


def test_fresh_faces_go_on_where_they_stopped(tmp_path: Path) -> None:
    """Their numbers are those of an undisturbed run; batches of a whole block die with the run."""
    whole = start(stateful(tmp_path / "whole", online=True)).folder
    mine, kills = stateful(tmp_path / "mine", online=True), 0
    for times in (7, 3, 18):
        kills += kill_at_stage(mine, "step", times)
    until_done(mine)
    assert kills == 3
    assert_same_run(folder_of(mine), whole)


def test_momentum_and_pairs_go_on_where_they_stopped(tmp_path: Path) -> None:
    """Muon's momentum is in the checkpoint, and a pair is the same whichever process draws it."""
    changes = {"online": True, "optimizer": "muon", "counterfactual_pairs": 0.5, "model": "mlp"}
    whole = start(stateful(tmp_path / "whole", **changes)).folder
    mine = stateful(tmp_path / "mine", **changes)
    kills = sum(kill_at_stage(mine, "step", times) for times in (7, 18))
    until_done(mine)
    assert kills == 2
    assert_same_run(folder_of(mine), whole)


@pytest.mark.slow
def test_endurance(tmp_path: Path) -> None:
    """As many kills as the variable KILLS says, run after run."""
    whole = start(stateful(tmp_path / "whole")).folder
    moments, kills, number = random.Random(1), 0, 0
    while kills < KILLS:
        mine = stateful(tmp_path / str(number))
        while kill_after(mine, moments.uniform(0, LASTING)):
            kills += 1
            if moments.random() < 0.3:
                kills += kill_at_stage(mine, moments.choice(STAGES), moments.randint(1, 3))
        assert_same_run(folder_of(mine), whole)
        number += 1
    print(f"{kills} kills in {number} runs")
