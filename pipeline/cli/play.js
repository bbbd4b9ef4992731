"use strict";
(() => {
  const root = document.documentElement, view = JSON.parse(document.getElementById("view").textContent);
  const video = document.querySelector("video"), said = document.getElementById("said"), clock = document.getElementById("clock");
  const head = document.getElementById("playhead"), bar = document.getElementById("bar"), halt = document.getElementById("halt");
  const { gaps, parts, spans, words } = view, outer = gaps.filter((gap) => !gap.within);
  const SHOWN_MS = 10000, NEAR_S = 0.5;
  let part = null, hls = null, before = 0, wanted = null, until = Infinity;

  const say = (text, kind, forMs = Infinity) => {
    said.textContent = text;
    said.className = root.dataset.said = kind;
    until = performance.now() + forMs;
  };
  const wall = (at) => {
    const span = spans.find((one) => at >= one.at && at < one.at + one.seconds && one.start !== null);
    return span ? `${new Date(span.start + (at - span.at) * 1000).toISOString().replace("T", " ").slice(0, 23)} UTC` : "";
  };

  // A part has streams of one kind; another kind needs a player that begins anew.
  const load = (next, at) => {
    if (hls) hls.destroy();
    part = next;
    wanted = at;
    hls = new Hls({ enableWorker: false, startPosition: at - part.at, testBandwidth: false });
    hls.on(Hls.Events.ERROR, (_, error) => {
      root.dataset.errors = `${root.dataset.errors || ""} ${error.details}`.trim();
      if (error.fatal) say(`${words.failed} (${error.details})`, "failed");
    });
    hls.loadSource(URL.createObjectURL(new Blob([part.playlist], { type: "application/vnd.apple.mpegurl" })));
    hls.attachMedia(video);
  };
  const now = () => (wanted === null ? part.at + video.currentTime : wanted);
  const go = (at) => {
    const next = parts.find((one) => at < one.at + one.seconds - 0.05);
    if (!next) { video.pause(); return; }
    const place = Math.max(at, next.at);
    if (next === part && wanted === null) video.currentTime = place - part.at;
    else { const playing = !video.paused || video.ended; load(next, place); if (playing) video.play().catch(() => {}); }
  };

  // A gap has nothing to play: whoever comes into one, or to its edge with nothing left to play, is told and taken behind it.
  const skip = (gap) => {
    say(gap.words, "gap", SHOWN_MS);
    before = gap.until;
    go(gap.until + 0.02);
    if (halt.checked) video.pause();
  };
  const watch = () => {
    if (!part) return;
    if (wanted !== null && video.readyState > 0) wanted = null;
    const at = now(), edge = (video.readyState < 3 && !video.paused) || video.ended ? NEAR_S : 0;
    const into = outer.find((gap) => at > gap.at + 0.01 - edge && at < gap.until);
    const passed = outer.find((gap) => before <= gap.at + NEAR_S && at >= gap.until && at < gap.until + 2);
    const still = gaps.find((gap) => gap.within && at >= gap.at && at < gap.until);
    if (into) { if (before < into.until) skip(into); }
    else {
      if (passed) { say(passed.words, "gap", SHOWN_MS); if (halt.checked) video.pause(); }
      else if (still) say(still.words, "still", 1000);
      else if (performance.now() > until) say("", "");
      before = at;
    }
    clock.textContent = wall(at);
    head.setAttribute("x", String((1000 * at) / view.seconds));
    root.dataset.at = at.toFixed(3);
  };
  const seek = (at) => { before = Math.max(at, 0); go(Math.max(at, 0)); watch(); };

  video.addEventListener("seeking", () => { if (wanted === null) before = now(); watch(); });
  video.addEventListener("timeupdate", watch);
  video.addEventListener("ended", () => { watch(); const end = part.at + part.seconds; if (now() < end + NEAR_S) go(end + 0.01); });
  setInterval(watch, 200);
  bar.addEventListener("click", (event) => {
    const box = bar.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * view.seconds);
  });
  document.querySelectorAll("button[data-at]").forEach((one) => {
    one.addEventListener("click", () => seek(Number(one.dataset.at)));
  });

  root.dataset.script = "ran";
  if (!window.Hls || !Hls.isSupported()) say(words.unsupported, "failed");
  else if (parts.length) load(parts[0], parts[0].at);
})();
