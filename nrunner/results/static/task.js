// One task: its verdict and reason first, then what it wrote, and all that is known of it.

function task(text) {
  const number = Number(text);
  const row = rowNumbered(number);
  const view = h("div.task");
  if (!row) {
    fill(
      view,
      h("h1", null, "No such task"),
      h("p", null, `There is no task ${visible(text, 20)} in this job.`),
    );
    return { element: view, title: "No such task", refresh() {} };
  }
  const follower = store.live ? followLogs(row) : null;
  let drawnFor = "";
  const draw = () => {
    const key = `${row.state} ${row.attempts.length} ${row.phases.length}`;
    if (key === drawnFor) {
      const clock = view.querySelector(".since");
      if (clock) clock.textContent = duration(elapsedOf(row));
      return;
    }
    if (drawnFor) follower?.hurry();
    drawnFor = key;
    fill(
      view,
      taskHead(row),
      reasonOf(row),
      follower ? follower.element : tails(row),
      traceback(row),
      tries(row),
      way(row),
      about(row),
      beside(row),
    );
  };
  draw();
  return { element: view, title: row.id, refresh: draw, close: () => follower?.close() };
}

function neighbours(row) {
  const list = lastChosen || store.rows;
  const index = list.indexOf(row);
  return [
    index > 0 ? list[index - 1] : null,
    index >= 0 && index < list.length - 1 ? list[index + 1] : null,
  ];
}

function taskHead(row) {
  const [before, after] = neighbours(row);
  const step = (other, text, key) =>
    other
      ? h(
          "a.step",
          { href: `#/task/${other.n}`, title: `${key}: ${visible(other.id, 80)}`, "data-key": key },
          text,
        )
      : null;
  const again = againCommand(row);
  const cancel =
    isLive() && !row.result
      ? h(
          "button.danger",
          { type: "button", onclick: (event) => cancelTask(row, event.target) },
          "Cancel this task",
        )
      : null;
  return h(
    "header.task-head",
    null,
    h(
      "nav.steps",
      { "aria-label": "Neighbours" },
      h("a", { href: addressOf(lastQuery) }, "\u2190 Tasks"),
      step(before, "previous", "k"),
      step(after, "next", "j"),
    ),
    h("h1", null, badge(row.state), " ", nameOf(row.id, 600)),
    h(
      "p.soft",
      null,
      `task ${row.n} of ${count(store.job.total)}`,
      row.kind ? ` \u00b7 ${visible(row.kind, 60)}` : null,
      row.since !== null
        ? [" \u00b7 runs for ", h("span.since", null, duration(elapsedOf(row)))]
        : row.result
          ? ` \u00b7 ${duration(row.elapsed)}`
          : null,
      row.env
        ? [
            " \u00b7 in ",
            h("a", { href: addressOf({ q: "", env: row.env }) }, nameOf(row.env, 100)),
          ]
        : null,
      row.attempts.length > 1 ? ` \u00b7 ${row.attempts.length} attempts` : null,
    ),
    h(
      "p.again",
      null,
      h("code.command", null, visible(again, 1000)),
      " ",
      copyButton(again, "a command that runs it again"),
      " ",
      cancel,
    ),
  );
}

function reasonOf(row) {
  if (!row.result) return null;
  const [whose, why] = CAUSES[row.cause] || ["", ""];
  const doing = row.attempts.at(-1)?.doing;
  if (row.result === "PASS" && !row.detail) return null;
  return h(
    `section.verdict.edge-${row.result.toLowerCase()}`,
    { "aria-label": "Verdict" },
    longText(row.detail || row.fail || "no reason given", "reason", "Reason"),
    h(
      "p.soft",
      null,
      h("b", null, whose),
      ` \u2013 ${row.cause === "test" ? "" : `${row.cause}: `}${why}`,
    ),
    doing ? h("p", null, "What it was doing: ", h("code", null, visible(doing, 400))) : null,
  );
}

function tails(row) {
  const parts = ["stdout", "stderr"]
    .filter((name) => row.tail[name])
    .map((name) => {
      const [text, isWhole] = row.tail[name];
      return h(
        "div",
        null,
        h(
          "h3",
          null,
          name,
          isWhole ? null : h("span.soft", null, " (its last lines)"),
          " ",
          fileLink(row, name, "whole file"),
        ),
        output(text, name),
      );
    });
  const others = ["stdout", "stderr"].filter((name) => !row.tail[name] && row.outputs[name]);
  if (others.length)
    parts.push(
      h(
        "p.soft",
        null,
        "Not in this page: ",
        others.map((name, index) => [index ? " and " : "", fileLink(row, name, name)]),
      ),
    );
  return parts.length ? section("Output", parts) : null;
}

function fileLink(row, name, text) {
  const path = row.outputs[name];
  if (!path) return null;
  if (store.live && name !== "stdout" && name !== "stderr") return text;
  if (store.live)
    return h("button.link", { type: "button", onclick: () => saveLog(row, name) }, text);
  return h("a", { href: fileAddress(path), target: "_blank", rel: "noopener" }, text);
}

function traceback(row) {
  // Some runners write it to the output as well.
  const isThere = Object.values(row.tail).some(([text]) => text.includes(row.tb.trim()));
  return row.tb && !isThere ? section("Traceback", longText(row.tb, "output", "Traceback")) : null;
}

