// Text of strangers made fit to be seen, and numbers made fit to be read.

const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]/;
const isHidden = (character) => HIDDEN.test(character);

function escapeOf(character) {
  const code = character.charCodeAt(0);
  return code < 256
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}

// One line: characters that cannot be seen, or that change the order of others, as escapes.
function visible(text, most = 400) {
  let shown =
    text.length > most
      ? `${text.slice(0, Math.ceil(most * 0.7))}\u2026${text.slice(-Math.floor(most * 0.3))}`
      : text;
  if (/[\n\t]/.test(shown)) shown = shown.replace(/\n/g, "\\n").replace(/\t/g, " ");
  return HIDDEN.test(shown) ? shown.replace(new RegExp(HIDDEN, "g"), escapeOf) : shown;
}

const firstLine = (text) => visible(text.slice(0, 800).trim().split("\n", 1)[0], 240);

function duration(seconds) {
  if (seconds === null || !isFinite(seconds)) return "";
  if (seconds === 0) return "0 s";
  if (seconds < 0.0095) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

const count = (number) => number.toLocaleString("en");
const many = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;

// Output with its colours: a list of [text, class, colour] that is drawn as text.

const ANSI =
  /\u001b\[([0-9;:]*)m|\u001b\[[0-9;?<=>]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[@-_a-z]?/g;

const plainStyle = () => ({
  fg: "",
  bg: "",
  bold: false,
  dim: false,
  italic: false,
  line: false,
  swap: false,
});

function runsOf(text, style = plainStyle()) {
  const runs = [];
  let last = 0;
  const clean = text.replace(/\r+\n/g, "\n").replace(/\r/g, "\n");
  for (const match of clean.matchAll(ANSI)) {
    plainRuns(clean.slice(last, match.index), style, runs);
    last = match.index + match[0].length;
    if (match[1] !== undefined) restyle(style, match[1]);
    else runs.push({ text: visible(match[0]), hidden: true });
  }
  plainRuns(clean.slice(last), style, runs);
  return runs;
}

function plainRuns(text, style, runs) {
  let last = 0;
  for (const match of text.matchAll(new RegExp(`${HIDDEN.source}+`, "g"))) {
    if (match.index > last) runs.push({ text: text.slice(last, match.index), ...style });
    runs.push({ text: match[0].replace(/[^]/g, escapeOf), hidden: true });
    last = match.index + match[0].length;
  }
  if (last < text.length) runs.push({ text: text.slice(last), ...style });
}

function restyle(style, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) Object.assign(style, plainStyle());
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.line = true;
    else if (code === 7) style.swap = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.line = false;
    else if (code === 27) style.swap = false;
    else if (code === 38 || code === 48) {
      const name = code === 38 ? "fg" : "bg";
      if (codes[i + 1] === 5) style[name] = paletteColour(codes[(i += 2)]);
      else if (codes[i + 1] === 2) {
        const [red, green, blue] = codes
          .slice(i + 2, i + 5)
          .map((each) => Math.min(255, each || 0));
        style[name] = `rgb(${red || 0} ${green || 0} ${blue || 0})`;
        i += 4;
      }
    } else if (code === 39) style.fg = "";
    else if (code === 49) style.bg = "";
    else if (code >= 30 && code <= 37) style.fg = `ansi${code - 30}`;
    else if (code >= 40 && code <= 47) style.bg = `ansi${code - 40}`;
    else if (code >= 90 && code <= 97) style.fg = `ansi${code - 82}`;
    else if (code >= 100 && code <= 107) style.bg = `ansi${code - 92}`;
  }
}

function paletteColour(number) {
  if (!(number >= 0 && number <= 255)) return "";
  if (number < 16) return `ansi${number}`;
  if (number >= 232)
    return `rgb(${Array(3)
      .fill(8 + (number - 232) * 10)
      .join(" ")})`;
  const level = (value) => (value ? 55 + value * 40 : 0);
  const rest = number - 16;
  return `rgb(${level(Math.floor(rest / 36))} ${level(Math.floor(rest / 6) % 6)} ${level(rest % 6)})`;
}
