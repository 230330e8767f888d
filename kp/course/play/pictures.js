// Sliders over stored skeleton images: through a training, and into what hides in them.
//
// Both take spec: {size, low, high, count, pictures, looks, …}; pictures: base64 of little-endian uint16, groups × count × size²,
// which map 0 … 65535 onto low … high.

import { bytes, canvas, pane, planes, show, tag } from "./repose.js";

const DECADES = 5; // of the logarithm: below 10⁻⁵ nothing is shown

function unpack({ pictures, low, high, count, size }) {
  const raw = bytes(pictures);
  const values = new DataView(raw.buffer);
  const all = Float32Array.from({ length: raw.length / 2 }, (_, i) => low + ((high - low) * values.getUint16(2 * i, true)) / 65535);
  const [picture, group] = [size * size, count * size * size];
  return (g, k) => all.subarray(g * group + k * picture, g * group + (k + 1) * picture);
}

// log₁₀ of the brightness (y + 1) / 2, from 10^floor (black) to 1 (white), as a picture in [-1, 1].
export const logarithm = (y, floor) => y.map((v) => 1 - (2 * Math.log10(Math.min(1, Math.max(10 ** -DECADES, (v + 1) / 2)))) / floor);

function slider(label, min, max, value, step, changed) {
  const input = tag("input", { type: "range", min, max, step, value, "aria-label": label });
  const output = tag("output", {});
  const update = () => (output.textContent = changed(Number(input.value)));
  input.addEventListener("input", update);
  return [tag("label", { class: "play-slider" }, tag("span", {}, label), input, output), update, input];
}

const row = (title, count, size, label) => {
  const cells = Array.from({ length: count }, (_, k) => canvas(size, `${label}, image ${k + 1}`));
  return [pane(title, tag("div", { class: "play-row" }, ...cells)), cells];
};

function images(spec) {
  const [figure, cells] = row("image x", spec.count, spec.size, "Image");
  cells.forEach((cell, k) => show(cell, planes(bytes(spec.looks[k]))));
  return figure;
}

export function training(element, spec) {
  const picture = unpack(spec);
  const [plain, drawn] = row("y = Φ(x)", spec.count, spec.size, "What Φ draws");
  const [faint, logs] = row("its logarithm: a thousandth of full brightness (black) to one (white)", spec.count, spec.size, "Logarithm of what Φ draws");
  const [control, update] = slider("training step", 0, spec.steps.length - 1, spec.steps.length - 1, 1, (at) => {
    for (let k = 0; k < spec.count; k++) {
      show(drawn[k], picture(at, k));
      show(logs[k], logarithm(picture(at, k), -3));
    }
    return `${spec.steps[at]}`;
  });
  element.replaceChildren(images(spec), plain, faint, control);
  update();
}

export function leakage(element, spec) {
  const picture = unpack(spec);
  const state = { model: 0, floor: -3, most: 0 };
  const [figure, cells] = row("log₁₀ of y's brightness", spec.count, spec.size, "Logarithm of what Φ draws");
  const [plain, drawn] = row("y = Φ(x)", spec.count, spec.size, "What Φ draws");
  const refresh = () => {
    for (let k = 0; k < spec.count; k++) {
      const y = picture(state.model, k);
      show(drawn[k], y);
      // What is brighter than the threshold, the strokes, is blacked out; the rest is stretched to full contrast.
      const ceiling = 10 ** state.most;
      const hidden = y.map((v) => ((v + 1) / 2 > ceiling ? -1 : Math.min(1, (v + 1) / ceiling - 1)));
      show(cells[k], logarithm(hidden, state.floor));
    }
  };
  const choose = tag("select", { "aria-label": "model" }, ...spec.names.map((name, i) => tag("option", { value: i }, name)));
  choose.addEventListener("change", () => {
    state.model = Number(choose.value);
    refresh();
  });
  const power = (v) => `10^${v.toFixed(1)}`;
  const controls = [
    slider("contrast: black is", -DECADES, -0.5, -3, 0.1, (v) => ((state.floor = v), refresh(), power(v))),
    slider("threshold: hide what is brighter than", -DECADES + 1, 0, 0, 0.1, (v) => ((state.most = v), refresh(), power(v))),
  ];
  element.replaceChildren(images(spec), plain, figure, tag("label", { class: "play-slider" }, tag("span", {}, "model"), choose), ...controls.map(([c]) => c));
  controls.forEach(([, update]) => update());
}
