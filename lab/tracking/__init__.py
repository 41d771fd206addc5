"""What a run writes down: TensorBoard, `metrics.jsonl`, `summary.json`. Draws no conclusions."""
