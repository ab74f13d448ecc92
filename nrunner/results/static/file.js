// Where data come from when the page is a file: from the page itself.

function readFile() {
  const parts = (name) => [...document.querySelectorAll(`script[data-of="${name}"]`)];
  const [job] = parts("job").map((each) => JSON.parse(each.textContent));
  if (!job) return false;
  store.job = job;
  for (const element of parts("tasks")) {
    for (const data of JSON.parse(element.textContent)) store.rows.push(rowOf(data, job.phases));
    element.remove();
  }
  return true;
}

const rowNumbered = (n) => {
  const guess = store.rows[n - 1];
  return guess && guess.n === n ? guess : store.rows.find((row) => row.n === n);
};

// A file of the job: beside the page where that lies in the job's folder, else where the job was.
function fileAddress(path) {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  const here = decoded(location.pathname.split("/").at(-2));
  const name = store.job.folder.split("/").at(-1);
  if (here === name) return encoded;
  return `file://${store.job.folder.split("/").map(encodeURIComponent).join("/")}/${encoded}`;
}

// What is no UTF-8 stays as it is: no name that the job knows of is written so.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
