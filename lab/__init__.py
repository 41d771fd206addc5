"""Memorization Lab: watch a network memorize instead of learn, and measure it."""
