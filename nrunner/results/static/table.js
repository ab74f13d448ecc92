// All tasks, filtered and sorted. Only the rows in sight are in the document.

const COLUMNS = [
  ["n", "#", "Number"],
  ["state", "Result", "Result"],
  ["id", "Task", "Task and reason"],
  ["cause", "Cause", "Cause"],
  ["env", "Environment", "Environment"],
  ["attempts", "Tries", "Attempts"],
  ["elapsed", "Time", "Time"],
];
let lastQuery = queryOf("");
let lastChosen = null;
let lastPlace = null;

function table(text) {
  const query = queryOf(text);
  lastQuery = query;
  const state = { found: [], active: 0, first: -1, last: -1 };
  const search = h("input", {
    type: "search",
    placeholder: "Search names, reasons, tags",
    "aria-label": "Search",
    autocomplete: "off",
    spellcheck: "false",
    id: "search",
  });
  search.value = query.q;
  const say = h("p.count", { role: "status", "aria-live": "polite" });
  const body = h("div.rows", { role: "rowgroup" });
  const head = h("div.row.head", { role: "row", "aria-rowindex": "1" });
  const scroller = h(
    "div.scroller",
    {
      tabindex: "0",
      role: "table",
      "aria-label": "Tasks; arrow keys move, Enter opens",
      onscroll: () => drawRows(),
    },
    h("div.head-holder", { role: "rowgroup" }, head),
    body,
  );
  const grid = h("div.grid", null, scroller);
  const filters = h("div.filters");
  const view = h(
    "div.tasks",
    null,
    h("h1.off-screen", null, "Tasks"),
    h("div.tools", null, search, filters),
    say,
    grid,
  );
  const drawn = new Map();

  const go = (isMinor) => {
    lastQuery = query;
    history[isMinor ? "replaceState" : "pushState"](null, "", addressOf(query));
    refresh(true);
  };
  let later = 0;
  search.addEventListener("input", () => {
    query.q = search.value;
    clearTimeout(later);
    later = setTimeout(() => go(true), store.rows.length > 5000 ? 60 : 0);
  });

  function drawHead() {
    const down = query.sort.startsWith("-");
    const key = down ? query.sort.slice(1) : query.sort || "n";
    fill(
      head,
      COLUMNS.map(([name, short, long]) => {
        const isKey = name === key;
        const next = isKey && !down ? `-${name}` : name;
        return h(
          `span.c-${name}`,
          {
            role: "columnheader",
            "aria-sort": isKey ? (down ? "descending" : "ascending") : "none",
          },
          h(
            "button",
            {
              type: "button",
              title: `Sort by ${long.toLowerCase()}`,
              onclick: () => {
                query.sort = next === "n" ? "" : next;
                go();
                head.querySelector(`.c-${name} button`).focus();
              },
            },
            short,
            isKey ? h("span", { "aria-hidden": "true" }, down ? " \u2193" : " \u2191") : null,
          ),
        );
      }),
    );
  }

  function drawFilters() {
    const counts = tallyOf(store.rows);
    const buttons = RESULTS.concat(STATES)
      .filter((each) => counts[each] || query.results.has(each))
      .map((each) =>
        h(
          "button.chip",
          {
            type: "button",
            "aria-pressed": String(query.results.has(each)),
            "data-result": each,
            onclick: () => {
              if (!query.results.delete(each)) query.results.add(each);
              go();
              filters.querySelector(`[data-result=${each}]`)?.focus();
            },
          },
          badge(each),
          h("b", null, count(counts[each] || 0)),
        ),
      );
    fill(
      filters,
      h("div.chips", { role: "group", "aria-label": "Results" }, buttons),
      choice("cause", "cause", (row) => [row.cause]),
      choice("kind", "kind", (row) => [row.kind]),
      choice("suite", "suite", (row) => [row.suite]),
      choice("env", "environment", (row) => [row.env]),
      choice("tag", "tag", (row) => row.tags),
      extra(),
    );
  }

  function choice(name, label, valuesOf) {
    const values = new Set();
    for (const row of store.rows) for (const value of valuesOf(row)) if (value) values.add(value);
    if (query[name]) values.add(query[name]);
    if (values.size < 2 && !query[name]) return null;
    const options = [...values]
      .sort()
      .slice(0, 1000)
      .map((value) => {
        const option = h("option", { value }, visible(value, 60));
        option.selected = value === query[name];
        return option;
      });
    return h(
      "select",
      {
        "aria-label": label,
        "data-filter": name,
        onchange: (event) => {
          query[name] = event.target.value;
          go();
          filters.querySelector(`[data-filter=${name}]`)?.focus();
        },
      },
      h("option", { value: "" }, `any ${label}`),
      options,
    );
  }

  function extra() {
    const parts = [
      ["reason", query.reason],
      ["mark", query.mark],
    ].filter(([, value]) => value);
    const buttons = parts.map(([name, value]) =>
      h(
        "button.chip",
        {
          type: "button",
          title: "Remove this filter",
          onclick: () => {
            query[name] = "";
            go();
          },
        },
        `${name === "reason" ? "reason: " : ""}${visible(value, 60)}`,
        h("span", { "aria-hidden": "true" }, " \u00d7"),
      ),
    );
    const isAny = query.q || query.results.size || FILTERS.some((name) => query[name]);
    return [
      buttons,
      isAny
        ? h(
            "button",
            {
              type: "button",
              onclick: () => {
                Object.assign(query, queryOf(""), { sort: query.sort });
                search.value = "";
                go();
              },
            },
            "Clear",
          )
        : null,
    ];
  }

  const heightOf = () => parseFloat(getComputedStyle(scroller).getPropertyValue("--row")) || 30;

  function drawRows(isAnew) {
    const height = heightOf();
    const seen = scroller.clientHeight || 600;
    const first = Math.max(0, Math.floor(scroller.scrollTop / height) - 8);
    const last = Math.min(state.found.length, Math.ceil((scroller.scrollTop + seen) / height) + 8);
    if (!isAnew && first === state.first && last === state.last) return;
    Object.assign(state, { first, last });
    for (const [index, element] of drawn) {
      if (isAnew || index < first || index >= last) {
        element.remove();
        drawn.delete(index);
      }
    }
    for (let index = first; index < last; index++) {
      if (drawn.has(index)) continue;
      const element = rowElement(state.found[index], index);
      element.style.transform = `translateY(${index * height}px)`;
      drawn.set(index, element);
      body.append(element);
    }
  }

  function rowElement(row, index) {
    const reason = row.result === "PASS" ? "" : firstLine(row.detail);
    const isActive = index === state.active;
    return h(
      `div.row${isActive ? ".is-active" : ""}`,
      {
        role: "row",
        "aria-rowindex": String(index + 2),
        "data-n": String(row.n),
        onclick: (event) => {
          if (!event.target.closest("a") && !String(getSelection())) open(index);
        },
      },
      h("span.c-n", { role: "cell" }, String(row.n)),
      h("span.c-state", { role: "cell" }, badge(row.state)),
      h(
        "span.c-id",
        { role: "cell" },
        h("a.name", { href: `#/task/${row.n}`, tabindex: "-1" }, nameOf(row.id, 200)),
        reason ? h("span.why", null, nameOf(reason, 240)) : null,
      ),
      h("span.c-cause", { role: "cell" }, row.result && row.result !== "PASS" ? row.cause : ""),
      h("span.c-env", { role: "cell" }, nameOf(row.env, 60)),
      h(
        "span.c-attempts",
        { role: "cell" },
        row.attempts.length > 1 ? String(row.attempts.length) : "",
      ),
      h(
        "span.c-elapsed",
        { role: "cell" },
        row.since !== null || row.elapsed ? duration(elapsedOf(row)) : "",
      ),
    );
  }

  function open(index) {
    state.active = index;
    const row = state.found[index];
    if (row) location.hash = `#/task/${row.n}`;
  }

  function move(to) {
    state.active = Math.max(0, Math.min(state.found.length - 1, to));
    const height = heightOf();
    const top = state.active * height;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + height + head.offsetHeight > scroller.scrollTop + scroller.clientHeight)
      scroller.scrollTop = top + height + head.offsetHeight - scroller.clientHeight;
    drawRows(true);
    const row = state.found[state.active];
    if (row) live.textContent = `${row.state} ${visible(row.id, 120)}`;
  }
  const live = h("p.off-screen", { "aria-live": "polite" });
  view.append(live);

  scroller.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(scroller.clientHeight / heightOf()) - 1);
    const steps = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -Infinity,
      End: Infinity,
    };
    if (event.key in steps) move(state.active + steps[event.key]);
    else if (event.key === "Enter" && event.target === scroller) open(state.active);
    else return;
    event.preventDefault();
  });

  // What would say the same in each row, or nothing, leaves its room to names and reasons.
  function spareColumns() {
    const first = store.rows[0]?.env;
    scroller.classList.toggle(
      "no-env",
      store.rows.every((row) => row.env === first || !row.env),
    );
    scroller.classList.toggle(
      "no-attempts",
      store.rows.every((row) => row.attempts.length < 2),
    );
    scroller.classList.toggle(
      "no-cause",
      store.rows.every((row) => !row.result || row.result === "PASS" || row.cause === "test"),
    );
  }

  function refresh(isAsked) {
    const before = performance.now();
    state.found = lastChosen = chosen(store.rows, query);
    view.dataset.filtered = (performance.now() - before).toFixed(1);
    if (isAsked) {
      state.active = 0;
      scroller.scrollTop = 0;
      drawFilters();
    }
    spareColumns();
    drawHead();
    body.style.height = `${state.found.length * heightOf()}px`;
    scroller.setAttribute("aria-rowcount", String(state.found.length + 1));
    say.textContent =
      state.found.length === store.rows.length
        ? many(store.rows.length, "task")
        : `${count(state.found.length)} of ${many(store.rows.length, "task")}`;
    if (!state.found.length) say.textContent = store.rows.length ? "No task fits" : "No tasks";
    drawRows(true);
    view.dataset.drawn = (performance.now() - before).toFixed(1);
  }

  // Who comes back finds the place that was left.
  const comeBack = () => {
    if (lastPlace?.address !== addressOf(query)) return;
    state.active = lastPlace.active;
    scroller.scrollTop = lastPlace.top;
    drawRows(true);
  };
  const leave = () => {
    lastPlace = { address: addressOf(query), active: state.active, top: scroller.scrollTop };
  };

  drawFilters();
  const observer = new ResizeObserver(() => {
    body.style.height = `${state.found.length * heightOf()}px`;
    drawRows(true);
  });
  observer.observe(scroller);
  return {
    element: view,
    title: "Tasks",
    shown: () => {
      refresh(false);
      comeBack();
    },
    refresh: () => {
      if (document.activeElement?.tagName !== "SELECT") drawFilters();
      refresh(false);
    },
    close: () => {
      leave();
      observer.disconnect();
    },
    isWide: true,
  };
}