function tries(row) {
  const list = row.attempts;
  if (!list.length) return null;
  const lines = [
    ["Result", (each) => badge(each.result || "WAITING")],
    ["Cause", (each) => each.cause],
    [
      "Reason",
      (each, index) =>
        longText(
          each.detail || (index === list.length - 1 ? row.detail : "") || "\u2013",
          "reason",
          "Reason of this attempt",
        ),
    ],
    ["Environment", (each) => nameOf(each.env, 100)],
    ["Began", (each) => (each.start === null ? "never" : `after ${duration(each.start)}`)],
    ["Took", (each) => duration(each.elapsed)],
    ["Exit status", (each) => exitText(each)],
    ["Was doing", (each) => visible(each.doing, 300)],
    [
      "Left behind",
      (each) =>
        each.leaks
          .concat(each.unkillable)
          .slice(0, 20)
          .map((leak) =>
            h(
              "div",
              null,
              h("code", null, visible(String(leak.command ?? ""), 120)),
              ` (${leak.pid}${leak.wait_channel ? `, waits in ${leak.wait_channel}` : ""})`,
            ),
          ),
    ],
    ["Held by", (each) => each.layer && visible(each.layer, 40)],
  ].filter(([, show]) =>
    list.some((each, index) => {
      const shown = show(each, index);
      return Array.isArray(shown) ? shown.length : shown;
    }),
  );
  return section(
    list.length > 1 ? "Attempts" : "Attempt",
    h(
      "div.wide",
      null,
      h(
        "table.attempts",
        null,
        list.length > 1
          ? h(
              "thead",
              null,
              h(
                "tr",
                null,
                h("td"),
                list.map((_, index) => h("th", { scope: "col" }, `Attempt ${index + 1}`)),
              ),
            )
          : null,
        h(
          "tbody",
          null,
          lines.map(([name, show]) =>
            h(
              "tr",
              null,
              h("th", { scope: "row" }, name),
              list.map((each, index) => h("td", null, show(each, index))),
            ),
          ),
        ),
      ),
    ),
  );
}

function exitText(attempt) {
  if (attempt.rc === null) return "";
  const core = attempt.core ? ", core dumped" : "";
  return attempt.rc < 0 && attempt.rc > -65
    ? `killed by signal ${-attempt.rc}${core}`
    : `${attempt.rc}${core}`;
}

function way(row) {
  if (row.phases.length < 2) return null;
  const begin = row.phases[0][1];
  const end = row.phases.at(-1)[1];
  const whole = Math.max(end - begin, 1e-9);
  const parts = row.phases
    .slice(0, -1)
    .map(([phase, time], index) => ({ phase, lasted: row.phases[index + 1][1] - time }));
  const bars = parts
    .filter(({ lasted }) => lasted / whole > 0.001)
    .map(({ phase, lasted }) => {
      const part = h(
        `span.part.p-${phase.toLowerCase()}`,
        { title: `${phase}: ${duration(lasted)}` },
        lasted / whole > 0.12 ? phase.toLowerCase() : "",
      );
      part.style.flexGrow = lasted / whole;
      return part;
    });
  const list = row.phases.map(([phase, time], index) =>
    h(
      "li",
      null,
      h(`span.swatch.p-${phase.toLowerCase()}`, { "aria-hidden": "true" }),
      ` ${phase} `,
      h(
        "span.soft",
        null,
        `after ${duration(time)}${parts[index] ? ` for ${duration(parts[index].lasted)}` : ""}`,
      ),
    ),
  );
  return section(
    "Its way",
    h("div.bar.phases", { "aria-hidden": "true" }, bars),
    h("ol.plain.phase-list", null, list),
  );
}

function about(row) {
  const pairs = [
    ["reference", row.ref],
    ["uri", row.uri],
    ["variant", row.variant],
    ["suite", row.suite],
    ["class", row.cls],
    ["failed by", row.fail],
    ["folder", row.dir],
  ].filter(([, value]) => value);
  const tags = row.tags.map((tag) =>
    h("a.tag", { href: addressOf({ q: "", tag }) }, visible(tag, 80)),
  );
  const files = Object.keys(row.outputs).map((name) =>
    h("li", null, fileLink(row, name, visible(name, 120))),
  );
  return section(
    "About it",
    h(
      "dl.pairs",
      null,
      pairs.map(([name, value]) => [h("dt", null, name), h("dd", null, nameOf(value, 500))]),
      tags.length ? [h("dt", null, "tags"), h("dd", null, tags)] : null,
      row.req.length
        ? [
            h("dt", null, "requires"),
            h(
              "dd",
              null,
              h(
                "ul.plain",
                null,
                row.req.map((each) => h("li", null, visible(each, 200))),
              ),
            ),
          ]
        : null,
      files.length
        ? [h("dt", null, "files"), h("dd", null, h("ul.plain.files", null, files))]
        : null,
    ),
    row.wb ? [h("h3", null, "Whiteboard"), longText(row.wb, "output", "Whiteboard")] : null,
  );
}

function beside(row) {
  const others = besideOf(row, store.rows);
  if (!others.length) return null;
  const failed = others.filter(({ row: other }) => BAD.has(other.result)).length;
  const list = others
    .slice(0, 8)
    .map(({ row: other, common, sameEnv }) =>
      h(
        "li",
        null,
        badge(other.state),
        " ",
        taskLink(other, 100),
        h(
          "span.soft",
          null,
          ` ${duration(common)} together${sameEnv ? "" : `, in ${visible(other.env, 60)}`}`,
        ),
      ),
    );
  return section(
    "Ran beside it",
    h(
      "p.soft",
      null,
      `${many(others.length, "other test")}${failed ? `, of which ${count(failed)} failed` : ""}`,
    ),
    h("ul.plain", null, list),
  );
}
