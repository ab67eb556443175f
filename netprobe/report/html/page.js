"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  // As netprobe.report.escape: whatever isn't plainly printable is spelt out, and what is written from right to left.
  const LONGEST = 2000;
  const escape = (text) => spelt(clipped(String(text)));
  const clipped = (text) => text.length <= LONGEST ? text : text.slice(0, LONGEST) + "... (" + text.length.toLocaleString("en") + " characters)";
  const spelt = (text) => text.replace(/[\p{C}\p{Zl}\p{Zp}\u0590-\u08ff\ufb1d-\ufdff\ufe00-\ufe0f\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}\u{e0100}-\u{e01ef}]|(?! )\p{Zs}/gu, (one) => {
    const code = one.codePointAt(0), hex = code.toString(16);
    return code < 256 ? "\\x" + hex.padStart(2, "0") : code < 65536 ? "\\u" + hex.padStart(4, "0") : "\\U" + hex.padStart(8, "0");
  });
  // As netprobe.spoken: a server's octets, which stand here one character each, are UTF-8 where they can be.
  const readable = (text) => {
    if (!/[\x80-\xff]/.test(text) || /[^\x00-\xff]/.test(text)) return text;
    try { return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(text, (one) => one.charCodeAt(0))); } catch { return text; }
  };
  const add = (parent, tag, text, className) => {
    const one = document.createElement(tag);
    if (text !== undefined) one.textContent = escape(text);
    if (className) one.className = className;
    parent.append(one);
    return one;
  };

  // ---- ladders: a packet's header on hover, focus or tap
  for (const step of document.querySelectorAll(".step[data-header]")) {
    const place = step.closest(".scroll").nextElementSibling;
    const tell = () => { place.textContent = step.dataset.header.split(" | ").join("\n"); };
    for (const event of ["mouseenter", "focus", "click"]) step.addEventListener(event, tell);
    step.addEventListener("keydown", (e) => { if (e.key === "Enter" || e.key === " ") { tell(); e.preventDefault(); } });
  }
  addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("details.log")) one.open = true; });

  // ---- tables whose rows are all there: filtered by words and by a button's word, sorted by a column
  const tables = new Map();
  const filter = (id) => {
    const table = tables.get(id), tokens = table.words.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    table.rows.forEach((row, n) => {
      const wanted = (!table.word || row.dataset.word === table.word) && tokens.every((one) => table.texts[n].includes(one));
      row.hidden = !wanted;
      shown += wanted;
    });
    for (const place of document.querySelectorAll("[data-shown='" + id + "']")) place.textContent = shown.toLocaleString("en") + " of " + table.rows.length.toLocaleString("en");
  };
  for (const table of document.querySelectorAll("table.records")) {
    const rows = [...table.tBodies[0].rows];
    tables.set(table.id, { rows, texts: rows.map((row) => row.textContent.toLowerCase()), words: "", word: "" });
    const heads = [...table.querySelectorAll("th[aria-sort]")];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending", sign = down ? -1 : 1;
      for (const one of heads) one.setAttribute("aria-sort", one === head ? (down ? "descending" : "ascending") : "none");
      const order = new Intl.Collator("en", { numeric: true });
      const text = new Map(rows.map((row) => [row, row.cells[column].textContent.trim()]));
      table.tBodies[0].append(...[...rows].sort((a, b) => sign * order.compare(text.get(a), text.get(b))));
    }));
    filter(table.id);
  }
  for (const one of document.querySelectorAll("[data-filters]")) one.addEventListener("input", () => { tables.get(one.dataset.filters).words = one.value; filter(one.dataset.filters); });
  const choices = [...document.querySelectorAll("[data-choose]")];
  for (const one of choices) one.addEventListener("click", () => {
    const table = tables.get(one.dataset.choose);
    table.word = table.word === one.dataset.word ? "" : one.dataset.word;
    for (const other of choices) other.setAttribute("aria-pressed", String(other.dataset.word === table.word));
    filter(one.dataset.choose);
  });

  const source = byId("data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  source.remove();
  const templates = data.templates, rows = data.rows === "" ? [] : data.rows.split("\n"), count = rows.length;
  const servers = data.servers.map((one) => one.split(" ")), clients = data.clients;
  const serverNames = servers.map(([address, port]) => (address.includes(":") ? "[" + address + "]" : address) + ":" + port);

  // ---- columns: numbers only, read once
  const kind = new Uint32Array(count), server = new Uint32Array(count), client = new Uint32Array(count);
  const port = new Uint32Array(count), time = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const row = rows[i].split(" ");
    kind[i] = +row[0]; server[i] = +row[1]; client[i] = +row[2]; port[i] = +row[3];
    const at = templates[kind[i]].t;
    time[i] = at < 0 ? 0 : +row[at];
  }
  const pad = (number, digits) => String(number).padStart(digits, "0");
  let first = Infinity, last = -Infinity;
  for (const one of time) if (one > 0) { if (one < first) first = one; if (one > last) last = one; }
  const days = last - first > 86400;
  const clock = (seconds) => {
    if (!(seconds > 0)) return "-";
    const d = new Date(seconds * 1000);
    if (isNaN(d)) return "-";
    const hours = pad(d.getUTCHours(), 2) + ":" + pad(d.getUTCMinutes(), 2) + ":" + pad(d.getUTCSeconds(), 2);
    return days ? pad(d.getUTCMonth() + 1, 2) + "-" + pad(d.getUTCDate(), 2) + " " + hours : hours + "." + pad(Math.floor(seconds * 1000 % 1000), 3);
  };
  const clientName = (i) => clients[client[i]] === "-" ? "-" : (clients[client[i]].includes(":") ? "[" + clients[client[i]] + "]" : clients[client[i]]) + ":" + port[i];

  // A row's values in its template are the verdict's JSON.
  const verdict = (i) => {
    const t = templates[kind[i]], row = rows[i].split(" ");
    const values = [...servers[server[i]], clients[client[i]], ...row.slice(3)];
    let text = t.p[0];
    for (let n = 0; n < t.g.length; n++) {
      const value = values[t.g[n]];
      text += (t.p[n].endsWith('"time": ') ? '"' + value + '"' : value) + t.p[n + 1];
    }
    return JSON.parse(text);
  };

  // ---- filter and sort
  const words = templates.map((t) => (t.state + " " + t.cause + " " + t.certainty + " " + t.rule).toLowerCase());
  const lowerServers = serverNames.map((one) => one.toLowerCase());
  let order = new Uint32Array(count), shown = 0, sortKey = "time", down = false;
  const q = byId("q"), fCause = byId("f-cause"), fState = byId("f-state");
  const options = (select, name) => {
    for (const one of [...new Set(templates.map((t) => t[name]))].sort()) { const o = add(select, "option", one); o.value = one; }
  };
  options(fCause, "cause"); options(fState, "state");
  const ranks = (values) => {
    const collator = new Intl.Collator("en", { numeric: true });
    const sorted = values.map((_, n) => n).sort((a, b) => collator.compare(values[a], values[b])), rank = new Uint32Array(values.length);
    let r = 0;
    sorted.forEach((n, at) => { if (at && values[n] !== values[sorted[at - 1]]) r++; rank[n] = r; });
    return rank;
  };
  const known = {};
  const keys = () => known[sortKey] ??= (() => {
    if (sortKey === "time") return time;
    const key = new Float64Array(count);
    if (sortKey === "client") { const r = ranks(clients); for (let i = 0; i < count; i++) key[i] = r[client[i]] * 65536 + port[i]; return key; }
    const r = sortKey === "server" ? ranks(serverNames) : ranks(templates.map((t) => t[sortKey]));
    const of = sortKey === "server" ? server : kind;
    for (let i = 0; i < count; i++) key[i] = r[of[i]];
    return key;
  })();
  const apply = () => {
    const tokens = q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kindOk = templates.map((t) => (!fCause.value || t.cause === fCause.value) && (!fState.value || t.state === fState.value));
    const hits = tokens.map((token) => ({ token, k: words.map((one) => one.includes(token)), s: lowerServers.map((one) => one.includes(token)), c: clients.map((one) => one.includes(token)), colon: token.includes(":") }));
    shown = 0;
    for (let i = 0; i < count; i++) {
      if (!kindOk[kind[i]]) continue;
      let ok = true;
      for (const hit of hits) if (!(hit.k[kind[i]] || hit.s[server[i]] || hit.c[client[i]] || (hit.colon && clientName(i).includes(hit.token)))) { ok = false; break; }
      if (ok) order[shown++] = i;
    }
    const key = keys(), part = order.subarray(0, shown), sign = down ? -1 : 1;
    part.sort((a, b) => sign * (key[a] - key[b]) || a - b);
    byId("shown").textContent = shown.toLocaleString("en") + " of " + count.toLocaleString("en") + " attempts";
    byId("grid").setAttribute("aria-rowcount", shown + 1);
    for (const one of document.querySelectorAll("button.cause")) one.setAttribute("aria-pressed", String(one.dataset.cause === fCause.value));
    view.scrollTop = 0; active = 0;
    draw(true);
  };

  // ---- the list: only the rows in sight exist
  const view = byId("view"), space = byId("space"), alive = new Map();
  let active = 0, height = 30;
  const COLUMNS = ["time", "client", "server", "state", "cause", "certainty", "rule"];
  const swatch = (parent, n) => {
    const s = document.createElementNS("http://www.w3.org/2000/svg", "svg"), r = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of [["width", 10], ["height", 10], ["aria-hidden", "true"]]) s.setAttribute(name, value);
    r.setAttribute("width", 10); r.setAttribute("height", 10); r.setAttribute("class", "c" + n);
    s.append(r); parent.prepend(s, " ");
  };
  const make = (n) => {
    const i = order[n], t = templates[kind[i]], row = document.createElement("div");
    row.className = "row"; row.setAttribute("role", "row"); row.setAttribute("aria-rowindex", n + 2); row.tabIndex = n === active ? 0 : -1; row.dataset.n = n;
    row.style.top = n * height + "px";
    const texts = { time: clock(time[i]), client: clientName(i), server: serverNames[server[i]], state: t.state, cause: t.cause, certainty: t.certainty, rule: t.rule };
    for (const name of COLUMNS) {
      const cell = add(row, "div", texts[name], "cell " + name);
      cell.setAttribute("role", "cell");
      if (name === "cause") swatch(cell, data.colours[t.cause] ?? 8);
    }
    return row;
  };
  const draw = (anew, from, to) => {
    height = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")) || 30;
    if (anew) { for (const one of alive.values()) one.remove(); alive.clear(); space.style.height = shown * height + "px"; }
    const begin = from ?? Math.max(0, Math.floor(view.scrollTop / height) - 8);
    const end = to ?? Math.min(shown, Math.ceil((view.scrollTop + view.clientHeight) / height) + 8);
    for (const [n, one] of alive) if ((n < begin || n >= end) && one !== document.activeElement) { one.remove(); alive.delete(n); }
    for (let n = begin; n < end; n++) if (!alive.has(n)) { const one = make(n); alive.set(n, one); const next = alive.get(n + 1); if (next) space.insertBefore(one, next); else space.append(one); }
  };
  const go = (n) => {
    active = Math.max(0, Math.min(shown - 1, n));
    if (active * height < view.scrollTop) view.scrollTop = active * height;
    if ((active + 1) * height > view.scrollTop + view.clientHeight) view.scrollTop = (active + 1) * height - view.clientHeight;
    draw(false);
    for (const [m, one] of alive) one.tabIndex = m === active ? 0 : -1;
    alive.get(active)?.focus({ preventScroll: true });
  };
  view.addEventListener("scroll", () => requestAnimationFrame(() => draw(false)), { passive: true });
  let printing = false;
  addEventListener("resize", () => { if (!printing) draw(true); });
  addEventListener("beforeprint", () => {
    const most = Math.min(shown, 500);
    printing = true;
    draw(true, 0, most);
    byId("print-note").textContent = most < shown ? "The first " + most + " of " + shown + " attempts; filter the list to print others." : "";
  });
  addEventListener("afterprint", () => { printing = false; draw(true); });
  view.addEventListener("keydown", (e) => {
    const page = Math.max(1, Math.floor(view.clientHeight / height) - 1);
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: shown - 1 }[e.key];
    if (to !== undefined) { e.preventDefault(); go(to); } else if ((e.key === "Enter" || e.key === " ") && shown) { e.preventDefault(); open(active); }
  });
  view.addEventListener("click", (e) => { const row = e.target.closest(".row"); if (row) { go(+row.dataset.n); open(+row.dataset.n); } });

  // ---- one attempt
  const dialog = byId("detail");
  const list = (body, head, texts) => {
    if (!texts || !texts.length) return;
    add(body, "h3", head);
    const ul = add(body, "ul");
    for (const one of texts) {
      const li = add(ul, "li");
      one.split("`").forEach((part, n) => add(li, n % 2 ? "code" : "span", part));
    }
  };
  const place = (origin, address) => origin.between ? "between " + origin.between.map((one) => one ?? "the next router").join(" and ")
    : (origin.address && origin.address !== address ? origin.address : origin.kind) + (origin.hop ? ", hop " + origin.hop : "");
  const open = (n) => {
    const v = verdict(order[n]), body = byId("detail-body");
    body.replaceChildren();
    byId("detail-h").textContent = escape(serverNames[server[order[n]]] + ": " + (v.cause === "up" ? "up" : v.state + ", " + v.cause + " (" + v.certainty + ")"));
    add(body, "p", "from " + clientName(order[n]) + ", " + clock(time[order[n]]) + " UTC; rule " + v.rule + ", reason " + v.reason, "dim");
    if (v.thin) add(body, "p", "Too many different texts for this page: `netprobe analyze --jsonl` has the rest.");
    if (v.cause !== "up" && v.origin) add(body, "p", "Refused at: " + place(v.origin, v.address));
    if (v.service?.identification) add(body, "p", "It identified itself as " + readable(v.service.identification));
    list(body, "It said", v.service?.text?.map(readable));
    list(body, "Because", v.because);
    list(body, "Or it is", v.cause === "up" ? [] : v.alternatives?.map((one) => one.cause + ": " + one.because + ". To settle it: " + one.settle));
    list(body, "To do", v.cause === "up" ? [] : v.remedy);
    list(body, "Notes", v.notes);
    list(body, "Path", v.path?.map((hop) => "hop " + hop.hop + ": " + (hop.address ?? "no answer") + ", " + hop.reason));
    list(body, "Packets", v.evidence?.map((one) => "frame " + one.frame + ", " + clock(+one.time) + ": " + one.what));
    if (v.conn_state) add(body, "p", "history " + (v.history || "-") + ", conn_state " + v.conn_state, "dim");
    dialog.showModal();
    byId("detail-h").focus();
  };
  byId("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => go(active));

  // ---- what changes the list
  let waiting = 0;
  q.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 120); });
  for (const one of [fCause, fState]) one.addEventListener("change", apply);
  document.querySelector(".filters").addEventListener("submit", (e) => { e.preventDefault(); apply(); });
  byId("reset").addEventListener("click", () => { q.value = ""; fCause.value = ""; fState.value = ""; apply(); });
  const show = () => { apply(); byId("list-h").scrollIntoView(); };
  for (const one of document.querySelectorAll("button.cause")) one.addEventListener("click", () => { fCause.value = one.dataset.cause; show(); });
  for (const one of document.querySelectorAll("button.to-server")) one.addEventListener("click", () => { q.value = one.dataset.server; show(); });
  const heads = [...document.querySelectorAll("[data-sort]")];
  const mark = () => { for (const one of heads) one.parentElement.setAttribute("aria-sort", one.dataset.sort === sortKey ? (down ? "descending" : "ascending") : "none"); };
  for (const one of heads) one.addEventListener("click", () => { down = sortKey === one.dataset.sort && !down; sortKey = one.dataset.sort; mark(); apply(); });
  mark();
  apply();
  document.documentElement.dataset.ready = "yes";
})();
