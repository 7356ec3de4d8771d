"use strict";
(() => {
  // One box for every value that is pointed at; without this script the browser's own titles show it.
  const box = document.createElement("div");
  box.className = "tip";
  box.hidden = true;
  box.setAttribute("aria-hidden", "true");
  document.body.append(box);
  for (const place of document.querySelectorAll("svg g.at")) {
    const title = place.querySelector("title");
    place.dataset.tip = title.textContent;
    title.remove();
  }
  for (const cell of document.querySelectorAll(".steps [title]")) {
    cell.dataset.tip = cell.title;
    cell.setAttribute("aria-label", cell.title);
    cell.removeAttribute("title");
  }
  const show = (event) => {
    const place = event.target.closest ? event.target.closest("[data-tip]") : null;
    box.hidden = !place;
    if (!place) return;
    box.textContent = place.dataset.tip;
    const room = document.documentElement.clientWidth - box.offsetWidth - 8;
    box.style.left = Math.max(8, Math.min(event.clientX + 14, room)) + "px";
    const above = event.clientY - box.offsetHeight - 14;
    box.style.top = (above > 8 ? above : event.clientY + 18) + "px";
  };
  document.addEventListener("pointermove", show, { passive: true });
  document.addEventListener("pointerdown", show, { passive: true });
  document.addEventListener("scroll", () => { box.hidden = true; }, { passive: true, capture: true });

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(source);  // refused to local files by some browsers: the older way
        button.textContent = document.execCommand("copy") ? "copied" : "selected";
      }
      setTimeout(() => { button.textContent = "copy"; }, 1600);
    });
  }
  document.documentElement.dataset.ready = "yes";
})();
