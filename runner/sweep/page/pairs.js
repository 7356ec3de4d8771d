// Two keys: the mean of each pair of values, or what lies between the points, as far as anything is known there.
const COLUMNS = 72, ROWS = 48;
const REACH = 0.3;  // of an axis: from there on nothing is known

const pairs = () => {
  const place = document.getElementById("pairs-chart");
  if (!place) return;
  const [across, up] = ["pair-x", "pair-y"].map((id) => document.getElementById(id));
  for (const [select, first] of [[across, 0], [up, 1]]) {
    data.axes.forEach((axis, at) => select.append(new Option(axis.name, at)));
    select.value = first;
  }
  const draw = (width) => {
    if (across.value === up.value) up.value = (Number(across.value) + 1) % data.axes.length;
    const [i, j] = [Number(across.value), Number(up.value)], [a, b] = [data.axes[i], data.axes[j]];
    const height = Math.min(440, Math.max(280, width * 0.55)), box = frame(width, height, a, b, { left: 84, top: 26 });
    const cells = a.discrete && b.discrete;
    document.getElementById("pair-told").textContent = cells
      ? "A cell is the mean of the points with these two values, darker is better; the other keys vary, too."
      : "Darker is better. Between the points it is a guess (their mean, weighted by the inverse square of the distance), " +
        "and where no point is near nothing is drawn; the other keys vary, too.";
    const field = cells ? means(box, a, b, i, j) : between(box, a, b, i, j);
    const shown = cells ? [] : ordered.map((at) => dot(at, box.x(data.points[at].a[i]), up_(box, b, data.points[at].a[j])));
    place.replaceChildren(picture(`${data.number.name} by ${a.name} and ${b.name}`, width, height,
                                  make("g", {}, ...field), ...box.parts, make("g", {}, ...shown), ...scale(width)));
    if (kept.size) for (const [why, test] of kept) keep(why, test);
  };
  let width = 0;
  redrawn(place, (now) => { width = now; draw(now); });
  for (const select of [across, up]) select.addEventListener("change", () => draw(width));
};

const up_ = (box, axis, value) => (value === null ? box.bottom + 8 : box.y(value));

// How good a number is, from 0 to 1, on its axis.
const good = (number) => {
  const at = clamp(share(data.number, number));
  return data.number.larger ? at : 1 - at;
};
const shade = (number) => `rgb(var(--heat) / ${(0.04 + 0.72 * good(number)).toFixed(3)})`;

const means = (box, a, b, i, j) => {
  const groups = new Map();
  data.points.forEach((point, at) => {
    const key = `${point.a[i]}|${point.a[j]}`;
    if (point.a[i] === null || point.a[j] === null) return;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(at);
  });
  const [xs, ys] = [edges(a, i, box.x, box.left, box.right), edges(b, j, box.y, box.bottom, box.top)];
  return [...groups.values()].map((members) => {
    const first = data.points[members[0]], [x1, x2] = xs.get(first.a[i]), [y2, y1] = ys.get(first.a[j]);
    const mean = members.reduce((sum, at) => sum + data.points[at].v, 0) / members.length;
    const cell = make("rect", { class: "field", x: x1 + 1, y: y1 + 1, width: x2 - x1 - 2, height: y2 - y1 - 2,
                                style: `fill:${shade(mean)}` });
    const text = make("text", { class: good(mean) > 0.6 ? "in dark" : "in", x: (x1 + x2) / 2, y: (y1 + y2) / 2 + 4,
                                "text-anchor": "middle" }, mean.toPrecision(3));
    const group = make("g", {}, cell, text);
    if (members.length === 1) group.setAttribute("data-point", members[0]);
    else group.dataset.tip = `mean of ${members.length} points`;
    return group;
  });
};

// Half way to the neighbours: where the cell of each value begins and ends.
const edges = (axis, which, place, first, last) => {
  const values = [...new Set(data.points.map((point) => point.a[which]).filter((one) => one !== null))].sort((a, b) => a - b);
  const middles = values.slice(1).map((one, at) => (place(one) + place(values[at])) / 2);
  return new Map(values.map((one, at) => [one, [at ? middles[at - 1] : first, at < middles.length ? middles[at] : last]]));
};

// What is known at each place of a fine net: along an axis of few values only points with the same value count.
const between = (box, a, b, i, j) => {
  const known = data.points.filter((point) => point.a[i] !== null && point.a[j] !== null)
    .map((point) => [share(a, point.a[i]), share(b, point.a[j]), good(point.v)]);
  const columns = bands(a, i, box.x, box.left, box.right, COLUMNS), lines = bands(b, j, box.y, box.bottom, box.top, ROWS);
  const field = [];
  for (const [x1, x2, u, sameX] of columns) {
    for (const [y1, y2, v, sameY] of lines) {
      let [sum, weights, nearest] = [0, 0, Infinity];
      for (const [x, y, value] of known) {
        if ((sameX && Math.abs(x - u) > 1e-9) || (sameY && Math.abs(y - v) > 1e-9)) continue;
        const distance = (x - u) ** 2 + (y - v) ** 2, weight = 1 / (distance + 1e-4);
        sum += weight * value;
        weights += weight;
        nearest = Math.min(nearest, distance);
      }
      const sure = clamp(1.6 - (1.6 * Math.sqrt(nearest)) / REACH);
      if (!(sure > 0)) continue;
      const strength = (0.04 + (0.72 * sum) / weights) * Math.min(1, sure);
      field.push(make("rect", { x: rounded(x1), y: rounded(Math.min(y1, y2)), width: rounded(x2 - x1 + 0.2),
        height: rounded(Math.abs(y1 - y2) + (sameY ? -2 : 0.2)), style: `fill:rgb(var(--heat) / ${strength.toFixed(3)})` }));
    }
  }
  return field;
};

// The cells of an axis: [from, to, share, whether only this value counts].
const bands = (axis, which, place, first, last, count) => {
  if (axis.discrete) return [...edges(axis, which, place, first, last)].map(([value, ends]) => [...ends, share(axis, value), true]);
  const start = axis.missing ? place(axis.low) : first;
  const at = (cell) => start + ((last - start) * cell) / count;
  return Array.from({ length: count }, (_, cell) => [at(cell), at(cell + 1), (cell + 0.5) / count, false]);
};

// What the shades say, above the picture.
const scale = (width) => {
  const steps = Array.from({ length: 12 }, (_, at) => make("rect", { x: width - 190 + at * 8, y: 4, width: 8, height: 9,
    style: `fill:rgb(var(--heat) / ${(0.04 + (0.72 * at) / 11).toFixed(3)})` }));
  const ends = [["worse", width - 196, "end"], ["better", width - 88, "start"]];
  return [...steps, ...ends.map(([text, x, anchor]) => make("text", { x, y: 12, "text-anchor": anchor }, text))];
};
