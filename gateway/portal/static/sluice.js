// What the pages need a script for: times in the viewer's zone, keys, focus, and the end of an idle log-in.
"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const pad = (n) => String(n).padStart(2, "0");

  // The text of a time is in UTC as it comes; the title keeps that.
  const localise = (root) => {
    for (const t of all("time[datetime]", root)) {
      const d = new Date(t.dateTime);
      if (!isNaN(d)) {
        t.title = t.title || t.textContent;
        t.textContent = `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
      }
    }
  };

  const lines = () => all("[data-line]");
  const current = () => {
    const at = document.activeElement && document.activeElement.closest("[data-line]");
    return at || document.querySelector("[data-line][aria-selected=true]");
  };
  const link = (line) => line && line.querySelector("[data-open]");
  const move = (step) => {
    const list = lines().filter((line) => line.checkVisibility()); // what is folded up is passed over
    const at = list.indexOf(current());
    const next = list[Math.max(0, Math.min(list.length - 1, at < 0 ? 0 : at + step))];
    if (next) link(next).focus();
  };
  const box = (line) => line && line.querySelector("input[type=checkbox]");

  // tell says how many are selected, and shows what can be done with them.
  const tell = () => {
    const n = all("[data-line] input[type=checkbox]:checked").length;
    for (const s of all("[data-selected]")) s.textContent = `With the ${n} selected:`;
  };

  const close = () => {
    const bulk = document.querySelector(".bulk [data-close]");
    const drawer = document.querySelector("#drawer:not([hidden]) [data-close]");
    if (!all("[data-line] input[type=checkbox]:checked").length) {
      if (drawer) return drawer.focus();
      const b = box(current());
      if (!b) return;
      b.checked = true;
      tell();
    }
    if (bulk) bulk.focus();
  };

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    x: () => { const b = box(current()); if (b) b.click(); },
    c: close,
    u: () => { const b = document.querySelector(".toast button"); if (b) b.click(); },
    "/": () => { const s = document.getElementById("filter"); if (s) { s.focus(); s.select(); } },
    "?": () => { const h = document.getElementById("help"); if (h && !h.open) { showKeys(); h.showModal(); } },
    Escape: () => { const shut = document.querySelector("#drawer:not([hidden]) [data-shut]"); if (shut) shut.click(); },
  };
  // Keys without Ctrl or Alt can be switched off (WCAG 2.2, 2.1.4): who speaks to the machine would press them by
  // talking. The browser keeps it. Escape is none of them.
  const off = "keys-off";
  const quiet = () => { try { return localStorage.getItem(off) === "1"; } catch { return false; } }; // where nothing may be kept, keys work
  const showKeys = () => { for (const c of all("[data-keys]")) c.checked = !quiet(); };

  let going = false; // g was pressed
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
    const at = e.target;
    const writing = at.matches && at.matches("input:not([type=checkbox]), textarea, select");
    if (writing) {
      if (e.key === "Escape") at.blur();
      return;
    }
    if (quiet() && e.key !== "Escape") return;
    if (going) {
      going = false;
      const to = all("#nav a").find((a) => a.textContent[0].toLowerCase() === e.key.toLowerCase());
      if (to) { e.preventDefault(); to.click(); }
      return;
    }
    if (e.key === "g") { going = true; return; }
    if (Object.hasOwn(keys, e.key)) { e.preventDefault(); keys[e.key](); }
  });

  document.addEventListener("click", (e) => {
    if (e.target.closest("[data-help]")) keys["?"]();
    for (const d of all("details.more[open]")) if (!d.contains(e.target)) d.open = false;
  });
  document.addEventListener("change", (e) => {
    if (e.target.matches("[data-keys]")) {
      try { localStorage.setItem(off, e.target.checked ? "0" : "1"); } catch { showKeys(); }
      return;
    }
    if (e.target.matches("[data-all]")) for (const line of lines()) box(line).checked = e.target.checked;
    tell();
  });

  // After an exchange: times, and the focus, which must not be lost with what was exchanged.
  let last = ""; // the address of the line that was opened
  document.addEventListener("htmx:beforeRequest", (e) => {
    const line = e.target.closest && e.target.closest("[data-line]");
    if (line) last = link(line).getAttribute("href");
  });
  // What asks by itself is exchanged under the reader's eyes: what was unfolded stays so, and the focus where it was.
  const stops = (part) => Array.from(part.querySelectorAll("a[href], summary, button, [tabindex]"));
  let before = null;
  document.addEventListener("htmx:beforeSwap", (e) => {
    const part = e.detail.target;
    before = null;
    if (part.id !== "now" && part.id !== "tail") return;
    const focused = stops(part).indexOf(document.activeElement);
    const href = focused >= 0 && document.activeElement.getAttribute("href");
    before = { focused, href, open: Array.from(part.querySelectorAll("details"), (d) => d.open) };
  });
  document.addEventListener("htmx:afterSettle", (e) => {
    localise(document);
    if (before && (e.target.id === "now" || e.target.id === "tail")) {
      e.target.querySelectorAll("details").forEach((d, i) => { d.open = !!before.open[i]; });
      const all = stops(e.target);
      const again = before.href ? all.find((a) => a.getAttribute("href") === before.href) : all[before.focused];
      if (again && before.focused >= 0) again.focus({ preventScroll: true });
      before = null;
    }
    const drawer = document.getElementById("drawer");
    const open = drawer && !drawer.hidden;
    const wanted = new URL(location.href).searchParams.get("open");
    for (const line of lines()) {
      const selected = open && new URL(link(line).href).searchParams.get("open") === wanted;
      if (selected) line.setAttribute("aria-selected", "true"); else line.removeAttribute("aria-selected");
    }
    if (e.target.id === "drawer" && open) {
      drawer.scrollTop = 0;
      drawer.querySelector("h2").focus({ preventScroll: true });
    } else if (e.target.id === "main" && !e.target.contains(document.activeElement)) {
      const line = lines().map(link).find((a) => a.getAttribute("href") === last);
      (line || e.target).focus({ preventScroll: !!line });
      if (!line) window.scrollTo(0, 0);
    }
  });

  // What is held is released when its countdown ends; the next look at the gateway says what came of it.
  setInterval(() => {
    for (const c of all("[data-until]")) {
      const left = Math.max(0, Math.round((new Date(c.dataset.until) - Date.now()) / 1000));
      c.textContent = left >= 60 ? `${Math.floor(left / 60)} min ${left % 60} s` : `${left} s`;
    }
  }, 1000);

  // Nobody here: what asks by itself falls silent first, and then the log-in ends.
  const idle = Number(document.body.dataset.idle || 0) * 1000;
  if (idle) {
    let here = Date.now();
    for (const kind of ["keydown", "pointermove", "pointerdown", "wheel", "touchstart"]) document.addEventListener(kind, () => { here = Date.now(); }, { passive: true });
    document.addEventListener("htmx:beforeRequest", (e) => {
      if (!e.detail.requestConfig.triggeringEvent && Date.now() - here > idle / 2) e.preventDefault();
    });
    let ending = false;
    setInterval(async () => {
      if (ending || Date.now() - here < idle) return;
      ending = true;
      const to = "/login?to=" + encodeURIComponent(location.pathname + location.search);
      try { await fetch("/logout", { method: "POST", redirect: "manual" }); } finally { location.assign(to); }
    }, 1000);
  }
  localise(document);
})();
