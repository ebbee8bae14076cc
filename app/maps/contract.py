"""What Python and the browser tell each other of a map: each message, field by field.

What goes to the browser is checked against these types where it is built. The scripts are checked against
``contract.d.ts`` beside them, which :mod:`app.web.contract_js` writes from this file. What comes back is
typed for the scripts that send it; Python takes it for anything at all, and checks it where it is read.

Places are (x, y) with x to the right and y down: of tissue in the unit of its section, of the screen in CSS
pixels. Colours are "#RRGGBB", or "rgba(0,0,0,0)" for none.
"""

from typing import Literal, NotRequired, TypedDict

Point = tuple[float, float]  # x and y
Ends = tuple[float, float]  # of a range: low and high
Affine = tuple[float, float, float, float, float, float]  # x = a column + b row + c, y = d column + e row + f
NumberType = Literal["u1", "u2", "f4"]  # little-endian: bytes, 16-bit integers, 32-bit floats
Tool = Literal["pan", "lasso", "polygon", "box", "landmark"]  # what the reader has in hand
Mode = Literal["new", "add", "subtract"]  # make a cell set, add to the chosen one, or take from it


# ---- to the browser: what is shown


class Address(TypedDict):
    """Where bytes are that are too large for the socket."""

    name: str  # hash of the content, which tells whether it is known already
    url: str  # signed path and query


class Signed(TypedDict):
    """Where what concerns a map is asked for: something is put between path and query."""

    path: str  # from the root of the server
    query: str  # signature of the path


class Values(Address):
    """What the cells of a panel are coloured by: a number each, or the place of a label among the entries."""

    type: NumberType  # of the array (n,)
    missing: float  # stands for a cell without a value


class Tiles(TypedDict):
    """A picture in tiles, at ``path/level/column/row?query``."""

    id: str  # hexadecimal
    name: str  # for readers
    width: int  # of level 0, pixels
    height: int  # of level 0, pixels
    tile: int  # side of a tile, pixels; those at the right and lower edge are cropped
    levels: int  # how many; a pixel of level l covers 2**l x 2**l pixels of level 0
    path: str  # from the root of the server
    query: str  # signature of the path


class Picture(Tiles):
    """A picture that somebody has placed under the cells."""

    affine: Affine  # from the corner of the first pixel on to the section's coordinates


class Boundaries(TypedDict):
    """Outlines of the cells of a section, in tiles.

    GET path/index?query gives the header of :mod:`squint.library.boundary_tiles` as JSON, made first where
    it is not there yet; path/level/number/name?query a tile.
    """

    path: str  # from the root of the server
    query: str  # signature of the path


class Transcripts(TypedDict):
    """Transcripts of one gene in a section."""

    gene: str  # as in the data
    colour: str  # of its points
    n: int  # all there are
    shown: int  # of these, as many as come: spread over the tissue as all are
    points: Address  # x and y of each, as those of cells, float32 (shown, 2)


class CellSetOutline(TypedDict):
    """A cell set that was drawn around; ``Panel.sets`` is the address of JSON of a list of these."""

    name: str  # as the reader called it
    colour: str  # of the line
    rings: list[list[Point]]  # closed lines


class Panel(TypedDict):
    """Cells of one section, or of one level of a stack. Arrays are in the order in which cells are drawn."""

    title: str  # name of the section
    said: str  # how many cells are shown, in words
    n: int  # cells
    unit: str  # of coordinates: "um" or "unknown"
    origin: Point  # to be added to the points, which lose no digits so
    frame: tuple[float, float, float, float]  # left, top, width and height of what is seen at first
    diameter: float  # of a cell, in the unit
    points: Address  # x and y of each cell, float32 (n, 2)
    values: Values  # of each cell (n,)
    predicted: Address | None  # 1 for cells whose number is a prediction, else 0, uint8 (n,); none are
    outlines: list[list[Point]]  # closed lines around marked areas
    heights: Address | None  # of each cell of a stack, um, float32 (n,); all are at the level of the panel
    sets: Address | None  # outlines of the cell sets in this section, as JSON; there are none
    picture: Picture | None  # under the cells
    boundaries: Boundaries | None  # outlines of the cells; the section came without
    transcripts: list[Transcripts]  # of the genes chosen, drawn above the cells
    landmarks: NotRequired[list[Point]]  # places to mark by a ring and a number


