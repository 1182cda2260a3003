"use strict";

// Each form sends one request and shows what came back under it: the status, the head, the body. Without this script
// the same forms open the same answers as pages of their own.

const current = new WeakMap(); // form → the AbortController of its newest request

for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if ("plain" in button.dataset) return; // left to the browser
    event.preventDefault();
    current.get(form)?.abort();
    if (button.dataset.state !== "busy") run(form, button);
  });
}

async function run(form, button) {
  const controller = new AbortController();
  current.set(form, controller);
  const view = new View(form);
  const label = [...button.childNodes];
  if ("stop" in button.dataset) {
    button.dataset.state = "busy";
    button.replaceChildren(button.dataset.stop);
  }
  const request = "events" in form.dataset ? listen : send;
  const response = await request(form, button, view, controller.signal);
  if ("stop" in button.dataset) {
    delete button.dataset.state;
    button.replaceChildren(...label);
  }
  const isCurrent = () => current.get(form) === controller;
  if (response !== undefined && "outcome" in form.dataset) await showOutcome(form, response, view, isCurrent);
  if (response !== undefined && "watch" in form.dataset) await watchJob(response, view, isCurrent);
}

/** The three places under a form. The first and the last are live regions: a screen reader says what comes. */
class View {
  constructor(form) {
    this.place = form.parentElement;
    this.status = this.place.querySelector(".status");
    this.head = this.place.querySelector(".head");
    this.body = this.place.querySelector(".body");
    this.alt = form.dataset.alt ?? "";
    delete this.place.dataset.class;
    for (const part of [this.status, this.head, this.body]) part.replaceChildren();
  }

  showHead(response) {
    this.place.dataset.class = String(response.status)[0];
    this.head.textContent = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  }

  /** Show the body as it comes. Returns its size in bytes. */
  async showBody(response) {
    const type = response.headers.get("content-type") ?? "";
    const readable = type.startsWith("text/") || type === "application/json";
    const text = document.createElement("pre");
    if (readable) this.body.append(text);
    const size = await readAll(response, (piece) => readable && text.append(piece));
    if (size === 0) text.remove();
    if (size > 0 && type.startsWith("image/")) {
      const image = document.createElement("img");
      image.src = response.url;
      image.alt = this.alt;
      this.body.append(image);
    } else if (size > 0 && !readable) {
      const link = document.createElement("a");
      link.href = response.url;
      link.textContent = `Open ${new URL(response.url).pathname}`;
      this.body.append(link);
    }
    return size;
  }

  add(sentence) {
    const line = document.createElement("p");
    line.textContent = sentence;
    this.body.append(line);
  }
}

/** Hand on each piece of text as it comes. Returns the size of the body in bytes. */
async function readAll(response, take) {
  if (response.body === null) return 0;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return size;
    size += value.length;
    take(decoder.decode(value, { stream: true }));
  }
}

/** Returns the response, also one whose body did not come whole. */
async function send(form, button, view, signal) {
  const started = performance.now();
  let response;
  try {
    response = await fetch(address(form), { ...message(form, button), cache: "no-store", signal });
    const where = response.redirected ? `, redirected to ${new URL(response.url).pathname}` : "";
    const answer = `${response.status} ${response.statusText}`.trim() + where;
    view.status.textContent = answer;
    view.showHead(response);
    const size = await view.showBody(response);
    view.status.textContent = `${answer}: ${size} bytes, ${since(started)}`;
  } catch (error) {
    view.status.textContent = signal.aborted ? `You left after ${since(started)}` : `No whole answer: ${error.message}`;
  }
  return response;
}

/** The address of the request: the fields go into the path where it has a place for them, else into the query. */
function address(form) {
  const fields = new FormData(form);
  if ("path" in form.dataset) {
    return form.dataset.path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(fields.get(name)));
  }
  const query = form.method === "get" ? new URLSearchParams(fields).toString() : "";
  return form.getAttribute("action") + (query && `?${query}`);
}

function message(form, button) {
  const method = button.dataset.method ?? form.method.toUpperCase();
  if ("range" in form.dataset) return { method, headers: { Range: `bytes=${new FormData(form).get("range")}` } };
  if (!("json" in form.dataset)) return { method };
  const fields = {};
  for (const [name, value] of new FormData(form)) fields[name] = /^-?\d+$/.test(value) ? Number(value) : value;
  return { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(fields) };
}

/** The server knows how the stream ended when it has noticed; ask until then. */
async function showOutcome(form, response, view, isCurrent) {
  const path = form.dataset.outcome.replace("{run}", response.headers.get("x-run"));
  for (let tries = 0; tries < 20 && isCurrent(); tries++) {
    const answer = await fetch(path);
    if (answer.ok && isCurrent()) {
      const { kind, body_bytes, duration } = await answer.json();
      view.add(`The outcome, as the server saw it: ${kind}, ${body_bytes} bytes in ${duration} s.`);
      return;
    }
    await pause(200);
  }
}

async function watchJob(response, view, isCurrent) {
  const answered = performance.now();
  for (let state = ""; state !== "done" && isCurrent(); await pause(150)) {
    const job = await (await fetch(response.headers.get("location"))).json();
    if (job.state !== state && isCurrent()) view.add(`${since(answered)} after the answer: ${job.state}`);
    state = job.state;
  }
}

/** Show events until the server says that there will be no more, or the user has had enough. */
function listen(form, button, view, signal) {
  return new Promise((resolve) => {
    const source = new EventSource(form.action);
    const close = (text) => {
      source.close();
      view.status.textContent = text;
      resolve();
    };
    view.status.textContent = "Connecting";
    signal.addEventListener("abort", () => close("You left"));
    source.addEventListener("open", () => (view.status.textContent = "Connected"));
    source.addEventListener("message", ({ data, lastEventId }) => view.add(`id ${lastEventId}: ${data}`));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) close("The server has no more events");
      else view.status.textContent = "The stream has ended: the browser comes back";
    });
  });
}

function since(started) {
  const elapsed = performance.now() - started;
  return elapsed < 1000 ? `${Math.round(elapsed)} ms` : `${(elapsed / 1000).toFixed(1)} s`;
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
