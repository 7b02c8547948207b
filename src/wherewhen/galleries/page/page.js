// Keys press what is on the page: everything they do can be done by buttons, too.
const wherewhen = {
  rows: () => [...document.querySelectorAll(".hit")],
  current: () => document.activeElement?.closest(".hit"),
  focus(row) {
    row?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: "nearest" });
  },
  first() {
    wherewhen.focus(wherewhen.rows()[0]);
  },
  // the rows of an answer may be drawn after this is called
  firstOf(answer, tries = 100) {
    const row = document.querySelector(`[data-answer="${answer}"] .hit`);
    if (row) wherewhen.focus(row);
    else if (tries > 0) setTimeout(() => wherewhen.firstOf(answer, tries - 1), 100);
  },
  move(step) {
    const rows = wherewhen.rows();
    const at = rows.indexOf(wherewhen.current());
    wherewhen.focus(rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))]);
  },
  play() {
    const paused = document.body.classList.toggle("paused");
    const button = document.querySelector("#play");
    if (button) button.textContent = paused ? "▶ Play" : "❚❚ Pause";
  },
  press(key) {
    const within = "snu".includes(key) ? wherewhen.current() : document;
    within?.querySelector(`button[data-key="${key}"]`)?.click();
  },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  const target = event.target;
  if (target.closest("input, textarea, select, [contenteditable], [role=listbox]")) {
    if (event.key === "Escape") wherewhen.first();
    return;
  }
  const key = event.key.toLowerCase();
  if (key === " " && target.closest("button, a, summary, [role=button]")) return;
  const actions = {
    arrowdown: () => wherewhen.move(1),
    arrowup: () => wherewhen.move(-1),
    " ": wherewhen.play,
    "/": () => document.querySelector("#find").focus(),
    a: () => wherewhen.press("a"),
    s: () => wherewhen.press("s"),
    n: () => wherewhen.press("n"),
    u: () => wherewhen.press("u"),
  };
  if (!(key in actions)) return;
  event.preventDefault();
  actions[key]();
});

if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
  new MutationObserver((_, observer) => {
    if (!document.querySelector("#play")) return;
    observer.disconnect();
    wherewhen.play();
  }).observe(document, { childList: true, subtree: true });
}
