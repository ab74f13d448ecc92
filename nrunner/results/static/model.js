// What the page knows: rows (one for each task), what a view asks for, groups, lanes. No DOM here.

const RESULTS = ["FAIL", "ERROR", "INTERRUPT", "WARN", "PASS", "SKIP", "CANCEL"];
const STATES = ["RUNNING", "PREPARING", "WAITING"];
const BAD = new Set(["FAIL", "ERROR", "INTERRUPT"]);
const CAUSES = {
  test: ["the test", "what the test itself said"],
  contract: ["the test", "it crashed, or its word and its exit status disagree"],
  timeout: ["the test", "it ran past a limit"],
  malformed: ["the test", "its reference or recipe can never work"],
  requirement: ["the machine", "a requirement could not be met"],
  unsuitable: ["the machine", "no environment could run it"],
  infra: ["the machine", "spawner, link, disk or our own processes failed"],
  cancelled: ["a person or a limit", "it was told to stop"],
  lost: ["the machine", "its outcome cannot be known"],
};
const CAUSE_ORDER = Object.keys(CAUSES);

const isLive = () => store.live === "live";
const store = { job: null, rows: [], live: "", notices: [] };

function tagWords(tags) {
  const words = [];
  for (const [name, values] of Object.entries(tags || {})) {
    if (!values || !values.length) words.push(name);
    else for (const value of values) words.push(`${name}:${value}`);
  }
  return words;
}

function attemptOf(data, task, isLast) {
  const same = isLast ? task : {};
  return {
    env: data.env ?? same.env ?? "",
    result: data.result ?? same.result ?? "",
    cause: data.cause ?? same.cause ?? "",
    detail: data.detail ?? same.detail ?? "",
    start: data.start ?? null,
    end: data.end ?? 0,
    elapsed: data.elapsed ?? same.elapsed ?? 0,
    rc: data.rc ?? same.rc ?? null,
    core: Boolean(data.core),
    layer: data.layer || "",
    leaks: data.leaks || [],
    doing: data.doing || "",
    unkillable: data.unkillable || [],
  };
}

function rowOf(data, phaseNames) {
  const phases = [];
  const flat = data.phases || [];
  if (phaseNames === null) phases.push(...flat);
  else for (let i = 0; i < flat.length; i += 2) phases.push([phaseNames[flat[i]], flat[i + 1]]);
  const outputs = {};
  if (Array.isArray(data.out)) for (const name of data.out) outputs[name] = `${data.dir}/${name}`;
  else Object.assign(outputs, data.out);
  const attempts = data.attempts || [];
  const row = {
    n: data.n,
    id: data.id || "",
    ref: data.ref || "",
    suite: data.suite || "",
    kind: data.kind || "",
    uri: data.uri || data.id || "",
    variant: data.variant || "",
    tags: tagWords(data.tags),
    result: data.result || null,
    state: data.result || "WAITING",
    cause: data.cause || "",
    detail: data.detail || "",
    attempts: [],
    phases,
    start: data.start || 0,
    elapsed: data.elapsed || 0,
    env: data.env || "",
    rc: data.rc ?? null,
    cls: data.cls || "",
    fail: data.fail || "",
    tb: data.tb || "",
    wb: data.wb || "",
    dir: data.dir || "",
    outputs,
    req: data.req || [],
    tail: data.tail || {},
    since: null,
    hay: null,
  };
  const lastOne = attempts.length - 1;
  for (let i = 0; i <= lastOne; i++) row.attempts.push(attemptOf(attempts[i], row, i === lastOne));
  return row;
}

function haystack(row) {
  if (row.hay === null) {
    const parts = [row.id, row.detail.slice(0, 2000), row.env, row.suite, row.kind, row.cause];
    row.hay = parts.concat(row.tags).join("\n").toLowerCase();
  }
  return row.hay;
}

const isFlaky = (row) =>
  row.attempts.length > 1 &&
  row.result === "WARN" &&
  row.attempts.some((each) => BAD.has(each.result));
const leaksOf = (row) => row.attempts.flatMap((each) => each.leaks.concat(each.unkillable));

