"use strict";
// Zooming the timelines. Without this script they are whole and still.
(() => {
  const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
  const STEPS = [10, 50, 100, 200, 500, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND,
    MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR,
    DAY, 2 * DAY, 7 * DAY, 30 * DAY, 365 * DAY];
  const SVG = "http://www.w3.org/2000/svg";
  const WIDEST_PX = 1e6, TICK_PX = 110, MARK_PX = 21, LANE_PX = 20, TEXT_PX = 8, EDGE_PX = 30;

  function element(name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  for (const frame of document.querySelectorAll(".frame")) {
    const scroll = frame.querySelector(".scroll"), svg = scroll.querySelector("svg");
    const { start, end, offset, zone, axis } = svg.dataset;
    const lanes = Number(svg.dataset.lanes), from = Number(start), span = Number(end) - from, shift = Number(offset);
    const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    const day = new Intl.DateTimeFormat("en-CA", { timeZone: zone, month: "2-digit", day: "2-digit" });
    let zoom = 1;

    function ticks(width) {
      const step = STEPS.find((one) => (one / span) * width >= TICK_PX) || STEPS[STEPS.length - 1];
      const left = Math.max(0, scroll.scrollLeft / width - 0.5 / zoom), right = left + 2 / zoom;
      const group = element("g", { class: "ticks" });
      let at = Math.ceil((from + left * span + shift) / step) * step - shift, last = day.format(from);
      for (; at <= from + Math.min(1, right) * span; at += step) {
        const x = `${((at - from) / span) * 100}%`, today = day.format(at);
        let text = step >= DAY ? today : clock.format(at);
        if (step < SECOND) text += `.${String(at % SECOND).padStart(3, "0")}`;
        if (step < DAY && today !== last) text = `${today} ${text}`;
        last = today;
        group.append(element("line", { class: "tick", x1: x, x2: x, y1: 0, y2: axis }));
        group.append(element("text", { x, y: Number(axis) + 16 }, text));
      }
      svg.querySelector(".ticks").replaceWith(group);
    }

    function marks(width) {
      const last = new Array(lanes).fill(-Infinity), stems = svg.querySelectorAll(".stem");
      for (const [place, mark] of svg.querySelectorAll(".mark").entries()) {
        const at = (Number(mark.dataset.at) / 100) * width;
        const lane = last.findIndex((before) => at - before >= MARK_PX);
        mark.classList.toggle("crowded", lane < 0);
        if (lane < 0) continue;
        last[lane] = at;
        const y = (lanes - 1 - lane) * LANE_PX;
        mark.setAttribute("y", y);
        stems[place].setAttribute("y1", y + 10);
      }
      for (const text of svg.querySelectorAll(".size")) {
        const room = (Number(text.dataset.share) / 100) * width;
        text.classList.toggle("tight", room < text.textContent.length * TEXT_PX);
      }
    }

    function show(wanted, pivot) {
      const before = svg.getBoundingClientRect().width, box = scroll.clientWidth - 2 * EDGE_PX;
      const at = pivot === undefined ? box / 2 : pivot, share = (scroll.scrollLeft + at) / before;
      zoom = Math.min(Math.max(1, wanted), Math.max(1, Math.min(WIDEST_PX / box, span / 20)));
      svg.style.width = `${zoom * 100}%`;
      const width = box * zoom;
      scroll.scrollLeft = share * width - at;
      marks(width);
      ticks(width);
    }

    const acts = { in: () => show(zoom * 2), out: () => show(zoom / 2), all: () => show(1) };
    for (const button of frame.querySelectorAll("button")) button.addEventListener("click", acts[button.dataset.act]);
    scroll.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      show(zoom * (event.deltaY < 0 ? 1.25 : 0.8), event.clientX - scroll.getBoundingClientRect().left - EDGE_PX);
    }, { passive: false });
    scroll.addEventListener("keydown", (event) => {
      const act = { "+": acts.in, "=": acts.in, "-": acts.out, "0": acts.all }[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
    scroll.addEventListener("scroll", () => ticks(svg.getBoundingClientRect().width));
    addEventListener("resize", () => show(zoom));
    addEventListener("beforeprint", () => show(1));
    frame.querySelector(".zoom").hidden = false;
    show(1);
  }
  document.documentElement.dataset.script = "ran";
})();
