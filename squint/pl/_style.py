"""Colours that colour-blind readers can tell apart, on light and dark pages and on paper."""

from dataclasses import dataclass, replace

BLUE, ORANGE = "#0072B2", "#E69F00"
# Okabe and Ito (2008), without the one that must change with the page
_OKABE_ITO = (ORANGE, "#56B4E9", "#009E73", "#F0E442", BLUE, "#D55E00", "#CC79A7")
_CLEAR = "rgba(0,0,0,0)"
_DARK_GROUND = "#0A0D10"
MAX_HIGHLIGHTED = len(_OKABE_ITO) + 1


@dataclass(frozen=True)
class Style:
    """Colours of one kind of page."""

    ink: str  # text, scale bars
    paper: str  # behind the figure; transparent on a page
    ground: str  # behind the tissue; transparent where the page is light enough
    rest: str  # cells that are not highlighted
    missing: str  # outline of cells without a value
    eighth: str  # the eighth colour of categories

    @property
    def categories(self) -> tuple[str, ...]:
        """Eight colours for categories."""
        return (*_OKABE_ITO, self.eighth)

    @property
    def has_dark_ground(self) -> bool:
        """Whether tissue lies on a dark ground."""
        return self.ground == _DARK_GROUND

    def on_dark(self) -> "Style":
        """Give the same page with tissue on a dark ground, as in a fluorescence microscope.

        What stands back on a light ground stands back on the dark one too, and black becomes a colour.
        """
        return replace(self, ground=_DARK_GROUND, rest="#4A525B", eighth=DARK.eighth)


LIGHT = Style(ink="#31333F", paper=_CLEAR, ground=_CLEAR, rest="#D5D7DD", missing="#8A8D96", eighth="#000000")
# The page's own ground for dark pages is light, as of a slide: the low end of every colour scale is dark.
DARK = Style(
    ink="#FAFAFA", paper=_CLEAR, ground="#F4F5F7", rest="#D5D7DD", missing="#8A8D96", eighth="#6F4FB5"
)
PRINT = Style(
    ink="#000000", paper="#FFFFFF", ground=_CLEAR, rest="#D5D7DD", missing="#8A8D96", eighth="#000000"
)
