"""The verdict: a run's metrics as sentences in plain words, with advice."""

from lab.verdict.verdict import Finding, Relabeled, Setting, findings, verdict

__all__ = ["Finding", "Relabeled", "Setting", "findings", "verdict"]
