// Draws cells and picture tiles with WebGL2, in as many panels as there are, in one context.

import { rgba } from "./colours.js";

/**
 * @import { Box, NumberType, Point } from "./contract"
 * @import { View } from "./geometry.js"
 * @typedef {{ name: string, array: Float32Array | Uint8Array | Uint16Array | Int16Array | Uint32Array }} Source
 */

/**
 * Cells to draw.
 *
 * @typedef {object} Cells
 * @property {Source} points
 * @property {(Source & { type: NumberType, missing: number }) | null} values null where all have the first colour
 * @property {Source | null} predicted
 * @property {Source | null} heights of each
 * @property {number} [height] of all, where they have one
 */

/**
 * How cells are coloured.
 *
 * @typedef {object} Colouring
 * @property {0 | 1} kind numbers, or labels
 * @property {number[]} range ends of the scale
 * @property {number[]} thresholds low below the first, high above the second
 * @property {boolean} classes whether these count
 * @property {boolean} hollow whether cells without a value are rings
 * @property {number[]} shown 0 or 1 for measured cells and for predicted ones
 * @property {Float32Array} colours 11 times red, green, blue and alpha
 * @property {string} [palette] colours of numbers
 */

/**
 * Where cells are drawn.
 *
 * @typedef {object} Placing
 * @property {number[]} project matrix (4, 4), column by column
 * @property {number} size diameter, CSS pixels
 * @property {boolean} ranked whether some cells lie above others
 * @property {number[]} [cut] plane beyond which none is drawn
 * @property {boolean} [deep] whether levels hide one another
 * @property {number} [only] 0 all cells, 1 those to be seen, 2 those that others show through
 */

/**
 * Where a tile of a picture lies on the tissue: its upper left corner, and the ways along its edges from there.
 *
 * @typedef {{ corner: Point, across: Point, down: Point }} Tile
 */

/**
 * Polygons of cells to draw: corners, and of each corner what its cell has.
 *
 * @typedef {object} Polygons
 * @property {Source} corners int16, in steps from an origin
 * @property {Source} elements corners of triangles or lines
 * @property {Source & { type: NumberType, missing: number }} values
 * @property {Source | null} predicted
 * @property {boolean} lines whether they are lines, or triangles
 */

/**
 * Shaders, and where their variables are.
 *
 * @typedef {object} Program
 * @property {WebGLProgram} handle
 * @property {Record<string, number>} inputs
 * @property {Record<string, WebGLUniformLocation | null>} uniforms
 */

const SMALL = 3.5; // pixels: smaller cells are squares
const INPUTS = ["place", "value", "predicted", "height", "corner"]; // at the same places in all programs

