"""The verdict: a run's metrics as sentences in plain words, with advice."""

from lab.verdict.lost import peak_of
from lab.verdict.setting import Finding, Relabeled, Setting
from lab.verdict.verdict import findings, verdict

__all__ = ["Finding", "Relabeled", "Setting", "findings", "peak_of", "verdict"]
