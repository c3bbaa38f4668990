// The page's data, decoded, with what follows from it: who strays how far, where the floor is.

// The path of a followed person is smoothed over a second.
const SMOOTH_S = 0.5;
// A person who strays farther is followed from the start.
const STRAY_M = 2;

function loadMotion(data) {
  const { parents, fps } = data;
  const side = (j) => (data.left.includes(j) ? "left" : data.right.includes(j) ? "right" : "trunk");
  const people = data.people.map((table) => decodePerson(table, parents, data.step_px));
  const time = timeline(people);
  const rowsAround = Math.round((SMOOTH_S * fps) / time.stride);
  for (const person of people) {
    person.track = smooth(rootOnGround(person, parents.indexOf(-1)), rowsAround);
    person.middle = smooth(middleOfPose(person), rowsAround);
    person.box = boxAround(samplePixels(person, person.middle));
    person.shown = true;
  }
  const points = people.flatMap((person) => samplePoints(person, null));
  return {
    people,
    skeleton: { parents, sides: parents.map((_, j) => side(j)) },
    J: parents.length,
    time,
    fps,
    points,
    floor: data.floor_mm / 1000,
    fromOrigin: seenFromOrigin(points),
    squares: groundSquares(points),
    size: data.size_px,
    box: boxAround(people.flatMap((person) => samplePixels(person, null))),
  };
}

function strays(person) {
  const pairs = Array.from(person.track);
  const [x, z] = [0, 1].map((k) => range(pairs.filter((_, i) => i % 2 === k)));
  return Math.max(x[1] - x[0], z[1] - z[0]) > STRAY_M;
}

// Row of what is known last of a person at a frame, the first before that.
function latestRow(person, frame) {
  return Math.max(0, lastRow(person, frame));
}

function placeOnGround(person, frame) {
  const row = latestRow(person, frame);
  return [person.track[row * 2], person.track[row * 2 + 1]];
}

function boxOfPerson(person, frame) {
  const row = latestRow(person, frame);
  return person.box.map((value, i) => value + person.middle[row * 2 + (i % 2)]);
}

// The points that a view has to hold: a person's around where they are now, or all people's.
function pointsToFit(motion, followed, frame) {
  if (followed) {
    const [x, z] = placeOnGround(followed, frame);
    return samplePoints(followed, followed.track).map((p) => [p[0] + x, p[1], p[2] + z]);
  }
  const shown = motion.people.filter((person) => person.shown);
  return shown.length ? shown.flatMap((person) => samplePoints(person, null)) : motion.points;
}

// A view of a name that holds the points.
function viewOf(name, motion, points, followed, frame, picture) {
  const ranges = [0, 1, 2].map((k) => range(points.map((p) => p[k])));
  const target = ranges.map(([low, high]) => (low + high) / 2);
  if (followed) [target[0], target[2]] = placeOnGround(followed, frame);
  const radius = Math.hypot(...ranges.map(([low, high]) => high - low)) / 2;
  return fitView(presetView(name, target, radius, motion.fromOrigin), points, picture);
}
