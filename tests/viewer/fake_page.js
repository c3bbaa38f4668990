// A page without a browser: elements that keep what they are told, canvases that record lines.
const elements = new Map();
const documentListeners = {};
let pending = [];

class Element {
  constructor(id) {
    Object.assign(this, { id, textContent: "", value: "", hidden: false, checked: false });
    Object.assign(this, { attributes: {}, listeners: {}, children: [], dataset: {}, lines: [] });
    Object.assign(this, { clientWidth: 800, clientHeight: 600, className: "" });
    this.classes = new Set();
    this.classList = {
      toggle: (name, on) => (on ? this.classes.add(name) : this.classes.delete(name)),
    };
  }
  get parentElement() { return (this.parent ??= new Element("")); }
  addEventListener(type, act) { this.listeners[type] = act; }
  setAttribute(name, value) { this.attributes[name] = value; }
  append(...children) { this.children.push(...children); }
  fire(type, event = {}) { this.listeners[type]({ preventDefault() {}, ...event }); }
  setPointerCapture() {}
  getBoundingClientRect() { return { left: 0, top: 0 }; }
  matches() { return false; }
  getContext() {
    const canvas = this;
    let path = [];
    return new Proxy({}, {
      get: (own, name) => own[name] ?? ((...given) => {
        if (name === "clearRect") canvas.lines = [];
        if (name === "beginPath") path = [];
        if (name === "moveTo" || name === "lineTo") path.push(given);
        if (name === "stroke" && own.lineCap === "round" && path.length === 2) {
          canvas.lines.push({ colour: own.strokeStyle, from: path[0], to: path[1] });
        }
        if (name === "fillText") canvas.lines.push({ text: given[0], from: given.slice(1) });
      }),
    });
  }
}

const $for = (id) => elements.get(id) ?? elements.set(id, new Element(id)).get(id);
const views = ["camera", "side", "above"].map((name) => {
  const button = new Element("");
  button.dataset.view = name;
  return button;
});
globalThis.document = {
  getElementById: $for,
  querySelectorAll: () => views,
  createElement: () => new Element(""),
  documentElement: new Element(""),
  addEventListener: (type, act) => (documentListeners[type] = act),
};
globalThis.window = { devicePixelRatio: 2 };
globalThis.Option = class { constructor(text, value) { Object.assign(this, { text, value }); } };
globalThis.ResizeObserver = class { observe() {} };
globalThis.matchMedia = () => ({ addEventListener() {} });
globalThis.getComputedStyle = () => ({
  getPropertyValue: (name) =>
    ({ "--left": "#0000ff", "--right": "#ff0000", "--trunk": "#000000" })[name] ?? "#ffffff",
});
globalThis.requestAnimationFrame = (act) => pending.push(act);
// All that waits for the next frame, at a time in milliseconds.
const nextFrame = (now = 0) => {
  const acts = pending;
  pending = [];
  for (const act of acts) act(now);
};
const press = (key, more = {}) =>
  documentListeners.keydown({ key, target: new Element(""), preventDefault() {}, ...more });
