// What can be told to the job. A click that cannot be taken back has to be made twice.

function twice(button, act) {
  if (button.dataset.sure) {
    delete button.dataset.sure;
    return act();
  }
  const before = button.textContent;
  button.dataset.sure = "true";
  button.textContent = "Sure? Click again";
  setTimeout(() => {
    if (button.dataset.sure) {
      delete button.dataset.sure;
      button.textContent = before;
    }
  }, 4000);
  return null;
}

function order(button, path, done) {
  return twice(button, async () => {
    button.disabled = true;
    try {
      await ask(path, { method: "POST" });
      button.textContent = done;
    } catch (error) {
      button.textContent = `Not done: ${error.message}`;
    }
  });
}

const cancelTask = (row, button) => order(button, `tasks/${row.n}/cancel`, "Told to end");

function liveTools() {
  const cancel = h(
    "button.danger.cancel-job",
    { type: "button", onclick: (event) => order(event.target, "cancel", "Job is told to end") },
    "Cancel job",
  );
  const share = h(
    "button",
    {
      type: "button",
      title: "A link to this view for another browser; it works once",
      onclick: async (event) => {
        const link = (await askJson("/api/v1/link", { method: "POST" })).token;
        const address = `${location.origin}${HERE}#token=${link}&view=${encodeURIComponent(location.hash.slice(1) || "/")}`;
        let isCopied = true;
        try {
          await navigator.clipboard.writeText(address);
        } catch {
          isCopied = copyOldWay(address);
        }
        event.target.textContent = isCopied ? "Link copied" : "No clipboard";
        setTimeout(() => {
          event.target.textContent = "Copy link";
        }, 2000);
      },
    },
    "Copy link",
  );
  return [
    SERVES === "jobs" ? h("a", { href: "/" }, "Jobs") : null,
    share,
    isLive() ? cancel : null,
  ];
}
