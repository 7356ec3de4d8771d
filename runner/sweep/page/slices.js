// Key by key: each point's number against one of its values.
const WHISKERS = 80;  // points up to which each shows its interval

const slices = () => {
  const place = document.getElementById("slices-chart");
  if (!place) return;
  const figures = data.axes.map(() => document.createElement("div"));
  place.replaceChildren(...figures);
  data.axes.forEach((axis, at) => redrawn(figures[at], (width) => {
    const height = 230, box = frame(width, height, axis, data.wide, { left: 62 });
    const marks = ordered.map((which) => {
      const point = data.points[which], x = box.x(point.a[at]) + aside(axis, which);
      const group = make("g", { class: "slice", "data-point": which });
      if (point.l !== null) {
        const many = data.points.length > WHISKERS ? " hover" : "";
        group.append(make("line", { class: `ends ${LOOKS[point.k]}${many}`, x1: x, x2: x, y1: box.y(point.l), y2: box.y(point.h) }));
      }
      const mark = dot(which, x, box.y(point.v));
      mark.removeAttribute("data-point");
      group.append(mark);
      return group;
    });
    figures[at].replaceChildren(picture(`${data.number.name} by ${axis.name}`, width, height, ...box.parts, ...marks));
  }));
};

// Points with the same value side by side, so that none hides another: a few pixels, the same in every drawing.
const aside = (axis, which) => (axis.discrete ? (((which * 0.618034) % 1) - 0.5) * 22 : 0);
