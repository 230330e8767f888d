// In a page of the book: find the places to play, fetch what they need from this site, and bring them to life.

import { leakage, training } from "./pictures.js";
import { repose } from "./repose.js";

const here = (path) => new URL(path, import.meta.url);

// Ψ by onnxruntime-web, loaded when first asked for.
function painter(size, joints) {
  let session;
  const load = async (say) => {
    say("Loading Ψ, about 6 MB, once …");
    const ort = await import(here("../vendor/onnxruntime/ort.wasm.bundle.min.mjs").href);
    ort.env.wasm.wasmPaths = { wasm: here("../vendor/onnxruntime/ort-wasm-simd-threaded.wasm").href };
    ort.env.wasm.numThreads = 1; // more need headers that simple hosts do not send
    return { ort, net: await ort.InferenceSession.create(here("painter.onnx").href) };
  };
  return async (keypoints, number, look, say) => {
    const { ort, net } = await (session ??= load(say));
    const inputs = { keypoints: new ort.Tensor("float32", keypoints, [1, joints, 2]), images: new ort.Tensor("float32", look, [1, 3, size, size]) };
    return (await net.run(inputs)).painted.data;
  };
}

const KINDS = { repose: (element, spec) => repose(element, spec, painter(spec.size, spec.joints.length)), training, leakage };

async function start(element) {
  try {
    const reply = await fetch(here(`${element.dataset.play}.json`));
    if (!reply.ok) throw new Error(`${reply.status} for ${reply.url}`);
    const live = document.createElement("div");
    live.className = "play-live";
    KINDS[element.dataset.play](live, await reply.json());
    element.querySelector(".play-fallback").replaceWith(live);
    element.dataset.ready = "true";
  } catch (error) {
    console.warn(`play: ${error.message}`);
  }
}

const seen = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      start(target);
    }
  },
  { rootMargin: "200px" },
);
for (const element of document.querySelectorAll(".play[data-play]")) seen.observe(element);
