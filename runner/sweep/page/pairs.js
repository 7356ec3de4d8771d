// Two keys: the mean of each pair of values, or what lies between the points, as far as anything is known there.
const COLUMNS = 72, ROWS = 48;
const REACH = 0.26;  // of an axis: from there on nothing is known
const TOLD = {
  cells: "A cell is the mean of the points with these two values, the stronger the better",
  between: "The stronger the better. Between the points it is a guess (their mean, weighted by the inverse cube of the distance); " +
    "where it is hatched nothing is known",
};

const pairs = () => {
  const place = document.getElementById("pairs-chart");
  if (!place) return;
  const [across, up] = ["pair-x", "pair-y"].map((id) => document.getElementById(id));
  for (const [select, first] of [[across, 0], [up, 1]]) {
    data.axes.forEach((axis, at) => select.append(new Option(axis.name, at)));
    select.value = first;
  }
  let width = 0;
  const draw = () => {
    if (across.value === up.value) up.value = (Number(across.value) + 1) % data.axes.length;
    const [a, b] = [celled(Number(across.value)), celled(Number(up.value))], cells = a.discrete && b.discrete;
    const height = Math.min(440, Math.max(280, width * 0.55)), box = frame(width, height, a, b, { left: 84, top: 26, grid: !b.discrete });
    const others = data.axes.length > 2 ? "; the other keys vary, too." : ".";
    document.getElementById("pair-told").textContent = (cells ? TOLD.cells : TOLD.between) + others;
    const points = ordered.filter((at) => a.of(data.points[at]) !== null && b.of(data.points[at]) !== null);
    const dots = cells ? [] : points.map((at) => dot(at, box.x(a.of(data.points[at])) + strewn(a, at, box.x), box.y(b.of(data.points[at])) + strewn(b, at, box.y)));
    const field = cells ? means(box, a, b, points) : [...hatched(box), ...between(box, a, b, points)];
    place.replaceChildren(picture(`${data.number.name} by ${a.name} and ${b.name}`, width, height,
      make("g", cells ? {} : { class: "net" }, ...field), ...box.parts, make("g", {}, ...dots), ...scale(width)));
    for (const [why, test] of kept) keep(why, test);
  };
  redrawn(place, (now) => { width = now; draw(); });
  for (const select of [across, up]) select.addEventListener("change", draw);
};

// The axis of a key; one of few values as cells of the same size.
const celled = (which) => {
  const axis = data.axes[which];
  if (!axis.discrete) return { ...axis, of: (point) => point.a[which] };
  const values = [...new Set(data.points.map((point) => point.a[which]))].sort((a, b) => (a === null) - (b === null) || a - b);
  const text = (value) => axis.ticks.find(([one]) => one === value)?.[1] ?? String(Number(value.toPrecision(4)));
  return {
    ...axis, log: false, missing: false, choices: values.length, low: -0.5, high: values.length - 0.5,
    ticks: values.map((value, at) => [at, value === null ? "–" : text(value)]),
    of: (point) => values.indexOf(point.a[which]),
  };
};

// Points with the same value beside each other, in the middle of their cell.
const strewn = (axis, at, place) => (axis.discrete && data.points.length > CROWD ? (0.5 - ((at * 0.618034) % 1)) * (place(0.5) - place(0)) : 0);

// How good a number is, from 0 to 1, on its axis.
const good = (number) => {
  const at = clamp(share(data.number, number));
  return data.number.larger ? at : 1 - at;
};
const shade = (at) => `fill:rgb(var(--heat) / ${(0.07 + 0.5 * at).toFixed(3)})`;

const means = (box, a, b, points) => {
  const groups = new Map();
  for (const at of points) {
    const key = `${a.of(data.points[at])}|${b.of(data.points[at])}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(at);
  }
  return [...groups].map(([key, members]) => {
    const [i, j] = key.split("|").map(Number), [x1, x2, y1, y2] = [box.x(i - 0.5), box.x(i + 0.5), box.y(j + 0.5), box.y(j - 0.5)];
    const mean = members.reduce((sum, at) => sum + data.points[at].v, 0) / members.length;
    const cell = make("rect", { class: "field", x: x1 + 1, y: y1 + 1, width: rounded(x2 - x1 - 2), height: rounded(y2 - y1 - 2),
                                style: shade(good(mean)) });
    const text = make("text", { class: "in", x: rounded((x1 + x2) / 2), y: rounded((y1 + y2) / 2 + 4), "text-anchor": "middle" },
                      mean.toPrecision(3));
    const group = make("g", {}, cell, ...(x2 - x1 > 34 && y2 - y1 > 13 ? [text] : []));
    if (members.length === 1) group.setAttribute("data-point", members[0]);
    else group.dataset.tip = `${data.number.name} ${mean.toPrecision(4)}, mean of ${members.length} points`;
    return group;
  });
};

// What is known at each place of a fine net: along an axis of few values only points with the same value count.
const between = (box, a, b, points) => {
  const known = points.map((at) => data.points[at]).map((point) => [share(a, a.of(point)), share(b, b.of(point)), good(point.v)]);
  const field = [];
  for (const [x1, x2, u] of bands(a, box.x, COLUMNS)) {
    for (const [y2, y1, v] of bands(b, box.y, ROWS)) {
      let [sum, weights, nearest] = [0, 0, Infinity];
      for (const [x, y, value] of known) {
        if ((a.discrete && Math.abs(x - u) > 1e-9) || (b.discrete && Math.abs(y - v) > 1e-9)) continue;
        const distance = (x - u) ** 2 + (y - v) ** 2, weight = (distance + 1e-4) ** -1.5;
        sum += weight * value;
        weights += weight;
        nearest = Math.min(nearest, distance);
      }
      if (nearest > REACH ** 2) continue;
      const size = { x: x1, y: y1, width: rounded(x2 - x1), height: rounded(y2 - y1) };
      field.push(make("rect", { ...size, style: "fill:var(--paper)" }), make("rect", { ...size, style: shade(sum / weights) }));
    }
  }
  return field;
};

// The cells along an axis: from, to, and the share of the axis that they stand for.
const bands = (axis, place, count) => {
  if (axis.discrete) return axis.ticks.map(([at]) => [place(at - 0.5), place(at + 0.5), share(axis, at)]);
  const ends = [place(axis.low), place(axis.high)];
  const edge = (cell) => rounded(ends[0] + ((ends[1] - ends[0]) * cell) / count);
  return Array.from({ length: count }, (_, cell) => [edge(cell), edge(cell + 1), (cell + 0.5) / count]);
};

// Where nothing is known.
const hatched = (box) => {
  const lines = make("pattern", { id: "unknown", width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
                     make("line", { class: "hatch", x1: 0, x2: 0, y1: 0, y2: 7 }));
  return [make("defs", {}, lines), make("rect", { x: box.left, y: box.top, width: box.right - box.left,
                                                  height: box.bottom - box.top, fill: "url(#unknown)" })];
};

// What the shades say, above the picture.
const scale = (width) => {
  const steps = Array.from({ length: 12 }, (_, at) => make("rect", { x: width - 190 + at * 8, y: 4, width: 8, height: 9,
    style: shade(at / 11) }));
  const ends = [["worse", width - 196, "end"], ["better", width - 88, "start"]];
  return [make("g", { class: "net" }, ...steps), ...ends.map(([text, x, anchor]) => make("text", { x, y: 12, "text-anchor": anchor }, text))];
};
