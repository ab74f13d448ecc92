// Making elements. Text goes in as text alone: nothing here, or anywhere, parses HTML.

// h("div.note", {attributes}, children...): properties that are functions are listeners.
function h(kind, attributes, ...children) {
  const [name, ...classes] = kind.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(key, value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false && child !== "")
      element.append(child);
  }
  return element;
}

function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

const MARKS_OF = {
  PASS: "\u2713",
  FAIL: "\u2717",
  ERROR: "!",
  INTERRUPT: "\u25a0",
  WARN: "\u26a0",
  SKIP: "\u2013",
  CANCEL: "\u2298",
  RUNNING: "\u25b6",
  PREPARING: "\u2026",
  WAITING: "\u00b7",
};

function badge(state) {
  return h(
    `span.badge.s-${state.toLowerCase()}`,
    null,
    h("span", { "aria-hidden": "true" }, MARKS_OF[state] || "?"),
    ` ${state}`,
  );
}

// A name may be in any script: it keeps to itself.
const nameOf = (text, most) => h("bdi", null, visible(text, most));
const taskLink = (row, most = 160) =>
  h("a.name", { href: `#/task/${row.n}` }, nameOf(row.id, most));

function section(title, ...children) {
  const id = `s-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), children);
}

function output(text, label) {
  const pre = h("pre.output", { tabindex: "0", "aria-label": label });
  return appendOutput(pre, text);
}

function appendOutput(pre, text, style) {
  for (const run of runsOf(text, style)) pre.append(drawnRun(run));
  return pre;
}

function drawnRun(run) {
  if (run.hidden) return h("span.hidden-char", null, run.text);
  const [fg, bg] = run.swap ? [run.bg || "ansi0", run.fg || "ansi7"] : [run.fg, run.bg];
  if (!fg && !bg && !run.bold && !run.dim && !run.italic && !run.line)
    return document.createTextNode(run.text);
  const span = h("span", null, run.text);
  for (const [word, on] of [
    ["bold", run.bold],
    ["dim", run.dim],
    ["italic", run.italic],
    ["line", run.line],
  ])
    if (on) span.classList.add(word);
  if (fg.startsWith("ansi")) span.classList.add(`fg-${fg}`);
  else if (fg) span.style.color = fg;
  if (bg.startsWith("ansi")) span.classList.add(`bg-${bg}`);
  else if (bg) span.style.backgroundColor = bg;
  return span;
}

// Text of any length: what is long is shown in part until somebody asks.
function longText(text, kind, label) {
  const most = 4000;
  const pre = h(`pre.${kind}`, { tabindex: "0", "aria-label": label });
  appendOutput(pre, text.slice(0, most));
  if (text.length <= most) return pre;
  const more = h(
    "button",
    {
      type: "button",
      onclick: () => {
        fill(pre);
        appendOutput(pre, text);
        more.remove();
      },
    },
    `Show all ${count(text.length)} characters`,
  );
  return h("div", null, pre, more);
}

function copyButton(text, what) {
  const button = h(
    "button.copy",
    {
      type: "button",
      title: `Copy ${what}`,
      onclick: async () => {
        let isCopied = true;
        try {
          await navigator.clipboard.writeText(text);
        } catch {
          isCopied = copyOldWay(text);
        }
        button.textContent = isCopied ? "Copied" : "Select and copy";
        setTimeout(() => {
          button.textContent = "Copy";
        }, 1500);
      },
    },
    "Copy",
  );
  return button;
}

// From disk there may be no clipboard to write to but this one.
function copyOldWay(text) {
  const area = h("textarea.off-screen", { "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  return isCopied;
}

const colourOf = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
