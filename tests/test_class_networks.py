"""The networks of a class: made by one command, gone on with by the same one."""

import io
from pathlib import Path

import pytest

from lab.commands import train
from lab.commands.lesson import lesson
from lab.core.cli import main, parse
from lab.core.run_dir import RunDir
from lab.experiments.class_networks import NETWORKS, ClassNetwork, Watch, train_networks
from lab.experiments.runner.jobs import Job
from lab.experiments.runner.run import check_jobs
from lab.experiments.table import Failure
from lab.runs.load import open_run
from support.configs import tiny
from support.executors import Here
from support.killing import kill_at_stage

CLASS = Path(__file__).parents[1] / "docs" / "class.md"


def test_each_network_is_one_that_can_be_trained_and_is_told_in_the_lessons() -> None:
    table = CLASS.read_text(encoding="utf-8")
    jobs = []
    for name, each in NETWORKS.items():
        config = parse(train.Flags, each.flags.split()).run
        jobs.append(Job(config, {}, name))
        assert f"| `{name}` |" in table
    check_jobs(jobs)
    assert "lesson.py --networks" in table
    seconds = [each.seconds for each in NETWORKS.values()]
    assert seconds == sorted(seconds, reverse=True)


def test_a_killed_network_is_gone_on_with_and_a_finished_one_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.experiments.class_networks.open_executor", lambda *_: Here())
    configs = {name: tiny(tmp_path, name=name, seed=seed) for seed, name in enumerate("ab")}
    assert kill_at_stage(configs["a"], "step", 2)
    said = [io.StringIO(), io.StringIO()]
    about = {name: ClassNetwork(what="", flags="", seconds=1, steps=3) for name in "ab"}
    for stream in said:
        kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pt")}
        assert not train_networks(
            configs, out=tmp_path, processes=2, about=about, stream=stream
        )  # fmt: skip
    assert kept == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pt")}
    for name in configs:
        assert RunDir(tmp_path / name).finished()
        assert open_run(tmp_path / name).step == 3
        assert f"{name}: right about " in said[0].getvalue()
        assert f"{name}: finished already" in said[1].getvalue()


def job(name: str, out: Path, *, steps: int) -> Job:
    return Job(tiny(out, name=name, steps=steps), {}, name)


def test_the_time_that_is_left_is_that_of_the_longest_or_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, steps = [0.0], {"long": 0, "short": 0, "other": 0}
    monkeypatch.setattr(Watch, "_step", lambda self, job: steps[str(job.config.name)])
    jobs = [job(name, tmp_path, steps=100) for name in steps]
    about = {
        name: ClassNetwork(what="", flags="", seconds=seconds, steps=100)
        for name, seconds in (("long", 100), ("short", 40), ("other", 40))
    }
    watch = Watch(jobs, jobs, about, 2, io.StringIO(), clock=lambda: now[0])
    assert watch.left() == 100
    now[0], steps["long"] = 100.0, 50  # half as fast as planned
    assert watch.planned() == 65  # both shorter ones, and half of the long one, on two processors
    assert watch.left() == pytest.approx(65 * 100 / 35)
    now[0] += 10
    assert watch.left() == pytest.approx(65 * 100 / 35 - 10)
    for each in jobs:
        watch.ended(each, Failure(each.settings, 0, each.folder, "no disk"), 1.0)
    assert watch.left() == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--networks", "three_networks"], "leave out three_networks"),
        (["--networks", "--seeds", "5"], "leave out --seeds"),
        (["--networks", "--processes", "0"], "--processes must be 1 or more, not 0"),
    ],
)
def test_what_makes_no_sense_beside_networks_is_refused_in_one_line(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(lesson, [*words, "--out", str(tmp_path / "class")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "class").exists()