class Missing(TypedDict):
    """Cells without a value."""

    name: str  # what the legend calls them
    n: int  # cells of all panels
    colour: str  # how they are drawn
    hollow: bool  # as rings, so that they stand out


class NumberScale(TypedDict):
    """Colours of numbers."""

    kind: Literal["numbers"]  # tells it from the other scale
    title: str  # what the numbers are
    low: float  # end of the scale
    high: float  # end of the scale
    ranges: list[Ends]  # per panel, for readers who unlock the common scale
    thresholds: list[float]  # none, or two: low below the first, high above the second
    palette: str  # 256 colours from low to high, "RRGGBB" without anything between
    n_predicted: int  # cells whose number is a prediction, in the panel that has most
    missing: Missing  # cells without a number


class Entry(TypedDict):
    """A label that is highlighted."""

    label: str  # as it is in the data
    name: str  # as the legend calls it
    colour: str  # of its cells
    n: int  # cells of all panels


class Rest(TypedDict):
    """Labels that are not highlighted."""

    name: str  # what the legend calls them
    colour: str  # of their cells
    n: int  # cells of all panels


class LabelScale(TypedDict):
    """Colours of labels. A value is the place of its entry, or 254 for one that is not highlighted."""

    kind: Literal["labels"]  # tells it from the other scale
    title: str  # what the labels are
    entries: list[Entry]  # at most eight
    rest: Rest  # cells with any other label
    missing: Missing  # cells without a label


Scale = NumberScale | LabelScale  # what colours mean


class PageStyle(TypedDict):
    """Colours of the page."""

    ink: str  # text
    ground: str  # behind the tissue; transparent where the page is light enough
    dark: bool  # whether the ground is dark


class Stack(TypedDict):
    """How the panels lie above each other. Heights are in um."""

    title: str  # name of the stack
    n: str  # what is shown, in words
    levels: list[float]  # height of each panel, the lowest first; of the lowest cell where heights differ
    ticks: list[float]  # heights to write beside the box
    low: float  # foot of the box
    high: float  # top of the box, above its foot
    stretch: float  # how much farther apart levels are drawn than they are
    unit: str  # "um", or "unknown" where height and breadth are not on one scale


class Described(TypedDict):
    """What a map shows, whatever page it is on."""

    title: str  # what it is
    panels: list[Panel]  # in reading order; of a stack, the lowest first
    scale: Scale  # what colours mean
    grid: tuple[int, int]  # rows and columns
    linked: bool  # whether panels move together at first
    style: PageStyle  # in the colours of which page it is drawn
    stack: Stack | None  # for a map in three dimensions


class History(TypedDict):
    """What can be undone and redone of cell sets."""

    undo: str  # in words; empty where nothing can be undone
    redo: str  # in words; empty where nothing can be redone
    version: int  # which the reader sees


class MapData(Described):
    """All that a map is mounted with."""

    address: Signed  # of this map
    state: "State"  # what a browser told of this map before, as it told it
    tools: list[Tool]  # what the reader may draw with
    tool: Tool  # the one in hand at first
    editable: bool  # whether thresholds that are dragged count for the page
    sets: History | None  # for a map on which cell sets are made
    refused: str | None  # why what was done last was refused
    prints: bool  # whether files of the map are offered
    exported: bool  # whether one is ready


# ---- to the browser: what its requests are answered

CardLine = tuple[str, str]  # name of a thing that is known of a cell, and what it is
Card = list[CardLine]  # GET path/cell/panel/place?query


# ---- from the browser: what the reader set


class Window(TypedDict):
    """What is seen of a panel. Lengths are in the unit of its section."""

    points: str  # name of the panel's points, which says of which cells this was told
    x: float  # centre
    y: float  # centre
    width: float  # of what is seen, before it is turned
    aspect: float  # height over width
    rotation: float  # degrees clockwise, 0 to 360
    flipped: bool  # mirrored left to right, before it is turned


class Turn(TypedDict):
    """From where a stack is seen."""

    azimuth: float  # degrees about the vertical axis
    elevation: float  # degrees; 90 from above, 0 from the side, -90 from below
    zoom: float  # how much nearer than as at first
    dx: float  # moved to the right, CSS pixels
    dy: float  # moved down, CSS pixels


