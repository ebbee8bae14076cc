// Written by `python -m app.web.contract_js`: change the module of Python instead.

/** x and y */
export type Point = [number, number];

/** of a range: low and high */
export type Ends = [number, number];

/** x = a column + b row + c, y = d column + e row + f */
export type Affine = [number, number, number, number, number, number];

/** little-endian: bytes, 16-bit integers, 32-bit floats */
export type NumberType = "u1" | "u2" | "f4";

/** what the reader has in hand */
export type Tool = "pan" | "lasso" | "polygon" | "box" | "landmark";

/** make a cell set, add to the chosen one, or take from it */
export type Mode = "new" | "add" | "subtract";

/** Where bytes are that are too large for the socket. */
export interface Address {
  /** hash of the content, which tells whether it is known already */
  name: string;
  /** signed path and query */
  url: string;
}

/** Where what concerns a map is asked for: something is put between path and query. */
export interface Signed {
  /** from the root of the server */
  path: string;
  /** signature of the path */
  query: string;
}

/** What the cells of a panel are coloured by: a number each, or the place of a label among the entries. */
export interface Values extends Address {
  /** of the array (n,) */
  type: NumberType;
  /** stands for a cell without a value */
  missing: number;
}

/** A picture in tiles, at ``path/level/column/row?query``. */
export interface Tiles {
  /** hexadecimal */
  id: string;
  /** for readers */
  name: string;
  /** of level 0, pixels */
  width: number;
  /** of level 0, pixels */
  height: number;
  /** side of a tile, pixels; those at the right and lower edge are cropped */
  tile: number;
  /** how many; a pixel of level l covers 2**l x 2**l pixels of level 0 */
  levels: number;
  /** from the root of the server */
  path: string;
  /** signature of the path */
  query: string;
}

/** A picture that somebody has placed under the cells. */
export interface Picture extends Tiles {
  /** from the corner of the first pixel on to the section's coordinates */
  affine: Affine;
}

/** Outlines of the cells of a section, in tiles. GET path/index?query gives the header of :mod:`squint.library.boundary_tiles` as JSON, made first where it is not there yet; path/level/number/name?query a tile. */
export interface Boundaries {
  /** from the root of the server */
  path: string;
  /** signature of the path */
  query: string;
}

/** Transcripts of one gene in a section. */
export interface Transcripts {
  /** as in the data */
  gene: string;
  /** of its points */
  colour: string;
  /** all there are */
  n: number;
  /** of these, as many as come: spread over the tissue as all are */
  shown: number;
  /** x and y of each, as those of cells, float32 (shown, 2) */
  points: Address;
}

/** A cell set that was drawn around; ``Panel.sets`` is the address of JSON of a list of these. */
export interface CellSetOutline {
  /** as the reader called it */
  name: string;
  /** of the line */
  colour: string;
  /** closed lines */
  rings: Point[][];
}

/** Cells of one section, or of one level of a stack. Arrays are in the order in which cells are drawn. */
export interface Panel {
  /** name of the section */
  title: string;
  /** how many cells are shown, in words */
  said: string;
  /** cells */
  n: number;
  /** of coordinates: "um" or "unknown" */
  unit: string;
  /** to be added to the points, which lose no digits so */
  origin: Point;
  /** left, top, width and height of what is seen at first */
  frame: [number, number, number, number];
  /** of a cell, in the unit */
  diameter: number;
  /** x and y of each cell, float32 (n, 2) */
  points: Address;
  /** of each cell (n,) */
  values: Values;
  /** 1 for cells whose number is a prediction, else 0, uint8 (n,); none are */
  predicted: Address | null;
  /** closed lines around marked areas */
  outlines: Point[][];
  /** of each cell of a stack, um, float32 (n,); all are at the level of the panel */
  heights: Address | null;
  /** outlines of the cell sets in this section, as JSON; there are none */
  sets: Address | null;
  /** under the cells */
  picture: Picture | null;
  /** outlines of the cells; the section came without */
  boundaries: Boundaries | null;
  /** of the genes chosen, drawn above the cells */
  transcripts: Transcripts[];
  /** places to mark by a ring and a number */
  landmarks?: Point[];
}

/** Cells without a value. */
export interface Missing {
  /** what the legend calls them */
  name: string;
  /** cells of all panels */
  n: number;
  /** how they are drawn */
  colour: string;
  /** as rings, so that they stand out */
  hollow: boolean;
}