const VERTEX = `#version 300 es
in vec2 place;
in float height;
in float value;
in float predicted;
uniform mat4 project;
uniform vec4 cut;          // cells on its far side are not drawn
uniform float size;        // diameter in device pixels
uniform int kind;          // 0: numbers, 1: labels
uniform float absent;      // the value of cells that have none
uniform vec2 range;
uniform vec2 thresholds;
uniform bool classes;
uniform bool deep;         // levels hide one another
uniform int only;          // 0: all cells, 1: those to be seen, 2: those that others show through
uniform bool hollow;       // cells without a value are rings
uniform vec4 colours[11];  // labels 0 to 7, 8 others, 9 missing, 10 unused; or low, intermediate, high, ..., 9
uniform bool shown[2];     // measured, predicted
uniform highp sampler2D palette;
flat out vec4 colour;
#ifdef ROUND
flat out int look;         // 0 disc, 1 ring, 2 diamond
flat out float pixels;
#endif

void main() {
  vec4 at = vec4(place, height, 1.0);
  gl_Position = project * at;
  bool missing = value == absent;
  float rank = 1.0;
  int shape = 0;
  if (missing) {
    colour = colours[9];
    shape = hollow ? 1 : 0;
    rank = 0.0;
  } else if (kind == 1) {
    colour = value > 253.5 ? colours[8] : colours[int(value + 0.5)];
    rank = value > 253.5 ? 1.0 : 2.0 + value;
  } else {
    float share = clamp((value - range.x) / (range.y - range.x), 0.0, 1.0);
    colour = texelFetch(palette, ivec2(int(share * 255.0), 0), 0);
    if (classes) colour = colours[value < thresholds.x ? 0 : value > thresholds.y ? 2 : 1];
    if (predicted > 0.5) {
      shape = 2;
      rank = 2.0;
    }
    if (!shown[predicted > 0.5 ? 1 : 0]) colour.a = 0.0;
  }
  if (!deep) gl_Position.z = 1.0 - (rank + 1.0) / 12.0;
  bool faint = missing || (kind == 1 && value > 253.5);
#ifdef LINES
  if (shape == 2) colour.rgb = vec3(0.0);
  else if (shape == 0) colour.rgb *= 0.55;
#endif
#ifdef AREAS
  if (shape == 1) colour.a = 0.0;
#endif
  if (only == 2) colour.a *= 0.25;
  bool other = only == 1 ? faint : only == 2 && !faint;
  if (other || colour.a == 0.0 || dot(cut, at) < 0.0) gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  gl_PointSize = shape == 2 ? 1.3 * size : size;
#ifdef ROUND
  look = shape;
  pixels = gl_PointSize;
#endif
}`;

const FRAGMENT = `#version 300 es
precision highp float;
uniform bool deep;
flat in vec4 colour;
#ifdef ROUND
flat in int look;
flat in float pixels;
#endif
out vec4 seen;

void main() {
  vec4 fill = colour;
#ifdef ROUND
  if (pixels > ${SMALL.toFixed(1)}) {
    vec2 d = 2.0 * gl_PointCoord - 1.0;
    float r = look == 2 ? abs(d.x) + abs(d.y) : length(d);
    float edge = (1.0 - r) * 0.5 * pixels;  // pixels to the border
    if (edge < 0.0) discard;
    if (look == 1 && edge > max(1.0, pixels / 8.0)) discard;
    if (look == 2 && edge < clamp(pixels / 10.0, 0.7, 2.0)) fill.rgb = vec3(0.0);
    float cover = clamp(edge + 0.35, 0.0, 1.0);
    // Where cells hide one another by depth, a half-clear border would hide what is behind it as well.
    fill.a *= deep ? step(0.5, cover) : cover;
    if (fill.a == 0.0) discard;
  }
#endif
  seen = vec4(fill.rgb * fill.a, fill.a);
}`;

const TILE_VERTEX = `#version 300 es
in vec2 corner;
uniform mat4 project;
uniform vec4 across;  // place of the upper left corner, and the way along the upper edge
uniform vec2 down;
out vec2 at;
void main() {
  at = corner;
  vec2 place = across.xy + corner.x * across.zw + corner.y * down;
  gl_Position = project * vec4(place, 0.0, 1.0);
  gl_Position.z = 0.999;
}`;

const TILE_FRAGMENT = `#version 300 es
precision highp float;
in vec2 at;
uniform sampler2D picture;
uniform float opacity;
uniform vec4 ground;  // below the picture
out vec4 seen;
void main() {
  seen = texture(picture, at) * opacity;
  seen += ground * (1.0 - seen.a);
}`;

export class Renderer {
  /**
   * @param {HTMLCanvasElement} canvas
   * @throws if there is no WebGL2.
   */
  constructor(canvas) {
    this.canvas = canvas;
    const gl = canvas.getContext("webgl2", { antialias: false, alpha: true, preserveDrawingBuffer: true });
    if (!gl) throw new Error("no WebGL2");
    this.gl = gl;
    this.ratio = 1; // pixels of the screen per CSS pixel
    this.card = onCard(gl);
  }

  /** Make anew what lives on the graphics card, after the context was lost. */
  prepare() {
    this.card = onCard(this.gl);
  }

