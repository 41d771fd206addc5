"""Report cards: all measures of one network, compared with other networks, on one page."""

from lab.experiments.report_card.report import CardResult, report

__all__ = ["CardResult", "report"]
