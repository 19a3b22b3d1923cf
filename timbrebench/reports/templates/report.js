"use strict";
// Sorting: a click on a heading sorts the rows inside each group (methods, controls, other
// items), so that rows which are not to be ranked together never mix. Rows without a value last.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement, table = head.closest("table");
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const th of table.querySelectorAll("th[aria-sort]")) th.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => row.cells[head.cellIndex].dataset.sort;
    const compare = (a, b) => {
      const x = key(a), y = key(b);
      if (x === "" || y === "") return (x === "") - (y === "");
      const order = head.dataset.type === "text" ? x.localeCompare(y) : x - y;
      return up ? order : -order;
    };
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("section"));
      body.append(...rows.sort(compare));
    }
  });
}
// Listening: one clip plays at a time; another clip of the same item goes on where it stopped.
let playing = null;
document.addEventListener("play", (event) => {
  const next = event.target, last = playing;
  playing = next;
  if (!last || last === next) return;
  last.pause();
  const item = next.closest(".item");
  if (item !== last.closest(".item") || !item.querySelector(".keep").checked) return;
  const seek = () => { if (last.currentTime < next.duration) next.currentTime = last.currentTime; };
  if (last.ended) return;
  if (next.readyState) seek();
  else next.addEventListener("loadedmetadata", seek, { once: true });
}, true);