/** Colours of numbers. */
export interface NumberScale {
  /** tells it from the other scale */
  kind: "numbers";
  /** what the numbers are */
  title: string;
  /** end of the scale */
  low: number;
  /** end of the scale */
  high: number;
  /** per panel, for readers who unlock the common scale */
  ranges: Ends[];
  /** none, or two: low below the first, high above the second */
  thresholds: number[];
  /** 256 colours from low to high, "RRGGBB" without anything between */
  palette: string;
  /** cells whose number is a prediction, in the panel that has most */
  n_predicted: number;
  /** cells without a number */
  missing: Missing;
}

/** A label that is highlighted. */
export interface Entry {
  /** as it is in the data */
  label: string;
  /** as the legend calls it */
  name: string;
  /** of its cells */
  colour: string;
  /** cells of all panels */
  n: number;
}

/** Labels that are not highlighted. */
export interface Rest {
  /** what the legend calls them */
  name: string;
  /** of their cells */
  colour: string;
  /** cells of all panels */
  n: number;
}

/** Colours of labels. A value is the place of its entry, or 254 for one that is not highlighted. */
export interface LabelScale {
  /** tells it from the other scale */
  kind: "labels";
  /** what the labels are */
  title: string;
  /** at most eight */
  entries: Entry[];
  /** cells with any other label */
  rest: Rest;
  /** cells without a label */
  missing: Missing;
}

/** what colours mean */
export type Scale = NumberScale | LabelScale;

/** Colours of the page. */
export interface PageStyle {
  /** text */
  ink: string;
  /** behind the tissue; transparent where the page is light enough */
  ground: string;
  /** whether the ground is dark */
  dark: boolean;
}

/** How the panels lie above each other. Heights are in um. */
export interface Stack {
  /** name of the stack */
  title: string;
  /** what is shown, in words */
  n: string;
  /** height of each panel, the lowest first; of the lowest cell where heights differ */
  levels: number[];
  /** heights to write beside the box */
  ticks: number[];
  /** foot of the box */
  low: number;
  /** top of the box, above its foot */
  high: number;
  /** how much farther apart levels are drawn than they are */
  stretch: number;
  /** "um", or "unknown" where height and breadth are not on one scale */
  unit: string;
}

/** What a map shows, whatever page it is on. */
export interface Described {
  /** what it is */
  title: string;
  /** in reading order; of a stack, the lowest first */
  panels: Panel[];
  /** what colours mean */
  scale: Scale;
  /** rows and columns */
  grid: [number, number];
  /** whether panels move together at first */
  linked: boolean;
  /** in the colours of which page it is drawn */
  style: PageStyle;
  /** for a map in three dimensions */
  stack: Stack | null;
}

/** What can be undone and redone of cell sets. */
export interface History {
  /** in words; empty where nothing can be undone */
  undo: string;
  /** in words; empty where nothing can be redone */
  redo: string;
  /** which the reader sees */
  version: number;
}

/** All that a map is mounted with. */
export interface MapData extends Described {
  /** of this map */
  address: Signed;
  /** what a browser told of this map before, as it told it */
  state: State;
  /** what the reader may draw with */
  tools: Tool[];
  /** the one in hand at first */
  tool: Tool;
  /** whether thresholds that are dragged count for the page */
  editable: boolean;
  /** for a map on which cell sets are made */
  sets: History | null;
  /** why what was done last was refused */
  refused: string | null;
  /** whether files of the map are offered */
  prints: boolean;
  /** whether one is ready */
  exported: boolean;
}

/** name of a thing that is known of a cell, and what it is */
export type CardLine = [string, string];

/** GET path/cell/panel/place?query */
export type Card = CardLine[];

/** What is seen of a panel. Lengths are in the unit of its section. */
export interface Window {
  /** name of the panel's points, which says of which cells this was told */
  points: string;
  /** centre */
  x: number;
  /** centre */
  y: number;
  /** of what is seen, before it is turned */
  width: number;
  /** height over width */
  aspect: number;
  /** degrees clockwise, 0 to 360 */
  rotation: number;
  /** mirrored left to right, before it is turned */
  flipped: boolean;
}

/** From where a stack is seen. */
export interface Turn {
  /** degrees about the vertical axis */
  azimuth: number;
  /** degrees; 90 from above, 0 from the side, -90 from below */
  elevation: number;
  /** how much nearer than as at first */
  zoom: number;
  /** moved to the right, CSS pixels */
  dx: number;
  /** moved down, CSS pixels */
  dy: number;
}

/** A plane beyond which cells of a stack are not drawn. */
export interface Cut {
  /** 0 none, 1 across x, 2 across y */
  axis: number;
  /** of the box that lies before it, 0 to 1 */
  share: number;
}

