// What is pointed at, pinned and kept: the same point in every chart and in the table.
const rows = [...document.querySelectorAll("table.board tbody tr[data-point]")].sort(
  (a, b) => a.dataset.point - b.dataset.point);
const heads = [...document.querySelectorAll("table.board thead th")].map((head) => head.textContent.trim());
const everywhere = (at) => document.querySelectorAll(`[data-point="${at}"]`);
const kept = new Map();  // why points are left out -> a test of a point's place
let lit = null;
let pinned = null;

// What a point is, from its line in the table.
const told = (at) => {
  const cells = [...rows[at].cells].map((cell) => cell.title || cell.textContent.trim());
  const lines = heads.map((head, i) => (head && cells[i] ? `${head} ${cells[i]}` : null)).slice(1);
  return [`# ${Number(at) + 1}`, ...lines.filter(Boolean)].join("\n");
};

const light = (at) => {
  if (at === lit) return;
  if (lit !== null) everywhere(lit).forEach((element) => element.classList.remove("lit"));
  lit = at;
  if (at === null) return;
  for (const element of everywhere(at)) {
    element.classList.add("lit");
    if (element.namespaceURI.endsWith("svg") && !element.matches(":hover")) element.parentNode.append(element);
  }
};

const bar = document.createElement("p");
bar.className = "pinned-bar";
bar.hidden = true;
document.body.append(bar);

// Keep a point lit until it is let go; the address of the page says which.
const pin = (at, scroll = false) => {
  if (pinned !== null) everywhere(pinned).forEach((element) => element.classList.remove("pinned"));
  pinned = at === pinned ? null : at;
  bar.hidden = pinned === null;
  try {
    history.replaceState(null, "", pinned === null ? "#" : `#point-${Number(pinned) + 1}`);
  } catch { /* some browsers refuse that to local files */ }
  if (pinned === null) return;
  everywhere(pinned).forEach((element) => element.classList.add("pinned"));
  const links = [...rows[pinned].querySelectorAll("a")].map((link) => link.cloneNode(true));
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "let go";
  close.addEventListener("click", () => pin(pinned));
  bar.replaceChildren(told(pinned).replaceAll("\n", " · "), " ", ...links.flatMap((link) => [link, " "]), close);
  if (scroll) rows[pinned].scrollIntoView({ block: "nearest" });
};

// Leave out the points that a test refuses; null takes the test away.
const keep = (why, test) => {
  if (test) kept.set(why, test);
  else kept.delete(why);
  const off = data.points.map((_, at) => ![...kept.values()].every((one) => one(at)));
  for (const element of document.querySelectorAll("[data-point]")) {
    if (!element.closest("#answer")) element.classList.toggle("off", Boolean(off[element.dataset.point]));
  }
  const left = off.filter((one) => !one).length;
  document.getElementById("count").textContent = kept.size ? `${left} of ${off.length} points` : "";
  document.getElementById("all").hidden = !kept.size;
};

const pointed = (event) => {
  const element = event.target.closest?.("[data-point]");
  return element && rows[element.dataset.point] ? element : null;  // a tie may be beyond the table's end
};
document.addEventListener("pointerover", (event) => {
  const element = pointed(event);
  if (element && element.closest("svg") && !element.dataset.tip) element.dataset.tip = told(element.dataset.point);
  light(element ? element.dataset.point : null);
}, { passive: true });
document.addEventListener("click", (event) => {
  const element = pointed(event);
  if (element && !event.target.closest("a, button")) pin(element.dataset.point, Boolean(element.closest("svg")));
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && pinned !== null) pin(pinned);
});
