// The first view: how it went, why, and what is worth a look.

const EXIT_BITS = [
  [1, "tests failed"],
  [2, "the job itself failed"],
  [4, "wrong usage"],
  [8, "interrupted"],
];
const KEY_HELP = [
  ["1 2 3", "overview, tasks, timeline"],
  ["/", "search"],
  ["j k", "next and previous task"],
  ["u", "back to the table"],
  ["t", "light or dark"],
];
const SHOWN_OF_GROUP = 5;
const SHOWN_SLOWEST = 10;

function overview() {
  const view = h("div.overview");
  const draw = () => {
    const rows = store.rows;
    const groups = groupsOf(rows);
    fill(
      view,
      headline(rows),
      bar(rows),
      figures(rows),
      groups.length ? failures(groups) : null,
      h(
        "div.columns",
        null,
        runningNow(rows),
        causes(rows),
        slowest(rows),
        devices(rows),
        retried(rows),
        leaked(rows),
      ),
      aboutJob(),
    );
  };
  draw();
  return { element: view, title: "Overview", refresh: draw };
}

function headline(rows) {
  const bad = rows.filter((row) => BAD.has(row.result)).length;
  const open = store.job.total - rows.filter((row) => row.result).length;
  let text = bad
    ? `${count(bad)} of ${many(store.job.total, "test")} failed`
    : `All ${many(store.job.total, "test")} fine`;
  if (!store.job.total) text = "No tests";
  else if (isLive() && open && !bad)
    text = `${count(store.job.total - open)} of ${many(store.job.total, "test")} done, none failed`;
  else if (isLive() && open) text += ` so far, ${count(open)} to go`;
  else if (open > 0) text += `, ${count(open)} without a verdict`;
  const cut = store.job.interrupted
    ? h("p.cut", null, "Cut short: ", nameOf(store.job.interrupted))
    : null;
  return h(
    "div",
    null,
    h(`h1.headline${bad || (open > 0 && !isLive()) ? ".is-bad" : ".is-fine"}`, null, text),
    cut,
  );
}

function bar(rows) {
  const counts = tallyOf(rows);
  const states = RESULTS.concat(STATES).filter((state) => counts[state]);
  const parts = states.map((state) => {
    const part = h(`a.part.s-${state.toLowerCase()}`, {
      href: addressOf({ q: "", results: new Set([state]) }),
      title: `${state}: ${counts[state]}`,
      tabindex: "-1",
      "aria-hidden": "true",
    });
    part.style.flexGrow = counts[state];
    return part;
  });
  const chips = states.map((state) =>
    h(
      "li",
      null,
      h(
        "a.chip",
        { href: addressOf({ q: "", results: new Set([state]) }) },
        badge(state),
        h("b", null, count(counts[state])),
      ),
    ),
  );
  return h(
    "div",
    null,
    h("div.bar", null, parts),
    h("ul.chips", { "aria-label": "Results" }, chips),
  );
}

function figures(rows) {
  const job = store.job;
  const elapsed = isLive() ? now() : job.elapsed;
  const spent = rows.reduce(
    (sum, row) => sum + row.attempts.reduce((part, each) => part + each.elapsed, 0),
    0,
  );
  const code = job.exit_code || 0;
  const meaning =
    EXIT_BITS.filter(([bit]) => code & bit)
      .map(([, text]) => text)
      .join(", ") || "all fine";
  const left = isLive() ? timeLeft(rows) : "";
  const figure = (name, value, note) =>
    h(
      "div.figure",
      null,
      h("dt", null, name),
      h("dd", null, value, note ? h("small", null, note) : null),
    );
  return h(
    "dl.figures",
    null,
    figure(
      isLive() ? "Running for" : "Took",
      duration(elapsed),
      left ||
        (elapsed > 0 && spent > elapsed * 1.5
          ? `${(spent / elapsed).toFixed(1)} tests at once on average`
          : ""),
    ),
    figure("Began", new Date(job.start * 1000).toLocaleString(), ""),
    isLive() ? null : figure("Exit code", String(code), meaning),
    figure("In tests", duration(spent), "all attempts added up"),
  );
}

