"""The custom-scalar charts: metrics that the table assigns to one chart, with their intervals.

Written as protocol buffers because `SummaryWriter.add_custom_scalars` allows one band per chart.
"""

import re
from collections.abc import Container, Sequence

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.custom_scalar import layout_pb2, metadata
from tensorboard.util.tensor_util import make_tensor_proto

from lab.core import metrics

SYMBOLS = "■◆▲★"
"""The symbols with which TensorBoard draws the first, second, … curve of a chart: all curves of a
run have one color."""

RELIANCE, STRONGEST = "Reliance", "shortcut/strongest"


def layout(
    written: Container[str],
    *,
    relevant: Sequence[str] = (),
    nuisances: Sequence[str] = (),
    cues: Sequence[str] = (),
    changes: Sequence[str] = (),
) -> layout_pb2.Layout:
    """The charts of the table of metrics whose tags are all among the `written` ones, as
    TensorBoard reads them; and the reliance on `relevant` attributes, on `cues`, on all
    `nuisances`, and under `changes`, interventions of the user's own. Each tag is drawn with the
    band from `<tag>_low` to `<tag>_high`."""
    categories = []
    for title, charts in metrics.charts().items():
        shown = [
            layout_pb2.Chart(title=_legend(name, tags), margin=_margins(tags))
            for name, tags in charts.items()
            if all(tag in written for tag in tags)
        ]
        if shown:
            # TensorBoard 2.21 puts margin charts on the page in the reverse of the order it reads.
            categories.append(layout_pb2.Category(title=title, chart=shown[::-1]))
    shown = []
    # TensorBoard clips outliers of a chart, so the nuisance with the highest reliance has its own
    alone = [f"reliance/{cue}" for cue in cues] or [STRONGEST]
    if all(tag in written for tag in alone):
        name = "cues: should be 0" if cues else "highest on any nuisance: should be 0"
        shown.append(layout_pb2.Chart(title=name, margin=_margins(alone)))
    for name, attributes in (
        ("relevant attributes: should be 1", relevant),
        ("all nuisances: should be 0", nuisances),
        ("changes of your own", changes),
    ):
        tags = [f"reliance/{attribute}" for attribute in attributes]
        tags = [tag for tag in tags if tag in written]
        if tags:
            lines = layout_pb2.MultilineChartContent(tag=[f"^{re.escape(tag)}$" for tag in tags])
            shown.append(layout_pb2.Chart(title=name, multiline=lines))
    if shown:
        categories.append(layout_pb2.Category(title=RELIANCE, chart=shown))
    return layout_pb2.Layout(category=categories)


def summary(charts: layout_pb2.Layout) -> Summary:
    """The layout as an event's content."""
    content = make_tensor_proto(charts.SerializeToString())
    about = metadata.create_summary_metadata()
    return Summary(
        value=[Summary.Value(tag=metadata.CONFIG_SUMMARY_TAG, metadata=about, tensor=content)]
    )


def _legend(title: str, tags: Sequence[str]) -> str:
    """A chart's title with its curves by their symbols, "accuracy: ■ train ◆ test"; words behind a
    colon give way to them."""
    if len(tags) == 1:
        return title
    curves = (
        f"{symbol} {tag.rpartition('/')[2].replace('_', ' ')}"
        for symbol, tag in zip(SYMBOLS, tags, strict=False)
    )
    return f"{title.partition(':')[0]}: {' '.join(curves)}"


def _margins(tags: Sequence[str]) -> layout_pb2.MarginChartContent:
    series = layout_pb2.MarginChartContent.Series
    return layout_pb2.MarginChartContent(
        series=[series(value=tag, lower=f"{tag}_low", upper=f"{tag}_high") for tag in tags]
    )