// Reasons that differ only in numbers, addresses and quoted values are the same reason.
function reasonKey(row) {
  const text = row.detail || row.fail || "no reason given";
  const line = text.slice(0, 600).trim().split("\n", 1)[0];
  return line
    .replace(/0x[0-9a-f]+/gi, "#")
    .replace(/\b[0-9a-f]{8,}\b/gi, "#")
    .replace(/[0-9]+(\.[0-9]+)?/g, "#")
    .slice(0, 160);
}

function groupsOf(rows) {
  const groups = new Map();
  for (const row of rows) {
    if (!BAD.has(row.result)) continue;
    const reason = reasonKey(row);
    const key = `${row.result}\0${row.cause}\0${reason}`;
    const found = groups.get(key);
    if (found) found.rows.push(row);
    else groups.set(key, { result: row.result, cause: row.cause, reason, rows: [row] });
  }
  return [...groups.values()].sort(
    (a, b) => b.rows.length - a.rows.length || a.rows[0].n - b.rows[0].n,
  );
}

// What a view asks for, to and from its address.

const FILTERS = ["cause", "kind", "tag", "suite", "env", "reason", "mark"];

function queryOf(text) {
  const given = new URLSearchParams(text);
  const query = { q: given.get("q") || "", results: new Set(), sort: given.get("sort") || "" };
  for (const word of (given.get("result") || "").split(","))
    if (word) query.results.add(word.toUpperCase());
  for (const name of FILTERS) query[name] = given.get(name) ?? "";
  return query;
}

function addressOf(query) {
  const given = new URLSearchParams();
  if (query.q) given.set("q", query.q);
  if (query.results && query.results.size) given.set("result", [...query.results].join(","));
  for (const name of FILTERS) if (query[name]) given.set(name, query[name]);
  if (query.sort) given.set("sort", query.sort);
  const text = given.toString();
  return text ? `#/tasks?${text}` : "#/tasks";
}

const MARKS = {
  retried: (row) => row.attempts.length > 1,
  flaky: isFlaky,
  leaks: (row) => leaksOf(row).length > 0,
};

function chosen(rows, query) {
  const words = query.q.toLowerCase().split(/\s+/).filter(Boolean);
  const mark = MARKS[query.mark];
  const found = rows.filter(
    (row) =>
      (!query.results.size || query.results.has(row.state)) &&
      (!query.cause || row.cause === query.cause) &&
      (!query.kind || row.kind === query.kind) &&
      (!query.suite || row.suite === query.suite) &&
      (!query.env || row.env === query.env) &&
      (!query.tag || row.tags.includes(query.tag)) &&
      (!mark || mark(row)) &&
      (!query.reason || (row.result && reasonKey(row) === query.reason)) &&
      words.every((word) => haystack(row).includes(word)),
  );
  return sorted(found, query.sort);
}

const SORTS = {
  n: (row) => row.n,
  state: (row) => RESULTS.concat(STATES).indexOf(row.state),
  id: (row) => row.id,
  cause: (row) => row.cause,
  kind: (row) => row.kind,
  env: (row) => row.env,
  attempts: (row) => row.attempts.length,
  elapsed: (row) => elapsedOf(row),
  start: (row) => row.start,
};

function sorted(rows, sort) {
  const down = sort.startsWith("-");
  const key = SORTS[down ? sort.slice(1) : sort];
  if (!key) return rows;
  const sign = down ? -1 : 1;
  const keyed = rows.map((row) => [key(row), row]);
  keyed.sort(([a, x], [b, y]) => (a < b ? -sign : a > b ? sign : x.n - y.n));
  return keyed.map(([, row]) => row);
}

const now = () => Date.now() / 1000 - (store.job ? store.job.start : 0) - (store.skew || 0);
const elapsedOf = (row) => (row.since !== null ? Math.max(0, now() - row.since) : row.elapsed);

function tallyOf(rows) {
  const counts = {};
  for (const row of rows) counts[row.state] = (counts[row.state] || 0) + 1;
  return counts;
}

