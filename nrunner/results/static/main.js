// Which view an address means, keys that hold everywhere, light and dark.

const app = document.getElementById("app");
const main = h("main", { id: "main", tabindex: "-1" });
const status = h("p.status", { role: "status" });
let view = null;
let isBegun = false;

const VIEWS = { "": overview, tasks: table, task, timeline };
const NAV = [
  ["#/", "Overview"],
  ["#/tasks", "Tasks"],
  ["#/timeline", "Timeline"],
];

function route() {
  const [path, text = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const [name, rest = ""] = path.split("/", 2);
  const make = VIEWS[name] || overview;
  view?.close?.();
  view = make(name === "task" ? rest : text);
  fill(main, view.element);
  main.classList.toggle("is-wide", Boolean(view.isWide));
  view.shown?.();
  if (isBegun) {
    main.focus({ preventScroll: true }); // so that who hears the page hears the new view
    scrollTo(0, 0);
  }
  isBegun = true;
  document.title = `${visible(view.title, 80)} - ${visible(jobName(), 60)}`;
  for (const link of document.querySelectorAll("header.top nav a")) {
    const isHere = link.getAttribute("href") === `#/${name === "task" ? "tasks" : name}`;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

const jobName = () => store.job.folder.split("/").at(-1);

function topBar() {
  const theme = h(
    "button.theme",
    {
      type: "button",
      title: "Light or dark (t)",
      "aria-label": "Light or dark",
      onclick: changeTheme,
    },
    "\u25d0",
  );
  return h(
    "header.top",
    null,
    h(
      "a.skip",
      {
        href: "#main",
        onclick: (event) => {
          event.preventDefault();
          main.focus();
        },
      },
      "To the content",
    ),
    h("a.job-name", { href: "#/", title: visible(store.job.folder, 300) }, nameOf(jobName(), 60)),
    h(
      "nav",
      { "aria-label": "Views" },
      NAV.map(([address, text]) => h("a", { href: address }, text)),
    ),
    status,
    store.live ? liveTools() : null,
    theme,
  );
}

function changeTheme() {
  const root = document.documentElement;
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  remember("nrunner-theme", root.dataset.theme);
  view?.restyled?.();
}

// A page from disk may have no storage at all.
function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    /* then it is not remembered */
  }
}

function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

const KEYS = { 1: "#/", 2: "#/tasks", 3: "#/timeline" };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "Escape" && isTyping) event.target.blur();
  if (isTyping) return;
  if (event.key === "/") {
    if (!document.getElementById("search")) {
      location.hash = addressOf(lastQuery);
      route();
    }
    document.getElementById("search").focus();
  } else if (event.key in KEYS) location.hash = KEYS[event.key];
  else if (event.key === "t") changeTheme();
  else if (event.key === "j" || event.key === "k")
    document.querySelector(`.step[data-key=${event.key}]`)?.click();
  else if (event.key === "u" && location.hash.startsWith("#/task/"))
    location.hash = addressOf(lastQuery);
  else return;
  event.preventDefault();
}

function begin() {
  fill(app, topBar(), main);
  addEventListener("hashchange", route);
  addEventListener("popstate", () => {
    if (!location.hash) route();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => view?.restyled?.());
  route();
  document.documentElement.dataset.ready = performance.now().toFixed(0);
}

const theme = remembered("nrunner-theme");
if (theme) document.documentElement.dataset.theme = theme;
addEventListener("keydown", onKey);
if (SERVES) beginLive();
else if (readFile()) begin();