  /** @type {(width: number, height: number, ratio: number) => void} */
  resize(width, height, ratio) {
    const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    this.ratio = ratio;
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
  }

  /**
   * Put an array on the card, once for its name.
   *
   * @param {Source} source
   */
  buffer({ name, array }, elements = false) {
    const { gl } = this;
    const { buffers } = this.card;
    let buffer = buffers.get(name);
    if (!buffer) {
      const target = elements ? gl.ELEMENT_ARRAY_BUFFER : gl.ARRAY_BUFFER;
      buffer = gl.createBuffer();
      gl.bindBuffer(target, buffer);
      gl.bufferData(target, array, gl.STATIC_DRAW);
      buffers.set(name, buffer);
    }
    return buffer;
  }

  /**
   * Whether an array is on the card.
   *
   * @param {string} name
   */
  has(name) {
    return this.card.buffers.has(name);
  }

  /**
   * Free the arrays whose names begin so.
   *
   * @param {string} begin
   */
  drop(begin) {
    const { buffers } = this.card;
    for (const [name, buffer] of buffers) {
      if (!name.startsWith(begin)) continue;
      this.gl.deleteBuffer(buffer);
      buffers.delete(name);
    }
  }

  /**
   * Free the arrays whose names are not wanted any more.
   *
   * @param {Set<string>} names
   */
  keep(names) {
    const { buffers } = this.card;
    for (const [name, buffer] of buffers) {
      if (!names.has(name)) {
        this.gl.deleteBuffer(buffer);
        buffers.delete(name);
      }
    }
  }

