// @ts-check
// Looks around in a table: what is drawn and listed is a function of `state`, over columns that
// are unpacked once.
(async () => {
/** @typedef {{name: string, kind: string, better: "max"|"min"|null, percent: boolean, scale: string,
 *   low: number, step: number, digits: number, codes: string, predicted?: string,
 *   values: Float64Array, marks: Uint8Array|null}} Axis */

const byId = id => document.getElementById(id);
const main = byId("around");
const data = JSON.parse(byId("data").textContent);
const n = data.rows;

const unpack = async (text, of) => {
  const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new of(await new Response(stream).arrayBuffer());
};
const MISSING = 65535;
/** @returns {Promise<Axis>} */
const unpackAxis = async axis => {
  const codes = await unpack(axis.codes, Uint16Array);
  const values = new Float64Array(n);
  const tens = 1 / axis.step;  // of a decimal step, so that 0.1 * 3 is 0.3
  for (let row = 0; row < n; row++) {
    const code = codes[row];
    values[row] = code === MISSING ? NaN
      : axis.scale === "log" ? Math.exp(axis.low + code * axis.step)
      : axis.step < 1 ? (axis.low + code) / Math.round(tens) : (axis.low + code) * axis.step;
  }
  const marks = axis.predicted ? await unpack(axis.predicted, Uint8Array) : null;
  return { ...axis, values, marks };
};
/** @type {Axis[]} */
const axes = await Promise.all(data.axes.map(unpackAxis));
const ops = await unpack(data.ops, data.wide ? Uint16Array : Uint8Array);  // [decisions][rows]
const counts = data.counts && await unpack(data.counts, Uint8Array);
const codes = data.codes && await unpack(data.codes, Uint32Array);
const rowOf = data.row_of && await unpack(data.row_of, Uint16Array);
const curves = data.curves && await unpack(data.curves.codes, Uint8Array);  // [epochs][rows]
const decisions = data.decisions;
const primary = axes[0];
const sign = axis => axis.better === "min" ? -1 : 1;

// Words and numbers.

const make = (tag, within, attributes = {}, text = "") => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  within?.append(made);
  return made;
};
const number = row => codes ? String(codes[row]) : data.numbers[row];
const active = (decision, row) => !counts || counts[decision * n + row] === 1;
const choice = (decision, row) => decisions[decision][1][ops[decision * n + row]];
const string = row => {
  if (data.strings) return data.strings[row];
  if (data.cell) {
    const groups = [];
    for (let target = 1, at = 0; target < data.cell.nodes; target++) {
      let group = "";
      for (let source = 0; source < target; source++) group += `|${choice(at++, row)}~${source}`;
      groups.push(group + "|");
    }
    return groups.join("+");
  }
  const { separator, dashes } = data.join;
  return decisions.map((_, d) =>
    dashes[d] && !active(d, row) && !ops[d * n + row] ? "-" : choice(d, row)).join(separator);
};
const rounded = (axis, value) => axis.scale === "log" ? Number(value.toPrecision(axis.digits)) : value;
const shown = (axis, value) => {
  if (Number.isNaN(value)) return "–";
  const text = axis.scale === "log" ? String(rounded(axis, value))
    : value.toLocaleString("en", { minimumFractionDigits: Math.min(axis.digits, 17), maximumFractionDigits: Math.min(axis.digits, 17) });
  return axis.percent ? `${text} %` : text;
};
// How a value came about, from what is certain to what is not.
const KINDS = ["measured, trained or counted", "estimated", "imported", "predicted"];
const grade = kind => ({ estimated: 1, imported: 2, predicted: 3 })[kind] ?? 0;
const gradeOf = (axis, row) => axis.marks?.[row] ? 3 : grade(axis.kind);
const kindOf = (axis, row) => axis.marks?.[row] ? "predicted" : axis.kind;

// What is chosen.

const state = {
  x: Math.max(axes.findIndex((axis, at) => at && axis.name.includes("/latency")), 0)
    || Math.max(axes.findIndex(axis => axis.name === "flops" || axis.name === "parameters"), Math.min(1, axes.length - 1)),
  y: 0,
  /** @type {{axis: number, low: number, high: number}[]} */ limits: [],
  /** @type {Map<number, Set<number>>} */ out: new Map(),  // choices that are left out, by decision
  /** @type {number|null} */ row: null,
  /** @type {number[]} */ kept: [],
  /** @type {number|null} */ hue: null,  // the axis that colours say
  /** @type {{x: number[], y: number[]}|null} */ view: null,  // what is drawn of both axes; null: all
};

// What is selected: rows that keep the limits, and the front of those.

const selected = new Uint8Array(n);
let count = 0;
/** @type {number[]} */ let front = [];
const orders = new Map();  // rows by an axis, the better first; what is missing is not among them
const order = at => {
  if (!orders.has(at)) {
    const { values } = axes[at], way = sign(axes[at]);
    const rows = Uint32Array.from({ length: n }, (_, row) => row).filter(row => !Number.isNaN(values[row]));
    orders.set(at, rows.sort((a, b) => way * (values[b] - values[a]) || a - b));
  }
  return orders.get(at);
};
const select = () => {
  selected.fill(1);
  for (const { axis, low, high } of state.limits) {
    const { values } = axes[axis];
    if (low === -Infinity && high === Infinity) continue;
    for (let row = 0; row < n; row++) if (!(values[row] >= low && values[row] <= high)) selected[row] = 0;
  }
  for (const [decision, out] of state.out) {
    for (let row = 0, at = decision * n; row < n; row++, at++)
      if (out.has(ops[at]) && active(decision, row)) selected[row] = 0;
  }
  count = 0;
  for (let row = 0; row < n; row++) count += selected[row];
  front = [];
  const y = axes[state.y], way = sign(y), x = axes[state.x].values;
  let best = -Infinity, at = NaN;
  for (const row of order(state.x)) {
    const worth = way * y.values[row];
    if (!selected[row] || Number.isNaN(worth)) continue;
    if (worth > best) {
      if (x[row] === at) front.pop();  // as good across, and worse up
      front.push(row);
      best = worth;
      at = x[row];
    }
  }
};

// The plot.

const canvas = /** @type {HTMLCanvasElement} */ (byId("canvas"));
const context = canvas.getContext("2d");
const PAD = { left: 62, right: 14, top: 12, bottom: 40 };
let scale = null;
let stamps = [], size = 0;
const HUES = Array.from({ length: 8 }, (_, at) => `hsl(${265 - 30 * at} 70% ${34 + 5 * at}%)`);  // from low to high
/** @type {Uint32Array|null} */ let tints = null;  // by row, where colours say something
/** @type {ImageData|null} */ let image = null;
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let ink = {};
const outline = (on, shape, r) => {
  on.beginPath();
  if (shape === 2) { on.moveTo(0, -r * 1.25); on.lineTo(r * 1.25, 0); on.lineTo(0, r * 1.25); on.lineTo(-r * 1.25, 0); on.closePath(); }
  else if (shape === 3) { on.moveTo(0, -r * 1.2); on.lineTo(r * 1.15, r); on.lineTo(-r * 1.15, r); on.closePath(); }
  else on.arc(0, 0, r, 0, 7);
};
// A mark as pixels: thousands of them are put into an image far sooner than drawn one by one.
/** @returns {{x: number, y: number, alpha: number}[]} */
const stamp = (shape, radius, alpha, ratio) => {
  const size = 2 * Math.ceil((radius * 1.4 + 1) * ratio) + 1, middle = (size - 1) / 2;
  const made = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const on = made.getContext("2d", { willReadFrequently: true });
  on.translate(size / 2, size / 2);
  on.scale(ratio, ratio);
  outline(on, shape, radius);
  if (shape === 1) on.stroke(); else on.fill();
  const pixels = on.getImageData(0, 0, size, size).data, found = [];
  for (let at = 0; at < size * size; at++) {
    const covered = Math.round(pixels[4 * at + 3] * alpha);
    if (covered > 8) found.push({ x: at % size - middle, y: Math.floor(at / size) - middle, alpha: covered });
  }
  return found;
};
const rgb = colour => {  // as a pixel of an image has it, without its opacity
  const on = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  on.fillStyle = colour;
  on.fillRect(0, 0, 1, 1);
  return new Uint32Array(on.getImageData(0, 0, 1, 1).data.buffer)[0] & 0xffffff;
};
const look = () => {
  ink = { text: css("--ink"), soft: css("--soft"), line: css("--line"), faint: css("--faint"), front: css("--series-1"), point: css("--series-0") };
  const ratio = devicePixelRatio || 1;
  const small = n > 3000 ? 2 : n > 500 ? 2.6 : 3.5;
  stamps = KINDS.map((_, shape) => ({
    off: { colour: rgb(ink.faint), mark: stamp(shape, Math.max(1.2, small * .7), .5, ratio) },
    on: { colour: rgb(ink.point), mark: stamp(shape, small, n > 3000 ? .55 : .75, ratio) },
  }));
  size = small + 2;
};
const tint = () => {
  tints = null;
  if (state.hue === null) return;
  const axis = axes[state.hue], [low, high] = extentOf(state.hue), log = axis.scale === "log";
  const start = log ? Math.log(low) : low, span = (log ? Math.log(high) : high) - start || 1;
  const colours = HUES.map(rgb), missing = rgb(ink.faint);
  tints = Uint32Array.from(axis.values, value => Number.isNaN(value) ? missing
    : colours[Math.min(7, Math.max(0, Math.floor(8 * ((log ? Math.log(value) : value) - start) / span)))]);
};
const ticks = (low, high, log) => {
  const found = [];
  if (log) {
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const lead of high / low > 200 ? [1] : high / low > 20 ? [1, 3] : [1, 2, 3, 5, 7]) {
        const at = lead * 10 ** power;
        if (at >= low && at <= high) found.push(at);
      }
    if (found.length >= 2) return found;
  }
  const raw = (high - low) / 7 || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find(lead => lead * power >= raw);
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) found.push(Number(at.toPrecision(12)));
  return found;
};
const extent = axis => {
  // A few rows that learnt nothing do not stretch what is shown of an axis that should be high.
  const sorted = axis.values.filter(value => !Number.isNaN(value)).sort();
  if (!sorted.length) return [0, 1];
  let low = sorted[0], high = sorted[sorted.length - 1];
  const quantile = share => sorted[Math.floor((sorted.length - 1) * share)];
  if (axis.better === "max") low = Math.max(low, quantile(.01) - .05 * (high - quantile(.01)));
  else if (axis.scale !== "log") high = Math.min(high, quantile(.995) + .02 * (quantile(.995) - low));
  const margin = (high - low || Math.abs(high) || 1) * .03;
  return axis.scale === "log" ? [low / 1.05, high * 1.05] : [low - margin, high + margin];
};
const extents = new Map();
const extentOf = at => {
  if (!extents.has(at)) extents.set(at, extent(axes[at]));
  return extents.get(at);
};
const place = () => {
  const width = canvas.clientWidth, height = canvas.clientHeight, ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const made = (at, of, from, to) => {
    const axis = axes[at];
    const [low, high] = state.view ? state.view[of] : extentOf(at), log = axis.scale === "log";
    const start = log ? Math.log(low) : low, factor = (to - from) / ((log ? Math.log(high) : high) - start || 1);
    const least = state.view ? -Infinity : Math.min(from, to), most = state.view ? Infinity : Math.max(from, to);
    const pixel = value => Math.min(most, Math.max(least, from + ((log ? Math.log(value) : value) - start) * factor));
    const value = pixel => log ? Math.exp(start + (pixel - from) / factor) : start + (pixel - from) / factor;
    return { low, high, log, pixel, value, at: Float32Array.from(axis.values, pixel) };
  };
  scale = {
    width, height, ratio,
    x: made(state.x, "x", PAD.left, width - PAD.right),
    y: made(state.y, "y", height - PAD.bottom, PAD.top),
  };
};
const within = (left, top) => left >= PAD.left && left <= scale.width - PAD.right && top >= PAD.top && top <= scale.height - PAD.bottom;
const short = value => Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? value.toExponential(0).replace("e+", "e") : String(Number(value.toPrecision(4)));
const draw = () => {
  const { width, height, ratio, x, y } = scale;
  const across = axes[state.x], up = axes[state.y];
  const plain = Math.max(grade(across.kind), grade(up.kind)), mixed = across.marks || up.marks;
  const shape = row => mixed ? Math.max(gradeOf(across, row), gradeOf(up, row)) : plain;
  const drawn = row => state.view ? within(x.at[row], y.at[row]) : x.at[row] === x.at[row] && y.at[row] === y.at[row];

  const wide = canvas.width, high = canvas.height;
  if (!image || image.width !== wide || image.height !== high) image = new ImageData(wide, high);
  const pixels = new Uint32Array(image.data.buffer).fill(0);
  const put = (row, which) => {
    const { colour: plain, mark } = stamps[shape(row)][which], colour = tints && which === "on" ? tints[row] : plain;
    const left = Math.round(x.at[row] * ratio), top = Math.round(y.at[row] * ratio);
    for (const { x: dx, y: dy, alpha } of mark) {
      if (left + dx < 0 || left + dx >= wide || top + dy < 0 || top + dy >= high) continue;
      const at = (top + dy) * wide + left + dx, under = pixels[at] >>> 24;
      pixels[at] = (under + alpha - Math.round(under * alpha / 255) << 24 | colour) >>> 0;
    }
  };
  if (count < n) for (let row = 0; row < n; row++) if (!selected[row] && drawn(row)) put(row, "off");
  for (let row = 0; row < n; row++) if (selected[row] && drawn(row)) put(row, "on");
  context.putImageData(image, 0, 0);

  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.globalCompositeOperation = "destination-over";  // lines lie under the marks
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = ink.soft;
  context.strokeStyle = ink.line;
  context.lineWidth = 1;
  context.textAlign = "center";
  context.beginPath();
  for (const at of ticks(x.low, x.high, x.log)) {
    const pixel = Math.round(x.pixel(at)) + .5;
    context.moveTo(pixel, PAD.top); context.lineTo(pixel, height - PAD.bottom);
    context.fillText(short(at), pixel, height - PAD.bottom + 16);
  }
  context.textAlign = "right";
  for (const at of ticks(y.low, y.high, y.log)) {
    const pixel = Math.round(y.pixel(at)) + .5;
    context.moveTo(PAD.left, pixel); context.lineTo(width - PAD.right, pixel);
    context.fillText(short(at), PAD.left - 6, pixel + 4);
  }
  context.stroke();
  context.fillStyle = ink.text;
  context.textAlign = "center";
  context.fillText(axes[state.x].name, (PAD.left + width) / 2, height - 6, width - PAD.left);
  context.save();
  context.translate(13, (height - PAD.bottom) / 2);
  context.rotate(-Math.PI / 2);
  context.fillText(axes[state.y].name, 0, 0, height - PAD.bottom);
  context.restore();

  context.globalCompositeOperation = "source-over";
  context.save();
  context.beginPath();
  context.rect(PAD.left - 4, PAD.top - 4, width - PAD.left - PAD.right + 8, height - PAD.top - PAD.bottom + 8);
  context.clip();
  context.strokeStyle = ink.front;
  context.lineWidth = 1.5;
  context.beginPath();
  front.forEach((row, at) => {
    if (at) context.lineTo(x.at[row], y.at[front[at - 1]]);
    context[at ? "lineTo" : "moveTo"](x.at[row], y.at[row]);
  });
  context.stroke();
  context.fillStyle = ink.front;
  for (const row of front) {
    context.save();
    context.translate(x.at[row], y.at[row]);
    outline(context, shape(row), size);
    if (shape(row) === 1) context.stroke(); else context.fill();
    context.restore();
  }
  context.restore();
  [...state.kept, ...(state.row === null ? [] : [state.row])].forEach(row => {
    if (!drawn(row)) return;
    context.strokeStyle = ink.text;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x.at[row], y.at[row], 8, 0, 7);
    context.stroke();
    const kept = state.kept.indexOf(row);
    context.fillStyle = ink.text;
    context.textAlign = x.at[row] > width - 40 ? "right" : "left";
    if (kept >= 0) context.fillText("AB"[kept], x.at[row] + (context.textAlign === "left" ? 11 : -11), y.at[row] - 6);
  });
};

