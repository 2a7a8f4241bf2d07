// How runs were made: settings, data, device and networks.

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const card = (name, ...inside) => make("article", { class: "card" }, make("h3", {}, name), ...inside);
const rows = (pairs) =>
  make(
    "table",
    {},
    make(
      "tbody",
      {},
      pairs.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value))),
    ),
  );
const words = (name) => title(name.replaceAll(".", ", "));
const plain = (value) =>
  typeof value === "object" ? JSON.stringify(value) : typeof value === "number" ? steps(value) : String(value);

/// Settings, those first that are not the preset's.
function settingsCard({ settings }) {
  const row = ({ name, value, comment, preset }) =>
    make(
      "tr",
      { class: preset === null ? undefined : "changed" },
      make("th", { scope: "row" }, make("code", {}, name)),
      make(
        "td",
        {},
        make("b", {}, value),
        preset === null ? undefined : make("span", { class: "was" }, ` preset: ${preset}`),
        comment && make("small", {}, comment),
      ),
    );
  const table = (list) => make("table", {}, make("tbody", {}, list.map(row)));
  const first = settings.filter(({ name, preset }) => preset !== null || ["data", "preset"].includes(name));
  const others = settings.filter((setting) => !first.includes(setting));
  const more = make(
    "details",
    { open: first.length < 3 ? "" : undefined },
    make("summary", {}, `${plural(others.length, "setting")} as the preset has them`),
    table(others),
  );
  return card("Settings", table(first), others.length ? more : undefined);
}

/// Whatever the trainer knows of the data: a row for each side, a column for each thing known.
function dataCard({ start }) {
  const data = start?.data;
  if (!data) return undefined;
  const { sides = {}, ...others } = data;
  const columns = [...new Set(Object.values(sides).flatMap((side) => Object.keys(side ?? {})))];
  const head = make(
    "thead",
    {},
    make(
      "tr",
      {},
      make("th", { scope: "col" }, "Side"),
      columns.map((name) => make("th", { scope: "col", class: "number" }, words(name))),
    ),
  );
  const cell = (value) => make("td", { class: "number" }, value === undefined || value === null ? "–" : plain(value));
  const trainFirst = Object.entries(sides).sort(([a], [b]) => b.startsWith("train") - a.startsWith("train"));
  const body = make(
    "tbody",
    {},
    trainFirst.map(([name, side]) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, name),
        columns.map((column) => cell(side?.[column])),
      ),
    ),
  );
  return card(
    "Data",
    rows(Object.entries(others).map(([name, value]) => [words(name), plain(value)])),
    columns.length ? make("table", {}, head, body) : undefined,
  );
}

/// Device, networks, memory and time, as pairs.
function machine(run) {
  const { device, threads, program, networks = {}, memory_bytes } = run.start ?? {};
  return [
    ["Device", device],
    ["Threads", threads],
    ["Program", program],
    ["Parameters of a generator", networks.generator_parameters && compact.format(networks.generator_parameters)],
    [
      "Parameters of a discriminator",
      networks.discriminator_parameters && compact.format(networks.discriminator_parameters),
    ],
    ["Multiply-adds", networks.multiply_adds && compact.format(networks.multiply_adds)],
    [
      "Memory, about",
      memory_bytes &&
        (memory_bytes < 1e9 ? `${Math.round(memory_bytes / 1e6)} MB` : `${(memory_bytes / 1e9).toFixed(1)} GB`),
    ],
    ["Time in steps", run.seconds_used > 0 ? time(run.seconds_used) : undefined],
  ].filter(([, value]) => value !== undefined);
}

/// One row for each name, one column for each run.
function sideBySide(name, columns) {
  const names = [...new Set(columns.flatMap((column) => [...column.keys()]))];
  const value = (column, row) => column.get(row) ?? "–";
  const differ = names.filter((row) => new Set(columns.map((column) => value(column, row))).size > 1);
  const same = names.filter((row) => !differ.includes(row));
  const head = make(
    "thead",
    {},
    make(
      "tr",
      {},
      make("th", {}, ""),
      runs.map((run) => make("th", { scope: "col" }, key(run.colour), run.name)),
    ),
  );
  const table = (list) =>
    make(
      "table",
      {},
      head.cloneNode(true),
      make(
        "tbody",
        {},
        list.map((row) =>
          make(
            "tr",
            {},
            make("th", { scope: "row" }, row),
            columns.map((column) => make("td", {}, value(column, row))),
          ),
        ),
      ),
    );
  return card(
    name,
    differ.length ? table(differ) : make("p", { class: "muted" }, "None differs."),
    same.length ? make("details", {}, make("summary", {}, `${same.length} the same in all`), table(same)) : undefined,
  );
}

function drawFacts() {
  if (single) {
    place(".facts").append(
      ...[
        settingsCard(runs[0]),
        dataCard(runs[0]),
        machine(runs[0]).length ? card("Device and networks", rows(machine(runs[0]))) : undefined,
      ].filter(Boolean),
    );
    return;
  }
  const ofSettings = runs.map((run) => new Map(run.settings.map(({ name, value }) => [name, value])));
  place(".facts").append(
    sideBySide("Settings that differ", ofSettings),
    sideBySide(
      "Device and networks that differ",
      runs.map((run) => new Map(machine(run))),
    ),
  );
}

// ---- All of it, and again while a run goes on

const remembered = memory.read();
for (const id of ["smoothing", "logarithmic"]) {
  place(`#${id}`).checked = remembered[id] ?? place(`#${id}`).checked;
  place(`#${id}`).addEventListener("change", () => Chart.redraw());
}
drawHead();
drawWarnings();
const samples = new Samples(runs, remembered.step);
drawCurves();
drawFacts();
place("#foot").textContent =
  `Written ${new Date(runs[0].written * 1000).toLocaleString()} by ${runs[0].start?.program ?? "trainer"}.`;

let busy = false; // a page that goes away under the finger is a nuisance
addEventListener("pointerdown", () => {
  busy = true;
});
addEventListener("pointerup", () => {
  busy = false;
});
addEventListener("pointercancel", () => {
  busy = false;
});
addEventListener("pagehide", () =>
  memory.write({
    scroll: scrollY,
    step: samples.remembered,
    smoothing: place("#smoothing").checked,
    logarithmic: place("#logarithmic").checked,
  }),
);
history.scrollRestoration = "manual";
if (remembered.scroll) scrollTo(0, remembered.scroll);
if (runs.some(({ state }) => state === "running")) {
  setInterval(() => {
    if (!busy && !samples.timer && !document.hidden) location.reload();
  }, refresh_seconds * 1000);
}
