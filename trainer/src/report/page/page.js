// What the page says of its runs: one run in full, or many side by side.

const { runs, refresh_seconds } = JSON.parse(document.getElementById("data").textContent);
const single = runs.length === 1;
const place = (selector) => document.querySelector(selector);
const colour = (index) => `var(--c${index % 7})`;
runs.forEach((run, index) => Object.assign(run, { colour: colour(index), set: Object.fromEntries(run.settings.map(({ name, value }) => [name, value])) }));

/// What the reader has chosen, kept while the page loads itself again. A browser may forbid the storage.
const memory = {
  key: `trainer-report:${location.pathname}`,
  read() { try { return JSON.parse(sessionStorage.getItem(this.key)) ?? {}; } catch { return {}; } },
  write(value) { try { sessionStorage.setItem(this.key, JSON.stringify(value)); } catch { /* then it starts anew */ } },
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
  return series.steps.map((step, at) => [step, values[at]]).filter(([, value]) => value !== null && value !== undefined);
}
const last = (list) => list.at(-1)?.[1];
const better = (higher) => (a, b) => ((higher ? b[1] > a[1] : b[1] < a[1]) ? b : a);
const mean = (numbers) => (numbers.length ? numbers.reduce((a, b) => a + b, 0) / numbers.length : undefined);

// ---- Curves

const LOSSES = [
  { id: "cycle", title: "Cycle", note: "there and back against the original", names: [["cycle_a", "A → B → A"], ["cycle_b", "B → A → B"]] },
  { id: "identity", title: "Identity", note: "a picture of the target side stays as it is", names: [["id_a", "of A"], ["id_b", "of B"]] },
  { id: "adversarial", title: "Adversarial", note: "how far a translation is from passing for real", names: [["adv_ab", "A → B"], ["adv_ba", "B → A"]] },
  { id: "discriminators", title: "Discriminators", note: "how far they are from telling real from fake", names: [["d_a", "of A"], ["d_b", "of B"]] },
];
const QUALITY = [
  { id: "l1", title: "L1 error", note: "of 255; lower is better", higher: false },
  { id: "psnr", title: "PSNR", note: "dB; higher is better", higher: true },
  { id: "ssim", title: "SSIM", note: "higher is better", higher: true },
];
const BOTH_WAYS = [["a_to_b", "A → B"], ["b_to_a", "B → A"]];

/// One curve for each run and name: colours tell directions of one run, or runs; dashes tell directions of many.
function curves(names, of) {
  return runs.flatMap((run) => names.map(([name, label], index) => ({
    name: single ? label : [run.name, label].filter(Boolean).join(" · "),
    colour: single ? colour(index) : run.colour, dash: !single && index % 2 ? "6 4" : undefined, points: of(run, name),
  }))).filter(({ points }) => points.length > 0);
}
const warnings = () => runs.flatMap((run) => run.warnings.map(({ step, kind }) => ({ step, kind: title(kind) })));
const ends = () => runs.map(({ step }) => step);
const title = (kind) => (kind.charAt(0).toUpperCase() + kind.slice(1)).replaceAll("_", " ");
const view = ({ plain, linear }) => ({
  smooth: !plain && place("#smoothing").checked, logarithmic: !linear && place("#logarithmic").checked,
});

function put(selector, panels) {
  const filled = panels.filter(({ series }) => series.length > 0);
  place(selector).hidden = filled.length === 0;
  place(`${selector} .panels`).append(...filled.map((panel) => panelWith({ format: short, exact, ends: ends(), warnings: warnings(), ...panel }, view)));
}

