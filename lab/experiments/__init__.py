"""Experiments: many runs of a grid of settings, and what is made of their figures."""