/** How a stack is seen. */
export interface Camera {
  /** from where */
  orbit: Turn;
  /** lowest level shown, from 0 */
  first: number;
  /** highest level shown */
  last: number;
  /** beyond what nothing is drawn */
  cut: Cut;
  /** how much farther apart levels are drawn than they are */
  stretch: number;
  /** CSS pixels per unit at zoom 1 */
  scale: number;
  /** x, y and stretched z about which it turns */
  centre: [number, number, number];
  /** of the panel, CSS pixels */
  width: number;
  /** of the panel, CSS pixels */
  height: number;
}

/** How pictures under the cells are drawn. */
export interface ImageLook {
  /** whether they are */
  shown: boolean;
  /** 0 to 1 */
  opacity: number;
}

/** POST path/state?query: the reader's settings. What is not told is as the map is at first. */
export interface State {
  /** kind and title of the scale, which say of which colours this was told */
  coloured?: string;
  /** whether panels move together */
  linked?: boolean;
  /** whether all panels have one range */
  locked?: boolean;
  /** of cells, times the diameter */
  size?: number;
  /** where there is a picture */
  image?: ImageLook;
  /** whether files have a dark ground too; it is the paper's at first */
  dark?: boolean;
  /** whether cells are drawn by their boundaries where few enough are in view */
  boundaries?: boolean;
  /** of each panel, whether they are so just now */
  bounded?: boolean[];
  /** labels switched off in the legend, or "__rest__", "__missing__", "__low__" and so on */
  hidden?: string[];
  /** of the colours; none: all of the scale */
  range?: Ends | null;
  /** of each panel, where they differ */
  ranges?: Ends[] | null;
  /** none, or two */
  thresholds?: number[];
  /** whether numbers are coloured as low, intermediate and high */
  classes?: boolean;
  /** in the order of the map's */
  panels?: Window[];
  /** of a stack */
  camera?: Camera;
}

/** A rectangle on the stage, CSS pixels. */
export interface Box {
  /** from the left edge of the stage to its own */
  left: number;
  /** from the upper edge of the stage to its own */
  top: number;
  /** to the right */
  width: number;
  /** down */
  height: number;
}

/** POST path/picture?query, answered by a PNG of the stage: what a browser without WebGL2 asks for. */
export interface PictureRequest extends State {
  /** of the stage, CSS pixels */
  width: number;
  /** of the stage, CSS pixels */
  height: number;
  /** of the panels, or of the stack */
  boxes: Box[];
  /** of the cells of each panel, in the unit */
  diameters: number[];
  /** pixels of the screen per CSS pixel */
  ratio: number;
}

/** Something was done, so that the page runs again. */
export interface Moment {
  /** when, ms since 1970: of two equal events Streamlit would tell one */
  at: number;
}

/** An area was drawn. */
export interface AreaEvent extends Moment {
  /** on which, from 0 */
  panel: number;
  /** corners on the tissue */
  polygon: Point[];
  /** whether it is a rectangle along the axes */
  box: boolean;
  /** what becomes of these cells */
  mode: Mode;
}

/** An entry of the legend was clicked. */
export interface EntryEvent extends Moment {
  /** as in the data, or "__rest__", "__missing__", "__measured__", "__imputed__" */
  label: string;
  /** what becomes of these cells */
  mode: Mode;
}

/** Another ground was chosen. */
export interface GroundEvent extends Moment {
  /** whether it is */
  dark: boolean;
}

/** A landmark was clicked. */
export interface LandmarkEvent extends Moment {
  /** on which, from 0 */
  panel: number;
  /** on the tissue */
  place: Point;
}

/** A threshold was dragged. */
export interface ThresholdsEvent extends Moment {
  /** two, the lower first */
  values: number[];
}

/** A change of cell sets is to be undone or redone. */
export interface StepEvent extends Moment {
  /** version that the reader saw */
  seen: number;
}

/** What each event comes with. */
export interface Events {
  /** around cells, or of tissue to in-paint */
  area: AreaEvent;
  /** of the legend */
  entry: EntryEvent;
  /** behind the tissue, on every map */
  ground: GroundEvent;
  /** where tissue and picture show the same */
  landmark: LandmarkEvent;
  /** a file that was prepared shows what was seen before */
  outdated: Moment;
  /** a change is done again */
  redo: StepEvent;
  /** addresses have expired; when that was noticed, ms since 1970 */
  renew: number;
  /** of the colour bar */
  thresholds: ThresholdsEvent;
  /** a change is undone */
  undo: StepEvent;
}