function drawCurves() {
  const loss = (run, name) => points(run.losses, name);
  const known = new Set([...LOSSES.flatMap(({ names }) => names.map(([name]) => name)), "learning_rate"]);
  const others = [...new Set(runs.flatMap((run) => Object.keys(run.losses.values)))].filter((name) => !known.has(name));
  const groups = others.length ? [...LOSSES, { id: "others", title: "Other losses", note: "", names: others.map((name) => [name, name]) }] : LOSSES;
  put("#losses", groups.map((group) => ({ ...group, series: curves(group.names, loss), fromZero: true })));
  put("#quality", QUALITY.map(quality));
  const pace = (run, name) => points(run.speed, name);
  const shown = (run, pictures) => points(run.speed, "seconds_per_step").map(([step, value]) => [step, pictures / value]);
  put("#pace", [
    { id: "rate", title: "Learning rate", note: "", series: curves([["learning_rate", ""]], loss), fromZero: true, plain: true, linear: true },
    { id: "seconds", title: "Seconds a step", note: "", series: curves([["seconds_per_step", ""]], pace), fromZero: true, linear: true },
    { id: "pictures", title: "Pictures a second", note: "of each side", series: curves([["", ""]], (run) => shown(run, Number(run.set.batch ?? 1))), fromZero: true, linear: true },
    { id: "waiting", title: "Waiting for pictures", note: "share of the time", series: curves([["waiting_share", ""]], pace), fromZero: true, linear: true, format: percent, exact: roughly },
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
  const untranslated = [...new Set(runs.map((run) => last(points(run.paired, `untranslated_${id}`))).filter((value) => value !== undefined))];
  const baselines = untranslated.map((value) => ({ name: "untranslated", value }));
  return { ...panel, id, series, marks, baselines, plain: true, linear: true };
}

// ---- What stands above the curves

function badge(run) {
  const names = { running: "Running", stopped: "Stopped", finished: "Finished" };
  return make("span", { class: `pill ${run.state}` }, names[run.state]);
}

/// In one line: what was trained, on what.
function summary({ set, start }) {
  const size = set.size && `${set.size} × ${set.size}`;
  // Why it is the CPU stands with the device, below.
  const device = start?.device?.replace(/^cpu .*/, "cpu");
  const on = [device, start?.threads && plural(start.threads, "thread")].filter(Boolean).join(", ");
  return [set.preset && `preset ${set.preset}`, size, set.batch && `batch ${set.batch}`, on].filter(Boolean).join(" · ");
}

function progress(run) {
  const part = run.updates ? Math.min(1, run.step / run.updates) : undefined;
  const done = run.updates ? `Step ${steps(run.step)} of ${steps(run.updates)} · ${Math.floor(part * 100)} %` : `Step ${steps(run.step)}`;
  const left = run.seconds_left === null ? "" : ` · about ${time(run.seconds_left)} left`;
  const bar = part === undefined ? undefined : make("div", { class: "track", role: "progressbar", "aria-label": "Updates made", "aria-valuenow": Math.floor(part * 100), "aria-valuemin": 0, "aria-valuemax": 100 }, make("i", { style: `width: ${part * 100}%` }));
  return make("div", { class: `progress ${run.state}` }, make("div", { class: "says" }, make("strong", {}, done), make("span", { class: "muted" }, `${time(run.seconds_used)} in steps${left}`)), bar);
}

/// Means of both directions, with what was best.
function bothWays(series, names, higher) {
  const [one, other] = names.map((name) => points(series, name));
  const there = new Map(other);
  return one.filter(([step]) => there.has(step)).map(([step, value]) => [step, (value + there.get(step)) / 2]);
}

function tiles(run) {
  const tile = (name, number, ...says) => make("article", { class: "tile card" }, make("h3", {}, name), make("p", { class: "number" }, number), ...says.map((text) => make("p", {}, text)));
  const shown = [];
  const l1 = bothWays(run.paired, ["a_to_b_l1", "b_to_a_l1"]);
  if (l1.length) {
    const [step, least] = l1.reduce(better(false));
    const before = last(points(run.paired, "untranslated_l1"));
    const change = before && Math.round((last(l1) / before - 1) * 100);
    const against = before && make("small", { class: change < 0 ? "better" : "worse", title: "against the untranslated pictures" }, ` ${change < 0 ? "−" : "+"}${Math.abs(change)} %`);
    const kept = run.best?.step === undefined ? undefined : `weights kept: step ${steps(run.best.step)}`;
    const says = [`best ${exact(least)} at step ${steps(step)}`, before && `untranslated ${exact(before)}`, kept];
    shown.push(tile("L1 on test pairs, last", make("span", {}, exact(last(l1)), against ?? ""), ...says.filter(Boolean)));
  }
  for (const [name, label] of [["psnr", "PSNR on test pairs, last"], ["ssim", "SSIM on test pairs, last"]]) {
    const both = bothWays(run.paired, [`a_to_b_${name}`, `b_to_a_${name}`]);
    if (!both.length) continue;
    const [step, most] = both.reduce(better(true));
    shown.push(tile(label, exact(last(both)), `best ${exact(most)} at step ${steps(step)}`));
  }
  const losses = [["Cycle loss, last", ["cycle_a", "cycle_b"]], ["Adversarial loss, last", ["adv_ab", "adv_ba"]], ["Discriminators’ loss, last", ["d_a", "d_b"]]];
  for (const [label, names] of l1.length ? losses.slice(0, 1) : losses) {
    const loss = bothWays(run.losses, names);
    if (!loss.length) continue;
    const [step, least] = loss.reduce(better(false));
    shown.push(tile(label, exact(last(loss)), `lowest ${exact(least)} at step ${steps(step)}`));
  }
  const pace = points(run.speed, "seconds_per_step").slice(-10).map(([, value]) => value);
  if (pace.length) {
    const waiting = mean(points(run.speed, "waiting_share").slice(-10).map(([, value]) => value));
    shown.push(tile("Speed, of late", make("span", {}, seconds(mean(pace)), make("small", {}, " a step")), `${short(Number(run.set.batch ?? 1) / mean(pace))} pictures/s · waiting ${roughly(waiting ?? 0)}`));
  }
  return make("div", { class: "tiles" }, shown);
}

/// A page of a run that goes on and yet has not been written for long.
function silence(run) {
  const pace = mean(points(run.speed, "seconds_per_step").map(([, value]) => value)) ?? 0;
  const patience = Math.max(120, 60 + 3 * pace * Number(run.set.sample_every ?? 0));
  const silent = Date.now() / 1000 - run.written;
  if (run.state !== "running" || silent < patience) return undefined;
  return make("span", { class: "chip" }, `No news for ${time(silent)}: the trainer may have been killed; “trainer report” draws what is there`);
}

function drawHead() {
  const head = place("#head");
  if (!single) {
    const summaryRow = (run) => {
      const l1 = bothWays(run.paired, ["a_to_b_l1", "b_to_a_l1"]);
      const numbers = [last(bothWays(run.losses, ["cycle_a", "cycle_b"])), last(l1), run.best?.l1 ?? (l1.length ? l1.reduce(better(false))[1] : undefined), last(points(run.speed, "seconds_per_step"))];
      return make("tr", {}, make("td", {}, key(run.colour), make("strong", {}, run.name)), make("td", {}, badge(run)), make("td", {}, run.set.preset ?? "–"),
        ...[steps(run.step), ...numbers.map((number) => (number === undefined ? "–" : exact(number)))].map((text) => make("td", { class: "number" }, text)));
    };
    const titles = ["Run", "State", "Preset", "Steps", "Cycle loss", "L1 last", "L1 best", "Seconds a step"];
    const header = make("thead", {}, make("tr", {}, titles.map((text, index) => make("th", { scope: "col", class: index > 2 ? "number" : undefined }, text))));
    head.append(make("p", { class: "overline" }, "CycleGAN training"), make("h1", {}, `${runs.length} runs side by side`),
      make("div", { class: "runs card" }, make("table", {}, header, make("tbody", {}, runs.map(summaryRow)))));
    return;
  }
  const [run] = runs;
  const chips = run.warnings.map(({ kind, step }) => make("a", { class: "chip", href: "#warnings" }, `${title(kind)} at step ${steps(step)}`));
  const name = run.start?.data?.name ?? run.set.data ?? run.name;
  head.append(
    make("p", { class: "overline" }, `CycleGAN training · ${run.name}`),
    make("div", { class: "title" }, make("h1", {}, name), badge(run), chips, silence(run)),
    make("p", { class: "muted" }, summary(run)), progress(run), tiles(run),
  );
}

function drawWarnings() {
  const entries = runs.flatMap((run) => run.warnings.map(({ step, kind, message }) => make("li", {}, single ? undefined : key(run.colour),
    make("strong", {}, title(kind)), make("span", { class: "muted" }, `${single ? "" : ` · ${run.name}`} · step ${steps(step)}`), make("div", {}, message))));
  place("#warnings").hidden = entries.length === 0;
  place("#warning-list").append(...entries);
}
