// The page: its state, what it draws of it, and what can be done to it.

const MARGIN = 0.07;
// Room for what stands on the pictures.
const BUTTONS_PX = 50;
const HEADING_PX = 26;
const NAME_PX = 14;
const FADE = 0.45;
const FADE_OVER_M = 1.6;
// The size, in pixels per metre, at which a body in the image is drawn.
const IMAGE_SIZE = 95;

function start() {
  const motion = loadMotion(JSON.parse($("data").textContent));
  const { people, skeleton, time, J } = motion;
  const state = { step: 0, clock: 0, speed: 1, playing: false, preset: "camera", touched: false };
  state.followed = people.length === 1 && strays(people[0]) ? people[0] : null;
  let theme = readTheme();
  let view = null;
  let waiting = false;
  const scene = sharpCanvas("scene", refit);
  const image = sharpCanvas("image", refresh);
  const frame = () => time.first + state.step * time.stride;
  const names = people.length > 1 ? NAME_PX : 0;
  const picture = () => ({
    width: scene.width, height: scene.height, margin: MARGIN, top: BUTTONS_PX + names,
  });

  function setPreset(name) {
    state.preset = name;
    state.touched = false;
    const points = pointsToFit(motion, state.followed, frame());
    view = viewOf(name, motion, points, state.followed, frame(), picture());
    state.fitted = view.scale;
    state.room = [scene.width, scene.height];
    refresh();
  }

  function refit() {
    if (state.preset && !state.touched) setPreset(state.preset);
    else resize();
  }

  // What was chosen by hand stays as it is, in a picture of another size.
  function resize() {
    const [across, down] = [scene.width / state.room[0], scene.height / state.room[1]];
    state.room = [scene.width, scene.height];
    view.centre = [view.centre[0] * across, view.centre[1] * down];
    view.scale *= Math.min(across, down);
    state.fitted *= Math.min(across, down);
    refresh();
  }

  // The target goes with the followed person; the video's camera only turns to keep it in sight.
  function aim() {
    if (!state.followed) return;
    [view.target[0], view.target[2]] = placeOnGround(state.followed, frame());
    if (state.preset === "camera" && motion.fromOrigin) {
      Object.assign(view, aimFromOrigin(view.target));
    }
  }

  function refresh() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame((now) => {
      waiting = false;
      if (state.playing) advance(now);
      drawScene();
      drawImage();
      showState(motion, state, frame());
      if (state.playing) refresh();
    });
  }

  function advance(now) {
    const seconds = Math.min(0.25, (now - (state.last ?? now)) / 1000);
    state.last = now;
    state.clock = (state.clock + (seconds * motion.fps * state.speed) / time.stride) % time.count;
    state.step = Math.floor(state.clock);
  }

  // Who is shown and there, with the row of this frame and which of its joints are filled in.
  function bodies() {
    return people
      .filter((person) => person.shown && rowAt(person, frame()) >= 0)
      .map((person) => {
        const row = rowAt(person, frame());
        return { person, row, filled: person.filled.subarray(row * J, (row + 1) * J) };
      });
  }

  function drawScene() {
    const { ctx, width, height } = scene;
    aim();
    const project = projector(view);
    ctx.clearRect(0, 0, width, height);
    drawGround(ctx, view, project, motion, theme, state.preset !== "camera");
    const items = [];
    const named = [];
    for (const { person, row, filled } of bodies()) {
      const points = skeleton.parents.map((_, j) => {
        const i = (row * J + j) * 3;
        return person.X.subarray(i, i + 3);
      });
      drawShadow(ctx, view, project, points, skeleton, motion.floor, theme);
      const places = points.map(project).map((p) => (p[2] > NEAR_M ? p : null));
      const near = Math.min(...places.filter(Boolean).map((p) => p[2]));
      const fade = (depth) => FADE * Math.min(1, Math.max(0, (depth - near) / FADE_OVER_M));
      items.push(...bodyItems(places, filled, skeleton, fade));
      named.push([person.name, places]);
    }
    drawItems(ctx, items, theme);
    if (people.length > 1) named.forEach(([name, places]) => nameBody(ctx, name, places, theme));
  }

  function drawImage() {
    const { ctx, width, height } = image;
    ctx.clearRect(0, 0, width, height);
    const close = state.followed ? boxOfPerson(state.followed, frame()) : motion.box;
    const box = motion.size && !$("closer").checked ? [0, 0, ...motion.size] : close;
    const fit = fitImage(box, width, height, 12, HEADING_PX + names);
    const colours = { ...theme, ground: motion.size ? theme.paper : theme.ground };
    if (motion.size) drawFrame(ctx, fit, motion.size, theme);
    for (const { person, row, filled } of bodies()) {
      const places = skeleton.parents.map((_, j) => {
        const [x, y] = person.pose.subarray((row * J + j) * 2, (row * J + j) * 2 + 2);
        if (Number.isNaN(x)) return null;
        return [fit.left + fit.scale * x, fit.top + fit.scale * y, 0, IMAGE_SIZE];
      });
      drawItems(ctx, bodyItems(places, filled, skeleton, () => 0), colours);
      if (people.length > 1) nameBody(ctx, person.name, places, colours);
    }
  }

  function goTo(step) {
    state.step = Math.min(time.count - 1, Math.max(0, step));
    state.clock = state.step;
    refresh();
  }

  function play() {
    state.playing = !state.playing;
    state.last = undefined;
    if (state.playing && state.step === time.count - 1) goTo(0);
    refresh();
  }

  // A view that was turned by hand keeps its angles.
  function follow(person) {
    state.followed = person;
    const { preset } = state;
    const { azimuth, elevation } = view;
    setPreset(preset || "side");
    if (preset) return;
    state.preset = "";
    const points = pointsToFit(motion, person, frame());
    view = fitView({ ...view, azimuth, elevation }, points, picture());
    state.fitted = view.scale;
  }

  const page = {
    refresh,
    goTo,
    play,
    follow,
    preset: setPreset,
    step: (count) => goTo(state.step + count),
    speed: (factor) => (state.speed = factor),
    follows: () => Boolean(state.followed),
    followNext() {
      const there = people.filter((person) => person.shown);
      follow(there[there.indexOf(state.followed) + 1] ?? null);
    },
    show(person, shown) {
      person.shown = shown;
      if (!shown && state.followed === person) follow(null);
      refit();
    },
    recolour() {
      theme = readTheme();
      refresh();
    },
    reset: () => setPreset("camera"),
    middle: () => [scene.width / 2, scene.height / 2],
    turned(dx, dy) {
      state.preset = "";
      state.touched = true;
      turn(view, -0.008 * dx, 0.008 * dy);
      refresh();
    },
    zoomed(factor, x, y) {
      const wanted = Math.min(40 * state.fitted, Math.max(0.1 * state.fitted, view.scale * factor));
      state.touched = true;
      zoom(view, wanted / view.scale, x, y);
      refresh();
    },
    moved(dx, dy) {
      state.touched = true;
      view.centre = [view.centre[0] + dx, view.centre[1] + dy];
      refresh();
    },
  };
  connect(motion, page);
  listenToPointers(scene.canvas, page);
  listenToKeys(scene.canvas, page);
  setPreset("camera");
}

try {
  start();
} catch (error) {
  $("problem").hidden = false;
  $("problem").textContent = `This page can't be shown: ${error.message}`;
  throw error;
}
