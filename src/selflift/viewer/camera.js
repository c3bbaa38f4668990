// The viewer's pinhole camera: it looks at a target from an azimuth, an elevation and a distance.
// World: x right, y up, z towards the viewer, metres. Picture: x right, y down, pixels. `scale` is
// pixels per metre at the target, `centre` the target's place in the picture.

const NEAR_M = 0.05;
// What stands at least so far before the origin was seen by a camera there.
const CLEAR_M = 0.3;

function axes(view) {
  const [sa, ca] = [Math.sin(view.azimuth), Math.cos(view.azimuth)];
  const [se, ce] = [Math.sin(view.elevation), Math.cos(view.elevation)];
  return { right: [ca, 0, -sa], up: [-sa * se, ce, -ca * se], back: [sa * ce, se, ca * ce] };
}

function dot(a, b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

// A function from a place to [x, y, depth, pixels per metre there].
function projector(view) {
  const { right, up, back } = axes(view);
  const offsets = [right, up, back].map((axis) => dot(axis, view.target));
  return (point) => {
    const depth = view.distance + offsets[2] - dot(back, point);
    const size = (view.scale * view.distance) / depth;
    const x = view.centre[0] + size * (dot(right, point) - offsets[0]);
    return [x, view.centre[1] - size * (dot(up, point) - offsets[1]), depth, size];
  };
}

// The part of a line that lies before the camera, as two places in the picture; null if none does.
function projectLine(view, project, a, b) {
  const { back } = axes(view);
  const near = view.distance + dot(back, view.target) - NEAR_M;
  const [da, db] = [dot(back, a) - near, dot(back, b) - near];
  if (da > 0 && db > 0) return null;
  const cut = (p, q, t) => p.map((value, k) => value + t * (q[k] - value));
  const from = da > 0 ? cut(a, b, da / (da - db)) : a;
  const to = db > 0 ? cut(b, a, db / (db - da)) : b;
  return [project(from), project(to)];
}

// Azimuth, elevation and distance of a camera at the origin that looks at the target.
function aimFromOrigin(target) {
  const distance = Math.hypot(...target);
  return {
    azimuth: Math.atan2(-target[0], -target[2]),
    elevation: Math.asin(-target[1] / distance),
    distance,
  };
}

function seenFromOrigin(points) {
  return range(points.map((point) => point[2]))[1] < -CLEAR_M;
}

// The view of a name: "camera" stands where the video's camera stood, if that is known; at the
// "side", depth grows to the right; from "above", the camera is at the bottom.
function presetView(name, target, radius, fromOrigin) {
  const distance = Math.max(3 * radius, 3);
  const angles = { camera: [0, 0], side: [Math.PI / 2, 0], above: [0, Math.PI / 2] }[name];
  const view = { azimuth: angles[0], elevation: angles[1], distance, target };
  return name === "camera" && fromOrigin ? { ...view, ...aimFromOrigin(target) } : view;
}

// The same view with the scale and centre at which the points fill the picture (width, height),
// save for a share at the edges and for `top` pixels.
function fitView(view, points, picture) {
  const { width, height, margin, top } = picture;
  const project = projector({ ...view, scale: 1, centre: [0, 0] });
  const seen = points.map(project).filter((p) => p[2] > NEAR_M);
  const [left, right] = range(seen.map((p) => p[0]));
  const [upper, lower] = range(seen.map((p) => p[1]));
  const [across, down] = [Math.max(right - left, 0.1), Math.max(lower - upper, 0.1)];
  const scale = (1 - 2 * margin) * Math.min(width / across, (height - top) / down);
  const x = width / 2 - (scale * (left + right)) / 2;
  return { ...view, scale, centre: [x, (height + top) / 2 - (scale * (upper + lower)) / 2] };
}

function turn(view, azimuth, elevation) {
  const limit = Math.PI / 2;
  view.azimuth += azimuth;
  view.elevation = Math.min(limit, Math.max(-limit, view.elevation + elevation));
}

// What is at (x, y) in the picture stays there.
function zoom(view, factor, x, y) {
  view.scale *= factor;
  view.centre = [x + (view.centre[0] - x) * factor, y + (view.centre[1] - y) * factor];
}

// How a box of an image is put into a picture, below `top`: whole, centred.
function fitImage(box, width, height, margin, top) {
  const [across, down] = [Math.max(box[2] - box[0], 1e-6), Math.max(box[3] - box[1], 1e-6)];
  const scale = Math.min((width - 2 * margin) / across, (height - top - 2 * margin) / down);
  const left = (width - scale * across) / 2 - scale * box[0];
  return { scale, left, top: (height + top - scale * down) / 2 - scale * box[1] };
}