// Lists beside the plot.

const say = () => {
  byId("status").textContent = `${count.toLocaleString("en")} of ${n.toLocaleString("en")} rows selected, ${front.length} on the front`;
};
const MOST = 60;
const listFront = () => {
  const across = axes[state.x], up = axes[state.y], table = make("table");
  byId("front-title").textContent = `Pareto front of ${up.name} and ${across.name} (${front.length}${front.length > MOST ? `, ${MOST} shown` : ""})`;
  const head = make("tr", make("thead"));
  for (const name of ["architecture", up.name, across.name, "string"]) make("th", head, { scope: "col", ...(name === "string" ? { class: "text" } : {}) }, name);
  const body = make("tbody");
  for (const row of front.slice(0, MOST)) {
    const line = make("tr", body, row === state.row ? { class: "now" } : {});
    make("button", make("td", line), { type: "button", class: "link" }, number(row)).onclick = () => choose(row);
    for (const axis of [up, across]) {
      const cell = make("td", line, {}, shown(axis, axis.values[row]));
      if (gradeOf(axis, row)) make("span", cell, { class: "kind" }, ` ${kindOf(axis, row)}`);
    }
    make("td", line, { class: "text" }, string(row));
  }
  table.append(head.parentElement, body);
  byId("front").replaceChildren(table);
};
const listMarks = () => {
  const present = new Set();
  for (const axis of [axes[state.x], axes[state.y]]) {
    present.add(grade(axis.kind));
    if (axis.marks) present.add(3);
  }
  byId("marks").replaceChildren(...[...present].sort().map(shape => {
    const item = make("li");
    const paths = ["M6 1a5 5 0 1 0 .01 0Z", "M6 1.5a4.5 4.5 0 1 0 .01 0Z", "M6 0L12 6L6 12L0 6Z", "M6 1L12 11H0Z"];
    const svg = vector("svg", item, { viewBox: "0 0 12 12", "aria-hidden": "true" });
    vector("path", svg, { d: paths[shape], ...(shape === 1 ? { fill: "none", stroke: "var(--series-0)" } : { fill: "var(--series-0)" }) });
    item.append(KINDS[shape]);
    return item;
  }));
  if (state.hue === null) return;
  const axis = axes[state.hue], [low, high] = extentOf(state.hue), item = make("li", byId("marks"), {}, short(low));
  const svg = vector("svg", item, { viewBox: "0 0 96 12", "aria-hidden": "true", style: "width: 96px; margin: 0 .35rem" });
  HUES.forEach((fill, at) => vector("rect", svg, { x: 12 * at, y: 1, width: 12, height: 10, fill }));
  item.append(`${short(high)} ${axis.name}`);
};

