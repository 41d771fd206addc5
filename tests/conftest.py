"""Settings for all tests."""

from hypothesis import settings

# A busy machine is no reason to fail; what is too slow shows in the suite's durations.
settings.register_profile("lab", deadline=None)
settings.load_profile("lab")
