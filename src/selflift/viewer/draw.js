// Bodies on canvases: what is nearer covers what is farther; filled-in joints are hollow, their
// bones dashed.

const BONE_M = 0.038;
const JOINT_M = 0.031;
const LABEL_FONT = "600 13px system-ui, sans-serif";

// A colour of the theme (#rrggbb), mixed with the ground behind it.
function faded(colour, ground, share) {
  const [a, b] = [colour, ground].map((c) => [1, 3, 5].map((i) => parseInt(c.slice(i, i + 2), 16)));
  return `rgb(${a.map((value, k) => Math.round(value + share * (b[k] - value))).join(" ")})`;
}

function line(ctx, from, to, width, colour, dash, cap) {
  ctx.lineCap = cap;
  ctx.lineWidth = width;
  ctx.strokeStyle = colour;
  ctx.setLineDash(dash);
  ctx.beginPath();
  ctx.moveTo(from[0], from[1]);
  ctx.lineTo(to[0], to[1]);
  ctx.stroke();
  ctx.setLineDash([]);
}

function disc(ctx, place, radius, colour, ground, hollow) {
  ctx.beginPath();
  ctx.arc(place[0], place[1], radius, 0, 2 * Math.PI);
  ctx.fillStyle = hollow ? ground : colour;
  ctx.fill();
  if (hollow) {
    ctx.lineWidth = Math.max(1.5, radius * 0.5);
    ctx.strokeStyle = colour;
    ctx.stroke();
  }
}

function label(ctx, text, x, y, colour, ground) {
  ctx.font = LABEL_FONT;
  ctx.textAlign = "center";
  ctx.lineJoin = "round";
  ctx.lineWidth = 4;
  ctx.strokeStyle = ground;
  ctx.strokeText(text, x, y);
  ctx.fillStyle = colour;
  ctx.fillText(text, x, y);
}

// The name above the highest of the places [x, y, ...]; those that are null don't count.
function nameBody(ctx, name, places, theme) {
  const top = places.reduce((a, b) => (a && (!b || a[1] < b[1]) ? a : b), null);
  if (top) label(ctx, name, top[0], top[1] - 13, theme.ink, theme.ground);
}

// The video's image as an empty frame.
function drawFrame(ctx, fit, size, theme) {
  const box = [fit.left, fit.top, size[0] * fit.scale, size[1] * fit.scale];
  ctx.fillStyle = theme.paper;
  ctx.fillRect(...box);
  ctx.strokeStyle = theme.edge;
  ctx.lineWidth = 1;
  ctx.setLineDash([]);
  ctx.strokeRect(...box);
}

// A line without so many pixels at either end; null if that leaves nothing.
function shortened(from, to, by) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const share = by / Math.max(Math.hypot(dx, dy), 1e-9);
  if (share >= 0.5) return null;
  return [
    [from[0] + share * dx, from[1] + share * dy],
    [to[0] - share * dx, to[1] - share * dy],
  ];
}

// Bones and joints of one body from places [x, y, depth, size] as drawable items.
function bodyItems(places, filled, skeleton, fade) {
  const items = [];
  skeleton.parents.forEach((parent, j) => {
    const own = places[j];
    if (!own) return;
    const side = skeleton.sides[j];
    items.push({ depth: own[2] - 0.03, at: own, side, hollow: filled[j], fade: fade(own[2]) });
    const other = places[parent];
    if (!other) return;
    const depth = (own[2] + other[2]) / 2;
    const hollow = filled[j] || filled[parent];
    items.push({ depth, from: other, to: own, side, hollow, fade: fade(depth) });
  });
  return items;
}

function drawItems(ctx, items, theme) {
  items.sort((a, b) => b.depth - a.depth);
  for (const item of items) {
    const colour = faded(theme[item.side], theme.ground, item.fade);
    const size = item.at ? item.at[3] : (item.from[3] + item.to[3]) / 2;
    const radius = Math.min(10, Math.max(2.3, JOINT_M * size));
    if (item.at) {
      disc(ctx, item.at, radius, colour, theme.ground, item.hollow);
      continue;
    }
    const width = Math.min(12, Math.max(2.4, BONE_M * size));
    const between = shortened(item.from, item.to, radius + 1);
    // A rim of the ground's colour tells crossing limbs apart; it leaves the joints whole.
    if (between) line(ctx, ...between, width + 3, theme.ground, [], "butt");
    if (!item.hollow) line(ctx, item.from, item.to, width, colour, [], "round");
    else if (between) line(ctx, ...between, width * 0.6, colour, [width, width * 1.1], "butt");
  }
}

// The squares of the floor: how wide, and where they begin and end.
function groundSquares(points) {
  const [left, right] = range(points.map((p) => p[0]));
  const [far, near] = range(points.map((p) => p[2]));
  const extent = Math.max(right - left, near - far) + 2;
  const width = [0.5, 1, 2, 5, 10, 20, 50, 100].find((size) => extent / size <= 24) ?? 200;
  const down = (value) => Math.floor((value - 0.6) / width) * width;
  const up = (value) => Math.ceil((value + 0.6) / width) * width;
  return { width, x: [down(left), up(right)], z: [down(far), up(near)] };
}

function drawGround(ctx, view, project, motion, theme, named) {
  const { width, x, z } = motion.squares;
  const height = motion.floor;
  const rule = (a, b, edge) => {
    const ends = projectLine(view, project, a, b);
    if (ends) line(ctx, ends[0], ends[1], 1, edge ? theme.edge : theme.grid, [], "butt");
  };
  for (let v = x[0]; v < x[1] + width / 2; v += width) {
    rule([v, height, z[0]], [v, height, z[1]], v === x[0] || v > x[1] - width / 2);
  }
  for (let v = z[0]; v < z[1] + width / 2; v += width) {
    rule([x[0], height, v], [x[1], height, v], v === z[0] || v > z[1] - width / 2);
  }
  const near = project([(x[0] + x[1]) / 2, height, z[1]]);
  if (named && near[2] > NEAR_M) {
    label(ctx, "camera's side", near[0], near[1] + 16, theme.muted, theme.ground);
  }
}

function drawShadow(ctx, view, project, points, skeleton, height, theme) {
  ctx.globalAlpha = 0.13;
  ctx.beginPath();
  skeleton.parents.forEach((parent, j) => {
    if (parent < 0) return;
    const [a, b] = [points[parent], points[j]].map((p) => [p[0], height, p[2]]);
    const ends = projectLine(view, project, a, b);
    if (!ends) return;
    ctx.moveTo(ends[0][0], ends[0][1]);
    ctx.lineTo(ends[1][0], ends[1][1]);
  });
  ctx.lineCap = "round";
  ctx.lineJoin = "round";
  ctx.lineWidth = Math.min(14, Math.max(2, 0.045 * view.scale));
  ctx.strokeStyle = theme.ink;
  ctx.stroke();
  ctx.globalAlpha = 1;
}
