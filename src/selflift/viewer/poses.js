// Motion from its text, the inverse of encode.py, and who is where at which frame. No page needed.

function decodeNumbers(text) {
  const content = atob(text);
  const numbers = [];
  let value = 0;
  let unit = 1;
  for (let i = 0; i < content.length; i++) {
    const byte = content.charCodeAt(i);
    // No bit operations: they would end at 32 bits.
    value += (byte & 127) * unit;
    unit *= 128;
    if (byte < 128) {
      numbers.push(value);
      value = 0;
      unit = 1;
    }
  }
  return numbers;
}

function signed(code) {
  return code % 2 ? -(code + 1) / 2 : code / 2;
}

// A person with frame (T), X (T, J, 3) in metres, pose (T, J, 2) in pixels, NaN where missing, and
// filled (T, J); flat arrays, row after row.
function decodePerson(table, parents, stepPx) {
  const J = parents.length;
  const T = table.count;
  const root = parents.indexOf(-1);
  const frame = new Float64Array(T);
  decodeNumbers(table.frame).forEach((gap, t) => (frame[t] = gap + (t ? frame[t - 1] : 0)));

  const X = new Float32Array(T * J * 3);
  const codes = decodeNumbers(table.X_mm);
  const place = new Float64Array(J * 3);
  for (let t = 0; t < T; t++) {
    const row = t * J * 3;
    for (let i = 0; i < J * 3; i++) place[i] += signed(codes[row + i]);
    for (let j = 0; j < J; j++) {
      for (let k = 0; k < 3; k++) {
        const offset = j === root ? 0 : place[j * 3 + k];
        X[row + j * 3 + k] = (place[root * 3 + k] + offset) / 1000;
      }
    }
  }

  const pose = new Float32Array(T * J * 2);
  const steps = decodeNumbers(table.pose_2d);
  const last = new Float64Array(J * 2);
  for (let t = 0; t < T; t++) {
    for (let i = 0; i < J * 2; i++) {
      const code = steps[t * J * 2 + i];
      if (code) last[i] += signed(code - 1);
      pose[t * J * 2 + i] = code ? last[i] * stepPx : NaN;
    }
  }

  const filled = new Uint8Array(T * J);
  let at = 0;
  (table.filled === null ? [] : decodeNumbers(table.filled)).forEach((length, run) => {
    for (const end = at + length; at < end; at++) filled[(at % T) * J + Math.floor(at / T)] = run % 2;
  });
  return { name: table.name, count: T, frame, X, pose, filled };
}

// The steps of the slider: all frames from the first to the last, as far apart as they come.
function timeline(people) {
  const first = Math.min(...people.map((p) => p.frame[0]));
  const last = Math.max(...people.map((p) => p.frame[p.count - 1]));
  let stride = 0;
  for (const person of people) {
    for (const frame of person.frame) {
      for (let a = frame - first; a; ) [stride, a] = [a, stride % a];
    }
  }
  stride = stride || 1;
  return { first, stride, count: (last - first) / stride + 1 };
}

// The row of the last frame up to this one, -1 before the first.
function lastRow(person, frame) {
  let low = 0;
  let high = person.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (person.frame[middle] <= frame) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// The row of a frame, -1 if the person isn't there.
function rowAt(person, frame) {
  const row = lastRow(person, frame);
  return row >= 0 && person.frame[row] === frame ? row : -1;
}

// Pairs (T, 2), each the mean over the rows around; fewer near the ends, to both sides alike, so
// that whoever walks evenly is not held back there.
function smooth(pairs, rowsAround) {
  const T = pairs.length / 2;
  const sums = new Float64Array(2 * T + 2);
  for (let i = 0; i < 2 * T; i++) sums[i + 2] = sums[i] + pairs[i];
  return Float32Array.from(pairs, (_, i) => {
    const t = i >> 1;
    const around = Math.min(rowsAround, t, T - 1 - t);
    const [from, to] = [t - around, t + around + 1];
    return (sums[2 * to + (i & 1)] - sums[2 * from + (i & 1)]) / (to - from);
  });
}

// Where the root is on the ground, (T, 2) x and z.
function rootOnGround(person, root) {
  const J = person.X.length / person.count / 3;
  const pairs = new Float64Array(person.count * 2);
  return pairs.map((_, i) => person.X[((i >> 1) * J + root) * 3 + 2 * (i & 1)]);
}

// The middle of the joints that are seen, (T, 2) pixels; of the row before where none is.
function middleOfPose(person) {
  const J = person.pose.length / person.count / 2;
  const pairs = new Float64Array(person.count * 2);
  let known = null;
  for (let t = 0; t < person.count; t++) {
    const row = person.pose.subarray(t * J * 2, (t + 1) * J * 2);
    const [x, y] = [0, 1].map((k) => row.filter((value, i) => i % 2 === k && !Number.isNaN(value)));
    const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
    if (x.length) {
      const now = [mean(x), mean(y)];
      if (!known) for (let before = 0; before < t; before++) pairs.set(now, before * 2);
      known = now;
    }
    if (known) pairs.set(known, t * 2);
  }
  return pairs;
}

function sampleRows(count) {
  const every = Math.ceil(count / 300);
  return Array.from({ length: Math.ceil(count / every) }, (_, i) => i * every);
}

// Places of a person at a few hundred frames at most; relative to a track on the ground if given.
function samplePoints(person, track) {
  const J = person.X.length / person.count / 3;
  return sampleRows(person.count).flatMap((t) => {
    const [x, z] = track ? [track[t * 2], track[t * 2 + 1]] : [0, 0];
    return Array.from({ length: J }, (_, j) => {
      const i = (t * J + j) * 3;
      return [person.X[i] - x, person.X[i + 1], person.X[i + 2] - z];
    });
  });
}

// The same of the 2D input; relative to a track in the image if given.
function samplePixels(person, track) {
  const J = person.pose.length / person.count / 2;
  return sampleRows(person.count).flatMap((t) => {
    const [x, y] = track ? [track[t * 2], track[t * 2 + 1]] : [0, 0];
    return Array.from({ length: J }, (_, j) => {
      const i = (t * J + j) * 2;
      return [person.pose[i] - x, person.pose[i + 1] - y];
    });
  });
}

// Where all but a small share of the values lie.
function range(values, tail = 0.004) {
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort();
  const cut = Math.floor(sorted.length * tail);
  return sorted.length ? [sorted[cut], sorted[sorted.length - 1 - cut]] : [0, 1];
}

// What most of the pixels lie in, with an edge: left, top, right, bottom.
function boxAround(pixels) {
  const [x, y] = [0, 1].map((k) => range(pixels.map((p) => p[k])));
  const edge = 0.06 * Math.max(x[1] - x[0], y[1] - y[0]);
  return [x[0] - edge, y[0] - edge, x[1] + edge, y[1] + edge];
}
