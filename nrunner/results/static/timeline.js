// What ran when and where: a lane for each slot of each environment, drawn on a canvas.

const HEAD = 24;
const AXIS = 26;

function timeline(text) {
  const asked = new URLSearchParams(text);
  const canvas = h("canvas", { tabindex: "0", role: "img", "aria-describedby": "timeline-help" });
  const tip = h("div.tip", { hidden: true });
  const holder = h("div.canvas-holder", null, canvas, tip);
  const tools = h(
    "div.tools",
    null,
    h(
      "button",
      { type: "button", title: "Zoom in (+)", "aria-label": "Zoom in", onclick: () => zoom(0.5) },
      "+",
    ),
    h(
      "button",
      { type: "button", title: "Zoom out (-)", "aria-label": "Zoom out", onclick: () => zoom(2) },
      "\u2212",
    ),
    h(
      "button",
      {
        type: "button",
        title: "All of it (0)",
        onclick: () => {
          range = null;
          draw();
          note();
        },
      },
      "All",
    ),
    h(
      "span.legend",
      { "aria-hidden": "true" },
      RESULTS.concat("RUNNING", "PREPARING")
        .filter((state) =>
          state === "PREPARING"
            ? store.rows.some((row) => row.phases.some(([phase]) => phase === state))
            : store.rows.some((row) => row.state === state),
        )
        .map((state) =>
          h("span", null, h(`span.swatch.s-${state.toLowerCase()}`), ` ${state.toLowerCase()} `),
        ),
    ),
  );
  const help = h(
    "p.soft",
    { id: "timeline-help" },
    "Ctrl and wheel, or + and \u2212, zoom; dragging and arrow keys move; n and p go from bar to bar, Enter opens. ",
    h("a", { href: "#/tasks?sort=start" }, "The same as a table"),
  );
  const view = h("div.timeline", null, h("h1.off-screen", null, "Timeline"), tools, holder, help);
  let range = asked.get("from") ? [Number(asked.get("from")), Number(asked.get("to"))] : null;
  let lanes = null;
  let hot = null;
  let drag = null;
  let LANE = 18;

  const whole = () => {
    const end = isLive() ? now() : Math.max(store.job.elapsed, lanes.latest);
    return [0, Math.max(end, 0.001)];
  };
  const side = () => (canvas.clientWidth < 600 ? 0 : 130);
  const span = () => range || whole();
  const xOf = (time) =>
    side() + ((time - span()[0]) / (span()[1] - span()[0])) * (canvas.clientWidth - side() - 8);
  const timeOf = (x) =>
    span()[0] + ((x - side()) / (canvas.clientWidth - side() - 8)) * (span()[1] - span()[0]);

  function places() {
    let top = AXIS;
    return lanes.places.map((place) => {
      const found = { ...place, top };
      top += HEAD + place.lanes * LANE;
      return found;
    });
  }

  function draw() {
    lanes = lanes || lanesOf(store.rows);
    const most = lanes.places.reduce((sum, place) => sum + place.lanes, 0);
    LANE = Math.max(18, Math.min(34, Math.floor(420 / Math.max(1, most))));
    const spots = places();
    const height =
      AXIS + lanes.places.reduce((sum, place) => sum + HEAD + place.lanes * LANE, 0) + 8;
    const scale = devicePixelRatio || 1;
    canvas.style.height = `${height}px`;
    canvas.width = canvas.clientWidth * scale;
    canvas.height = height * scale;
    canvas.setAttribute(
      "aria-label",
      `Timeline of ${many(lanes.bars.length, "bar")} in ${many(lanes.places.length, "environment")}, from ${duration(span()[0])} to ${duration(span()[1])}`,
    );
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    drawAxis(context, height);
    const colours = new Map();
    const colour = (state) => {
      if (!colours.has(state)) colours.set(state, colourOf(`s-${state.toLowerCase()}`));
      return colours.get(state);
    };
    const tops = new Map(spots.map((spot) => [spot.name, spot.top + HEAD]));
    for (const spot of spots) drawPlace(context, spot);
    context.save();
    context.beginPath();
    context.rect(side(), 0, canvas.clientWidth - side(), height);
    context.clip();
    const [begin, end] = span();
    const wide = canvas.clientWidth - side() - 8;
    const time = now();
    const placed = (second) => side() + ((second - begin) / (end - begin)) * wide;
    const drawnTo = new Map();
    // What stands out is drawn last, over its neighbours, and never too thin to be seen.
    const dull = (bar) => bar.state === "PASS" || bar.state === "PREPARING";
    for (const bar of [...lanes.bars.filter(dull), ...lanes.bars.filter((each) => !dull(each))]) {
      const top = tops.get(bar.env) + bar.lane * LANE;
      const from = placed(bar.from);
      const to = placed(bar.to ?? time);
      if (to < side() - 2 || from > canvas.clientWidth) continue;
      // Thousands of bars within one pixel are drawn once.
      const covered = drawnTo.get(top) ?? -1;
      if (dull(bar) && to - from < 1 && to < covered + 0.6) continue;
      drawnTo.set(top, Math.max(covered, to));
      context.fillStyle = colour(bar.state || "PASS");
      context.fillRect(
        from,
        top + 2,
        Math.max(BAD.has(bar.state) ? 3 : 1, to - from - (to - from > 4 ? 1 : 0)),
        LANE - 4,
      );
      if (to - from > 40 && bar.state !== "PREPARING") label(context, bar, from, to, top);
      if (bar === hot) {
        context.strokeStyle = colourOf("ink");
        context.lineWidth = 2;
        context.strokeRect(from - 1, top + 1, Math.max(3, to - from + 1), LANE - 2);
      }
    }
    context.restore();
  }

  function label(context, bar, from, to, top) {
    context.fillStyle = colourOf("on-state");
    context.save();
    context.beginPath();
    context.rect(from, top, to - from - 3, LANE);
    context.clip();
    context.fillText(visible(bar.row.id, 100), Math.max(from, side()) + 4, top + LANE / 2 + 0.5);
    context.restore();
  }

  function drawPlace(context, spot) {
    context.fillStyle = colourOf("soft");
    const isPreparing = spot.name.startsWith("\uffff");
    context.fillText(
      isPreparing ? "preparing" : visible(spot.name || "no environment", 50),
      6,
      spot.top + HEAD / 2 + 2,
    );
    context.fillStyle = colourOf("line");
    for (let lane = 0; lane < spot.lanes; lane++) {
      context.fillRect(side(), spot.top + HEAD + lane * LANE + LANE - 1, canvas.clientWidth, 1);
      if (side() && spot.lanes > 1) {
        context.fillStyle = colourOf("soft");
        context.fillText(`slot ${lane + 1}`, 18, spot.top + HEAD + lane * LANE + LANE / 2);
        context.fillStyle = colourOf("line");
      }
    }
  }

  function drawAxis(context, height) {
    const [from, to] = span();
    const step = niceStep((to - from) / Math.max(2, (canvas.clientWidth - side()) / 110));
    for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
      const x = xOf(time);
      context.fillStyle = colourOf("line");
      context.fillRect(x, AXIS - 6, 1, height);
      context.fillStyle = colourOf("soft");
      context.fillText(time ? duration(time) : "0", x + 4, AXIS / 2);
    }
  }

  function niceStep(least) {
    const steps = [1, 2, 5];
    if (least > 30) {
      return (
        [60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400].find((each) => each >= least) ||
        86400 * Math.ceil(least / 86400)
      );
    }
    let power = 10 ** Math.floor(Math.log10(Math.max(least, 1e-5)));
    for (;;) {
      for (const each of steps) if (each * power >= least) return each * power;
      power *= 10;
    }
  }

  function barAt(event) {
    const box = canvas.getBoundingClientRect();
    const x = event.clientX - box.left;
    const y = event.clientY - box.top;
    const spot = places().find(
      (each) => y >= each.top + HEAD && y < each.top + HEAD + each.lanes * LANE,
    );
    if (!spot) return null;
    const lane = Math.floor((y - spot.top - HEAD) / LANE);
    const time = timeOf(x);
    const slack = (span()[1] - span()[0]) / canvas.clientWidth;
    let best = null;
    for (const bar of lanes.bars) {
      if (
        bar.env !== spot.name ||
        bar.lane !== lane ||
        bar.from - slack * 2 > time ||
        (bar.to ?? now()) + slack * 2 < time
      )
        continue;
      if (!best || BAD.has(bar.state) > BAD.has(best.state)) best = bar;
    }
    return best;
  }

  function point(bar, x, y) {
    hot = bar;
    tip.hidden = !bar;
    canvas.style.cursor = bar ? "pointer" : drag ? "grabbing" : "default";
    if (bar) {
      fill(
        tip,
        badge(bar.state),
        " ",
        nameOf(bar.row.id, 120),
        h(
          "div.soft",
          null,
          `${duration((bar.to ?? now()) - bar.from)}, from ${duration(bar.from)}${bar.attempt > 1 ? `, attempt ${bar.attempt}` : ""}`,
        ),
        bar.row.detail && bar.state !== "PASS" ? h("div", null, firstLine(bar.row.detail)) : null,
      );
      tip.style.left = `${Math.max(0, Math.min(x + 12, holder.clientWidth - 340))}px`;
      tip.style.top = `${y + 16}px`;
    }
    draw();
  }

  function zoom(factor, at) {
    const [from, to] = span();
    const middle = at ?? (from + to) / 2;
    const [, end] = whole();
    const wide = Math.min(end, Math.max((to - from) * factor, 1e-4));
    const start = Math.max(
      0,
      Math.min(end - wide, middle - ((middle - from) / (to - from)) * wide),
    );
    range = wide >= end ? null : [start, start + wide];
    draw();
    note();
  }

  function shift(seconds) {
    const [from, to] = span();
    const [, end] = whole();
    const start = Math.max(0, Math.min(end - (to - from), from + seconds));
    if (range) range = [start, start + to - from];
    draw();
    note();
  }

  let later = 0;
  function note() {
    clearTimeout(later);
    later = setTimeout(() => {
      if (view.isConnected)
        history.replaceState(
          null,
          "",
          range ? `#/timeline?from=${range[0].toFixed(4)}&to=${range[1].toFixed(4)}` : "#/timeline",
        );
    }, 150);
  }

  const local = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) < Math.abs(event.deltaY))
        return;
      event.preventDefault();
      if (event.ctrlKey || event.metaKey)
        zoom(event.deltaY > 0 ? 1.25 : 0.8, timeOf(local(event)[0]));
      else shift((event.deltaX / canvas.clientWidth) * (span()[1] - span()[0]));
    },
    { passive: false },
  );
  canvas.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, moved: 0 };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (drag) {
      const by = drag.x - event.clientX;
      drag.moved += Math.abs(by);
      drag.x = event.clientX;
      if (drag.moved > 3) {
        tip.hidden = true;
        shift((by / (canvas.clientWidth - side())) * (span()[1] - span()[0]));
      }
    } else {
      const bar = barAt(event);
      if (bar !== hot) point(bar, ...local(event));
    }
  });
  canvas.addEventListener("pointerup", (event) => {
    const bar = drag && drag.moved <= 3 ? barAt(event) : null;
    drag = null;
    if (bar) location.hash = `#/task/${bar.row.n}`;
  });
  canvas.addEventListener("pointerleave", () => point(null));
  canvas.addEventListener("keydown", (event) => {
    const part = (span()[1] - span()[0]) / 8;
    const step = { n: 1, p: -1 }[event.key];
    if (event.key === "+" || event.key === "=") zoom(0.5);
    else if (event.key === "-") zoom(2);
    else if (event.key === "0") {
      range = null;
      draw();
      note();
    } else if (event.key === "ArrowLeft") shift(-part);
    else if (event.key === "ArrowRight") shift(part);
    else if (step) {
      const index = hot ? lanes.bars.indexOf(hot) : -1;
      const bar = lanes.bars[Math.max(0, Math.min(lanes.bars.length - 1, index + step))];
      if (bar) {
        const spot = places().find((each) => each.name === bar.env);
        point(bar, Math.max(side(), xOf(bar.from)), spot.top + HEAD + bar.lane * LANE);
        tip.setAttribute("role", "status");
      }
    } else if (event.key === "Enter" && hot) location.hash = `#/task/${hot.row.n}`;
    else if (event.key === "Escape") point(null);
    else return;
    event.preventDefault();
  });
  const observer = new ResizeObserver(() => draw());
  return {
    element: view,
    title: "Timeline",
    shown: () => {
      lanes = lanesOf(store.rows);
      draw();
      observer.observe(holder);
    },
    refresh: () => {
      lanes = null;
      draw();
    },
    close: () => observer.disconnect(),
    isWide: true,
    restyled: draw,
  };
}
