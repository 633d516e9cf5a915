"""The figure of `superpix evaluate`."""

from collections.abc import Sequence
from pathlib import Path

from superpix.evaluation import MeanRow

_COUNT = "superpixels (mean actual count)"

# What is drawn over what, and what to call them.
_PANELS = (
    ("superpixels", _COUNT, "asa", "Achievable segmentation accuracy"),
    ("superpixels", _COUNT, "br", "Boundary recall"),
    ("br", "boundary recall", "bp", "Boundary precision"),
    ("superpixels", _COUNT, "co", "Compactness"),
)

# Okabe and Ito's colours, which colour-blind people tell apart; markers say the same in grey.
_STYLES = (
    ("#0072b2", "o"),
    ("#d55e00", "s"),
    ("#009e73", "^"),
    ("#cc79a7", "D"),
    ("#56b4e9", "v"),
    ("#e69f00", "P"),
    ("#000000", "X"),
)


def plot(means: Sequence[MeanRow], path: Path, title: str) -> None:
    """Draw scores over the mean actual count, and boundary precision over recall.

    Parameters
    ----------
    means : sequence of MeanRow
        One curve for each method in them.
    path : Path
        The file to write; its suffix chooses the format.
    title : str
        What was measured on what.
    """
    # No pyplot: it would choose a window system and keep the figure.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(2, 2).flat)
    names = list(dict.fromkeys(row.method for row in means))
    for axis, (x, x_label, y, title_of_panel) in zip(axes, _PANELS, strict=True):
        for number, name in enumerate(names):
            color, marker = _STYLES[number % len(_STYLES)]
            curve = sorted(
                (row.superpixels, getattr(row, x), getattr(row, y))
                for row in means
                if row.method == name
            )
            axis.plot(
                [point[1] for point in curve],
                [point[2] for point in curve],
                label=name,
                color=color,
                marker=marker,
                markersize=5,
                markeredgecolor="white",
                markeredgewidth=0.6,
                linewidth=1.8,
                zorder=3 - number * 0.01,  # the first named method on top
            )
        axis.set_xlabel(x_label)
        axis.set_title(title_of_panel, fontsize=11)
        if x == "superpixels":
            axis.set_xlim(left=0)
        axis.grid(color="#dddddd", linewidth=0.7)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, loc="lower right")
    figure.suptitle(title, fontsize=12)
    figure.savefig(path, dpi=150)
