// Mouse, touch and keyboard, told apart and passed on as turns, moves, zooms and steps.

function listenToPointers(canvas, page) {
  const down = new Map();
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const pair = () => {
    const [a, b] = [...down.values()];
    return { x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, apart: Math.hypot(a[0] - b[0], a[1] - b[1]) };
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before) return;
    const now = place(event);
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    if (down.size === 1) {
      down.set(event.pointerId, now);
      const move = event.shiftKey || event.buttons & 6;
      (move ? page.moved : page.turned)(dx, dy);
    } else if (down.size === 2) {
      const was = pair();
      down.set(event.pointerId, now);
      const is = pair();
      page.moved(is.x - was.x, is.y - was.y);
      page.zoomed(is.apart / Math.max(was.apart, 1), is.x, is.y);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => down.delete(event.pointerId));
  }
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", page.reset);
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      // Firefox counts lines where others count pixels.
      const pixels = event.deltaY * [1, 30, 300][event.deltaMode];
      page.zoomed(Math.exp(-0.0015 * pixels), ...place(event));
    },
    { passive: false },
  );
}

function listenToKeys(canvas, page) {
  const anywhere = {
    " ": () => page.play(),
    ArrowLeft: (shift) => page.step(shift ? -10 : -1),
    ArrowRight: (shift) => page.step(shift ? 10 : 1),
    Home: () => page.step(-Infinity),
    End: () => page.step(Infinity),
  };
  const onScene = {
    a: () => page.turned(-15, 0),
    d: () => page.turned(15, 0),
    w: () => page.turned(0, -15),
    s: () => page.turned(0, 15),
    "+": () => page.zoomed(1.15, ...page.middle()),
    "=": () => page.zoomed(1.15, ...page.middle()),
    "-": () => page.zoomed(1 / 1.15, ...page.middle()),
    1: () => page.preset("camera"),
    2: () => page.preset("side"),
    3: () => page.preset("above"),
    f: () => page.followNext(),
    0: () => page.reset(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const on = event.target;
    // These have a use of their own for the space bar, and some for the arrows.
    const own = event.key === " " ? "button, select, summary, [type=checkbox]" : "select";
    if (on.matches?.(own)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const act = anywhere[key] ?? (on === canvas ? onScene[key] : undefined);
    if (!act) return;
    event.preventDefault();
    act(event.shiftKey);
  });
  // After a click the space bar plays again; who came by keyboard keeps the focus.
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button");
    if (button && event.detail > 0) button.blur();
  });
}
