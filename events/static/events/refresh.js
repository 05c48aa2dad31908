// Fetches the part of the page that changes, while somebody looks. Without this script the page has a link to reload.
"use strict";
(() => {
  const fragment = document.getElementById("fragment");
  const button = document.getElementById("refresh-switch");
  const state = document.getElementById("refresh-state");
  const period = Number(fragment.dataset.refreshSeconds) * 1000;
  const remembered = "rhiz-pipeline-refresh";
  let on = localStorage.getItem(remembered) !== "off";
  let timer;

  const address = () => {
    const url = new URL(location.href);
    url.searchParams.set("fragment", "1");
    return url;
  };

  const tell = (text) => {
    if (state.textContent !== text) state.textContent = text;
  };

  // What the reader has opened, and where the keyboard is, stay where they are.
  const put = (html) => {
    const open = [...fragment.querySelectorAll("details[open]")].map((each) => each.id);
    const focused = document.activeElement;
    const links = () => [...fragment.querySelectorAll("a, summary")];
    const place = fragment.contains(focused) ? links().indexOf(focused) : -1;
    const before = fragment.querySelector("#headline").textContent;
    fragment.innerHTML = html;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (place >= 0) links()[place]?.focus({ preventScroll: true });
    const now = fragment.querySelector("#headline").textContent;
    if (now !== before) announce(now);
  };

  const spoken = document.createElement("p");
  spoken.className = "visually-hidden";
  spoken.setAttribute("role", "status");
  fragment.before(spoken);
  const announce = (text) => {
    spoken.textContent = `The pipeline is now: ${text}`;
  };

  const refresh = async () => {
    if (!on || document.hidden || window.getSelection()?.type === "Range") return;
    try {
      const answer = await fetch(address(), { credentials: "same-origin", signal: AbortSignal.timeout(period) });
      if (answer.redirected || answer.status === 403) return tell("You are signed out: reload the page.");
      if (!answer.ok) throw new Error(String(answer.status));
      put(await answer.text());
      tell("");
    } catch {
      tell("The last look failed: the figures below are old. Trying again.");
    }
  };

  const schedule = () => {
    clearInterval(timer);
    if (on) timer = setInterval(refresh, period);
    button.setAttribute("aria-pressed", String(on));
  };

  button.addEventListener("click", () => {
    on = !on;
    localStorage.setItem(remembered, on ? "on" : "off");
    schedule();
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  button.hidden = false;
  schedule();
})();
