"use strict";
(() => {
  // The theme of the system, until somebody chooses another.
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("dualprop-theme"); } catch { /* a page opened as a file may have no storage */ }
  const apply = () => { root.dataset.theme = chosen ?? (system.matches ? "dark" : "light"); };
  apply();
  system.addEventListener("change", apply);
  document.getElementById("theme").addEventListener("click", () => {
    chosen = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("dualprop-theme", chosen); } catch { /* then it is forgotten with the page */ }
    apply();
  });

  // On narrow screens figures keep a size that can be read, and scroll.
  for (const svg of document.querySelectorAll("figure svg")) svg.style.minWidth = `${0.8 * svg.viewBox.baseVal.width}px`;

  // What has a <title> shows it at once, under a finger too, in place of the browser's own late tooltip.
  const tip = document.getElementById("tip");
  for (const title of document.querySelectorAll("figure svg title")) {
    if (title.textContent) title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }
  const hide = () => { tip.hidden = true; };
  const show = (event) => {
    const target = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    if (!target) return hide();
    tip.textContent = target.dataset.tip;
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const x = Math.min(event.clientX + 14, innerWidth - width - 6);
    const y = event.clientY - height - 12 < 4 ? event.clientY + 18 : event.clientY - height - 12;
    tip.style.left = `${Math.max(6, x)}px`;
    tip.style.top = `${y}px`;
  };
  document.addEventListener("pointermove", show);
  document.addEventListener("pointerdown", show);
  document.addEventListener("scroll", hide, { passive: true, capture: true });
})();
