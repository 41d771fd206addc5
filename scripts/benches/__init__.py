"""What `scripts/bench.py` measures: drawing, training, a whole run, growth, the board."""
