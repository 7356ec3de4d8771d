// Two goals against each other, and the line of the points that none beats.
const front = () => {
  const place = document.getElementById("front-chart");
  if (!place) return;
  const selects = ["front-x", "front-y"].map((id) => document.getElementById(id));
  selects.forEach((select, first) => {
    if (!select) return;
    data.goals.forEach((goal, at) => select.append(new Option(goal.name, at)));
    select.value = first;
  });
  const draw = (width) => {
    const [i, j] = selects.map((select, at) => (select ? Number(select.value) : at));
    const [a, b] = [data.goals[i], data.goals[j]], height = Math.min(420, Math.max(280, width * 0.5));
    const box = frame(width, height, a, b, { left: 70 });
    const shown = [...new Set([...ordered, ...data.front])].filter((at) => data.points[at].g[i] !== null && data.points[at].g[j] !== null);
    const xy = (at) => [box.x(data.points[at].g[i]), box.y(data.points[at].g[j])];
    const rings = data.front.map((at) => make("circle", { class: "ring", cx: xy(at)[0], cy: xy(at)[1], r: 8 }));
    const line = data.goals.length === 2 && data.front.length ? [stairs(data.front.map(xy), a.larger)] : [];
    place.replaceChildren(picture(`${b.name} against ${a.name}`, width, height, ...box.parts, ...line, ...rings,
                                  make("g", {}, ...shown.map((at) => dot(at, ...xy(at))))));
  };
  let width = 0;
  redrawn(place, (now) => { width = now; draw(now); });
  for (const select of selects) select?.addEventListener("change", () => draw(width));
};

// From point to point in steps: what lies beyond them nothing has reached.
const stairs = (places, larger) => {
  const sorted = [...places].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const steps = sorted.slice(1).map(([x, y]) => (larger ? `V${y}H${x}` : `H${x}V${y}`));
  return make("path", { class: "stairs", d: `M${sorted[0]}${steps.join("")}` });
};
