"""What every other package builds on; nothing here imports another package of the lab."""
