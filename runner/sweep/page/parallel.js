// All keys at once: an axis a key, a line a point; an axis that is dragged along keeps the points between.
const LEAST = 92;  // pixels between two axes

const parallel = () => {
  const place = document.getElementById("parallel-chart");
  if (!place) return;
  const axes = [...data.axes.map((axis, at) => [axis, of.key(at)]), [data.number, of.number], [data.seconds, of.seconds]];
  const brushes = new Map();  // axis -> [from, to], shares
  redrawn(place, (given) => {
    const width = Math.max(given, LEAST * axes.length), height = 340, top = 40, bottom = height - 34;
    const x = (at) => rounded(56 + (at * (width - 56 - 64)) / (axes.length - 1));
    const y = (axis, one) => rounded(bottom - (clamp(share(axis, one)) || 0) * (bottom - top) + (one === null ? 18 : 0));
    const lines = ordered.map((at) => {
      const point = data.points[at];
      const way = axes.map(([axis, get], i) => `${x(i)},${y(axis, get(point))}`).join("L");
      return make("path", { class: `way ${LOOKS[point.k]}`, d: `M${way}`, "data-point": at });
    });
    const drawn = axes.map(([axis], at) => upright(axis, x(at), (one) => y(axis, one), top, bottom, (x(1) - x(0)) / 7.4));
    const strips = axes.map(([axis], at) => brush(brushes, at, x(at), top, bottom, () => chooses(axes, brushes)));
    const svg = picture("All keys at once", width, height, make("g", {}, ...lines), ...drawn, ...strips);
    svg.style.setProperty("--thin", Math.min(1, 8 / Math.sqrt(data.points.length)).toFixed(2));
    svg.style.width = width > given ? `${width}px` : "";
    place.replaceChildren(svg);
    if (kept.size) chooses(axes, brushes);
  });
  document.addEventListener("letgo", () => {
    brushes.clear();
    for (const one of place.querySelectorAll(".brush")) one.setAttribute("height", 0);
  });
};

const chooses = (axes, brushes) => {
  const test = (at) => [...brushes].every(([axis, [low, high]]) => {
    const value = axes[axis][1](data.points[at]), at_ = share(axes[axis][0], value);
    const found = value === null ? at_ : clamp(at_);  // as it is drawn
    return found >= low && found <= high;
  });
  keep("axes", brushes.size ? test : null);
};

// An axis with its name above and its values beside it.
const upright = (axis, x, y, top, bottom, letters) => {
  const parts = [make("line", { class: "axis", x1: x, x2: x, y1: top, y2: bottom })];
  let last = Infinity;
  for (const [value, text] of axis.ticks) {
    if (last - y(value) < 13) continue;
    last = y(value);
    parts.push(make("text", { class: "beside", x: x + 5, y: last + 4 }, cut(text, letters)));
  }
  if (axis.missing) parts.push(make("text", { class: "beside", x: x + 5, y: bottom + 22 }, "–"));
  const name = make("text", { class: "named", x, y: 14, "text-anchor": "middle" }, cut(axis.name, letters + 2));
  name.append(make("title", {}, axis.key));
  if (axis.log) parts.push(make("text", { class: "end", x, y: 26, "text-anchor": "middle" }, "logarithmic"));
  return make("g", { class: "upright" }, ...parts, name);
};

const brush = (brushes, at, x, top, bottom, changed) => {
  const box = make("rect", { class: "brush", x: x - 8, width: 16, y: top, height: 0 });
  const strip = make("rect", { class: "strip", x: x - 14, width: 28, y: top - 8, height: bottom - top + 16, "data-axis": at });
  const shows = () => {
    const [low, high] = brushes.get(at) || [0, 0];
    box.setAttribute("y", bottom - Math.min(high, 1) * (bottom - top));
    box.setAttribute("height", Math.max(0, (Math.min(high, 1) - Math.max(low, 0)) * (bottom - top)));
  };
  let from = null;
  const where = (event) => {
    const box_ = strip.getBoundingClientRect();
    const y = top - 8 + ((event.clientY - box_.top) / box_.height) * (bottom - top + 16);
    return (bottom - y) / (bottom - top);
  };
  strip.addEventListener("pointerdown", (event) => {
    from = where(event);
    strip.setPointerCapture(event.pointerId);
  });
  strip.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const to = where(event);
    brushes.set(at, [Math.min(from, to), Math.max(from, to)]);
    shows();
    changed();
  });
  strip.addEventListener("pointerup", (event) => {
    if (from !== null && Math.abs(where(event) - from) < 0.015) brushes.delete(at);  // no drag, a click
    from = null;
    shows();
    changed();
  });
  shows();
  return make("g", {}, box, strip);
};
