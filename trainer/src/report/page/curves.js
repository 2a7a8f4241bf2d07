// What the page knows of its runs, and their curves: one run in full, or many side by side.

const { runs, refresh_seconds } = JSON.parse(document.getElementById("data").textContent);
const single = runs.length === 1;
const place = (selector) => document.querySelector(selector);
const colour = (index) => `var(--c${index % 7})`;
runs.forEach((run, index) =>
  Object.assign(run, {
    colour: colour(index),
    set: Object.fromEntries(run.settings.map(({ name, value }) => [name, value])),
  }),
);

/// What the reader has chosen, kept while the page loads itself again. A browser may forbid the storage.
const memory = {
  key: `trainer-report:${location.pathname}`,
  read() {
    try {
      return JSON.parse(sessionStorage.getItem(this.key)) ?? {};
    } catch {
      return {};
    }
  },
  write(value) {
    try {
      sessionStorage.setItem(this.key, JSON.stringify(value));
    } catch {
      /* then it starts anew */
    }
  },
};

const percent = (share) => `${short(share * 100)} %`;
const roughly = (share) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
const seconds = (value) => (value < 1 ? `${short(value * 1000)} ms` : `${short(value)} s`);
const plural = (count, what) => `${steps(count)} ${what}${count === 1 ? "" : "s"}`;
function time(value) {
  const [whole, minutes, hours] = [Math.round(value), Math.floor(value / 60), Math.floor(value / 3600)];
  if (whole < 60) return `${whole} s`;
  if (hours < 1) return `${minutes} min ${whole % 60} s`;
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days ${hours % 24} h`;
}

function points(series, name) {
  const values = series.values[name] ?? [];
  return series.steps
    .map((step, at) => [step, values[at]])
    .filter(([, value]) => value !== null && value !== undefined);
}
const last = (list) => list.at(-1)?.[1];
const better = (higher) => (a, b) => ((higher ? b[1] > a[1] : b[1] < a[1]) ? b : a);
const mean = (numbers) => (numbers.length ? numbers.reduce((a, b) => a + b, 0) / numbers.length : undefined);

// ---- Curves

const LOSSES = [
  {
    id: "cycle",
    title: "Cycle",
    note: "there and back against the original",
    names: [
      ["cycle_a", "A → B → A"],
      ["cycle_b", "B → A → B"],
    ],
  },
  {
    id: "identity",
    title: "Identity",
    note: "a picture of the target side stays as it is",
    names: [
      ["id_a", "of A"],
      ["id_b", "of B"],
    ],
  },
  {
    id: "adversarial",
    title: "Adversarial",
    note: "how far a translation is from passing for real",
    names: [
      ["adv_ab", "A → B"],
      ["adv_ba", "B → A"],
    ],
  },
  {
    id: "discriminators",
    title: "Discriminators",
    note: "how far they are from telling real from fake",
    names: [
      ["d_a", "of A"],
      ["d_b", "of B"],
    ],
  },
];
const QUALITY = [
  { id: "l1", title: "L1 error", note: "of 255; lower is better", higher: false },
  { id: "psnr", title: "PSNR", note: "dB; higher is better", higher: true },
  { id: "ssim", title: "SSIM", note: "higher is better", higher: true },
];
const BOTH_WAYS = [
  ["a_to_b", "A → B"],
  ["b_to_a", "B → A"],
];

/// One curve for each run and name: colours tell directions of one run, or runs; dashes tell directions of many.
function curves(names, of) {
  return runs
    .flatMap((run) =>
      names.map(([name, label], index) => ({
        name: single ? label : [run.name, label].filter(Boolean).join(" · "),
        colour: single ? colour(index) : run.colour,
        dash: !single && index % 2 ? "6 4" : undefined,
        points: of(run, name),
      })),
    )
    .filter(({ points }) => points.length > 0);
}
const warnings = () => runs.flatMap((run) => run.warnings.map(({ step, kind }) => ({ step, kind: title(kind) })));
const ends = () => runs.map(({ step }) => step);
const title = (kind) => (kind.charAt(0).toUpperCase() + kind.slice(1)).replaceAll("_", " ");
const view = ({ plain, linear }) => ({
  smooth: !plain && place("#smoothing").checked,
  logarithmic: !linear && place("#logarithmic").checked,
});

function put(selector, panels) {
  const filled = panels.filter(({ series }) => series.length > 0);
  place(selector).hidden = filled.length === 0;
  place(`${selector} .panels`).append(
    ...filled.map((panel) => panelWith({ format: short, exact, ends: ends(), warnings: warnings(), ...panel }, view)),
  );
}

function drawCurves() {
  const loss = (run, name) => points(run.losses, name);
  const known = new Set([...LOSSES.flatMap(({ names }) => names.map(([name]) => name)), "learning_rate"]);
  const others = [...new Set(runs.flatMap((run) => Object.keys(run.losses.values)))].filter((name) => !known.has(name));
  const groups = others.length
    ? [...LOSSES, { id: "others", title: "Other losses", note: "", names: others.map((name) => [name, name]) }]
    : LOSSES;
  put(
    "#losses",
    groups.map((group) => ({ ...group, series: curves(group.names, loss), fromZero: true })),
  );
  put("#quality", QUALITY.map(quality));
  const pace = (run, name) => points(run.speed, name);
  const shown = (run, pictures) =>
    points(run.speed, "seconds_per_step").map(([step, value]) => [step, pictures / value]);
  put("#pace", [
    {
      id: "rate",
      title: "Learning rate",
      note: "",
      series: curves([["learning_rate", ""]], loss),
      fromZero: true,
      plain: true,
      linear: true,
    },
    {
      id: "seconds",
      title: "Seconds a step",
      note: "",
      series: curves([["seconds_per_step", ""]], pace),
      fromZero: true,
      linear: true,
    },
    {
      id: "pictures",
      title: "Pictures a second",
      note: "of each side",
      series: curves([["", ""]], (run) => shown(run, Number(run.set.batch ?? 1))),
      fromZero: true,
      linear: true,
    },
    {
      id: "waiting",
      title: "Waiting for pictures",
      note: "share of the time",
      series: curves([["waiting_share", ""]], pace),
      fromZero: true,
      linear: true,
      format: percent,
      exact: roughly,
    },
  ]);
}

/// A measure on paired pictures: what doing nothing gives is dashed, each curve's best is ringed.
function quality({ id, higher, ...panel }) {
  const names = BOTH_WAYS.map(([way, label]) => [`${way}_${id}`, label]);
  const averaged = names.map(([name, label]) => [`ema_${name}`, `${label}, averaged`]);
  const series = curves([...names, ...averaged], (run, name) => points(run.paired, name));
  const marks = series.map((curve) => {
    const [step, value] = curve.points.reduce(better(higher));
    curve.best = `best ${exact(value)} at ${steps(step)}`;
    return { step, value, colour: curve.colour, title: `${curve.name}: ${curve.best}` };
  });
  const untranslated = [
    ...new Set(
      runs.map((run) => last(points(run.paired, `untranslated_${id}`))).filter((value) => value !== undefined),
    ),
  ];
  const baselines = untranslated.map((value) => ({ name: "untranslated", value }));
  return { ...panel, id, series, marks, baselines, plain: true, linear: true };
}
