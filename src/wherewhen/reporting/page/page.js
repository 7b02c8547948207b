// The one page: draws the plots, makes room for their legends, and opens everything for the printer.
"use strict";

const NARROW = 720; // pixels; below it the legend goes under the plot
const PAPER = 660; // pixels that fit on a printed page
const LINE = 21; // pixels of a name in the legend

const config = {
  displaylogo: false,
  responsive: true,
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  showSendToCloud: false, // plotly.js would offer to send the chart to its maker
  plotlyServerURL: "",
};

/** Layout of a plot for a width: the legend beside it, or under it, where it makes it higher. */
function fitted(layout, names, width) {
  const below = width < NARROW;
  const legend = below
    ? { orientation: "v", x: 0, xanchor: "left", y: -70 / layout.height, yanchor: "top" }
    : { orientation: "v", x: 1.02, xanchor: "left", y: 1, yanchor: "top" };
  const room = below && names > 1 ? names * LINE + 30 : 0;
  return {
    legend: { ...legend, bgcolor: "rgba(0,0,0,0)", title: { text: "" } },
    height: below ? Math.min(layout.height, 340) + room : Math.max(layout.height, names * LINE + 80),
  };
}

const plots = Array.from(document.querySelectorAll(".plot"), (element) => {
  const { data, layout } = JSON.parse(element.nextElementSibling.textContent);
  const names = data.filter((trace) => trace.showlegend !== false && trace.name).length;
  return { element, data, layout, names };
});

function draw({ element, data, layout, names }) {
  const width = element.clientWidth;
  element.replaceChildren();
  return Plotly.newPlot(element, data, { ...layout, ...fitted(layout, names, width) }, config);
}

function refit({ element, layout, names }, width) {
  const change = fitted(layout, names, width || element.clientWidth);
  return Plotly.relayout(element, width ? { ...change, width } : { ...change, width: null });
}

plots.forEach(draw);

let waiting;
window.addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => plots.forEach((plot) => refit(plot)), 150);
});

const closed = () => document.querySelectorAll("details:not([open])");
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = Array.from(closed());
  opened.forEach((details) => (details.open = true));
  plots.forEach((plot) => refit(plot, PAPER));
});
window.addEventListener("afterprint", () => {
  opened.forEach((details) => (details.open = false));
  plots.forEach((plot) => refit(plot));
});
