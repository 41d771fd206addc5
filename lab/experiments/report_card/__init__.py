"""Report cards: everything the lab measures, asked of one network beside others, on one page."""

from lab.experiments.report_card.report import CardResult, report

__all__ = ["CardResult", "report"]
