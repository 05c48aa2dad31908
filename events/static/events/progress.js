"use strict";
// Asks how far a bulk action is once a second, and loads the page anew when it has ended.
(() => {
  const page = document.querySelector("[data-figures]");
  const element = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat("en");
  let told = -1;

  function show(figures) {
    element("bar").max = figures.expected;
    element("bar").value = figures.changed;
    element("changed").textContent = number.format(figures.changed);
    element("expected").textContent = number.format(figures.expected);
    element("touched").textContent = figures.touched || "not yet";
    const tenth = figures.expected ? Math.floor((10 * figures.changed) / figures.expected) : 0;
    if (tenth !== told) {
      told = tenth;
      element("said").textContent = `${tenth * 10} percent`; // a screen reader hears tenths, not each batch
    }
  }

  async function look() {
    try {
      const response = await fetch(page.dataset.figures, { credentials: "same-origin" });
      if (response.ok) {
        const figures = await response.json();
        show(figures);
        if (!figures.running) {
          location.reload();
          return;
        }
      }
    } catch {
      // The server is away for a moment: the next look tells.
    }
    setTimeout(look, 1000);
  }

  setTimeout(look, 1000);
})();
