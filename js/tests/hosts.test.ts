// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, it } from "vitest";
import { ExplorerState } from "../src/state/explorer";
import { GridView } from "../src/state/grid-view";
import { hideSaved } from "../src/views/ui/saved";
import { settle, smallFrame, TestModel } from "./fake";

let lifetime: AbortController;
beforeEach(() => {
  lifetime = new AbortController();
});
afterEach(() => lifetime.abort());

async function make(manager?: object) {
  const model = new TestModel({ open_review: () => smallFrame() }, { height: 200, revision: 0 });
  if (manager) model.widget_manager = manager;
  const state = new ExplorerState(model, { signal: lifetime.signal });
  await settle();
  const view = new GridView(state, lifetime.signal);
  view.resize({ width: 200, size: 180 });
  return { model, state, view };
}

it("while a job fills the frame, what is on screen and picked stays", async () => {
  const { model, state, view } = await make();
  state.selection.only(3);
  const { height } = view.cells.value;
  view.scrollTo(3 * height + 20);
  const first = view.items.value.at(3)!;
  const scores = smallFrame().scores.map((score) => 1 - score);
  model.answers.open_review = () => ({
    ...smallFrame(),
    scores,
    selected: state.selection.rows.bytes,
  });
  model.tell({ event: "frame" });
  expect(state.status.value.kind).toBe("ready");
  expect(state.frame.value).not.toBeNull();
  await settle();
  expect(state.frame.value?.scores[1]).toBe(scores[1]);
  const line = view.items.value.indexOf(first);
  expect(view.top.value).toBe(Math.min(line * height + 20, 8 * height - 200));
  expect([...state.selection.rows]).toEqual([3]);
});

it("an answer is given to Python's changes where cells wait for one, and nowhere else", async () => {
  for (const [manager, seen] of [
    [{}, 4],
    [undefined, undefined],
  ] as const) {
    const { model } = await make(manager);
    model.set("revision", 4);
    model.emit("change:revision");
    await new Promise((resolve) => setTimeout(resolve, 260));
    expect(model.get("_seen")).toBe(seen);
  }
});

it("a host that cannot draw the charts is not asked to", async () => {
  const { model, state } = await make({});
  state.charts.request();
  expect(state.charts.status.value).toMatchObject({ kind: "error" });
  expect(model.sent.map(({ content }) => content.kind)).not.toContain("analytics");
});

it("what a notebook shows in place of a widget is hidden while that is alive", () => {
  const model = new TestModel({}, { _saved: "dw-saved-1a" });
  hideSaved(model, document, lifetime.signal);
  const rules = () => document.head.textContent ?? "";
  expect(rules()).toContain(".dw-saved-1a");
  lifetime.abort();
  expect(rules()).not.toContain("dw-saved");
  hideSaved(new TestModel({}, { _saved: "x{} body" }), document, new AbortController().signal);
  expect(rules()).toBe("");
});
