// Draws the plots of the page, and has all time lines show one window of time.
"use strict";
(() => {
  const page = JSON.parse(document.getElementById("page").textContent);
  const all = page.span;
  const shortest = Math.min((all[1] - all[0]) / 1e6, 1e-7);
  const charts = new Map(); // name -> {view, box, timeline}
  const visible = new Set(), stale = new Set();
  let range = all.slice(), picked = [], drawing = 0, later = 0;

  const rows = (columns) => {
    const names = Object.keys(columns);
    return names.length ? columns[names[0]].map((_, i) => Object.fromEntries(names.map((n) => [n, columns[n][i]]))) : [];
  };
  const seconds = (value) => {
    const [scale, prefix] = [[1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]].find(([s]) => Math.abs(value) >= s) || [1, ""];
    return `${+(value / scale).toPrecision(7)} ${prefix}s`;
  };

  async function draw(plot, box, strip) {
    const config = structuredClone(page.look);
    Object.assign(config.axis, { labelColor: "currentColor", titleColor: "currentColor" });
    // plots line up below each other
    if (plot.timeline || strip) config.axisY = { minExtent: 62, maxExtent: 62 };
    const spec = {
      ...plot.spec, config, background: null, width: "container", height: plot.spec.height || 220,
      autosize: { type: "fit-x", contains: "padding" }, padding: { left: 4, right: 14, top: 5, bottom: 5 },
      datasets: Object.fromEntries(Object.entries(plot.data).map(([name, columns]) => [name, rows(columns)])),
    };
    const { view } = await vegaEmbed(box, spec, { renderer: "hybrid", actions: false });
    return { view, box, timeline: plot.timeline };
  }

  // --- one window of time, and the names that are picked, for all of them

  function update(chart) {
    stale.delete(chart);
    if (chart.timeline) chart.view.signal("t_begin", range[0]).signal("t_end", range[1]);
    chart.view.signal("picked", picked).runAsync();
  }
  function refresh() { // what can be seen at once, the rest when things have come to rest
    charts.forEach((chart) => stale.add(chart));
    drawing ||= requestAnimationFrame(() => {
      drawing = 0;
      stale.forEach((chart) => visible.has(chart.box) && update(chart));
    });
    clearTimeout(later);
    later = setTimeout(catchUp, 150);
  }
  function catchUp() { // one at a time, so that the page stays awake
    const [next] = stale;
    if (!next) return;
    update(next);
    later = setTimeout(catchUp, 0);
  }
  function show(begin, end) {
    const length = Math.min(Math.max(end - begin, shortest), all[1] - all[0]);
    begin = Math.min(Math.max(begin, all[0]), all[1] - length);
    range = [begin, begin + length];
    markWindow();
    refresh();
  }
  const pan = (by) => show(range[0] + by, range[1] + by);
  const zoom = (factor, about = (range[0] + range[1]) / 2) =>
    show(about - (about - range[0]) * factor, about + (range[1] - about) * factor);
  const whole = () => show(...all);
  const actions = { in: () => zoom(0.5), out: () => zoom(2), all: whole };

  // --- where a time is on the screen

  function area(chart) { // of the plot, relative to its box
    const drawn = chart.box.querySelector("canvas, svg").getBoundingClientRect(), box = chart.box.getBoundingClientRect();
    const [x, y] = chart.view.origin(), padding = chart.view.padding();
    return { left: drawn.left - box.left + padding.left + x, top: drawn.top - box.top + padding.top + y, width: chart.view.width(), height: chart.view.height(), box };
  }
  function timeAt(chart, event, span) {
    const { left, width, box } = area(chart);
    return span[0] + ((event.clientX - box.left - left) / width) * (span[1] - span[0]);
  }
  function place(element, chart, span, begin, end) {
    const { left, top, width, height } = area(chart);
    const at = (time) => left + (Math.min(Math.max((time - span[0]) / (span[1] - span[0]), 0), 1)) * width;
    Object.assign(element.style, { left: `${at(begin)}px`, top: `${top}px`, height: `${height}px` });
    if (end !== undefined) element.style.width = `${Math.max(at(end) - at(begin), 2)}px`;
    element.hidden = false;
  }
  const added = (box, name) => {
    const element = document.createElement("div");
    element.className = name;
    element.hidden = true;
    box.append(element);
    return element;
  };

  // --- hands

  function gestures(chart, span, moves) { // span: the time that the chart shows; moves: is this drag a pan?
    const selection = added(chart.box, "selection");
    let from = null, panning = null;
    chart.box.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault(); // no text is selected
      chart.box.setPointerCapture(event.pointerId);
      from = timeAt(chart, event, span());
      panning = moves(event, from) ? range.slice() : null;
      if (panning) from = event.clientX;
    });
    chart.box.addEventListener("pointermove", (event) => {
      if (from === null) return;
      if (panning) {
        const shown = span(), by = ((event.clientX - from) / area(chart).width) * (shown[1] - shown[0]);
        // in a time line the picture follows the hand, in the strip the window does
        const sign = shown === all ? 1 : -1;
        show(panning[0] + sign * by, panning[1] + sign * by);
      } else {
        const to = timeAt(chart, event, span());
        place(selection, chart, span(), Math.min(from, to), Math.max(from, to));
      }
    });
    const done = (event) => {
      const began = from;
      from = null;
      selection.hidden = true;
      if (began === null || panning || event.type === "pointercancel") return;
      const to = timeAt(chart, event, span()), { width } = area(chart), shown = span();
      // a click is no drag
      if (Math.abs(to - began) / (shown[1] - shown[0]) * width > 4) show(Math.max(Math.min(began, to), shown[0]), Math.min(Math.max(began, to), shown[1]));
    };
    chart.box.addEventListener("pointerup", done);
    chart.box.addEventListener("pointercancel", done);
    chart.box.addEventListener("dblclick", whole);
    chart.box.addEventListener("wheel", (event) => {
      if (!(event.ctrlKey || event.metaKey || event.altKey)) return; // the page scrolls
      event.preventDefault();
      zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY * (event.deltaMode ? 0.05 : 0.002)))), timeAt(chart, event, span()));
    }, { passive: false });
  }

  function crosshair(chart) {
    chart.cursor = added(chart.box, "cursor");
    chart.box.addEventListener("pointermove", (event) => {
      const time = timeAt(chart, event, range), inside = time >= range[0] && time <= range[1];
      charts.forEach((other) => {
        if (!other.cursor) return;
        other.cursor.hidden = !inside || !visible.has(other.box);
        if (!other.cursor.hidden) place(other.cursor, other, range, time);
      });
      say(inside ? time : undefined);
    });
    chart.box.addEventListener("pointerleave", () => {
      charts.forEach((other) => other.cursor && (other.cursor.hidden = true));
      say();
    });
  }

  const strip = document.querySelector(".strip");
  let overview = null;
  function markWindow() {
    if (!overview) return;
    place(strip.querySelector(".window"), overview, all, ...range);
    say();
  }
  function say(time) {
    document.querySelector(".controls output").textContent =
      time === undefined ? `${seconds(range[0])} to ${seconds(range[1])}` : `at ${seconds(time)}`;
  }

  async function start() {
    const watcher = new IntersectionObserver((entries) => entries.forEach((entry) => {
      if (entry.isIntersecting) visible.add(entry.target);
      else visible.delete(entry.target);
    }));
    for (const plot of page.plots) {
      const box = document.querySelector(`#plot-${plot.name} .chart`);
      const chart = await draw(plot, box);
      charts.set(plot.name, chart);
      watcher.observe(box);
      if (plot.timeline) {
        gestures(chart, () => range, (event) => event.shiftKey);
        crosshair(chart);
      }
    }
    if (page.overview) {
      overview = await draw(page.overview, strip.querySelector(".chart"), true);
      overview.view.addResizeListener?.(markWindow);
      const zoomed = () => range[1] - range[0] < 0.999 * (all[1] - all[0]);
      const hand = { ...overview, box: strip };
      gestures(hand, () => all, (event, time) => event.shiftKey || (zoomed() && time >= range[0] && time <= range[1]));
      strip.addEventListener("keydown", (event) => {
        const step = (range[1] - range[0]) / 5;
        const does = { ArrowLeft: () => pan(-step), ArrowRight: () => pan(step), "+": actions.in, "-": actions.out, 0: whole, Escape: whole }[event.key];
        if (does) { event.preventDefault(); does(); }
      });
      document.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", actions[button.dataset.zoom]));
      addEventListener("resize", () => setTimeout(markWindow, 50));
      markWindow();
    }
    document.querySelectorAll("[data-pick]").forEach((button) => button.addEventListener("click", () => {
      const name = button.dataset.pick;
      picked = picked.includes(name) ? picked.filter((other) => other !== name) : [...picked, name];
      document.querySelectorAll("[data-pick]").forEach((each) => each.setAttribute("aria-pressed", picked.includes(each.dataset.pick)));
      refresh();
    }));
    document.body.dataset.drawn = charts.size;
  }

  window.ringwire = { charts, show, range: () => range };
  start();
})();