  /** @param {string} hex */
  usePalette(hex) {
    const { gl } = this;
    const { palette } = this.card;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, palette.texture);
    if (palette.name === hex) return;
    const colours = new Uint8Array((hex.length / 6) * 4);
    for (let i = 0; i < hex.length / 6; i++) {
      const rgb = parseInt(hex.slice(6 * i, 6 * i + 6), 16);
      colours.set([rgb >> 16, (rgb >> 8) & 255, rgb & 255, 255], 4 * i);
    }
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, hex.length / 6, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, colours);
    nearest(gl);
    palette.name = hex;
  }

  /**
   * Begin a frame, or a part of one: everything is cleared first unless it is to be added to.
   *
   * @param {boolean} add
   */
  begin(add) {
    const { gl } = this;
    gl.disable(gl.SCISSOR_TEST);
    if (add) return;
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  }

  /**
   * Draw only within a box of the stage, on a ground of its own unless that is there already.
   *
   * @param {Box} box
   * @param {[red: number, green: number, blue: number, alpha: number] | null} ground
   */
  within(box, ground) {
    const { gl, ratio } = this;
    const [left, top] = [Math.round(box.left * ratio), Math.round(box.top * ratio)];
    const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    gl.viewport(left, this.canvas.height - top - height, width, height);
    gl.scissor(left, this.canvas.height - top - height, width, height);
    gl.enable(gl.SCISSOR_TEST);
    if (ground) {
      gl.clearColor(...ground);
      gl.clear(gl.COLOR_BUFFER_BIT);
    }
  }

  /**
   * Draw cells first to last (not included) of a panel, or of a list of places in its arrays.
   *
   * @param {Cells} cells
   * @param {Colouring & Placing} look
   * @param {number} first
   * @param {number} last
   * @param {Source | null} [places]
   */
  draw(cells, look, first, last, places) {
    const { gl } = this;
    const { largest, square, round } = this.card;
    const size = Math.min(Math.max(look.size * this.ratio, 1.5), largest / 1.3);
    const small = size <= SMALL / 1.3; // diamonds too, which are larger
    const program = small ? square : round;
    gl.useProgram(program.handle);
    // Without graphics card both cost a third of the time, so only where they can be seen.
    use(gl, gl.DEPTH_TEST, look.ranked);
    use(gl, gl.BLEND, !small || look.only === 2);
    this.attribute(program, "place", cells.points, 2, gl.FLOAT);
    this.set(program, cells, look);
    gl.uniform1f(program.uniforms.size, size);
    if (places) {
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffer(places, true));
      gl.drawElements(gl.POINTS, last - first, gl.UNSIGNED_INT, 4 * first);
    } else gl.drawArrays(gl.POINTS, first, last - first);
    gl.depthMask(true);
    gl.enable(gl.BLEND);
  }

  /**
   * Draw points first to last (not included) of one colour, with a light rim, seen on cells of any colour.
   *
   * @param {Source} points
   * @param {string} colour
   * @param {Pick<Placing, "project" | "size">} place
   * @param {number} first
   * @param {number} last
   */
  drawDots(points, colour, { project, size }, first, last) {
    for (const [tone, width] of /** @type {[string, number][]} */ ([
      ["#ffffff", size + 2],
      [colour, size],
    ])) {
      const colours = new Float32Array(44);
      colours.set(rgba(tone));
      this.draw(
        { points, values: null, predicted: null, heights: null },
        {
          ...{ kind: 1, range: [0, 1], thresholds: [0, 0], classes: false, hollow: false, shown: [1, 1] },
          ...{ colours, project, size: width, ranked: false },
        },
        first,
        last,
      );
    }
  }

  /**
   * Draw cells by their boundaries.
   *
   * @param {Polygons} polygons
   * @param {Colouring & Placing} look
   */
  drawPolygons(polygons, look) {
    const { gl } = this;
    const program = polygons.lines ? this.card.lines : this.card.areas;
    gl.useProgram(program.handle);
    use(gl, gl.DEPTH_TEST, look.ranked);
    gl.disable(gl.BLEND);
    this.attribute(program, "place", polygons.corners, 2, gl.SHORT);
    this.set(program, { values: polygons.values, predicted: polygons.predicted, heights: null }, look);
    const { elements } = polygons;
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffer(elements, true));
    gl.drawElements(polygons.lines ? gl.LINES : gl.TRIANGLES, elements.array.length, gl.UNSIGNED_INT, 0);
    gl.depthMask(true);
    gl.enable(gl.BLEND);
  }

  /** @type {(program: Program, name: string, source: Source | null, size: number, type: number) => void} */
  attribute({ inputs }, name, source, size, type) {
    const { gl } = this;
    const at = inputs[name];
    if (!source) return gl.disableVertexAttribArray(at);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer(source));
    gl.enableVertexAttribArray(at);
    return gl.vertexAttribPointer(at, size, type, false, 0, 0);
  }

  /**
   * Tell a program what cells have, and how they look.
   *
   * @param {Program} program
   * @param {Omit<Cells, "points">} cells
   * @param {Colouring & Placing} look
   */
  set(program, cells, look) {
    const { gl } = this;
    const { inputs, uniforms } = program;
    this.attribute(
      program,
      "value",
      cells.values,
      1,
      { u1: gl.UNSIGNED_BYTE, u2: gl.UNSIGNED_SHORT, f4: gl.FLOAT }[cells.values?.type ?? "f4"],
    );
    this.attribute(program, "predicted", cells.predicted, 1, gl.UNSIGNED_BYTE);
    this.attribute(program, "height", cells.heights, 1, gl.FLOAT);
    if (!cells.predicted) gl.vertexAttrib1f(inputs.predicted, 0);
    if (!cells.heights) gl.vertexAttrib1f(inputs.height, cells.height ?? 0);
    if (look.palette) this.usePalette(look.palette);
    gl.uniformMatrix4fv(uniforms.project, false, look.project);
    gl.uniform4fv(uniforms.cut, look.cut ?? [0, 0, 0, 1]);
    gl.uniform1i(uniforms.kind, look.kind);
    gl.uniform1f(uniforms.absent, cells.values?.missing ?? -1);
    if (!cells.values) gl.vertexAttrib1f(inputs.value, 0);
    gl.uniform2fv(uniforms.range, look.range);
    gl.uniform2fv(uniforms.thresholds, look.thresholds);
    gl.uniform1i(uniforms.classes, Number(look.classes));
    gl.uniform1i(uniforms.deep, Number(look.deep ?? false));
    gl.uniform1i(uniforms.only, look.only ?? 0);
    gl.depthMask(look.only !== 2);
    gl.uniform1i(uniforms.hollow, Number(look.hollow));
    gl.uniform4fv(uniforms.colours, look.colours);
    gl.uniform1iv(uniforms.shown, look.shown);
    gl.uniform1i(uniforms.palette, 0);
  }

  /**
   * Take what is seen in a box as a picture, which is drawn as a tile whose upper edge is the box's lower one.
   *
   * @param {string} name
   * @param {Box} box
   */
  take(name, box) {
    const { gl, ratio } = this;
    const texture = this.card.pictures.get(name) ?? gl.createTexture();
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    const [left, top] = [Math.round(box.left * ratio), Math.round(box.top * ratio)];
    const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    gl.copyTexImage2D(gl.TEXTURE_2D, 0, gl.RGBA, left, this.canvas.height - top - height, width, height, 0);
    clamped(gl);
    this.card.pictures.set(name, texture);
  }

  /**
   * Draw a tile of a picture on the ground, in place of coarser ones there: clear ones would add up.
   *
   * @param {string} name
   * @param {Tile} place
   * @param {number[]} project
   * @param {number} opacity
   * @param {number[]} ground
   */
  drawTile(name, { corner, across, down }, project, opacity, ground) {
    const { gl } = this;
    const { tiles, pictures, round, corners } = this.card;
    const { handle, uniforms, inputs } = tiles;
    gl.useProgram(handle);
    gl.disable(gl.DEPTH_TEST);
    gl.disable(gl.BLEND);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, pictures.get(name) ?? null);
    for (const at of Object.values(round.inputs)) gl.disableVertexAttribArray(at);
    gl.bindBuffer(gl.ARRAY_BUFFER, corners);
    gl.enableVertexAttribArray(inputs.corner);
    gl.vertexAttribPointer(inputs.corner, 2, gl.FLOAT, false, 0, 0);
    gl.uniformMatrix4fv(uniforms.project, false, project);
    gl.uniform4f(uniforms.across, ...corner, ...across);
    gl.uniform2f(uniforms.down, ...down);
    gl.uniform1f(uniforms.opacity, opacity);
    gl.uniform4fv(uniforms.ground, ground[3] ? ground : [0, 0, 0, 0]);
    gl.uniform1i(uniforms.picture, 0);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.enable(gl.BLEND);
    gl.disableVertexAttribArray(inputs.corner);
  }

  /** @type {(name: string, bitmap: ImageBitmap) => void} */
  addPicture(name, bitmap) {
    const { gl } = this;
    const texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    clamped(gl);
    this.card.pictures.set(name, texture);
  }

  /** @param {string} name */
  dropPicture(name) {
    this.gl.deleteTexture(this.card.pictures.get(name) ?? null);
    this.card.pictures.delete(name);
  }

  /**
   * Call back once all that was asked for is drawn; asking for more than a card can do only makes it late.
   *
   * @param {() => void} act
   */
  whenDone(act) {
    const { gl } = this;
    const sync = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    const look = () => {
      const there = sync && !gl.isContextLost();
      if (there && gl.getSyncParameter(sync, gl.SYNC_STATUS) !== gl.SIGNALED) {
        setTimeout(look, 2);
        return;
      }
      gl.deleteSync(sync);
      act();
    };
    setTimeout(look, 2);
  }

  /** Give the context back: browsers have few. */
  destroy() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/**
 * The matrix that brings the tissue of a view, moved by an origin, into its box.
 *
 * @type {(view: View, matrix: number[], origin: Point, box: Box) => number[]}
 */