// One row, or several beside each other.

const vector = (tag, within, attributes = {}, text = "") => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  within.append(made);
  return made;
};
const COLOURS = ["var(--series-0)", "var(--series-1)", "var(--series-2)"];
const cellPicture = (row, within) => {
  const { nodes, none } = data.cell, edges = [];
  for (let target = 1, at = 0; target < nodes; target++)
    for (let source = 0; source < target; source++, at++)
      if (ops[at * n + row] !== none) edges.push({ source, target, op: ops[at * n + row], name: choice(at, row) });
  const reached = new Set([0]), leads = new Set([nodes - 1]);
  for (let pass = 0; pass < nodes; pass++) for (const { source, target } of edges) {
    if (reached.has(source)) reached.add(target);
    if (leads.has(target)) leads.add(source);
  }
  const width = 90 * (nodes - 1) + 40, line = 40 + 22 * (nodes - 2), height = 2 * line;
  const svg = vector("svg", within, { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `The cell ${string(row)}` });
  for (const { source, target, op, name } of edges) {
    const live = reached.has(source) && leads.has(target), length = target - source;
    const from = 20 + 90 * source, to = 20 + 90 * target, side = length > 1 && source % 2 ? 1 : -1;
    const lift = length === 1 ? 0 : side * (length * 26 - 14), middle = (from + to) / 2;
    const stroke = live ? `var(--series-${op % 6})` : "var(--faint)";
    vector("path", svg, { d: `M${from} ${line}Q${middle} ${line + 2 * lift} ${to} ${line}`, fill: "none", stroke, "stroke-width": 2, ...(live ? {} : { "stroke-dasharray": "3 3" }) });
    vector("text", svg, { x: middle, y: line + lift + (lift > 0 ? 14 : -7), "text-anchor": "middle", "font-size": 10, fill: live ? "var(--ink)" : "var(--soft)" }, name.replace(/^nor_|_connect$/g, "").replaceAll("_", " "));
  }
  for (let node = 0; node < nodes; node++) {
    vector("circle", svg, { cx: 20 + 90 * node, cy: line, r: 10, fill: "var(--paper)", stroke: "var(--ink)" });
    vector("text", svg, { x: 20 + 90 * node, y: line + 4, "text-anchor": "middle", "font-size": 11, fill: "var(--ink)" }, String(node));
  }
};
const stagePicture = (row, within) => {  // boxes in columns, as the space says
  const written = pieces => pieces.map(one => typeof one === "number" ? (active(one, row) ? choice(one, row) : "–") : one).join("").split("\n");
  const columns = data.stages.map(({ title, blocks, times, follows }) => {
    const shown = blocks.filter(({ text }) => text.every(one => typeof one !== "number" || active(one, row)));
    const boxes = shown.map(({ text, colour }) => ({ lines: written(text).map(line => line.replaceAll("_", " ")), colour }));
    return { title: written(title), follows, boxes: Array.from({ length: times === null ? 1 : Number(choice(times, row)) }, () => boxes).flat() };
  });
  const tall = box => 11 * box.lines.length + 13, sum = boxes => boxes.reduce((all, box) => all + tall(box), 0);
  const high = Math.max(...columns.map(({ boxes }) => sum(boxes))), below = Math.max(...columns.map(({ title }) => title.length));
  const svg = vector("svg", within, { viewBox: `0 0 ${84 * columns.length} ${high + 11 * below + 8}`, class: "stages", style: `--columns: ${columns.length}`, role: "img", "aria-label": `The network ${string(row)}` });
  const write = (lines, x, y, fill) => lines.forEach((line, at) => vector("text", svg, { x, y: y + 11 * at, "text-anchor": "middle", "font-size": 9, fill }, line));
  columns.forEach(({ title, boxes, follows }, at) => {
    const left = 84 * at;
    if (at && follows) vector("path", svg, { d: `M${left - 5} ${high / 2}h9m-4 -3l4 3l-4 3`, fill: "none", stroke: "var(--soft)" });
    let top = (high - sum(boxes)) / 2;
    for (const box of boxes) {
      const stroke = box.colour === null ? "var(--ink)" : `var(--series-${ops[box.colour * n + row] % 10})`;
      vector("rect", svg, { x: left + 6, y: top + 2, width: 72, height: tall(box) - 4, fill: "none", stroke, "stroke-width": box.colour === null ? 1 : 2 });
      write(box.lines, left + 42, top + 14.5, "var(--ink)");
      top += tall(box);
    }
    write(title, left + 42, high + 12, "var(--soft)");
  });
};
const curvePicture = (row, within, at, rows) => {  // of all rows on one scale
  const { epochs, low, step } = data.curves, of = row => epochs.map((_, at) => curves[at * n + row]);
  const known = rows.flatMap(of).filter(code => code < 255);
  if (!known.length) return within.append("–");
  const least = Math.min(...known), most = Math.max(...known, least + 1), last = epochs[epochs.length - 1];
  const x = epoch => 44 + 210 * (epoch - epochs[0]) / (last - epochs[0]), y = code => 100 - 88 * (code - least) / (most - least);
  const svg = vector("svg", within, { viewBox: "0 0 270 125", role: "img", "aria-label": `${primary.name} over epochs` });
  for (const code of [least, most]) vector("text", svg, { x: 40, y: y(code) + 4, "text-anchor": "end", "font-size": 10, fill: "var(--soft)" }, short(Number((low + step * code).toPrecision(3))));
  for (const epoch of [epochs[0], last]) vector("text", svg, { x: x(epoch), y: 115, "text-anchor": "middle", "font-size": 10, fill: "var(--soft)" }, String(epoch));
  vector("text", svg, { x: 149, y: 123, "text-anchor": "middle", "font-size": 10, fill: "var(--soft)" }, "epochs");
  vector("path", svg, { d: "M44 100H256", stroke: "var(--line)" });
  const points = of(row).map((code, e) => code < 255 ? `${x(epochs[e]).toFixed(1)},${y(code).toFixed(1)}` : "").filter(Boolean).join(" ");
  vector("polyline", svg, { points, fill: "none", stroke: COLOURS[at], "stroke-width": 2 });
};
const rank = row => {
  const value = primary.values[row], way = sign(primary);
  if (Number.isNaN(value)) return "–";
  const within = data.noise ? 1.96 * Math.SQRT2 * data.noise.error : 0;
  let better = 0, surely = 0, worse = 0;
  const places = order(0).length;
  for (const other of order(0)) {
    const ahead = way * (primary.values[other] - value);
    if (ahead > 0) better++;
    if (ahead > within) surely++;
    if (-ahead > within) worse++;
  }
  const all = places.toLocaleString("en");
  return `${(better + 1).toLocaleString("en")} of ${all}` + (within ? `; the noise of ${data.noise.seeds} seeds allows ${(surely + 1).toLocaleString("en")} to ${(places - worse).toLocaleString("en")}` : "; noise not known");
};
const neighbours = row => {
  const found = new Map();
  if (rowOf) {
    const weights = decisions.map(() => 1);
    for (let d = decisions.length - 2; d >= 0; d--) weights[d] = weights[d + 1] * decisions[d + 1][1].length;
    const code = decisions.reduce((sum, _, d) => sum + weights[d] * ops[d * n + row], 0);
    decisions.forEach(([name, choices], d) => choices.forEach((text, op) => {
      const other = rowOf[code + weights[d] * (op - ops[d * n + row])];
      if (other !== MISSING && other !== row && !found.has(other)) found.set(other, `${name}: ${text}`);
    }));
  } else {
    for (let other = 0; other < n; other++) {
      let apart = 0, where = -1;
      for (let d = 0, at = 0; d < decisions.length && apart < 2; d++, at += n) {
        if (ops[at + row] !== ops[at + other] && active(d, row) && active(d, other)) { apart++; where = d; }
      }
      if (apart === 1 && other !== row) found.set(other, `${decisions[where][0]}: ${choice(where, other)}`);
    }
  }
  return [...found].sort(([a], [b]) => sign(primary) * (primary.values[b] - primary.values[a]) || a - b);
};
const keep = row => {
  const at = state.kept.indexOf(row);
  if (at >= 0) state.kept.splice(at, 1);
  else state.kept = [...state.kept, row].slice(-2);
  showRows();
  draw();
};
const choose = row => {
  state.row = row;
  byId("said").textContent = `Architecture ${number(row)}: ${[state.y, state.x].map(at => `${axes[at].name} ${shown(axes[at], axes[at].values[row])}`).join(", ")}`;
  showRows();
  listFront();
  draw();
};
const showRows = () => {
  const within = byId("chosen");
  const rows = [...state.kept, ...(state.row === null || state.kept.includes(state.row) ? [] : [state.row])];
  within.replaceChildren();
  if (!rows.length) return;
  make("h2", within, {}, rows.length > 1 ? "Beside each other" : `Architecture ${number(rows[0])}`);
  const table = make("table", within, { style: `--rows: ${rows.length}` });
  const line = (name, cell) => {
    const made = make("tr", table);
    make("th", made, { scope: "row" }, name);
    rows.forEach((row, at) => cell(row, make("td", made), at));
  };
  line("", (row, cell, at) => {
    make("b", cell, {}, `${state.kept.includes(row) ? "AB"[state.kept.indexOf(row)] + ": " : ""}${number(row)} `);
    const kept = state.kept.includes(row);
    make("button", cell, { type: "button", class: "tool", "aria-pressed": String(kept) }, kept ? "Let go" : "Keep to compare").onclick = () => keep(row);
  });
  line("string", (row, cell) => make("code", cell, {}, string(row)));
  if (data.cell) line("cell", cellPicture);
  if (data.stages.length) line("network", stagePicture);
  line(`place by ${primary.name}`, (row, cell) => cell.append(rank(row)));
  if (curves) line(`${primary.name} over epochs`, (row, cell, at) => curvePicture(row, cell, at, rows));
  for (const axis of axes) line(axis.name, (row, cell, at) => {
    const value = axis.values[row];
    cell.append(shown(axis, value), " ");
    make("span", cell, { class: "kind" }, kindOf(axis, row));
    const from = axis.values[rows[0]];
    if (at && !Number.isNaN(value - from)) make("small", cell, {}, ` ${value >= from ? "+" : "−"}${shown(axis, Math.abs(value - from))}`);
  });
  decisions.forEach(([name], d) => {
    if (data.cell && rows.length === 1) return;
    const texts = rows.map(row => active(d, row) ? choice(d, row) : "–");
    line(name, (row, cell, at) => {
      if (new Set(texts).size > 1) cell.className = "apart";
      cell.append(texts[at]);
    });
  });
  line("neighbours in the table", (row, cell) => {
    const found = neighbours(row);
    if (!found.length) return cell.append("none");
    const list = make("ul", cell, { class: "steps" });
    for (const [other, change] of found.slice(0, 40)) {
      const item = make("li", list);
      make("button", item, { type: "button", class: "link" }, change).onclick = () => choose(other);
      item.append(` ${shown(primary, primary.values[other])}`);
    }
  });
};