function timeLeft(rows) {
  const done = rows.filter((row) => row.result).length;
  const open = store.job.total - done;
  if (!open || done < 5) return "";
  return `about ${duration((now() / done) * open)} left`;
}

function failures(groups) {
  const list = groups.slice(0, 50).map((group) => {
    const [whose, why] = CAUSES[group.cause] || ["", ""];
    const first = group.rows[0];
    const all = addressOf({
      q: "",
      results: new Set([group.result]),
      cause: group.cause,
      reason: group.reason,
    });
    const tasks = group.rows
      .slice(0, SHOWN_OF_GROUP)
      .map((row) =>
        h(
          "li",
          null,
          taskLink(row),
          row.env ? h("span.soft", null, " in ", nameOf(row.env, 60)) : null,
          row.elapsed ? h("span.soft", null, ` ${duration(row.elapsed)}`) : null,
        ),
      );
    const more = group.rows.length - tasks.length;
    const where = environmentsOf(group.rows);
    return h(
      `li.group.edge-${group.result.toLowerCase()}`,
      null,
      h(
        "div.group-head",
        null,
        badge(group.result),
        group.rows.length > 1 ? h("b.times", null, `\u00d7 ${count(group.rows.length)}`) : null,
        h(
          "span.whose",
          { title: why },
          group.cause === "test" ? whose : `${whose}: ${group.cause}`,
        ),
      ),
      h(
        "p.reason",
        null,
        nameOf(firstLine(first.detail || first.fail || "no reason given"), 300),
        first.attempts.at(-1)?.doing
          ? h("span.soft", null, ` \u00b7 ${visible(first.attempts.at(-1).doing, 160)}`)
          : null,
      ),
      h("ul.plain", null, tasks),
      h(
        "p.soft",
        null,
        more > 0 ? h("a", { href: all }, `and ${count(more)} more`) : null,
        more > 0 && where ? " \u00b7 " : null,
        where,
      ),
    );
  });
  const rest =
    groups.length > list.length
      ? h("p", null, `and ${count(groups.length - list.length)} other reasons`)
      : null;
  return section("Failures by reason", h("ul.plain.groups", null, list), rest);
}

function environmentsOf(rows) {
  if (rows.length < 3) return "";
  const names = new Set(rows.map((row) => row.env).filter(Boolean));
  const all = new Set(store.rows.map((row) => row.env).filter(Boolean));
  if (names.size === 1 && all.size > 1) return `all of them in ${visible([...names][0], 60)}`;
  return "";
}

function aboutJob() {
  const job = store.job;
  const command = job.command.map(quoted).join(" ");
  const facts = Object.entries(job.facts || {})
    .filter(([name]) => name !== "places")
    .map(([name, value]) => [
      name.replaceAll("_", " "),
      typeof value === "string" ? value : JSON.stringify(value),
    ]);
  const pairs = [["id", job.id], ["folder", job.folder], ...facts];
  if (job.lag) pairs.push(["controller late by at most", duration(job.lag)]);
  return section(
    "About the job",
    h(
      "p",
      null,
      h("code.command", null, visible(command, 2000)),
      " ",
      copyButton(command, "the command"),
    ),
    h(
      "dl.pairs",
      null,
      pairs.map(([name, value]) => [
        h("dt", null, visible(name, 80)),
        h("dd", null, nameOf(String(value), 400)),
      ]),
    ),
    h(
      "details",
      null,
      h("summary", null, "Keys"),
      h(
        "dl.pairs",
        null,
        KEY_HELP.map(([key, text]) => [h("dt", null, h("kbd", null, key)), h("dd", null, text)]),
      ),
    ),
    store.notices.length
      ? h(
          "details",
          null,
          h("summary", null, many(store.notices.length, "notice")),
          h(
            "ul.plain",
            null,
            store.notices.slice(-200).map((text) => h("li", null, visible(text, 500))),
          ),
        )
      : null,
  );
}
