// Where data come from when a job runs: from its status server, which is asked once and then listened to.

const SERVES = document.querySelector('meta[name="nrunner-serves"]')?.content || "";
const HERE = location.pathname.endsWith("/") ? location.pathname : "/";
const TOKEN = "nrunner-token";
const REDRAW = 250;
const FIRST_PAUSE = 300;
const LONGEST_PAUSE = 10_000;
let token = null;
let lastEvent = 0;
let clock = 0;
let clockAt = 0;

class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { Authorization: `Bearer ${token}`, ...options.headers };
  const response = await fetch(path.startsWith("/") ? path : `${HERE}api/v1/${path}`, {
    ...options,
    headers,
    referrerPolicy: "no-referrer",
  });
  if (response.ok || response.status === 416) return response;
  let text = response.statusText;
  try {
    text = (await response.json()).error.message;
  } catch {
    /* no JSON: the status has to do */
  }
  throw new Refused(response.status, text);
}

const askJson = async (path, options) => (await ask(path, options)).json();

// A link carries a token behind the "#", which browsers send to nobody. It is exchanged at once.
async function enter() {
  const given = new URLSearchParams(location.hash.slice(1));
  token = given.get("token");
  if (token) {
    history.replaceState(null, "", `${location.pathname}#${given.get("view") || "/"}`);
    token = (await askJson("/api/v1/session", { method: "POST" })).token;
    remember(TOKEN, token);
  } else token = remembered(TOKEN);
  if (!token) throw new Refused(401, "no link");
}

async function beginLive() {
  try {
    await enter();
    if (SERVES === "jobs" && HERE === "/") return await beginJobs();
    await loadJob();
  } catch (error) {
    return sayNoEntry(error);
  }
  begin();
  saySituation("live");
  setInterval(tick, 1000);
  document.addEventListener("selectionchange", selectionChanged);
  return listen();
}

function sayNoEntry(error) {
  const text =
    error.status === 401
      ? [
          "This page needs a link that has not been used yet.",
          "nrunner prints one with --serve; nrunner jobs serve makes another. A link works once, in one browser.",
        ]
      : ["The job cannot be reached.", String(error.message || error)];
  fill(app, h("main", null, h("h1", null, text[0]), h("p", null, text[1])));
}

async function loadJob() {
  const job = await askJson("job");
  clock = job.clock;
  clockAt = job.elapsed;
  store.job = { ...job, start: job.time_start };
  store.skew = Date.now() / 1000 - job.time_start - job.elapsed;
  lastEvent = job.events;
  const rows = [];
  for (let next = 1; next !== null;) {
    const page = await askJson(`tasks?limit=1000&start=${next}`, {
      headers: { "Cache-Control": "max-age=2" },
    });
    lastEvent = Math.min(lastEvent, page.events);
    for (const each of page.tasks) rows.push(rowOfApi(each));
    next = page.next;
  }
  // Whoever shows a task has its row: it stays the same one.
  store.rows = rows.map((row) => Object.assign(rowNumbered(row.n) ?? row, row));
  store.live = "live";
  if (job.over) jobIsOver();
}

const second = (time) => (time === null || time === undefined ? null : time - store.job.start);
const nameIn = (id) => id.replace(/^\d+-/, "");

function attemptOfApi(each) {
  return {
    env: each.environment,
    result: each.result,
    cause: each.cause,
    detail: each.detail,
    start: second(each.time_start),
    end: second(each.time_end),
    elapsed: each.elapsed,
    rc: each.returncode,
    core: each.core,
    layer: each.layer,
    leaks: each.leaks,
    doing: each.doing,
    unkillable: each.unkillable,
  };
}

// `given` says what the task is, `verdict` how it ended; in an event one object is both.
function rowOfApi(given, verdict = given.verdict) {
  const ended = verdict
    ? {
        result: verdict.result,
        cause: verdict.cause,
        detail: verdict.detail,
        attempts: verdict.attempts.map(attemptOfApi),
        phases: verdict.phases,
        start: second(verdict.time_start),
        elapsed: verdict.elapsed,
        rc: verdict.returncode,
        cls: verdict.class_name,
        fail: verdict.fail_class,
        tb: verdict.traceback,
        wb: verdict.whiteboard,
        dir: verdict.log_dir,
        out: verdict.outputs,
      }
    : {};
  const row = rowOf(
    {
      n: given.number,
      id: nameIn(given.id),
      ref: given.reference,
      suite: given.suite,
      kind: given.kind,
      uri: given.uri,
      variant: given.variant,
      tags: given.tags,
      req: given.requirements,
      env: given.environment,
      ...ended,
    },
    null,
  );
  if (!verdict) {
    row.state = stateOf(given.phase);
    if (given.running !== null && given.running !== undefined) row.since = now() - given.running;
  }
  return row;
}

