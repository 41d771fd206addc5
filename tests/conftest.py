"""Settings for all tests, and fixtures that several modules use."""

from hypothesis import settings

from support.executors import runs_here  # noqa: F401

# A busy machine is no reason to fail; what is too slow shows in the suite's durations.
settings.register_profile("lab", deadline=None)
settings.load_profile("lab")