// What is asked for.

const options = (select, at) => {
  axes.forEach((axis, number) => make("option", select, { value: String(number) }, `${axis.name} (${axis.kind})`));
  select.value = String(at);
};
const refresh = () => {
  select();
  say();
  draw();
};
let waiting = 0;
const later = () => {  // lists need not keep up with typing
  clearTimeout(waiting);
  waiting = setTimeout(listFront, 120);
};
const changed = () => {
  refresh();
  later();
};
const replaced = () => {
  place();
  tint();
  listMarks();
  changed();
};
const addLimit = at => {
  const limit = { axis: at, low: -Infinity, high: Infinity };
  state.limits.push(limit);
  const box = make("div", byId("limits"), { class: "limit" });
  const picked = make("select", box, { "aria-label": "Limit of" });
  options(picked, at);
  const bounds = ["at least", "at most"].map((word, end) => {
    const input = make("input", box, { type: "number", step: "any", placeholder: word, "aria-label": word });
    input.oninput = () => {
      const value = input.value === "" ? NaN : Number(input.value);
      if (end) limit.high = Number.isNaN(value) ? Infinity : value;
      else limit.low = Number.isNaN(value) ? -Infinity : value;
      changed();
    };
    return input;
  });
  picked.onchange = () => { limit.axis = Number(picked.value); changed(); };
  make("button", box, { type: "button", class: "tool", "aria-label": "Remove this limit" }, "×").onclick = () => {
    state.limits.splice(state.limits.indexOf(limit), 1);
    box.remove();
    changed();
  };
  return bounds;
};
const listEffects = () => {
  const within = byId("effects");
  within.replaceChildren();
  const told = data.effects.length ? data.effects
    : decisions.slice(0, 15).map(([, choices], decision) => ({ decision, share: null, effects: choices.map(() => null) }));
  for (const { decision, share, low, high, effects } of told) {
    const [name, choices] = decisions[decision];
    const head = make("h3", within);
    make("span", head, {}, name);
    const bar = make("span", head, { class: "bar", title: share === null ? "" : `95 % interval ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %` });
    make("i", bar, { style: `width: ${Math.max(0, 100 * (share ?? 0))}%` });
    make("span", head, {}, share === null ? "" : `${(100 * share).toFixed(1)} %`);
    const list = make("div", within, { class: "choices", role: "group", "aria-label": name });
    choices.slice(0, 40).forEach((text, op) => {
      const out = state.out.get(decision);
      const button = make("button", list, { type: "button", "aria-pressed": String(!out?.has(op)) }, text);
      if (effects[op] !== null) make("small", button, {}, `${effects[op] >= 0 ? "+" : "−"}${short(Number(Math.abs(effects[op]).toPrecision(3)))}`);
      button.onclick = () => {
        const now = state.out.get(decision) ?? new Set();
        if (!now.delete(op)) now.add(op);
        if (now.size) state.out.set(decision, now); else state.out.delete(decision);
        button.setAttribute("aria-pressed", String(!now.has(op)));
        changed();
      };
    });
  }
};
const reset = () => {
  state.limits = [];
  state.out.clear();
  byId("limits").replaceChildren();
  starting();
  listEffects();
  changed();
};
const starting = () => {
  for (const at of new Set([state.x, state.y])) addLimit(at);
};

