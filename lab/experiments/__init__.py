"""Experiments: grids of runs over any settings, on all cores or a cluster, and their results.

    from lab.core.config import DataConfig, RunConfig, TrainConfig
    from lab.experiments import pairs_along, run_grid

    base = RunConfig(train=TrainConfig(steps=300), counterfactuals=0, pictures=False)
    table = run_grid(base, {"num_train": [32, 250], "model": ["cnn", "mlp"]}, seeds=3,
                     out=Path("runs/mine"), processes=2)

    for cell in table.cells:                       # in the grid's order, the last setting fastest
        cell.settings                              # {"num_train": 32, "model": "cnn"}
        cell.config                                # the whole RunConfig (of the first seed)
        cell.seeds                                 # (0, 1, 2): those that are finished
        cell.values("accuracy/test")               # (S,) one final value a seed, in their order
        cell.mean("accuracy/test")                 # Estimate over seeds, Student's 95 % interval
        cell.runs[0].metrics["accuracy/test"]      # Estimate: value, low, high, count
        curves = cell.curves("accuracy/test")      # at every evaluation that all seeds reached:
        curves.steps, curves.values                # (E,) and (S, E)
        cell.runs[0].history                       # the lines of metrics.jsonl
        cell.runs[0].folder                        # for lab.runs.load.open_run
    table.cell(num_train=32, model="cnn")          # one cell
    table.where(model="cnn")                       # several, in the grid's order
    table.failed                                   # runs that failed, each with its reason
    for pair in pairs_along(table, "model"):       # each cell with that of the first model
        pair.difference("accuracy/test")           # Estimate, seed by seed, Student's interval

Any setting of a run can be in a grid (but seed, name, out, threads, device, checkpoint_every), by
its flat name: num_train, cues, model, width, steps, counterfactuals, ... A value is of the
setting's type (a tuple for cues: ("eye_color:0.9",), () for none), or a text that `--grid` would
take: "32", "eye_color:0.9+hair_length:0.8", "none". Every combination is checked before anything is
started: `ValueError` says in one line what cannot work.

Runs that are finished in `out` are kept and those that were stopped go on, also when the grid has
grown since: a run is known by the hash of its settings. So the same call again is the recovery,
and a second call with other values of the same settings adds to the first. It needs no
`if __name__ == "__main__"`. A call prints nothing; pass `watch=Progress()` for a table that
fills while you wait. `table.complain()` names what failed and returns the exit code.

Fast runs: `counterfactuals=0` measures no reliance, `pictures=False` writes no pictures,
`train.eval_every` spaces the evaluations, `data.num_test=500` asks less of each; see
`scripts/sweep.py`.

Runs that were made otherwise (by hand, or in a loop of another program: `lab.watch`) make a table,
too: `print(found_text(found_table(Path("runs"))))`.
"""

from lab.experiments.compare import Pair, against_first, pairs_along
from lab.experiments.found import found_table, found_text
from lab.experiments.plan import Plan, Preset, Results, Tables, run_plans, run_preset
from lab.experiments.runner.grid import Grid, describe, make_grid, parse_grid
from lab.experiments.runner.jobs import Job, make_jobs
from lab.experiments.runner.progress import Progress
from lab.experiments.runner.run import Watcher, run_grid
from lab.experiments.show.results import write_results
from lab.experiments.show.view import View
from lab.experiments.table import Cell, Curves, Failure, Run, Table

__all__ = [
    "Cell", "Curves", "Failure", "Grid", "Job", "Pair", "Plan", "Preset", "Progress", "Results",
    "Run", "Table", "Tables", "View", "Watcher", "against_first", "describe", "found_table",
    "found_text", "make_grid", "make_jobs", "pairs_along", "parse_grid", "run_grid", "run_plans",
    "run_preset", "write_results",
]  # fmt: skip