// Bars of one environment side by side: each takes the first lane that is free.
function lanesOf(rows) {
  const bars = [];
  for (const row of rows) {
    row.attempts.forEach((attempt, index) => {
      if (attempt.start === null) return;
      const end = Math.max(attempt.start + attempt.elapsed, attempt.start);
      bars.push({
        row,
        attempt: index + 1,
        env: attempt.env || row.env,
        from: attempt.start,
        to: end,
        state: attempt.result,
      });
    });
    if (row.since !== null) {
      bars.push({
        row,
        attempt: row.attempts.length + 1,
        env: row.env,
        from: row.since,
        to: null,
        state: "RUNNING",
      });
    }
    let begun = null;
    for (const [phase, time] of row.phases) {
      if (begun !== null && time - begun > 0.001) {
        bars.push({
          row,
          attempt: 0,
          env: "\uffffpreparing",
          from: begun,
          to: time,
          state: "PREPARING",
        });
      }
      begun = phase === "PREPARING" ? time : null;
    }
  }
  bars.sort((a, b) => a.from - b.from);
  const places = new Map();
  for (const bar of bars) {
    if (!places.has(bar.env)) places.set(bar.env, []);
    const lanes = places.get(bar.env);
    let lane = lanes.findIndex((end) => end <= bar.from + 0.0005);
    if (lane < 0) lane = lanes.push(0) - 1;
    lanes[lane] = bar.to ?? Infinity;
    bar.lane = lane;
  }
  const names = [...places.keys()].sort((a, b) => (a < b ? -1 : 1));
  const latest = bars.reduce((most, bar) => Math.max(most, bar.to ?? 0), 0);
  return { bars, latest, places: names.map((name) => ({ name, lanes: places.get(name).length })) };
}

function besideOf(row, rows) {
  const last = row.attempts[row.attempts.length - 1];
  if (!last || last.start === null) return [];
  const from = last.start;
  const to = from + last.elapsed;
  const found = [];
  for (const other of rows) {
    if (other === row) continue;
    for (const each of other.attempts) {
      if (each.start === null) continue;
      const common = Math.min(to, each.start + each.elapsed) - Math.max(from, each.start);
      if (common > 0)
        found.push([BAD.has(other.result) ? 1 : 0, each.env === last.env ? 1 : 0, common, other]);
    }
  }
  found.sort((a, b) => b[0] - a[0] || b[1] - a[1] || b[2] - a[2]);
  return found.map(([, sameEnv, common, other]) => ({
    row: other,
    common,
    sameEnv: Boolean(sameEnv),
  }));
}

// A command that runs a task again, from the command that ran it.

const WITH_VALUE = [
  "--json",
  "--tap",
  "--xunit",
  "--ctrf",
  "--html",
  "--trace",
  "--job",
  "--job-results-dir",
];
const ALONE = ["--detach", "--serve", "--shuffle", "--dry-run"];

function quoted(word) {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  if (/^[ -~]*$/.test(word)) return `'${word.replaceAll("'", `'\\''`)}'`;
  const escaped = [...word].map((each) => {
    if (each === "'" || each === "\\") return `\\${each}`;
    if (each >= " " && each !== "\x7f" && !isHidden(each)) return each;
    return [...new TextEncoder().encode(each)]
      .map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`)
      .join("");
  });
  return `$'${escaped.join("")}'`;
}

function againCommand(row) {
  const references = new Set(store.rows.map((each) => each.ref));
  const words = [];
  // Several jobs that are reported as one were not run by one command.
  const given = store.job.command[1] === "run" ? store.job.command.slice(2) : [];
  for (let i = 0; i < given.length; i++) {
    const flag = given[i].split("=", 1)[0];
    if (WITH_VALUE.includes(flag)) {
      if (!given[i].includes("=")) i++;
    } else if (!ALONE.includes(flag) && !references.has(given[i])) words.push(given[i]);
  }
  const prefix = { tap: "tap:" }[row.kind] || "";
  const isOne = store.rows.filter((each) => each.ref === row.ref).length === 1;
  const reference = isOne ? row.ref : prefix + row.uri;
  return ["nrunner", "run", ...words, reference].map(quoted).join(" ");
}
