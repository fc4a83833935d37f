"use strict";
const dark = matchMedia("(prefers-color-scheme: dark)");
function draw() {
  for (const place of document.querySelectorAll(".chart")) {
    const looks = JSON.parse(document.getElementById(place.dataset.figure).textContent);
    const figure = dark.matches ? looks.dark : looks.light;
    Plotly.react(place, figure.data, figure.layout, {
      displaylogo: false,
      responsive: true,
      toImageButtonOptions: { format: "svg", filename: place.dataset.name },
    });
  }
}
document.documentElement.classList.add("drawn");
draw();
dark.addEventListener("change", draw);
