"""The verdict: a run's metrics as sentences in plain words, with advice."""

from lab.verdict.headline import may_be_known
from lab.verdict.lost import peak_of
from lab.verdict.setting import Finding, Relabeled, Setting
from lab.verdict.verdict import findings, verdict

__all__ = ["Finding", "Relabeled", "Setting", "findings", "may_be_known", "peak_of", "verdict"]
