"""Style, creation and saving of pictures. matplotlib is an optional extra.

Guarantees: the same figure gives the same SVG bytes; no window is opened and no global state of
matplotlib is changed; people with red-green blindness can distinguish the colours (Okabe and Ito),
and no meaning depends on colour alone. Leaves out the drawings: see `oepnode.adapters.plots`.

Example:
    >>> figure, axes = new_figure(8, 4)                                       # doctest: +SKIP
    >>> save(figure, Path("curve.svg"))                                       # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from oepnode.adapters.storage.private import private_file
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES: Final = (".svg", ".png")

INK: Final = "#222222"
MUTED: Final = "#6b6b6b"
GRID: Final = "#d9d9d9"
BLUE: Final = "#0072b2"
ORANGE: Final = "#e69f00"
VERMILION: Final = "#d55e00"
GREEN: Final = "#009e73"
PALE: Final = "#dcebf5"

_DPI: Final = 200
_STYLE: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.hashsalt": "oepnode",
    "svg.fonttype": "none",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def check(path: Path) -> None:
    """Reject a path before the work that `save` would reject after it.

    Raises:
        ConfigError: If the file's suffix is not that of a picture, or matplotlib is missing.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: unknown picture format; name a file that ends in .svg or .png")
    try:
        import matplotlib  # noqa: F401 - only to check that it is installed
    except ImportError as exc:
        raise ConfigError(
            "pictures need matplotlib: install the extra plot, as in pip install 'oepnode[plot]'"
        ) from exc


def style() -> Any:  # noqa: ANN401 - a context manager of matplotlib's
    """The style of all pictures, while the context lasts."""
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def new_figure(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    """An empty figure with one set of axes, laid out without clipping."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        return figure, figure.add_subplot()


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG or PNG, by the file's suffix.

    Raises:
        ConfigError: If the file is of another kind or cannot be written.
    """
    check(path)
    kind = path.suffix.lower().removeprefix(".")
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    try:
        with style(), private_file(path) as file:
            figure.savefig(file, format=kind, dpi=_DPI, metadata=metadata)
    except OSError as exc:
        raise ConfigError(f"{path}: not writable: {exc.strerror or exc}") from exc
