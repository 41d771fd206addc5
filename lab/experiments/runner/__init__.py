"""The grid runner: every combination of some settings, several seeds, on all cores or a cluster."""
