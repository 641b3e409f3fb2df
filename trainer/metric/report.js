// Read-outs under the pointer, and the switch to logarithmic steps. Without
// this script the page shows everything but those.
"use strict";
for (const toggle of document.querySelectorAll(".toggle input")) {
  toggle.addEventListener("change", () => {
    toggle.closest(".chart").classList.toggle("logarithmic", toggle.checked);
  });
}
for (const plot of document.querySelectorAll(".chart .plot")) {
  const lines = JSON.parse(plot.querySelector("script").textContent) || [];
  const area = plot.querySelector(".area");
  const cursor = plot.querySelector(".cursor");
  const readout = plot.querySelector(".readout");
  const nearest = (line, x) => {
    let low = 0, high = line.x.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (line.x[middle] < x) low = middle + 1; else high = middle;
    }
    return low > 0 && x - line.x[low - 1] < line.x[low] - x ? low - 1 : low;
  };
  const show = (event) => {
    const box = area.getBoundingClientRect();
    const x = 100 * (event.clientX - box.left) / box.width;
    if (!lines.length || x < 0 || x > 100) return hide();
    const at = nearest(lines[0], x);
    readout.textContent = "";
    const head = document.createElement("b");
    head.textContent = "step " + lines[0].step[at].toLocaleString("en");
    readout.append(head);
    for (const line of lines) {
      const i = nearest(line, x);
      const row = document.createElement("span");
      const mark = document.createElement("i");
      mark.className = "c" + line.colour;
      const other = line.step[i] === lines[0].step[at] ? "" : " (step " + line.step[i].toLocaleString("en") + ")";
      row.append(mark, line.name + " " + line.value[i] + other);
      readout.append(row);
    }
    cursor.style.left = lines[0].x[at] + "%";
    cursor.hidden = readout.hidden = false;
    const left = lines[0].x[at] / 100 * box.width;
    readout.style.left = Math.max(0, Math.min(left + 12, box.width - readout.offsetWidth)) + "px";
  };
  const hide = () => { cursor.hidden = readout.hidden = true; };
  area.addEventListener("pointermove", show);
  area.addEventListener("pointerdown", show);
  area.addEventListener("pointerleave", hide);
}
