"""How soon the playground answers: the picture and the answers of many runs after one change.

python3 scripts/benches/playground.py RUNS, for a folder of runs: milliseconds on the wall
and of the processor, for 100 changes, through the plugin's own address but without a socket. The
first row is the timeline of a page that was just opened, dragged once from end to end at once; the
row "timeline" comes some seconds later, when the snapshots are in memory.
"""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from werkzeug.test import Client

from lab.playground.plugin import FacesPlugin

LOOKS, MOST = 100, 10

PAUSE = 4.0
"""Seconds before the timeline is dragged again: on an idle machine ten runs are read in one."""


def main(logdir: str) -> None:
    """Print one line for the look, and one for each slower question."""
    apps = FacesPlugin(SimpleNamespace(logdir=logdir)).get_plugin_apps()

    def get(question: str, **parameters: object) -> dict:
        answer = Client(apps[f"/{question}"]).get(f"/{question}", query_string=parameters)
        assert answer.status_code == 200, answer.get_json()
        return answer.get_json()

    ready = [run for run in get("runs")["runs"] if run["kind"] == "ready"][:MOST]
    names = [run["name"] for run in ready]
    steps = sorted({step for run in ready for step in run["snapshots"]}) or [0]
    look = {"run": names, "size": 384, "seen": names[0], "film": 1}
    slow = ("strips", "parts", "nearest", "fool", "over_training")
    questions = {"at once": look, "look": look, "timeline": look}
    questions |= {name: {"run": names[0]} for name in slow}
    print(f"{len(names)} runs; milliseconds: median and 95th on the wall, processor's median")
    for _ in range(5):
        get("look", face="eye_color:blue", **look)
    for question, parameters in questions.items():
        spent = []
        if question == "timeline":
            time.sleep(PAUSE)
        for k in range(len(steps) if question == "at once" else LOOKS):
            began, worked = time.perf_counter(), time.process_time()
            if question in ("at once", "timeline"):  # the same face at one step after another
                step = steps[-1 - k % len(steps)]
                get("look", face="eye_color:blue", step=step, **parameters)
            else:
                face = f"eye_color:blue,mouth_open:{k / LOOKS:.4f}"
                get(question, face=face, **parameters)
            spent.append((time.perf_counter() - began, time.process_time() - worked))
        wall, processor = 1000 * np.array(spent).T
        print(f"{question:13s} {np.median(wall):6.0f} {np.quantile(wall, 0.95):6.0f}"
              f" {np.median(processor):6.0f}")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
