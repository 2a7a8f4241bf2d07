// Sample sheets with a slider over their steps. A sheet has six columns; it is shown as two halves, one for each
// direction, so that a phone can stack them.

const GAP = 4; // white pixels between two pictures of a sheet
const COLUMNS = [
  ["Real A", "A → B", "cycled"],
  ["Real B", "B → A", "cycled"],
];
const PLAY_MILLISECONDS = 700;

class Samples {
  constructor(runs, remembered) {
    this.runs = runs.filter(({ sheets }) => sheets.length > 0);
    this.steps = [...new Set(this.runs.flatMap(({ sheets }) => sheets.map(({ step }) => step)))].sort((a, b) => a - b);
    if (this.steps.length === 0) return;
    document.getElementById("samples").hidden = false;
    this.slider = document.getElementById("slider");
    this.slider.max = this.steps.length - 1;
    const place = document.getElementById("sheets");
    place.classList.toggle("many", runs.length > 1);
    this.figures = this.runs.map((run) => this.figure(run, runs.length > 1));
    place.append(...this.figures.map(({ figure }) => figure));
    this.slider.addEventListener("input", () => this.show());
    this.button = document.getElementById("play");
    this.button.addEventListener("click", () => this.play(!this.timer));
    this.button.disabled = this.slider.disabled = this.steps.length < 2;
    document.addEventListener("keydown", (event) => this.key(event));
    // Who looks at the newest goes on to see the newest.
    const before = remembered === undefined ? -1 : this.steps.findLastIndex((step) => step <= remembered);
    this.slider.value = before < 0 ? this.steps.length - 1 : before;
    this.show();
  }

  /// The step to come back to; none for the newest.
  get remembered() {
    const at = Number(this.slider?.value);
    return this.steps.length === 0 || at === this.steps.length - 1 ? undefined : this.steps[at];
  }

  figure(run, named) {
    const images = [];
    const half = (names, index) => {
      const image = make("img", { alt: "" });
      images.push(image);
      const { width, height } = run.sheets[0];
      const shown = (width - GAP) / 2; // half a gap on either side, so that stacked halves stand in line
      image.style.width = `${(width / shown) * 100}%`;
      image.style.marginLeft = `${-(GAP / 2 / shown + index) * 100}%`;
      return make(
        "div",
        { class: "half" },
        make(
          "div",
          { class: "columns" },
          names.map((name, column) => make(column === 1 ? "b" : "span", {}, name)),
        ),
        make("div", { class: "crop", style: `aspect-ratio: ${shown} / ${height}` }, image, gaps(width, height, index)),
      );
    };
    const step = make("span", { class: "muted" });
    const caption = named ? make("figcaption", {}, key(run.colour), run.name, step) : undefined;
    const figure = make(
      "figure",
      { class: "sheet card" },
      caption,
      make("div", { class: "halves" }, COLUMNS.map(half)),
    );
    return { run, figure, images, step };
  }

  show() {
    const step = this.steps[Number(this.slider.value)];
    document.getElementById("shown-step").value = `Step ${steps(step)}`;
    this.slider.setAttribute("aria-valuetext", `step ${step}`);
    for (const { run, images, step: label } of this.figures) {
      const sheet = run.sheets.findLast((candidate) => candidate.step <= step) ?? run.sheets[0];
      images.forEach((image, index) => {
        if (image.dataset.step !== String(sheet.step)) image.src = sheet.source;
        image.dataset.step = sheet.step;
        image.alt = `${run.name} after step ${sheet.step}, each row a picture: ${COLUMNS[index].join(", ")}`;
      });
      label.textContent = sheet.step === step ? "" : `step ${steps(sheet.step)}`;
    }
  }

  move(by) {
    this.slider.value = Math.max(0, Math.min(this.steps.length - 1, Number(this.slider.value) + by));
    this.show();
  }

  play(on) {
    clearInterval(this.timer);
    this.timer = undefined;
    this.button.setAttribute("aria-pressed", on);
    this.button
      .querySelector("path")
      .setAttribute("d", on ? "M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z" : "M4 2.5v11l9-5.5z");
    this.button.querySelector(".for-readers").textContent = on ? "Pause" : "Play";
    if (!on) return;
    const last = this.steps.length - 1;
    if (Number(this.slider.value) === last) this.move(-last);
    this.timer = setInterval(() => {
      this.move(1);
      if (Number(this.slider.value) === last) this.play(false);
    }, PLAY_MILLISECONDS);
  }

  /// Arrows move wherever the focus is, but for what has a use for them itself.
  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, button, summary, a, .plot"))
      return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    this.move(by);
  }
}

/// Covers the white gaps of a half with the card's colour.
function gaps(width, height, half) {
  const cell = (width - 7 * GAP) / 6;
  const rows = (height - GAP) / (cell + GAP);
  const root = make("svg:svg", {
    viewBox: `${GAP / 2 + (half * (width - GAP)) / 2} 0 ${(width - GAP) / 2} ${height}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  if (!Number.isInteger(cell) || !Number.isInteger(rows)) return root; // not a sheet of squares: gaps stay white
  // Half a pixel more on either side: enlarged, white bleeds into the pictures.
  for (let column = 0; column <= 6; column++) {
    root.append(make("svg:rect", { x: column * (cell + GAP) - 0.5, y: 0, width: GAP + 1, height }));
  }
  for (let row = 0; row <= rows; row++) {
    root.append(make("svg:rect", { x: 0, y: row * (cell + GAP) - 0.5, width, height: GAP + 1 }));
  }
  return root;
}

const key = (colour) => make("span", { class: "key", style: `background: ${colour}` });
