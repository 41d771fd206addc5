"""Logging of a run: TensorBoard, `metrics.jsonl`, `summary.json`."""
