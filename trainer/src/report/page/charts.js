// Curves over steps, drawn as SVG. A series is { name, colour, dash, points: [[step, value], …] }.

const SVG = document.querySelector("svg").namespaceURI;
const HEIGHT = 220;
const EDGE = { left: 52, right: 12, top: 14, bottom: 24 };
/// A curve with fewer points is shown as it is.
const FEWEST_TO_SMOOTH = 8;
/// The part of a curve that each smoothed point is a mean of, to either side.
const SMOOTHED_PART = 1 / 30;

/// Makes an HTML or SVG element; a child that is text stays text.
function make(tag, attributes = {}, ...children) {
  const name = tag.replace("svg:", "");
  const element = name === tag ? document.createElement(name) : document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return element;
}

/// Triangular means around each point, so that nothing is shifted in time; over what there is at the ends.
function smooth(points) {
  if (points.length < FEWEST_TO_SMOOTH) return points;
  const radius = Math.max(2, Math.round(points.length * SMOOTHED_PART));
  return points.map(([step], at) => {
    let sum = 0,
      weights = 0;
    for (let other = Math.max(0, at - radius); other <= Math.min(points.length - 1, at + radius); other++) {
      const weight = radius + 1 - Math.abs(other - at);
      sum += weight * points[other][1];
      weights += weight;
    }
    return [step, sum / weights];
  });
}

/// About `count` round numbers from `low` to `high`.
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const distance = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.99);
  const found = [];
  for (let at = Math.ceil(low / distance - 1e-9); at * distance <= high * (1 + 1e-9); at++) found.push(at * distance);
  return found;
}

function logarithmicTicks(low, high) {
  const found = [];
  const factors = high / low < 20 ? [1, 2, 3, 5] : high / low < 300 ? [1, 3] : [1];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    found.push(...factors.map((factor) => factor * 10 ** power).filter((tick) => tick >= low && tick <= high));
  }
  return found;
}

/// A value with three digits that matter, also where they are zeros.
function exact(number) {
  const size = Math.abs(number);
  return size >= 1e-3 && size < 1000 ? number.toPrecision(3) : short(number);
}

/// A number with three digits that matter at most, for an axis.
function short(number) {
  if (number === 0) return "0";
  const size = Math.abs(number);
  if (size < 1e-3) return number.toExponential(1).replace(".0e", "e").replace("e-", "e−");
  if (size >= 1e4) return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(number);
  return String(Number(number.toPrecision(3)));
}

const steps = (step) => step.toLocaleString("en");

/// The index of the point nearest to a step.
function nearest(points, step) {
  let low = 0,
    high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= step) low = middle;
    else high = middle;
  }
  return Math.abs(points[low][0] - step) <= Math.abs(points[high][0] - step) ? low : high;
}

/// A chart in `place`. `panel`: title, series, baselines [{ name, value }], marks [{ step, value, colour, title }],
/// warnings [{ step, kind }], fromZero; format for the axis, exact for
/// values. `view()` gives { smooth, logarithmic }.
class Chart {
  static all = [];

  constructor(place, panel, view) {
    Object.assign(this, { place, panel, view });
    Chart.all.push(this);
    place.tabIndex = 0;
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", this.inWords());
    place.addEventListener("pointermove", (event) => this.point(event));
    place.addEventListener("pointerleave", () => Chart.leave());
    place.addEventListener("blur", () => Chart.leave());
    place.addEventListener("keydown", (event) => this.walk(event));
    new ResizeObserver(() => requestAnimationFrame(() => this.draw())).observe(place);
  }

  static redraw() {
    for (const chart of Chart.all) chart.draw();
  }
  static leave() {
    for (const chart of Chart.all) chart.show(null);
  }

  inWords() {
    const last = ({ name, points }) => `${name} ${this.panel.exact(points.at(-1)[1])} at step ${points.at(-1)[0]}`;
    return `${this.panel.title}: ${this.panel.series.map(last).join(", ")}. Arrow keys read values.`;
  }