class Cut(TypedDict):
    """A plane beyond which cells of a stack are not drawn."""

    axis: int  # 0 none, 1 across x, 2 across y
    share: float  # of the box that lies before it, 0 to 1


class Camera(TypedDict):
    """How a stack is seen."""

    orbit: Turn  # from where
    first: int  # lowest level shown, from 0
    last: int  # highest level shown
    cut: Cut  # beyond what nothing is drawn
    stretch: float  # how much farther apart levels are drawn than they are
    scale: float  # CSS pixels per unit at zoom 1
    centre: tuple[float, float, float]  # x, y and stretched z about which it turns
    width: float  # of the panel, CSS pixels
    height: float  # of the panel, CSS pixels


class ImageLook(TypedDict):
    """How pictures under the cells are drawn."""

    shown: bool  # whether they are
    opacity: float  # 0 to 1


class State(TypedDict, total=False):
    """POST path/state?query: the reader's settings. What is not told is as the map is at first."""

    coloured: str  # kind and title of the scale, which say of which colours this was told
    linked: bool  # whether panels move together
    locked: bool  # whether all panels have one range
    size: float  # of cells, times the diameter
    image: ImageLook  # where there is a picture
    dark: bool  # whether files have a dark ground too; it is the paper's at first
    boundaries: bool  # whether cells are drawn by their boundaries where few enough are in view
    bounded: list[bool]  # of each panel, whether they are so just now
    hidden: list[str]  # labels switched off in the legend, or "__rest__", "__missing__", "__low__" and so on
    range: Ends | None  # of the colours; none: all of the scale
    ranges: list[Ends] | None  # of each panel, where they differ
    thresholds: list[float]  # none, or two
    classes: bool  # whether numbers are coloured as low, intermediate and high
    panels: list[Window]  # in the order of the map's
    camera: Camera  # of a stack


class Box(TypedDict):
    """A rectangle on the stage, CSS pixels."""

    left: float  # from the left edge of the stage to its own
    top: float  # from the upper edge of the stage to its own
    width: float  # to the right
    height: float  # down


class PictureRequest(State):
    """POST path/picture?query, answered by a PNG of the stage: what a browser without WebGL2 asks for."""

    width: float  # of the stage, CSS pixels
    height: float  # of the stage, CSS pixels
    boxes: list[Box]  # of the panels, or of the stack
    diameters: list[float]  # of the cells of each panel, in the unit
    ratio: float  # pixels of the screen per CSS pixel


# ---- from the browser: what the reader did


class Moment(TypedDict):
    """Something was done, so that the page runs again."""

    at: float  # when, ms since 1970: of two equal events Streamlit would tell one


class AreaEvent(Moment):
    """An area was drawn."""

    panel: int  # on which, from 0
    polygon: list[Point]  # corners on the tissue
    box: bool  # whether it is a rectangle along the axes
    mode: Mode  # what becomes of these cells


class EntryEvent(Moment):
    """An entry of the legend was clicked."""

    label: str  # as in the data, or "__rest__", "__missing__", "__measured__", "__imputed__"
    mode: Mode  # what becomes of these cells


class GroundEvent(Moment):
    """Another ground was chosen."""

    dark: bool  # whether it is


class LandmarkEvent(Moment):
    """A landmark was clicked."""

    panel: int  # on which, from 0
    place: Point  # on the tissue


class ThresholdsEvent(Moment):
    """A threshold was dragged."""

    values: list[float]  # two, the lower first


class StepEvent(Moment):
    """A change of cell sets is to be undone or redone."""

    seen: int  # version that the reader saw


class Events(TypedDict):
    """What each event comes with."""

    area: AreaEvent  # around cells, or of tissue to in-paint
    entry: EntryEvent  # of the legend
    ground: GroundEvent  # behind the tissue, on every map
    landmark: LandmarkEvent  # where tissue and picture show the same
    outdated: Moment  # a file that was prepared shows what was seen before
    redo: StepEvent  # a change is done again
    renew: float  # addresses have expired; when that was noticed, ms since 1970
    thresholds: ThresholdsEvent  # of the colour bar
    undo: StepEvent  # a change is undone
