// Several jobs: a list, from which each has a page of its own.

async function beginJobs() {
  const { jobs } = await askJson("/api/v1/jobs");
  const rows = jobs.map((job) =>
    h(
      "tr",
      null,
      h("td", null, h("a", { href: `/jobs/${job.short}/` }, visible(job.name, 80))),
      h("td", null, job.state),
      h(
        "td",
        null,
        h(
          "span.chips",
          null,
          Object.entries(job.results)
            .filter(([, number]) => number)
            .map(([result, number]) =>
              h("span.chip", null, badge(result), h("b", null, count(number))),
            ),
        ),
      ),
      h("td.number", null, many(job.total, "task")),
      h("td", null, nameOf(job.command.join(" "), 120)),
    ),
  );
  const heads = ["Job", "State", "Results", "Tasks", "Command"].map((text) =>
    h("th", { scope: "col" }, text),
  );
  fill(
    app,
    h(
      "main.is-wide",
      { id: "main" },
      h("h1", null, "Jobs"),
      h(
        "div.wide",
        null,
        h("table.small.jobs", null, h("thead", null, h("tr", null, heads)), h("tbody", null, rows)),
      ),
    ),
  );
  document.title = "Jobs - nrunner";
  document.documentElement.dataset.ready = performance.now().toFixed(0);
}
