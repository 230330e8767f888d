// Drag the joints of a pose; β draws it, Ψ paints the chosen person in it.
//
// repose(element, spec, paint): spec holds {size, sigma, joints, edges, colours, poses, looks}: poses [[x, y], …] in [-1, 1], looks as
// base64 RGB bytes of size × size pixels, and first, the first look painted in the first pose, like them. paint(keypoints, number of
// the look, its planes, say) → promise of RGB planes in [-1, 1] (a Float32Array of 3 · size²), asked for when something is moved or chosen.
// Nothing here knows whether Ψ runs in this page or in a notebook's kernel.

const SVG = "http://www.w3.org/2000/svg";
const STEP = 0.03; // of an arrow key: one pixel of 64

export const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

export function tag(name, attributes = {}, ...children) {
  const node = name === "svg" || name === "line" || name === "circle" ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// y* = β(p): every edge a soft line segment, the brightest winning. Row by row, values in [-1, 1].
export function draw(keypoints, edges, size, sigma) {
  const picture = new Float32Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const ux = (2 * column) / (size - 1) - 1;
      const uy = (2 * row) / (size - 1) - 1;
      let nearest = Infinity;
      for (const [a, b] of edges) {
        const [ax, ay] = keypoints[a];
        const [dx, dy] = [keypoints[b][0] - ax, keypoints[b][1] - ay];
        const along = ((ux - ax) * dx + (uy - ay) * dy) / Math.max(dx * dx + dy * dy, 1e-6);
        const t = Math.min(1, Math.max(0, along));
        const [ex, ey] = [ux - ax - t * dx, uy - ay - t * dy];
        nearest = Math.min(nearest, ex * ex + ey * ey);
      }
      picture[row * size + column] = 2 * Math.exp(-Math.sqrt(nearest + 1e-6) / (sigma * sigma)) - 1;
    }
  }
  return picture;
}

const byte = (value) => Math.round(255 * Math.min(1, Math.max(0, (value + 1) / 2)));

// One plane (grey) or three (RGB) in [-1, 1] onto a canvas of the same size.
export function show(canvas, planes) {
  const { width, height } = canvas;
  const image = new ImageData(width, height);
  const grey = planes.length === width * height;
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = byte(planes[grey ? i : c * width * height + i]);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

export const canvas = (size, label) => tag("canvas", { width: size, height: size, role: "img", "aria-label": label });

export const pane = (title, ...content) => tag("figure", {}, ...content, tag("figcaption", {}, title));

// RGB bytes, pixel by pixel → planes in [-1, 1].
export function planes(rgb) {
  const pixels = rgb.length / 3;
  return Float32Array.from({ length: rgb.length }, (_, i) => rgb[3 * (i % pixels) + Math.floor(i / pixels)] / 127.5 - 1);
}

export function repose(element, spec, paint) {
  const { size, sigma, joints, edges, colours } = spec;
  const looks = spec.looks.map((look) => planes(bytes(look)));
  let keypoints = spec.poses[0].map((p) => [...p]);
  let [look, painting, stale] = [0, false, false];

  const [drawn, person, painted] = [canvas(size, "The pose as β draws it"), canvas(size, "The chosen person"), canvas(size, "Ψ's picture of the person in the pose")];
  const handles = tag("svg", { viewBox: "-1.05 -1.05 2.1 2.1", "aria-label": "Joints: drag, or choose with Tab and move with the arrow keys" });
  const status = tag("p", { class: "play-status", role: "status" }, "Drag a joint, or choose one with Tab and move it with the arrow keys.");
  const lines = edges.map((_, i) => handles.appendChild(tag("line", { stroke: colours[i], "stroke-width": 0.025, "stroke-linecap": "round" })));
  const dots = joints.map((name, k) => {
    const dot = tag("circle", { r: 0.05, tabindex: 0, role: "slider", "aria-label": name, "aria-valuemin": -100, "aria-valuemax": 100, class: "play-joint" });
    dot.addEventListener("pointerdown", (event) => {
      dot.setPointerCapture(event.pointerId);
      event.preventDefault();
      dot.focus();
    });
    dot.addEventListener("pointermove", (event) => {
      if (!dot.hasPointerCapture(event.pointerId)) return;
      const box = handles.getBoundingClientRect();
      move(k, ((event.clientX - box.left) / box.width) * 2.1 - 1.05, ((event.clientY - box.top) / box.height) * 2.1 - 1.05);
    });
    dot.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
      if (!way) return;
      event.preventDefault();
      move(k, keypoints[k][0] + way[0], keypoints[k][1] + way[1]);
    });
    return handles.appendChild(dot);
  });

  function move(k, x, y) {
    keypoints[k] = [x, y].map((v) => Math.min(1, Math.max(-1, v)));
    refresh();
  }

  function outline() {
    edges.forEach(([a, b], i) => {
      const ends = { x1: keypoints[a][0], y1: keypoints[a][1], x2: keypoints[b][0], y2: keypoints[b][1] };
      for (const [key, value] of Object.entries(ends)) lines[i].setAttribute(key, value);
    });
    dots.forEach((dot, k) => {
      const [x, y] = keypoints[k];
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", y);
      dot.setAttribute("aria-valuenow", Math.round(100 * x));
      dot.setAttribute("aria-valuetext", `x ${Math.round(100 * x)}, y ${Math.round(100 * y)}`);
    });
    show(drawn, draw(keypoints, edges, size, sigma));
    show(person, looks[look]);
  }

  async function refresh() {
    outline();
    stale = true;
    if (painting) return; // the newest pose is painted as soon as the one before is done
    painting = true;
    try {
      while (stale) {
        stale = false;
        const begun = performance.now();
        show(painted, await paint(Float32Array.from(keypoints.flat()), look, looks[look], (text) => (status.textContent = text)));
        status.textContent = `Painted in ${Math.round(performance.now() - begun)} ms.`;
        element.dataset.painted = String(1 + Number(element.dataset.painted ?? 0));
      }
    } catch (error) {
      status.textContent = `Ψ cannot run here (${error.message}); β still draws.`;
    }
    painting = false;
  }

  const choice = (label, count, choose) => {
    const buttons = Array.from({ length: count }, (_, i) => tag("button", { type: "button", "aria-pressed": i === 0 }, `${i + 1}`));
    buttons.forEach((button, i) =>
      button.addEventListener("click", () => {
        buttons.forEach((other, j) => other.setAttribute("aria-pressed", i === j));
        choose(i);
        refresh();
      }),
    );
    return tag("div", { class: "play-choice", role: "group", "aria-label": label }, tag("span", {}, label), ...buttons);
  };
  element.replaceChildren(
    tag(
      "div",
      { class: "play-panes" },
      pane("the pose p: drag", tag("div", { class: "play-stack" }, handles)),
      pane("y* = β(p)", drawn),
      pane("looks x'", person),
      pane("x̂ = Ψ(y*, x')", painted),
    ),
    choice("pose", spec.poses.length, (i) => (keypoints = spec.poses[i].map((p) => [...p]))),
    choice("looks of person", looks.length, (i) => (look = i)),
    status,
  );
  outline();
  show(painted, planes(bytes(spec.first)));
}
