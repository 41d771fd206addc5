"""Attribute values, cues, hold-outs, tasks and names: good ones are taken, others get one line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from lab.core.cli import one_line
from lab.core.config import DataConfig, RunConfig
from lab.core.run_dir import RunDir
from lab.core.run_names import check_name
from lab.worlds import get_task, list_tasks, population_of
from lab.worlds.faces import ATTRIBUTES, sample_prior
from support.hostile import TEXTS, TIMES, anything, hostile_texts, search
from support.scripts import is_a_good_line

FACES = sample_prior(3, seed=0)

odd_values = (
    anything
    | st.sampled_from(TEXTS)
    | st.sampled_from(
        [
            None, True, 10**30, -(10**400), float("nan"), float("inf"), b"blue", 1j, object(),
            {"blue": 1}, {"blue"}, range(3), [[1, 2, 3]], [1, None, "blue"], ["blue"] * 3,
            np.array(1), np.zeros((3, 3)), np.zeros(3), torch.zeros(3), torch.zeros(2),
            torch.full((3,), float("nan")), torch.tensor(1), torch.zeros(3, dtype=torch.bool),
            torch.full((3,), 2**62), torch.zeros(3, dtype=torch.complex64),
            torch.zeros(3, device="meta"), torch.zeros(3).to_sparse(),
        ]
    )
)  # fmt: skip


@TIMES
def test_any_attribute_value_is_taken_or_refused_by_name(times: int) -> None:
    def holds(name: str, value: object) -> None:
        try:
            faces = FACES.do(**{name: value})
        except ValueError as error:
            is_a_good_line(one_line(str(error)), names=name)
            return
        row = ATTRIBUTES[name]
        assert faces[name].shape == (3,)
        assert faces[name].dtype == FACES[name].dtype
        for number in faces[name].tolist():
            if row.kind == "continuous":
                assert row.low - 1e-6 <= number <= row.high + 1e-6
            else:
                assert 0 <= number < len(row.values)

    search(holds, st.sampled_from(list(ATTRIBUTES)), odd_values, examples=400, times=times)


@TIMES
def test_any_attribute_name_is_known_or_met_with_the_nearest(times: int) -> None:
    def holds(name: str) -> None:
        if name in ATTRIBUTES:
            return
        with pytest.raises(ValueError, match="unknown attribute") as caught:
            FACES.do(**{name: 1})
        is_a_good_line(one_line(str(caught.value)))
        if name not in ("count", "seed", "split", "start", "variation"):
            with pytest.raises(ValueError, match="unknown attribute"):
                sample_prior(1, seed=0, **{name: 1})

    search(holds, hostile_texts, examples=200, times=times)


@TIMES
def test_any_cue_hold_out_or_list_is_taken_or_refused_by_its_flag(times: int) -> None:
    words = st.lists(hostile_texts, max_size=3).map(tuple)

    def holds(task: str, field: str, texts: tuple[str, ...], visibility: float) -> None:
        config = DataConfig(task=task, **{field: texts}, cue_visibility=visibility)
        try:
            population = population_of(config)
        except ValueError as error:
            said = str(error)
            assert any(
                flag in said for flag in ("--" + field.replace("_", "-"), "value for", "--cue")
            ), said
            is_a_good_line(one_line(said))
            return
        try:
            faces = population.sample(8, seed=0, split="test")
        except ValueError as error:  # what can be asked for and never be drawn
            is_a_good_line(one_line(str(error)))
            return
        assert (population.task.label(faces) >= 0).all()

    fields = st.sampled_from(["cues", "unseen_combinations", "subpopulations", "missing"])
    search(
        holds, st.sampled_from(list_tasks()), fields, words, st.sampled_from([1.0, 0.5]),
        examples=300, times=times,
    )  # fmt: skip


@TIMES
def test_any_task_is_known_or_met_with_the_nearest(times: int) -> None:
    def holds(name: str) -> None:
        if name not in list_tasks():
            with pytest.raises(ValueError, match="unknown task") as caught:
                get_task(name)
            is_a_good_line(one_line(str(caught.value)))

    search(holds, hostile_texts, examples=200, times=times)


NAMES = (
    *(
        "",
        ".",
        "..",
        "...",
        "-x",
        "a/b",
        "/a",
        "a/../../b",
        "\0",
        "a\0b",
        "a\n",
        "\udcff",
        "~",
        "con",
    ),
    *("a" * 100, "a" * 101, "a" * 300, "a.", "_", "a b", "é", "a\\b", "C:", "*", "events.out.x"),
)


@TIMES
def test_every_accepted_name_is_a_folder_right_under_the_root(
    times: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    top = tmp_path_factory.mktemp("names")
    root = top / "runs"
    root.mkdir()

    def holds(name: str) -> None:
        before = set(root.iterdir())
        try:
            check_name(name)
        except ValueError as error:
            is_a_good_line(one_line(str(error)))
            with pytest.raises(ValueError, match="--name"):
                RunDir.create(RunConfig(out=root, name=name))
            assert set(root.iterdir()) == before
            return
        if (root / name) in before:
            return
        folder = RunDir.create(RunConfig(out=root, name=name)).path
        assert folder.resolve().parent == root.resolve()
        assert set(root.iterdir()) - before == {folder}

    texts = (
        st.sampled_from(NAMES) | hostile_texts | st.from_regex(r"[\w.\-/]{1,12}", fullmatch=True)
    )
    search(holds, texts, examples=300, times=times)
    assert list(top.iterdir()) == [root], "nothing beside it"


@pytest.mark.parametrize("out", ["\udcff", "a/\udcff"])
def test_a_root_that_is_no_text_is_refused_before_it_is_made(out: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not in UTF-8"):
        RunDir.create(RunConfig(out=tmp_path / out, name="x"))
    assert list(tmp_path.iterdir()) == []
