// Pictures: elements, places on axes, and the frame of a chart.
const data = JSON.parse(document.getElementById("data").textContent);
const LOOKS = ["best", "tied", "worse", "unsaid"];
const NONE = -0.06;  // where a point stands that has no value on an axis

const make = (name, attributes = {}, ...children) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

// From 0 to 1 on an axis that data.axes has.
const share = (axis, value) => {
  if (value === null || value === undefined) return NONE;
  if (axis.log && value <= 0) return -Infinity;  // an interval may reach there
  const at = axis.log ? Math.log : (x) => x;
  return (at(value) - at(axis.low)) / (at(axis.high) - at(axis.low));
};
const clamp = (x) => Math.min(Math.max(x, 0), 1);
const rounded = (x) => Math.round(x * 10) / 10;

// The axis of a point's values: a key by its place, the number, seconds, a goal.
const of = {
  key: (at) => (point) => point.a[at],
  number: (point) => point.v,
  seconds: (point) => point.s,
  goal: (at) => (point) => point.g[at],
};

// Draw again what is as wide as its place whenever that changes.
const redrawn = (place, draw) => {
  let width = 0;
  const again = () => {
    const now = Math.round(place.clientWidth);
    if (now === width || !now) return;
    width = now;
    draw(width);
  };
  again();
  new ResizeObserver(again).observe(place);
};

const picture = (title, width, height, ...content) =>
  make("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img" }, make("title", {}, title), ...content);

// A frame with two axes: x(value) and y(value) in pixels, and its lines and labels.
const frame = (width, height, across, up, room = {}) => {
  const { left = 58, right = 12, top = 10, bottom = 44 } = room;
  const none = across.missing ? 22 : 0;
  const x = (value) => rounded(left + none + share(across, value) * (width - left - right - none));
  const y = (value) => rounded(height - bottom - clamp(share(up, value)) * (height - top - bottom));
  const parts = [];
  for (const [value, text] of up.ticks) {
    if (room.grid !== false) parts.push(make("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
    parts.push(make("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, up.choices ? cut(text, 9) : text));
  }
  for (const [value, text] of spaced(across.ticks, x, across.choices ? 64 : 44)) {
    parts.push(make("text", { x: x(value), y: height - bottom + 18, "text-anchor": "middle" },
                    across.choices ? cut(text, Math.max(6, (width - left - right) / across.choices / 7)) : text));
  }
  if (across.missing) parts.push(make("text", { x: x(null), y: height - bottom + 18, "text-anchor": "middle" }, "–"));
  const middle = left + (width - left - right) / 2, height_ = top + (height - top - bottom) / 2;
  parts.push(make("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));
  parts.push(make("text", { class: "named", x: middle, y: height - 6, "text-anchor": "middle" }, titled(across)));
  if (room.named !== false) {
    parts.push(make("text", { class: "named", x: 12, y: height_, "text-anchor": "middle",
                              transform: `rotate(-90 12 ${height_})` }, titled(up)));
  }
  return { x, y, parts, left, right: width - right, top, bottom: height - bottom };
};

const titled = (axis) => axis.name + (axis.log ? " (log)" : "");
const cut = (text, length) => (text.length <= length ? text : text.slice(0, Math.floor(length) - 1) + "…");

// Those ticks that do not touch each other.
const spaced = (ticks, place, least) => {
  let last = -Infinity;
  return ticks.filter(([value]) => {
    if (place(value) - last < least) return false;
    last = place(value);
    return true;
  });
};

// The points that are drawn, those to be seen first last.
const ordered = (data.drawn || data.points.map((_, at) => at)).sort((a, b) => data.points[b].k - data.points[a].k || b - a);
const far = (at) => Math.abs(share(data.number, data.points[at].v) - 0.5) > 0.5;  // beyond the axis of the number
const CROWD = 150;  // points from which on each is drawn smaller
const dot = (at, x, y, r = data.points.length > CROWD ? 3 : 4.2) =>
  make("circle", { class: `mark ${LOOKS[data.points[at].k]}${far(at) ? " far" : ""}`, cx: x, cy: y, r, "data-point": at });
