"""Signals, full disks and folders that cannot be written: one line, and nothing is lost."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from lab.core.run_dir import RunDir
from lab.runs.train import resume
from lab.training import LAST, graceful_stop, load_checkpoint
from support.killing import Script
from support.scripts import is_refused, load_script, run_here

LONG = [
    "--num-train=24", "--num-test=40", "--image-size=16", "--width=2", "--steps=200000",
    "--batch-size=16", "--eval-every=100000", "--checkpoint-every=0.5", "--counterfactuals=4",
]  # fmt: skip
"""A run that lasts until it is stopped."""


def begin(out: Path, *flags: str, file_size: int | None = None) -> Script:
    """Start the run in a process whose Ctrl-C works, whatever shell the tests came from."""
    usual = [flag for flag in LONG if flag.partition("=")[0] not in flags]
    words = [*usual, *flags, "--out", str(out), "--name", "run"]
    return Script("train", words, file_size=file_size)


def wait_for(path: Path, process: Script) -> None:
    """Wait until a file is there."""
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_within_seconds_and_nothing_is_lost(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    process = begin(tmp_path)
    folder = tmp_path / "run"
    wait_for(folder / "checkpoints" / LAST, process)
    time.sleep(0.3)
    process.send_signal(number)
    told = process.communicate()
    assert process.returncode == code
    assert told.count("\n") == 1
    assert f"stopped by {number.name} after step" in told
    assert f"--resume {folder}" in told
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "stopped"
    assert summary["step"] == load_checkpoint(folder / "checkpoints" / LAST).step > 0


def test_a_run_that_is_to_outlive_its_terminal_does() -> None:
    """As `nohup` has it."""
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with graceful_stop() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


def test_a_terminal_that_closes_stops_a_run_as_ctrl_c_does() -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with graceful_stop() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.signal == signal.SIGHUP
    finally:
        signal.signal(signal.SIGHUP, former)


def test_a_system_with_fewer_signals_stops_by_those_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, "SIGHUP")
    with graceful_stop() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop


@pytest.mark.parametrize("bytes_", [20_000, 60_000, 200_000])
def test_a_full_disk_is_one_line_and_the_last_checkpoint_loads(bytes_: int, tmp_path: Path) -> None:
    """No file may grow beyond a limit, which the event file or the checkpoint reaches first."""
    process = begin(tmp_path, "--steps", "400", "--eval-every", "5", file_size=bytes_)
    told = process.communicate()
    assert process.returncode == 2, told
    assert told.count("\n") == 1, told
    assert "File too large" in told
    checkpoint = RunDir(tmp_path / "run").newest()
    if checkpoint is not None:
        assert load_checkpoint(checkpoint).step >= 0
    assert not list(tmp_path.rglob("*.draft"))
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_run_that_could_not_begin_leaves_its_name_free(tmp_path: Path) -> None:
    """Where there is no room even for the settings."""
    process = begin(tmp_path, file_size=100)
    told = process.communicate()
    assert process.returncode == 2, told
    assert "config.json" in told
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    process = begin(tmp_path / "file" / "runs")
    told = process.communicate()
    assert process.returncode == 2
    assert told.count("\n") == 1
    place = tmp_path / "file"
    assert f"--out {place / 'runs'}: {place} is no folder" in told


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("train", ["--steps", "1"]),
        ("sweep", ["--grid", "steps=1,2", "--processes", "1"]),
        ("pool", ["--networks", "2", "--steps", "1"]),
        ("gallery", []),
        ("lesson", ["random_labels"]),
        ("report_card", []),
    ],
)
def test_a_file_in_the_place_of_out_is_named_with_its_flag(
    name: str, words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    if name in ("train", "sweep", "pool"):
        words = [*words, "--num-train", "12", "--task", "shape", "--image-size", "16"]
    done = run_here(name, *words, "--out", str(tmp_path / "file"))
    assert done.code == 2
    assert f"--out {tmp_path / 'file'}: that is no folder" in done.err
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir(mode=0o500)
    process = begin(tmp_path / "runs")
    told = process.communicate()
    assert process.returncode == 2
    assert "Permission denied" in told


def test_damaged_checkpoints_are_one_line_and_the_one_before_can_be_used(tmp_path: Path) -> None:
    process = begin(tmp_path)
    folder = tmp_path / "run"
    wait_for(folder / "checkpoints" / "previous.pt", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    last = folder / "checkpoints" / LAST
    content = bytearray(last.read_bytes() if last.exists() else b"")
    content[len(content) // 2 : len(content) // 2 + 1] = b"?"
    last.write_bytes(bytes(content[:-1]))
    said = is_refused(load_script("train").train, ["--resume", str(folder)])
    assert str(last) in said
    assert "delete it" in said, "what to do"
    last.unlink()
    config = json.loads((folder / "config.json").read_text())
    config["train"]["steps"] = load_checkpoint(folder / "checkpoints" / "previous.pt").step + 1
    (folder / "config.json").write_text(json.dumps(config))
    assert resume(folder, changed_code=True) is not None


def test_no_traceback_without_debug(tmp_path: Path) -> None:
    flags = ["--model", str(tmp_path / "broken.py") + ":net", "--out", str(tmp_path / "runs")]
    (tmp_path / "broken.py").write_text("import nowhere_to_be_found\n")
    for extra, lines in (([], 1), (["--debug"], 5)):
        done = run_here("train", *flags, *extra)
        assert done.code == 2
        assert done.err.count("\n") >= lines
        assert ("Traceback" in done.err) == bool(extra)
    assert not (tmp_path / "runs").exists()


def test_a_link_to_nowhere_in_the_place_of_out_is_named_with_its_flag(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for out in (tmp_path / "link", tmp_path / "link" / "runs"):
        said = is_refused(load_script("train").train, ["--steps", "1", "--out", str(out)])
        assert f"--out {out}: {tmp_path / 'link'} is a symbolic link to nowhere" in said
    assert not (tmp_path / "gone").exists()