// What is starting may wait in the stock of its agent: it runs once it has started.
const stateOf = (phase) => ({ STARTED: "RUNNING", PREPARING: "PREPARING" })[phase] || "WAITING";

// Events, in order, each once.

const HEARD = {
  task_moved(data, row) {
    row.state = stateOf(data.phase);
    if (data.place) row.env = data.place;
    row.since = null;
    row.phases.push([data.phase, clockAt + data.time - clock]);
  },
  task_started(data, row) {
    HEARD.task_moved(data, row);
    row.since = clockAt + data.time - clock;
  },
  attempt(data, row) {
    row.attempts.push(attemptOf(attemptOfApi(data.report), row, false));
    row.since = null;
  },
  task_settled(data, row) {
    const settled = rowOfApi(data.report, data.report);
    Object.assign(row, settled, { req: row.req });
  },
  notice(data) {
    store.notices.push(data.text);
  },
  job_closed(data) {
    Object.assign(store.job, {
      exit_code: data.exit_code,
      elapsed: data.elapsed,
      interrupted: data.interrupted || "",
    });
    jobIsOver();
  },
};

function jobIsOver() {
  store.live = "over";
  document.querySelector(".cancel-job")?.remove();
  saySituation();
}

function hear(kind, data) {
  if (kind === "reset" || kind === "resumed") return false;
  const row = data.task ? rowNumbered(data.task) : null;
  if (kind in HEARD && (row || !data.task)) HEARD[kind](data, row);
  return true;
}

async function listen() {
  let pause = FIRST_PAUSE;
  while (store.live !== "over") {
    let situation = "connection lost, trying again";
    const before = lastEvent;
    try {
      const response = await ask("events", { headers: { "Last-Event-ID": String(lastEvent) } });
      saySituation("live");
      if (!(await readEvents(response.body))) await loadJob();
      redrawSoon();
      // A job without a controller ends each stream at once, until it is gone on with.
      if (lastEvent !== before) pause = FIRST_PAUSE;
      else if ((await askJson("job")).over) situation = "its controller is gone";
    } catch (error) {
      if (error.status === 401) return saySituation("this link is not good any more");
    }
    if (store.live === "over") break;
    saySituation(situation);
    await new Promise((resolve) => {
      setTimeout(resolve, pause);
    });
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
  redrawSoon();
  return null;
}

// Return whether the stream went on from where we were; if not, all has to be asked for again.
async function readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return true;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(
        block
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
      );
      if (!fields.event) continue;
      if (!hear(fields.event, JSON.parse(fields.data))) {
        reader.cancel();
        return false;
      }
      if (fields.id) lastEvent = Number(fields.id);
    }
    redrawSoon();
  }
}

let isDue = false;
function redrawSoon() {
  if (isDue) return;
  isDue = true;
  setTimeout(
    () => {
      isDue = false;
      redraw();
    },
    store.rows.length > 5000 ? 4 * REDRAW : REDRAW,
  );
}

function tick() {
  if (store.live === "live" && !document.hidden && store.rows.some((row) => row.since !== null))
    redraw();
}

// What is selected stays so, to be copied: who selects has to wait for what is new.
const isSelecting = () =>
  Boolean(String(getSelection())) && main.contains(getSelection().anchorNode);
let isBehind = false;

function selectionChanged() {
  if (isBehind && !isSelecting()) redrawSoon();
}

// What has the focus keeps it, though its element is another one afterwards.
function redraw() {
  if (!view) return;
  isBehind = isSelecting();
  if (isBehind) return;
  const active = document.activeElement;
  const address = main.contains(active) ? active.getAttribute("href") : null;
  view.refresh();
  if (address && !active.isConnected)
    [...main.querySelectorAll("a")].find((each) => each.getAttribute("href") === address)?.focus();
}

function saySituation(text) {
  if (store.live === "over") return fill(status, "The job is over");
  const isLost = text !== "live";
  return fill(
    status,
    h(`span${isLost ? ".is-lost" : ""}`, null, text === "live" ? "\u25cf live" : text),
  );
}
