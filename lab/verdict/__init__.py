"""The verdict: what a run's metrics show, in plain words, and what would help."""

from lab.verdict.verdict import Finding, Setting, findings, verdict

__all__ = ["Finding", "Setting", "findings", "verdict"]
