// Output as it comes: asked for from where we are, again and again while the task runs.

const FIRST_PART = 256 * 1024;
const MOST_SHOWN = 4 * 1024 * 1024;
const MOST_FAILURES = 10;

function followLogs(row) {
  const logs = ["stdout", "stderr"].map((name) => new LogFollower(row, name));
  const element = section(
    "Output",
    logs.map((each) => each.element),
    h("p.soft.no-output", null, "Nothing written"),
  );
  let isOpen = true;
  let failures = 0;
  const round = async () => {
    const isLast = Boolean(row.result);
    await Promise.all(logs.map((each) => each.read()));
    element.querySelector(".no-output").hidden = logs.some((each) => each.offset > 0);
    // Who serves a job that ends may change just now.
    const isAgain = logs.some((each) => each.hasFailed) && failures++ < MOST_FAILURES;
    if (isOpen && (!isLast || isAgain)) setTimeout(round, 1000);
  };
  round();
  return {
    element,
    close: () => {
      isOpen = false;
    },
    hurry: () => {
      logs.forEach((each) => each.read());
    },
  };
}

// How many attempts were over before the one whose output there is: the last one, once all are.
const attemptsBefore = (row) => Math.max(0, row.attempts.length - (row.result ? 1 : 0));

class LogFollower {
  constructor(row, name) {
    this.row = row;
    this.name = name;
    this.hasFailed = false;
    this.pre = h("pre.output", { tabindex: "0", "aria-label": name });
    this.note = h("span.soft");
    this.element = h(
      "div",
      null,
      h(
        "h3",
        null,
        name,
        " ",
        this.note,
        " ",
        h("button.link", { type: "button", onclick: () => saveLog(row, name) }, "save all of it"),
      ),
      this.pre,
    );
    this.start();
  }

  start() {
    this.offset = 0;
    this.before = attemptsBefore(this.row);
    this.element.hidden = true;
    this.reader = new TextDecoder();
    this.style = plainStyle();
    this.held = "";
    fill(this.pre);
  }

  // One question at a time; whoever asks meanwhile gets what that one brings.
  read() {
    this.reading ??= this.ask().finally(() => {
      this.reading = null;
    });
    return this.reading;
  }

  async ask() {
    // Another attempt writes to files of its own.
    if (attemptsBefore(this.row) !== this.before) this.start();
    const range = this.offset ? `bytes=${this.offset}-` : `bytes=-${FIRST_PART}`;
    let response;
    try {
      response = await ask(`tasks/${this.row.n}/log/${this.name}`, {
        headers: { Range: range },
        cache: "no-store",
      });
      this.hasFailed = false;
    } catch (error) {
      // It has none yet, or the connection is gone: the next round may find more.
      this.hasFailed = error.status !== 404 || Boolean(this.row.outputs[this.name]);
      return;
    }
    const [, first, size] =
      /bytes (?:(\d+)-\d+|\*)\/(\d+)/.exec(response.headers.get("Content-Range") || "") || [];
    if (response.status === 416) {
      if (Number(size) < this.offset) this.start();
      return;
    }
    const data = await response.arrayBuffer();
    if (!this.offset) {
      this.offset = Number(first || 0);
      this.note.textContent = this.offset ? `(its last ${count(data.byteLength)} bytes)` : "";
    }
    this.offset += data.byteLength;
    this.show(this.reader.decode(data, { stream: true }));
  }

  show(text) {
    const isAtEnd = this.pre.scrollTop + this.pre.clientHeight >= this.pre.scrollHeight - 8;
    const [, whole, held] = /^([^]*?)(\u001b[^a-zA-Z~\u0007]{0,64})?$/.exec(this.held + text);
    this.held = held || "";
    appendOutput(this.pre, whole, this.style);
    while (this.pre.textContent.length > MOST_SHOWN && this.pre.childNodes.length > 1)
      this.pre.firstChild.remove();
    this.element.hidden = !this.offset;
    if (isAtEnd) this.pre.scrollTop = this.pre.scrollHeight;
  }
}

async function saveLog(row, name) {
  const response = await ask(`tasks/${row.n}/log/${name}`);
  const address = URL.createObjectURL(await response.blob());
  const link = h("a", { href: address, download: `${row.n}-${name}.txt` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
