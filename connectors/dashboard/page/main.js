// @ts-check
/** Puts the page together: the model, live counts, cross-tables, moves and the engine's own state. */
import { Connection } from "./connection.js";
import { Crosstables } from "./crosstables.js";
import { byId, count, moment } from "./format.js";
import { NONE, Segments } from "./segments.js";
import { Stream } from "./stream.js";

/**
 * @typedef {{ name: string, version: string, segments: string[], dimensions: import("./crosstables.js").Dimension[] }} Model
 * @typedef {{ name: string, models: Model[] }} Description
 */

const STATUS_MS = 2_000;
const picker = /** @type {HTMLSelectElement} */ (byId("model"));
const bands = /** @type {HTMLInputElement} */ (byId("bands"));
const notice = byId("notice");
const only = byId("only");

/** @type {Description | undefined} */
let description;
/** @type {Model | undefined} */
let model;
let reloading = false;

const stream = new Stream();
const crosstables = new Crosstables();
const segments = new Segments((segment) => {
  only.hidden = segment === undefined;
  if (segment !== undefined && only.firstElementChild)
    only.firstElementChild.textContent = `Only from and to ${segment ?? NONE}`;
  stream.only(segment);
});
only.querySelector("button")?.addEventListener("click", () => segments.clearPick());

const connection = new Connection({
  state(state, text) {
    const node = byId("connection");
    node.dataset.state = state === "refused" ? "lost" : state;
    node.textContent = state === "refused" ? "Refused" : text;
    if (state === "live") void readStatus();
    if (state === "refused") tell(`The engine refused this page: ${text}. Reload it.`);
  },
  counts(counts) {
    if (counts.version !== model?.version) return void load();
    segments.update(counts);
    crosstables.update(counts);
  },
  migration(event, recent) {
    stream.add(event);
    if (!recent) segments.moved(event.data.from.segment, event.data.to.segment);
  },
  gap: () => stream.gap(),
});

/** Loads the models: at the start, and when a count says that they are others now. */
async function load() {
  if (reloading) return;
  reloading = true;
  try {
    const response = await fetch("/api/model");
    if (!response.ok) throw new Error(`/api/model answered ${response.status}`);
    description = /** @type {Description} */ (await response.json());
  } catch {
    tell("The engine does not answer. Trying again.");
    setTimeout(load, 1_000);
    return;
  } finally {
    reloading = false;
  }
  tell("");
  byId("instance").textContent = description.name;
  document.title = `${description.name} · Tidemark`;
  const names = description.models.map(({ name }) => name);
  picker.replaceChildren(...names.map((name) => new Option(name)));
  byId("picker").hidden = false;
  const asked = model?.name ?? new URLSearchParams(location.hash.slice(1)).get("model") ?? "";
  picker.value = names.includes(asked) ? asked : (names[0] ?? "");
  show();
}

function show() {
  model = description?.models.find(({ name }) => name === picker.value);
  if (model === undefined) return;
  only.hidden = true;
  segments.show(model);
  crosstables.show(model);
  stream.show(model);
  connection.follow({ model: model.name, bands: bands.checked });
}

/** @param {string} text */
function tell(text) {
  notice.textContent = text;
  notice.hidden = text === "";
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let nextStatus;

async function readStatus() {
  clearTimeout(nextStatus);
  if (document.visibilityState === "visible" && byId("connection").dataset.state === "live") {
    try {
      const response = await fetch("/api/status");
      if (response.ok) showStatus(await response.json());
    } catch {
      // The connection's own state already tells that the engine is away.
    }
  }
  clearTimeout(nextStatus);
  nextStatus = setTimeout(readStatus, STATUS_MS);
}

/** @param {{ clock: number | null, lag: number, live: boolean, checks: Record<string, { detail: string }>, partitions: { partition: number, state: string, position: number, error?: string }[] }} status */
function showStatus({ clock, lag, live, checks, partitions }) {
  // Of files: nothing more comes.
  const replayed = checks.replay !== undefined;
  if (replayed && byId("connection").dataset.state === "live") {
    byId("connection").textContent = "Replay";
    byId("connection").title = Object.values(checks)
      .map(({ detail }) => detail)
      .join("; ");
  }
  const time = byId("clock").querySelector("time");
  if (time !== null && clock !== null) {
    time.textContent = moment(clock);
    time.dateTime = new Date(clock).toISOString();
    time.title = time.dateTime;
  }
  byId("clock").hidden = clock === null;
  const position = byId("position").querySelector(".value");
  const applied = partitions.reduce((sum, partition) => sum + partition.position, 0);
  if (position !== null) position.textContent = lag > 0 ? `${count(applied)}, ${count(lag)} to go` : count(applied);
  byId("position").title = partitions.map((one) => `partition ${one.partition}: ${count(one.position)}`).join("\n");
  byId("position").hidden = replayed;
  const failed = partitions.find(({ state }) => state === "failed" || state === "silent");
  if (failed !== undefined)
    tell(
      `Partition ${failed.partition} ${failed.state === "failed" ? "has stopped" : "does not answer"}${failed.error === undefined ? "" : `: ${failed.error}`}`,
    );
  else if (!live) tell("History is loading. Moves show once it is in.");
  else tell("");
}

picker.addEventListener("change", () => {
  history.replaceState(null, "", `#${new URLSearchParams({ model: picker.value })}`);
  show();
});
bands.addEventListener("change", () => {
  if (model === undefined) return;
  stream.show(model);
  segments.clearPick();
  connection.follow({ model: model.name, bands: bands.checked });
});
void load();
void readStatus();
