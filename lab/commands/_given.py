"""Flags that are written but have no effect: refused by the commands, before anything is done."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lab.core.config import DataConfig, flag


def refuse_idle(names: Collection[str], data: DataConfig, *, varied: Collection[str] = ()) -> None:
    """Raise `ValueError` if one of the flags that are written, by their `names`, is about what
    `data` has none of: label noise, cues. Settings that are `varied` may have some."""
    about = {"label_noise_kind": "label_noise", "cue_visibility": "cues"}
    given = {name for name, what in about.items() if name in names and what not in varied}
    if given:
        from lab.worlds import reject_no_effect  # not above: --help need not wait for torch

        reject_no_effect(data, given=frozenset(given))


def refuse_width(names: Collection[str], models: Sequence[str]) -> None:
    """Raise `ValueError` if a width is among the `names` of the flags that are written, and none of
    the `models` has one. (Of those in files the dry run tells.)"""
    if "width" not in names:
        return
    from lab.models import file_of, find_model, has_width

    for model in models:
        if file_of(model) is None:
            find_model(model)
        if file_of(model) is not None or has_width(model):
            return
    which = " ".join(dict.fromkeys(models))
    raise ValueError(
        f"--width changes nothing in --model {which}, which has one size: leave it out"
    )


def refuse_processes(names: Collection[str], executor: str) -> None:
    """Raise `ValueError` if a number of processes is among the `names` of the flags that are
    written, and the `executor` is a cluster, which has its own."""
    if "processes" in names and "://" in executor:
        raise ValueError(
            f"--processes is about this machine, and --executor {executor} has workers of its own:"
            " leave it out"
        )


def refuse_all(names: Collection[str], where: Collection[str], what: str) -> None:
    """Raise `ValueError` if one of the flags in `where` is among the `names` of those written:
    `what` it goes with."""
    for name in where:
        if name in names:
            raise ValueError(f"{flag(name)} goes with {what} only")
