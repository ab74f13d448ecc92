// What is worth a look, for the overview: what runs, causes, what was slow, tried again, left behind.

function runningNow(rows) {
  const running = rows.filter((row) => row.since !== null).sort((a, b) => a.since - b.since);
  if (!running.length) return null;
  const list = running
    .slice(0, SHOWN_SLOWEST)
    .map((row) =>
      h("li", null, h("span.number", null, duration(elapsedOf(row))), taskLink(row, 90)),
    );
  const more = running.length - list.length;
  return section(
    "Running now",
    h("ol.plain.ranked", null, list),
    more ? h("p.soft", null, `and ${count(more)} more`) : null,
  );
}

function causes(rows) {
  const counts = new Map();
  for (const row of rows)
    if (row.result && row.result !== "PASS")
      counts.set(row.cause, (counts.get(row.cause) || 0) + 1);
  if (!counts.size) return null;
  const list = CAUSE_ORDER.filter((cause) => counts.has(cause)).map((cause) =>
    h(
      "tr",
      null,
      h("td.number", null, count(counts.get(cause))),
      h(
        "td",
        null,
        h(
          "a",
          {
            href: addressOf({
              q: "",
              results: new Set(RESULTS.filter((each) => each !== "PASS")),
              cause,
            }),
          },
          cause,
        ),
      ),
      h("td", null, CAUSES[cause][0], h("div.soft", null, CAUSES[cause][1])),
    ),
  );
  return section(
    "Causes",
    h(
      "table.small",
      null,
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          h("th.number", { scope: "col" }, "Tasks"),
          h("th", { scope: "col" }, "Cause"),
          h("th", { scope: "col" }, "Where to look"),
        ),
      ),
      h("tbody", null, list),
    ),
  );
}

function slowest(rows) {
  const done = rows.filter((row) => row.result && row.elapsed > 0);
  if (!done.length) return null;
  const top = sorted(done, "-elapsed").slice(0, SHOWN_SLOWEST);
  const most = top[0].elapsed;
  const list = top.map((row) => {
    const meter = h(`span.meter.s-${row.state.toLowerCase()}`);
    meter.style.width = `${Math.max(1, (row.elapsed / most) * 100)}%`;
    return h(
      "li",
      null,
      h("span.number", null, duration(row.elapsed)),
      h("span.under", null, taskLink(row, 90), h("span.track", { "aria-hidden": "true" }, meter)),
    );
  });
  return section(
    "Slowest",
    h("ol.plain.ranked", null, list),
    h("p.soft", null, h("a", { href: addressOf({ q: "", sort: "-elapsed" }) }, "all by time")),
  );
}

// Places that are as good as others: how each did, and what its last trouble was.
function devices(rows) {
  const places = Object.entries(store.job.facts?.places || {});
  if (!places.length) return null;
  const counts = new Map();
  for (const row of rows)
    for (const each of row.attempts) counts.set(each.env, (counts.get(each.env) || 0) + 1);
  const list = places
    .slice(0, 100)
    .map(([name, place]) =>
      h(
        "tr",
        null,
        h("td", null, h("a", { href: addressOf({ q: "", env: name }) }, nameOf(name, 60))),
        h("td", null, visible(String(place.state ?? ""), 40)),
        h("td.number", null, count(counts.get(name) || 0)),
        h("td", null, place.reason ? nameOf(firstLine(String(place.reason)), 200) : null),
      ),
    );
  const heads = [["Device"], ["State"], ["Attempts", "number"], ["Last trouble"]].map(
    ([text, kind]) => h(kind ? `th.${kind}` : "th", { scope: "col" }, text),
  );
  return section(
    "Devices",
    h("table.small", null, h("thead", null, h("tr", null, heads)), h("tbody", null, list)),
    places.length > list.length
      ? h("p.soft", null, `and ${count(places.length - list.length)} more`)
      : null,
  );
}

function retried(rows) {
  const found = rows.filter(MARKS.retried);
  if (!found.length) return null;
  const list = found
    .slice(0, SHOWN_SLOWEST)
    .map((row) =>
      h(
        "li",
        null,
        badge(row.state),
        " ",
        taskLink(row, 80),
        h("span.soft", null, ` ${row.attempts.map((each) => each.result).join(" \u2192 ")}`),
      ),
    );
  const flaky = found.filter(isFlaky).length;
  return section(
    "Tried again",
    h(
      "p.soft",
      null,
      `${many(found.length, "test")}, of which ${count(flaky)} flaky: failed, then passed`,
    ),
    h("ul.plain", null, list),
    found.length > list.length
      ? h("p", null, h("a", { href: addressOf({ q: "", mark: "retried" }) }, "all of them"))
      : null,
  );
}

function leaked(rows) {
  const found = rows.filter(MARKS.leaks);
  if (!found.length) return null;
  const list = found.slice(0, SHOWN_SLOWEST).map((row) =>
    h(
      "li",
      null,
      taskLink(row, 80),
      h(
        "ul.plain.soft",
        null,
        leaksOf(row)
          .slice(0, 3)
          .map((leak) =>
            h(
              "li",
              null,
              h("code", null, visible(String(leak.command ?? ""), 100)),
              ` (${leak.pid})`,
            ),
          ),
      ),
    ),
  );
  return section(
    "Left behind",
    h("p.soft", null, "Processes that outlived their test"),
    h("ul.plain", null, list),
    found.length > list.length
      ? h("p", null, h("a", { href: addressOf({ q: "", mark: "leaks" }) }, "all of them"))
      : null,
  );
}
