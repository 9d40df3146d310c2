"use strict";
(() => {
  const list = document.getElementById("rows");
  const search = document.getElementById("search");
  const chips = [...document.querySelectorAll("#states button")];
  const selects = { kind: document.getElementById("kind"), provider: document.getElementById("provider") };
  const nothing = document.getElementById("nothing");
  const everything = document.getElementById("everything");
  let wantedState = "";

  // Videos are loaded near the visible part of the page only: a browser plays some dozens at most.
  const sight = new IntersectionObserver(seen => {
    for (const { target: card, isIntersecting } of seen) {
      const video = card.querySelector("video");
      if (isIntersecting) localise(card);
      if (video && isIntersecting) load(video);
      else if (video && document.pictureInPictureElement !== video) unload(video);
    }
  }, { rootMargin: "300px 0px" });

  function load(video) {
    if (video.hasAttribute("src")) return;
    if (video.dataset.poster) video.poster = video.dataset.poster;
    else video.preload = "metadata";
    video.src = video.dataset.src;
  }

  function unload(video) {
    if (!video.hasAttribute("src")) return;
    video.pause();
    video.removeAttribute("src");
    video.load();
    video.closest(".card").classList.remove("playing");
  }

  function localise(card) {
    const time = card.querySelector("time:not([title])");
    const moment = time && new Date(time.dateTime);
    if (!time || Number.isNaN(moment.valueOf())) return;
    time.title = time.dateTime;
    time.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }

  // Playing: one at a time. Media events do not bubble, so they are caught in the capture phase.
  const cardOf = element => element.closest?.(".card");
  list.addEventListener("click", event => {
    const button = event.target.closest(".play");
    if (!button) return;
    const video = cardOf(button).querySelector("video"), other = partnerOf(video), starts = video.paused;
    // Of two videos that are compared, one is heard; both begin at the same place.
    for (const each of other ? [video, other] : [video]) {
      load(each);
      each.muted = each === other;
      if (!starts) each.pause();
      else {
        if (each === other) each.currentTime = video.currentTime;
        each.play().catch(() => {});
      }
    }
  });
  list.addEventListener("play", event => {
    for (const other of list.querySelectorAll(".playing video")) {
      if (other !== event.target && other !== partnerOf(event.target)) other.pause();
    }
    show(event.target, true);
  }, true);
  for (const end of ["pause", "ended"]) {
    list.addEventListener(end, event => show(event.target, false), true);
  }
  list.addEventListener("error", event => {
    if (event.target.matches("video[src]")) cardOf(event.target).querySelector(".length")?.replaceChildren("not playable");
  }, true);

  function show(video, playing) {
    const card = cardOf(video), button = card.querySelector(".play");
    card.classList.toggle("playing", playing);
    video.controls = playing;
    button.setAttribute("aria-label", `${playing ? "Pause" : "Play"} row ${card.dataset.number}`);
  }

  // Compare: two providers' videos of the same prompt, side by side. The cards are put into pairs.
  const compare = document.getElementById("compare");
  const sides = [document.getElementById("left"), document.getElementById("right")];
  const partners = new Map();
  const comparing = () => compare.getAttribute("aria-pressed") === "true";
  const partnerOf = video => partners.get(cardOf(video))?.querySelector("video");
  const inOrder = () => [...list.children].sort((one, other) => one.dataset.number - other.dataset.number);

  function rivals() {
    const prompts = new Map();
    for (const card of inOrder()) {
      const { asked, provider } = card.dataset;
      if (!asked || !provider || !card.querySelector("video")) continue;
      if (!prompts.has(asked)) prompts.set(asked, new Map());
      prompts.get(asked).set(provider, card);
    }
    return [...prompts.values()].filter(cards => cards.size > 1);
  }

  function pair() {
    const prompts = rivals();
    const names = [...new Set(prompts.flatMap(cards => [...cards.keys()]))].sort();
    compare.hidden = names.length === 0;
    if (compare.hidden) compare.setAttribute("aria-pressed", "false");
    for (const [at, side] of sides.entries()) {
      for (const name of names) if (![...side.options].some(option => option.value === name)) side.add(new Option(name, name));
      if (!side.dataset.chosen && names.length) side.dataset.chosen = side.value = names[at];
    }
    const [left, right] = sides.map(side => side.value);
    partners.clear();
    if (comparing()) {
      for (const cards of prompts) {
        if (!cards.has(left) || !cards.has(right)) continue;
        partners.set(cards.get(left), cards.get(right)).set(cards.get(right), cards.get(left));
      }
    }
    const order = [...partners.keys(), ...inOrder().filter(card => !partners.has(card))];
    if (order.some((card, at) => card !== list.children[at])) list.append(...order);
    list.classList.toggle("pairs", comparing());
    document.getElementById("sides").hidden = !comparing();
  }

  compare.addEventListener("click", () => {
    compare.setAttribute("aria-pressed", String(!comparing()));
    pair();
    sift();
  });
  for (const [at, side] of sides.entries()) {
    side.addEventListener("change", () => {
      const other = sides[1 - at];
      if (other.value === side.value) other.dataset.chosen = other.value = side.dataset.chosen;
      side.dataset.chosen = side.value;
      pair();
      sift();
    });
  }

  // Filter and search.
  const texts = new WeakMap();
  function textOf(card) {
    if (!texts.has(card)) {
      const parts = [...card.querySelectorAll("[data-text]")].map(part => part.textContent);
      texts.set(card, parts.join("\n").toLowerCase());
    }
    return texts.get(card);
  }

  function sift() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const { kind, provider } = selects;
    let found = 0;
    function matches(card) {
      const { state, kind: isKind, provider: isProvider } = card.dataset;
      return (!wantedState || state === wantedState) && (!kind.value || isKind === kind.value)
        && (!provider.value || isProvider === provider.value) && words.every(word => textOf(card).includes(word));
    }
    for (const card of list.children) {
      const partner = partners.get(card);
      const fits = comparing() ? Boolean(partner) && (matches(card) || matches(partner)) : matches(card);
      if (card.hidden === fits) card.hidden = !fits;
      found += fits;
    }
    const total = list.children.length;
    document.getElementById("found").textContent = `${found} of ${total} rows`;
    nothing.hidden = found > 0;
    nothing.firstElementChild.textContent = total ? "Nothing matches." : "No rows yet.";
    everything.hidden = total === 0;
  }

  function choose(state) {
    wantedState = state;
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.state === state));
    sift();
  }

  function count() {
    const tally = { state: new Map(), kind: new Map(), provider: new Map() };
    for (const card of list.children) {
      for (const [name, seen] of Object.entries(tally)) {
        seen.set(card.dataset[name], (seen.get(card.dataset[name]) ?? 0) + 1);
      }
    }
    for (const chip of chips) {
      const number = chip.dataset.state ? tally.state.get(chip.dataset.state) ?? 0 : list.children.length;
      chip.hidden = Boolean(chip.dataset.state) && number === 0 && chip.dataset.state !== wantedState;
      chip.querySelector(".count").textContent = number;
    }
    for (const [name, select] of Object.entries(selects)) {
      const known = new Set([...select.options].map(option => option.value));
      for (const value of [...tally[name].keys()].sort()) {
        if (value && !known.has(value)) select.add(new Option(value, value));
      }
      select.parentElement.hidden = select.options.length < 3;
    }
  }

  search.addEventListener("input", sift);
  for (const select of Object.values(selects)) select.addEventListener("change", sift);
  for (const chip of chips) chip.addEventListener("click", () => choose(chip.dataset.state));
  everything.addEventListener("click", () => {
    search.value = selects.kind.value = selects.provider.value = "";
    choose("");
    search.focus();
  });

  // The keyboard. Buttons handle Enter and Space themselves.
  const handle = card => card.querySelector(".play, summary");
  function go(card) {
    if (!card) return;
    handle(card).focus({ preventScroll: true, focusVisible: true });
    card.scrollIntoView({ block: "nearest" });
  }

  function step(from, key) {
    const cards = [...list.children].filter(card => !card.hidden);
    const top = cards[0]?.offsetTop;
    const beyond = cards.findIndex(card => card.offsetTop !== top);
    const columns = beyond < 0 ? cards.length : beyond;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
    const at = cards.indexOf(from);
    return at < 0 ? cards[0] : cards[at + by];
  }

  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key, target } = event;
    const typing = target.matches("input, select");
    const card = cardOf(target);
    if (key === "/" && !typing) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (key === "Escape") {
      if (target === search && search.value) {
        search.value = "";
        sift();
      } else if (target === search) search.blur();
      for (const video of list.querySelectorAll(".playing video")) {
        video.pause();
        if (target === video) go(card);
      }
    } else if (target === search && (key === "ArrowDown" || key === "Enter")) {
      event.preventDefault();
      go(step(null, key));
    } else if (key.startsWith("Arrow") && !typing && !target.matches("video") && (card || !/Up|Down/.test(key))) {
      event.preventDefault();
      go(step(card, key));
    }
  });

  // Live: ask for the rows that changed since the revision that is shown.
  const { live, revision: first } = document.body.dataset;
  let revision = first, finished = "finished" in document.body.dataset, asked = 0;

  function mood(name, text) {
    const sign = document.getElementById("live"), words = document.getElementById("live-text");
    sign.dataset.mood = name;
    if (words.textContent !== text) words.textContent = text;
  }

  function put({ number, html }) {
    const shell = document.createElement("template");
    shell.innerHTML = html;
    const fresh = shell.content.querySelector(".card");
    const old = document.getElementById(`row-${number}`);
    if (old) {
      sight.unobserve(old);
      const focused = old.contains(document.activeElement);
      fresh.querySelector("details").open = old.querySelector("details").open;
      if (old.dataset.state !== fresh.dataset.state) fresh.classList.add("arrived");
      old.replaceWith(fresh);
      if (focused) handle(fresh).focus({ preventScroll: true });
    } else {
      const last = list.lastElementChild;
      const after = !last || Number(last.dataset.number) < number
        ? null : [...list.children].find(card => Number(card.dataset.number) > number);
      list.insertBefore(fresh, after ?? null);
    }
    sight.observe(fresh);
  }

  async function follow() {
    const turn = ++asked;
    let pause = 5000;
    try {
      const answer = await fetch(`${live}?after=${revision}`, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      const news = await answer.json();
      if (String(news.revision) !== String(revision)) {
        document.getElementById("summary").innerHTML = news.summary;
        news.cards.forEach(put);
        count();
        pair();
        sift();
        tick();
      }
      ({ revision, finished } = news);
      mood(finished ? "rest" : "live", finished ? "Finished" : "Live");
      pause = finished ? 3000 : 1000;
    } catch {
      mood("lost", "Not connected; trying again");
    }
    if (turn === asked) setTimeout(() => document.hidden || follow(), pause);
  }

  function tick() {
    const now = Date.now() / 1000;
    for (const time of list.querySelectorAll("[data-since]")) {
      const passed = Math.max(0, Math.round(now - Number(time.dataset.since)));
      time.textContent = passed < 60 ? `${passed} s` : `${Math.floor(passed / 60)} m ${String(passed % 60).padStart(2, "0")} s`;
    }
  }

  document.getElementById("tools").hidden = false;
  document.getElementById("keys").hidden = false;
  count();
  pair();
  sift();
  for (const card of list.children) sight.observe(card);
  if (live) {
    tick();
    setInterval(tick, 1000);
    document.addEventListener("visibilitychange", () => document.hidden || follow());
    follow();
  }
})();
