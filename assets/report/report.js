// Crosshair: the values of all series at the pointer, in the legend's first column of numbers.
(() => {
  const chart = document.querySelector(".chart svg");
  const data = JSON.parse(document.getElementById("points").textContent);
  if (!chart || !data.times.length) return;
  const cross = chart.querySelector(".cross");
  const heading = document.getElementById("at");
  const cells = [...document.querySelectorAll("td[data-series]")];
  const metric = () => document.querySelector("input[name=metric]:checked").id.slice(2);
  const show = (index) => {
    cross.style.visibility = index < 0 ? "hidden" : "visible";
    heading.textContent = index < 0 ? "at pointer" : `at ${data.times[index].toFixed(2)} s`;
    if (index >= 0) {
      const x = data.left + (data.times[index] - data.from) / (data.to - data.from) * data.width;
      cross.setAttribute("x1", x);
      cross.setAttribute("x2", x);
    }
    for (const cell of cells) {
      const values = data.series[cell.dataset.series][metric()];
      const value = index < 0 ? null : values[index];
      cell.textContent = value === null || value === undefined ? "–" : value.toFixed(value < 10 ? 2 : 1);
    }
  };
  const nearest = (event) => {
    const box = chart.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * data.view;
    const t = data.from + (x - data.left) / data.width * (data.to - data.from);
    let best = 0;
    data.times.forEach((time, at) => { if (Math.abs(time - t) < Math.abs(data.times[best] - t)) best = at; });
    return best;
  };
  chart.addEventListener("pointermove", (event) => show(nearest(event)));
  chart.addEventListener("pointerleave", () => show(-1));
})();
