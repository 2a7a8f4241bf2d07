// What stands above the curves: what the run is, how far it is, its last and best values, its warnings.

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
  return [set.preset && `preset ${set.preset}`, size, set.batch && `batch ${set.batch}`, on]
    .filter(Boolean)
    .join(" · ");
}

function progress(run) {
  const part = run.updates ? Math.min(1, run.step / run.updates) : undefined;
  const done = run.updates
    ? `Step ${steps(run.step)} of ${steps(run.updates)} · ${Math.floor(part * 100)} %`
    : `Step ${steps(run.step)}`;
  const left = run.seconds_left === null ? "" : ` · about ${time(run.seconds_left)} left`;
  const bar =
    part === undefined
      ? undefined
      : make(
          "div",
          {
            class: "track",
            role: "progressbar",
            "aria-label": "Updates made",
            "aria-valuenow": Math.floor(part * 100),
            "aria-valuemin": 0,
            "aria-valuemax": 100,
          },
          make("i", { style: `width: ${part * 100}%` }),
        );
  return make(
    "div",
    { class: `progress ${run.state}` },
    make(
      "div",
      { class: "says" },
      make("strong", {}, done),
      make("span", { class: "muted" }, `${time(run.seconds_used)} in steps${left}`),
    ),
    bar,
  );
}

/// Means of both directions, with what was best.
function bothWays(series, names, higher) {
  const [one, other] = names.map((name) => points(series, name));
  const there = new Map(other);
  return one.filter(([step]) => there.has(step)).map(([step, value]) => [step, (value + there.get(step)) / 2]);
}

function tiles(run) {
  const tile = (name, number, ...says) =>
    make(
      "article",
      { class: "tile card" },
      make("h3", {}, name),
      make("p", { class: "number" }, number),
      ...says.map((text) => make("p", {}, text)),
    );
  const shown = [];
  const l1 = bothWays(run.paired, ["a_to_b_l1", "b_to_a_l1"]);
  if (l1.length) {
    const [step, least] = l1.reduce(better(false));
    const before = last(points(run.paired, "untranslated_l1"));
    const change = before && Math.round((last(l1) / before - 1) * 100);
    const against =
      before &&
      make(
        "small",
        { class: change < 0 ? "better" : "worse", title: "against the untranslated pictures" },
        ` ${change < 0 ? "−" : "+"}${Math.abs(change)} %`,
      );
    const kept = run.best?.step === undefined ? undefined : `weights kept: step ${steps(run.best.step)}`;
    const says = [`best ${exact(least)} at step ${steps(step)}`, before && `untranslated ${exact(before)}`, kept];
    shown.push(
      tile("L1 on test pairs, last", make("span", {}, exact(last(l1)), against ?? ""), ...says.filter(Boolean)),
    );
  }
  for (const [name, label] of [
    ["psnr", "PSNR on test pairs, last"],
    ["ssim", "SSIM on test pairs, last"],
  ]) {
    const both = bothWays(run.paired, [`a_to_b_${name}`, `b_to_a_${name}`]);
    if (!both.length) continue;
    const [step, most] = both.reduce(better(true));
    shown.push(tile(label, exact(last(both)), `best ${exact(most)} at step ${steps(step)}`));
  }
  const losses = [
    ["Cycle loss, last", ["cycle_a", "cycle_b"]],
    ["Adversarial loss, last", ["adv_ab", "adv_ba"]],
    ["Discriminators’ loss, last", ["d_a", "d_b"]],
  ];
  for (const [label, names] of l1.length ? losses.slice(0, 1) : losses) {
    const loss = bothWays(run.losses, names);
    if (!loss.length) continue;
    const [step, least] = loss.reduce(better(false));
    shown.push(tile(label, exact(last(loss)), `lowest ${exact(least)} at step ${steps(step)}`));
  }
  const pace = points(run.speed, "seconds_per_step")
    .slice(-10)
    .map(([, value]) => value);
  if (pace.length) {
    const waiting = mean(
      points(run.speed, "waiting_share")
        .slice(-10)
        .map(([, value]) => value),
    );
    shown.push(
      tile(
        "Speed, of late",
        make("span", {}, seconds(mean(pace)), make("small", {}, " a step")),
        `${short(Number(run.set.batch ?? 1) / mean(pace))} pictures/s · waiting ${roughly(waiting ?? 0)}`,
      ),
    );
  }
  return make("div", { class: "tiles" }, shown);
}

/// A page of a run that goes on and yet has not been written for long.
function silence(run) {
  const pace = mean(points(run.speed, "seconds_per_step").map(([, value]) => value)) ?? 0;
  const patience = Math.max(120, 60 + 3 * pace * Number(run.set.sample_every ?? 0));
  const silent = Date.now() / 1000 - run.written;
  if (run.state !== "running" || silent < patience) return undefined;
  return make(
    "span",
    { class: "chip" },
    `No news for ${time(silent)}: the trainer may have been killed; “trainer report” draws what is there`,
  );
}

function drawHead() {
  const head = place("#head");
  if (!single) {
    const summaryRow = (run) => {
      const l1 = bothWays(run.paired, ["a_to_b_l1", "b_to_a_l1"]);
      const numbers = [
        last(bothWays(run.losses, ["cycle_a", "cycle_b"])),
        last(l1),
        run.best?.l1 ?? (l1.length ? l1.reduce(better(false))[1] : undefined),
        last(points(run.speed, "seconds_per_step")),
      ];
      return make(
        "tr",
        {},
        make("td", {}, key(run.colour), make("strong", {}, run.name)),
        make("td", {}, badge(run)),
        make("td", {}, run.set.preset ?? "–"),
        ...[steps(run.step), ...numbers.map((number) => (number === undefined ? "–" : exact(number)))].map((text) =>
          make("td", { class: "number" }, text),
        ),
      );
    };
    const titles = ["Run", "State", "Preset", "Steps", "Cycle loss", "L1 last", "L1 best", "Seconds a step"];
    const header = make(
      "thead",
      {},
      make(
        "tr",
        {},
        titles.map((text, index) => make("th", { scope: "col", class: index > 2 ? "number" : undefined }, text)),
      ),
    );
    head.append(
      make("p", { class: "overline" }, "CycleGAN training"),
      make("h1", {}, `${runs.length} runs side by side`),
      make("div", { class: "runs card" }, make("table", {}, header, make("tbody", {}, runs.map(summaryRow)))),
    );
    return;
  }
  const [run] = runs;
  const chips = run.warnings.map(({ kind, step }) =>
    make("a", { class: "chip", href: "#warnings" }, `${title(kind)} at step ${steps(step)}`),
  );
  const name = run.start?.data?.name ?? run.set.data ?? run.name;
  head.append(
    make("p", { class: "overline" }, `CycleGAN training · ${run.name}`),
    make("div", { class: "title" }, make("h1", {}, name), badge(run), chips, silence(run)),
    make("p", { class: "muted" }, summary(run)),
    progress(run),
    tiles(run),
  );
}

function drawWarnings() {
  const entries = runs.flatMap((run) =>
    run.warnings.map(({ step, kind, message }) =>
      make(
        "li",
        {},
        single ? undefined : key(run.colour),
        make("strong", {}, title(kind)),
        make("span", { class: "muted" }, `${single ? "" : ` · ${run.name}`} · step ${steps(step)}`),
        make("div", {}, message),
      ),
    ),
  );
  place("#warnings").hidden = entries.length === 0;
  place("#warning-list").append(...entries);
}
