// Buttons, sliders and lists, connected to what the page can do.

const $ = (id) => document.getElementById(id);

// A canvas as sharp as the screen; `changed` when it has another size.
function sharpCanvas(id, changed) {
  const canvas = $(id);
  const own = { canvas, ctx: canvas.getContext("2d"), width: 1, height: 1 };
  const measure = () => {
    const ratio = window.devicePixelRatio || 1;
    own.width = Math.max(1, canvas.clientWidth);
    own.height = Math.max(1, canvas.clientHeight);
    canvas.width = Math.round(own.width * ratio);
    canvas.height = Math.round(own.height * ratio);
    own.ctx.setTransform(canvas.width / own.width, 0, 0, canvas.height / own.height, 0, 0);
  };
  measure();
  new ResizeObserver(() => {
    measure();
    changed();
  }).observe(canvas);
  return own;
}

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const names = ["paper", "ink", "muted", "grid", "edge", "ground", "left", "right", "trunk"];
  return Object.fromEntries(names.map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
}

function listPeople(people, page) {
  people.forEach((person, i) => {
    const item = document.createElement("li");
    const box = document.createElement("input");
    const name = document.createElement("label");
    const frames = document.createElement("span");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => page.show(person, box.checked));
    // As text: names are never read as markup.
    name.append(box, ` ${person.name}`);
    frames.className = "frames";
    const last = person.frame[person.count - 1];
    frames.textContent = person.count === 1 ? `frame ${last}` : `frames ${person.frame[0]}–${last}`;
    item.append(name, frames);
    $("people").append(item);
    $("follow-whom").append(new Option(`Follow ${person.name}`, i));
    person.item = item;
  });
}

function connect(motion, page) {
  const { people, size, box, time } = motion;
  listPeople(people, page);
  $("filled-key").hidden = !people.some((person) => person.filled.includes(1));
  $("squares").textContent = `squares ${motion.squares.width} m`;
  $("size").textContent = size ? `${size[0]} × ${size[1]} pixels` : "";
  $("closer").parentElement.hidden = !size;
  $("closer").checked = !size || page.follows() || box[2] - box[0] < 0.6 * size[0];
  $("closer").addEventListener("change", page.refresh);
  $("slider").max = time.count - 1;
  $("slider").addEventListener("input", () => page.goTo(Number($("slider").value)));
  $("speed").addEventListener("change", () => page.speed(Number($("speed").value)));
  $("play").addEventListener("click", page.play);
  $("back").addEventListener("click", () => page.step(-1));
  $("forward").addEventListener("click", () => page.step(1));
  $("follow").addEventListener("click", page.followNext);
  $("follow-whom").addEventListener("change", () => {
    page.follow(people[Number($("follow-whom").value)] ?? null);
  });
  $(people.length > 1 ? "follow" : "follow-whom").hidden = true;
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => page.preset(button.dataset.view));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", page.recolour);
}

// What the buttons, sliders and lists say of the state.
function showState(motion, state, frame) {
  const seconds = (frame / motion.fps).toFixed(2);
  $("slider").value = state.step;
  $("slider").setAttribute("aria-valuetext", `frame ${frame}, ${seconds} seconds`);
  $("now").textContent = `frame ${frame} · ${seconds} s`;
  $("play").classList.toggle("playing", state.playing);
  $("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
  for (const button of document.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === state.preset));
  }
  $("follow").setAttribute("aria-pressed", String(Boolean(state.followed)));
  $("follow-whom").value = motion.people.indexOf(state.followed);
  for (const person of motion.people) {
    person.item.classList.toggle("away", rowAt(person, frame) < 0);
  }
}