// Export.

const csvCell = text => {
  const plain = /^'*[=+\-@\t\r]/.test(text) && !/^-?[0-9.]+(e[+-]?[0-9]+)?$/i.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
};
const chosenRows = () => [...order(0), ...Array.from({ length: n }, (_, row) => row).filter(row => Number.isNaN(primary.values[row]))].filter(row => selected[row]);
const asCsv = () => {
  const head = ["architecture", "string", ...decisions.map(([name]) => name), ...axes.map(axis => axis.name)];
  const line = row => [
    number(row), string(row), ...decisions.map((_, d) => active(d, row) ? choice(d, row) : ""),
    ...axes.map(axis => Number.isNaN(axis.values[row]) ? "" : String(rounded(axis, axis.values[row]))),
  ];
  return [head, ...chosenRows().map(line)].map(cells => cells.map(csvCell).join(",")).join("\n") + "\n";
};
const asJson = () => JSON.stringify({
  table: data.table, sha256: data.sha256, space: data.space,
  limits: state.limits.filter(({ low, high }) => low > -Infinity || high < Infinity).map(({ axis, low, high }) => ({
    metric: axes[axis].name, ...(low > -Infinity ? { at_least: low } : {}), ...(high < Infinity ? { at_most: high } : {}),
  })),
  without: [...state.out].flatMap(([d, out]) => [...out].map(op => ({ decision: decisions[d][0], choice: decisions[d][1][op] }))),
  rows: chosenRows().map(row => ({
    architecture: codes ? codes[row] : data.numbers[row], string: string(row),
    decisions: Object.fromEntries(decisions.flatMap(([name], d) => active(d, row) ? [[name, choice(d, row)]] : [])),
    values: Object.fromEntries(axes.map(axis => [axis.name, Number.isNaN(axis.values[row]) ? null : rounded(axis, axis.values[row])])),
    predicted: axes.filter(axis => axis.marks?.[row]).map(axis => axis.name),
  })),
}, null, 1);
const save = (text, type, name) => {
  const link = make("a", null, { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

// Hands and keys.

const nearest = event => {
  const { x, y } = scale, left = event.offsetX, top = event.offsetY;
  let best = null, least = 14 ** 2;
  for (let row = 0; row < n; row++) {
    const apart = (x.at[row] - left) ** 2 + (y.at[row] - top) ** 2;
    if (apart < least && selected[row]) { least = apart; best = row; }
  }
  return best;
};
const zoom = view => {
  state.view = view;
  byId("whole").hidden = view === null;
  place();
  draw();
};
/** Half of what is drawn of both axes, or twice as much, about a point of the plot. */
const zoomAbout = (left, top, factor) => {
  const { x, y, width, height } = scale, right = width - PAD.right, bottom = height - PAD.bottom;
  const part = (axis, from, to, at) => [axis.value(at + (from - at) * factor), axis.value(at + (to - at) * factor)];
  zoom({ x: part(x, PAD.left, right, left), y: part(y, bottom, PAD.top, top) });
};
const middle = () => {
  const { x, y, width, height } = scale, row = state.row;
  if (row !== null && within(x.at[row], y.at[row])) return [x.at[row], y.at[row]];
  return [(PAD.left + width - PAD.right) / 2, (PAD.top + height - PAD.bottom) / 2];
};
let held = null, dragged = false;  // where a pointer went down, and whether it went far since
canvas.onpointerdown = event => {
  dragged = false;
  if (event.pointerType !== "touch" && event.button === 0) held = [event.offsetX, event.offsetY];
};
canvas.onpointerup = event => {
  if (held && dragged) {
    const { x, y } = scale, ends = (of, from, to) => [of.value(from), of.value(to)].sort((a, b) => a - b);
    zoom({ x: ends(x, held[0], event.offsetX), y: ends(y, held[1], event.offsetY) });
  }
  held = null;
};
canvas.onpointerleave = () => {
  if (held && dragged) draw();
  held = null;
};
canvas.onclick = event => {
  if (dragged) return;
  const row = nearest(event);
  if (row !== null) choose(row);
};
canvas.onpointermove = event => {
  if (held) {
    dragged ||= Math.abs(event.offsetX - held[0]) > 8 && Math.abs(event.offsetY - held[1]) > 8;
    if (!dragged) return;
    draw();
    context.strokeStyle = ink.text;
    context.lineWidth = 1;
    context.strokeRect(held[0], held[1], event.offsetX - held[0], event.offsetY - held[1]);
    return;
  }
  const row = event.pointerType === "touch" ? null : nearest(event);
  canvas.title = row === null ? "" : `${number(row)}\n${string(row)}\n${shown(axes[state.y], axes[state.y].values[row])}, ${shown(axes[state.x], axes[state.x].values[row])}`;
};
canvas.onkeydown = event => {
  const right = axes[state.x].better === "max" ? -1 : 1;  // the front begins with what is best across
  const ways = { ArrowLeft: [front, -right], ArrowRight: [front, right], ArrowUp: [null, -1], ArrowDown: [null, 1] };
  if (event.key === "Enter" && state.row !== null) keep(state.row);
  else if (event.key === "+" || event.key === "-") zoomAbout(...middle(), event.key === "+" ? .5 : 2);
  else if (event.key === "0") zoom(null);
  else if (ways[event.key]) {
    const [along, step] = ways[event.key];
    const rows = along ?? [...order(0)].filter(row => selected[row]);
    if (!rows.length) return;
    const at = rows.indexOf(state.row);
    choose(rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))]);
  } else return;
  event.preventDefault();
};
for (const which of ["x", "y"]) {
  const picked = byId(which);
  options(picked, state[which]);
  picked.onchange = () => {
    state[which] = Number(picked.value);
    state.view = null;
    byId("whole").hidden = true;
    replaced();
  };
}
const hue = byId("hue");
make("option", hue, { value: "" }, "how it came about");
options(hue, "");
hue.onchange = () => { state.hue = hue.value === "" ? null : Number(hue.value); replaced(); };
byId("closer").onclick = () => zoomAbout(...middle(), .5);
byId("whole").onclick = () => zoom(null);
byId("controls").onsubmit = event => event.preventDefault();
byId("more").onclick = () => addLimit(0)[0].focus();
byId("reset").onclick = reset;
byId("csv").onclick = () => save(asCsv(), "text/csv", "selected.csv");
byId("json").onclick = () => save(asJson(), "application/json", "selected.json");
new ResizeObserver(() => { place(); draw(); }).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { look(); tint(); draw(); });

main.hidden = false;
look();
starting();
listEffects();
replaced();
Object.assign(window, { explore: { state, axes, data, asCsv, asJson, choose, string } });  // for the console
})().catch(error => {
  const said = document.getElementById("waiting");
  said.hidden = false;
  said.textContent = `This browser cannot draw the page (${error.message}): one of 2023 or later can.`;
});
