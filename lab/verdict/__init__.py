"""The verdict: a run's metrics as sentences in plain words, with advice."""

from lab.verdict.verdict import Finding, Setting, findings, verdict

__all__ = ["Finding", "Setting", "findings", "verdict"]