  draw() {
    const width = Math.round(this.place.clientWidth);
    if (width === 0) return;
    const { smooth: smoothing, logarithmic } = this.view(this.panel);
    const usable = ([, value]) => value !== null && (!logarithmic || value > 0);
    this.curves = this.panel.series
      .map((series) => {
        const raw = series.points.filter(usable);
        return { ...series, raw, line: smoothing ? smooth(raw) : raw };
      })
      .filter(({ raw }) => raw.length > 0);
    const root = make("svg:svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, "aria-hidden": "true" });
    this.place.replaceChildren(root);
    if (this.curves.length === 0) return;
    this.scale(width, logarithmic);
    this.drawGrid(root, width);
    this.drawCurves(root, smoothing);
    this.cursor = make("svg:g");
    this.readout = make("div", { class: "readout", hidden: "" });
    root.append(this.cursor);
    this.place.append(this.readout);
  }

  scale(width, logarithmic) {
    const all = this.curves.flatMap(({ raw }) => raw);
    const values = [...all.map(([, value]) => value), ...(this.panel.baselines ?? []).map(({ value }) => value)];
    let low = values.reduce((a, b) => Math.min(a, b)),
      high = values.reduce((a, b) => Math.max(a, b));
    if (logarithmic) {
      [low, high] = [low / 1.1, high * 1.1];
    } else {
      if (this.panel.fromZero) low = Math.min(0, low);
      const room = (high - low || Math.abs(high) || 1) * 0.06;
      [low, high] = [low < 0 || !this.panel.fromZero ? low - room : low, high + room];
    }
    const bend = logarithmic ? Math.log : (value) => value;
    this.last = Math.max(
      1,
      ...(this.panel.ends ?? []),
      all.reduce((most, [step]) => Math.max(most, step), 0),
    );
    this.x = (step) => EDGE.left + ((width - EDGE.left - EDGE.right) * step) / this.last;
    this.y = (value) =>
      HEIGHT - EDGE.bottom - ((HEIGHT - EDGE.top - EDGE.bottom) * (bend(value) - bend(low))) / (bend(high) - bend(low));
    this.stepAt = (x) => ((x - EDGE.left) / (width - EDGE.left - EDGE.right)) * this.last;
    this.ticks = logarithmic ? logarithmicTicks(low, high) : ticks(low, high, 4);
  }

  drawGrid(root, width) {
    for (const tick of this.ticks) {
      const y = this.y(tick).toFixed(1);
      root.append(
        make("svg:line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y, y2: y }),
        make("svg:text", { x: EDGE.left - 8, y: Number(y) + 4, "text-anchor": "end" }, this.panel.format(tick)),
      );
    }
    for (const tick of ticks(0, this.last, Math.max(2, Math.min(6, width / 70)))) {
      const anchor = this.x(tick) > width - 40 ? "end" : tick === 0 ? "start" : "middle";
      root.append(make("svg:text", { x: this.x(tick), y: HEIGHT - 6, "text-anchor": anchor }, short(tick)));
    }
  }

  drawCurves(root, smoothing) {
    const path = (points) =>
      "M" + points.map(([step, value]) => `${this.x(step).toFixed(1)} ${this.y(value).toFixed(1)}`).join("L");
    for (const { value } of this.panel.baselines ?? []) {
      root.append(
        make("svg:path", {
          class: "baseline",
          d: path([
            [0, value],
            [this.last, value],
          ]),
        }),
      );
    }
    for (const { step, kind } of this.panel.warnings ?? []) {
      const x = this.x(step);
      root.append(
        make("svg:line", { class: "warning-mark", x1: x, x2: x, y1: EDGE.top, y2: HEIGHT - EDGE.bottom }),
        make("svg:path", { class: "warning-head", d: `M${x - 5} 2h10l-5 9z` }, make("svg:title", {}, kind)),
      );
    }
    for (const { colour, dash, raw, line } of this.curves) {
      const style = `stroke: ${colour}`;
      if (smoothing && raw !== line) root.append(make("svg:path", { class: "curve raw", style, d: path(raw) }));
      root.append(make("svg:path", { class: "curve line", style, "stroke-dasharray": dash, d: path(line) }));
      if (line.length === 1)
        root.append(make("svg:circle", { class: "mark", style, cx: this.x(line[0][0]), cy: this.y(line[0][1]), r: 3 }));
    }
    for (const { step, value, colour, title } of this.panel.marks ?? []) {
      root.append(
        make(
          "svg:circle",
          { class: "mark", style: `stroke: ${colour}`, cx: this.x(step), cy: this.y(value), r: 4.5 },
          make("svg:title", {}, title),
        ),
      );
    }
  }

  point(event) {
    if (!this.x || this.curves.length === 0) return;
    const left = this.place.getBoundingClientRect().left;
    this.step = Math.max(0, Math.min(this.last, this.stepAt(event.clientX - left)));
    for (const chart of Chart.all) chart.show(this.step, chart === this);
  }

  /// Left and right go from point to point.
  walk(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !this.curves?.length) return;
    event.preventDefault();
    const points = this.curves[0].line;
    const at = this.step === undefined ? points.length - 1 : nearest(points, this.step) + by;
    this.step = points[Math.max(0, Math.min(points.length - 1, at))][0];
    for (const chart of Chart.all) chart.show(this.step, chart === this);
  }

  /// Puts the crosshair at a step, with the values beside it where this chart is the one pointed at.
  show(step, withValues = false) {
    if (!this.cursor) return;
    this.cursor.replaceChildren();
    this.readout.hidden = true;
    if (step === null || step > this.last) return;
    const found = this.curves.map((curve) => ({ ...curve, at: curve.line[nearest(curve.line, step)] }));
    const nearby = found.map(({ at }) => at[0]).reduce((a, b) => (Math.abs(a - step) <= Math.abs(b - step) ? a : b));
    const x = this.x(nearby);
    this.cursor.append(make("svg:line", { class: "crosshair", x1: x, x2: x, y1: EDGE.top, y2: HEIGHT - EDGE.bottom }));
    for (const { colour, at } of found) {
      this.cursor.append(
        make("svg:circle", { cx: this.x(at[0]), cy: this.y(at[1]), r: 3.5, style: `fill: ${colour}` }),
      );
    }
    if (!withValues) return;
    const line = ({ name, colour, at }) =>
      make(
        "div",
        {},
        make("span", {}, make("i", { style: `background: ${colour}` }), name || this.panel.title),
        make("b", {}, this.panel.exact(at[1])),
      );
    const warned = (this.panel.warnings ?? []).filter((warning) => Math.abs(this.x(warning.step) - x) < 6);
    this.readout.replaceChildren(
      make("div", { class: "muted" }, `Step ${steps(nearby)}`),
      ...found.map(line),
      ...warned.map(({ kind }) => make("div", { class: "warned" }, kind)),
    );
    this.readout.hidden = false;
    const room = this.place.clientWidth - this.readout.offsetWidth;
    this.readout.style.left = `${Math.max(0, Math.min(room, x > room - 16 ? x - this.readout.offsetWidth - 12 : x + 12))}px`;
  }
}

/// A chart with its title, note and legend.
function panelWith(panel, view) {
  const sample = ({ colour, dash }) =>
    make(
      "svg:svg",
      { viewBox: "0 0 20 8", "aria-hidden": "true" },
      make("svg:path", { d: "M1 4h18", class: "curve", style: `stroke: ${colour}`, "stroke-dasharray": dash }),
    );
  const entry = (series) =>
    make(
      "li",
      {},
      sample(series),
      series.name,
      make("b", {}, panel.exact(series.points.at(-1)[1])),
      series.best && make("small", {}, series.best),
    );
  const baseline = ({ name, value }) =>
    make("li", {}, sample({ colour: "var(--muted)", dash: "4 3" }), name, make("b", {}, panel.exact(value)));
  const plot = make("div", { class: "plot", "data-panel": panel.id });
  const article = make(
    "article",
    { class: "panel card" },
    make("header", {}, make("h3", {}, panel.title), make("p", {}, panel.note)),
    make("ul", { class: "legend" }, panel.series.map(entry), (panel.baselines ?? []).map(baseline)),
    plot,
  );
  new Chart(plot, panel, view);
  return article;
}