export function projection(view, matrix, origin, box) {
  const [a, b, c, d] = matrix;
  const [sx, sy] = [(2 * view.scale) / box.width, (-2 * view.scale) / box.height];
  const [x, y] = [origin[0] - view.x, origin[1] - view.y];
  return [
    sx * a,
    sy * c,
    0,
    0,
    sx * b,
    sy * d,
    0,
    0,
    0,
    0,
    1,
    0,
    sx * (a * x + b * y),
    sy * (c * x + d * y),
    0,
    1,
  ];
}

/**
 * Make what lives on the graphics card.
 *
 * @param {WebGL2RenderingContext} gl
 */
function onCard(gl) {
  const card = {
    round: program(gl, VERTEX, FRAGMENT, "ROUND"),
    square: program(gl, VERTEX, FRAGMENT), // without graphics card a quarter faster
    areas: program(gl, VERTEX, FRAGMENT, "AREAS"), // inside boundaries of cells
    lines: program(gl, VERTEX, FRAGMENT, "LINES"), // along them
    tiles: program(gl, TILE_VERTEX, TILE_FRAGMENT),
    buffers: /** @type {Map<string, WebGLBuffer>} */ (new Map()), // arrays by name
    pictures: /** @type {Map<string, WebGLTexture>} */ (new Map()), // tiles by name
    palette: { name: "", texture: gl.createTexture() },
    corners: gl.createBuffer(), // of a tile
    largest: Number(gl.getParameter(gl.ALIASED_POINT_SIZE_RANGE)[1]), // cell, pixels
  };
  gl.bindBuffer(gl.ARRAY_BUFFER, card.corners);
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  gl.depthFunc(gl.LEQUAL);
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
  return card;
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {string} vertex
 * @param {string} fragment
 * @param {string} [defined]
 * @returns {Program}
 */
function program(gl, vertex, fragment, defined) {
  const handle = gl.createProgram();
  const begin = "#version 300 es\n";
  const add = (/** @type {number} */ kind, /** @type {string} */ source) => {
    const shader = gl.createShader(kind);
    if (!shader) throw new Error("The graphics card takes no shader.");
    gl.shaderSource(shader, defined ? source.replace(begin, `${begin}#define ${defined}\n`) : source);
    gl.compileShader(shader);
    gl.attachShader(handle, shader);
  };
  add(gl.VERTEX_SHADER, vertex);
  add(gl.FRAGMENT_SHADER, fragment);
  for (const [at, name] of INPUTS.entries()) gl.bindAttribLocation(handle, at, name);
  gl.linkProgram(handle);
  /** @type {Program} */
  const made = { handle, inputs: {}, uniforms: {} };
  for (let i = 0; i < gl.getProgramParameter(handle, gl.ACTIVE_ATTRIBUTES); i++) {
    const name = gl.getActiveAttrib(handle, i)?.name ?? "";
    made.inputs[name] = gl.getAttribLocation(handle, name);
  }
  for (let i = 0; i < gl.getProgramParameter(handle, gl.ACTIVE_UNIFORMS); i++) {
    const name = gl.getActiveUniform(handle, i)?.name ?? "";
    made.uniforms[name.replace("[0]", "")] = gl.getUniformLocation(handle, name);
  }
  return made;
}

/** @type {(gl: WebGL2RenderingContext, feature: number, on: boolean) => void} */
function use(gl, feature, on) {
  if (on) gl.enable(feature);
  else gl.disable(feature);
}

/** @param {WebGL2RenderingContext} gl */
function clamped(gl) {
  for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T])
    gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
  for (const way of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
    gl.texParameteri(gl.TEXTURE_2D, way, gl.LINEAR);
}

/** @param {WebGL2RenderingContext} gl */
function nearest(gl) {
  for (const way of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
    gl.texParameteri(gl.TEXTURE_2D, way, gl.NEAREST);
}
