"""Evaluators: what is measured of a model, prepared once on a world, without hidden state."""

from lab.evaluators.data_summary import DataSummary, log_graph
from lab.evaluators.evaluation import Evaluation, LoadedSplit, Split, StreamedSplit, splits_of
from lab.evaluators.evaluator import Evaluator, Metrics, Result
from lab.evaluators.setup import Setup
from lab.evaluators.suite import EVALUATORS, FINAL, EvaluatorSuite, SuiteResult

__all__ = [
    "EVALUATORS", "FINAL", "DataSummary", "Evaluation", "Evaluator", "EvaluatorSuite",
    "LoadedSplit", "Metrics", "Result", "Setup", "Split", "StreamedSplit", "SuiteResult",
    "log_graph", "splits_of",
]  # fmt: skip
