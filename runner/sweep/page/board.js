// The leaderboard: sorted by a click on a head, filtered by words or key=value.
const value = (row, sort) => {
  const point = data.points[row.dataset.point];
  if (sort === "rank") return Number(row.dataset.point);
  if (sort.startsWith("g")) return point.g[sort.slice(1)];
  if (!sort.startsWith("a:")) return point[sort];
  const at = data.axes.findIndex((axis) => axis.key === sort.slice(2));
  return at < 0 ? null : point.a[at];
};

const sorting = () => {
  for (const button of document.querySelectorAll("table.board button[data-sort]")) {
    button.addEventListener("click", () => {
      const head = button.closest("th"), down = head.getAttribute("aria-sort") === "ascending";
      for (const other of document.querySelectorAll("table.board th[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sort = button.dataset.sort, sign = down ? -1 : 1;
      const order = [...rows].sort((a, b) => {
        const [first, second] = [value(a, sort), value(b, sort)];
        if (first === null || second === null) return (first === null) - (second === null);
        return sign * (first - second) || a.dataset.point - b.dataset.point;
      });
      rows[0].parentNode.append(...order);
    });
  }
};

// Whether a row has every word in one of its cells, or the value of a key.
const passes = (row, words) => {
  const cells = [...row.cells].map((cell) => (cell.title || cell.textContent).toLowerCase());
  return words.every((word) => {
    const [key, wanted] = word.split("=", 2);
    const at = wanted === undefined ? -1 : heads.findIndex((head) => head.toLowerCase() === key);
    return at < 0 ? cells.some((cell) => cell.includes(word)) : cells[at] === wanted;
  });
};

const filtering = () => {
  const field = document.getElementById("filter");
  field.hidden = false;
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    keep("words", words.length ? (at) => passes(rows[at], words) : null);
  });
  document.getElementById("all").addEventListener("click", () => {
    field.value = "";
    document.dispatchEvent(new Event("letgo"));
    for (const why of [...kept.keys()]) keep(why, null);
  });
};
