"""Figures that are drawn, but not laid out."""

import pytest


@pytest.fixture
def plain_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the layout of figures, which takes as long as all the rest of them, for tests that
    ask for a figure and do not look at it."""
    monkeypatch.setattr(
        "matplotlib.layout_engine.ConstrainedLayoutEngine.execute", lambda engine, figure: None
    )
