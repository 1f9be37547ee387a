import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Bitset } from "../src/data/bitset";
import { samples, termsText } from "../src/state/catalogue";
import { ExplorerState } from "../src/state/explorer";
import type { Events } from "../src/wire/protocol";
import { settle, smallFrame, TestModel, Told } from "./fake";

let lifetime: AbortController;
beforeEach(() => {
  lifetime = new AbortController();
});
afterEach(() => lifetime.abort());

const bitset = (...rows: number[]) => {
  const set = new Bitset(8);
  for (const row of rows) set.add(row);
  return set;
};

function known(collections: Record<string, number[]>): Omit<Events["collections"], "event"> {
  const entries = Object.entries(collections);
  return {
    collections: entries.map(([name, { length: size }]) => ({ name, size, description: "" })),
    members: Uint8Array.from(entries.flatMap(([, rows]) => [...bitset(...rows).bytes])),
  };
}

const told = (collections: Record<string, number[]>, size?: number) =>
  new Told([{ event: "collections", ...known(collections) }], size === undefined ? {} : { size });

async function make(
  collections: Record<string, number[]> = {},
  answers: TestModel["answers"] = {},
) {
  const open_review = () => ({ ...smallFrame(), ...known(collections) });
  const model = new TestModel({ open_review, select: () => ({ count: 0 }), ...answers });
  const state = new ExplorerState(model, { signal: lifetime.signal });
  await settle();
  return { model, state, form: state.nameForm, catalogue: state.catalogue };
}

describe("the form that names the selection", () => {
  it("makes a collection of what is selected", async () => {
    const collect = () => told({ Blurred: [0, 1] }, 2);
    const { model, state, form } = await make({}, { collect });
    expect(form.offer.value).toMatchObject({ ready: false, hint: "Select images first" });
    state.selection.replace([0, 1]);
    expect(form.offer.value.ready).toBe(false);
    form.type("  Blurred ");
    expect(form.offer.value).toMatchObject({ ready: true, label: "Make collection (2)" });
    await form.submit();
    expect(model.ofKind("collect")).toMatchObject([
      { name: "Blurred", of: "selection", how: "replace" },
    ]);
    expect(form.message.value).toEqual({ kind: "done", text: "“Blurred” holds 2 images." });
    expect(form.name.value).toBe("");
    expect(state.catalogue.latest.value).toBe("Blurred");
  });

  it("adds to a collection that has this name, and says how many that are", async () => {
    const collect = () => told({ Blurred: [0, 1, 4, 5] }, 4);
    const { model, state, form } = await make({ Blurred: [0, 1] }, { collect });
    state.selection.replace([1, 4, 5]);
    form.type("Blurred");
    expect(form.offer.value).toMatchObject({
      ready: true,
      label: "Add 2 to “Blurred”",
      hint: "“Blurred” holds 2 images, then 4",
    });
    await form.submit();
    expect(model.ofKind("collect")).toMatchObject([{ name: "Blurred", how: "add" }]);
    expect(form.message.value?.text).toBe("2 images added to “Blurred”, which now holds 4 images.");
  });

  it("removes from it or replaces it when that is chosen", async () => {
    const { state, form } = await make({ Blurred: [0, 1] });
    state.selection.replace([1, 4, 5]);
    form.type("Blurred");
    form.choose("remove");
    expect(form.offer.value).toMatchObject({ ready: true, label: "Remove 1 from “Blurred”" });
    form.choose("replace");
    expect(form.offer.value.hint).toBe("“Blurred” holds 2 images, then 3");
    form.type("Blurred2");
    expect(form.offer.value).toMatchObject({ label: "Make collection (3)", how: "replace" });
  });

  it("does not offer what would change nothing", async () => {
    const { state, form } = await make({ Blurred: [0, 1] });
    state.selection.replace([1]);
    form.type("Blurred");
    expect(form.offer.value).toMatchObject({
      ready: false,
      hint: "They are all in “Blurred” already",
    });
  });

  it("says what went wrong, and keeps the name", async () => {
    const collect = () => new Error("the store is locked");
    const { state, form } = await make({}, { collect });
    state.selection.replace([1]);
    form.type("Blurred");
    await form.submit();
    expect(form.message.value).toEqual({ kind: "failed", text: "The store is locked" });
    expect(form.name.value).toBe("Blurred");
    expect(form.offer.value.ready).toBe(true);
  });
});

describe("the form that names what stays", () => {
  it("offers a name after the plan was accepted, and counts every readable image left", async () => {
    const { state, form } = await make();
    state.acceptPlan();
    expect(form.of.value).toBe("rest");
    expect(form.name.value).toBe("Unique");
    expect([...state.selection.rows]).toEqual([2, 3, 6]);
    expect(form.count.value).toBe(4);
    expect(form.offer.value).toMatchObject({ ready: true, label: "Keep" });
    // The unreadable image is not among them, selected or not.
    state.selection.set(7, true);
    expect(form.count.value).toBe(4);
    state.selection.set(2, false);
    expect(form.count.value).toBe(5);
  });

  it("keeps it, and names the selection again", async () => {
    const collect = () => told({ Clean: [0, 1, 4, 5] }, 4);
    const { model, state, form } = await make({}, { collect });
    state.acceptPlan();
    form.type("Clean");
    await form.submit();
    expect(model.ofKind("collect")).toMatchObject([{ name: "Clean", of: "rest", how: "replace" }]);
    expect(form.of.value).toBe("selection");
    expect(form.message.value?.text).toBe("“Clean” holds 4 images.");
  });

  it("says so when it takes the place of an older collection", async () => {
    const { state, form } = await make({ Unique: [0] });
    state.acceptPlan();
    expect(form.offer.value).toMatchObject({ ready: true, how: "replace", existing: true });
    expect(form.offer.value.label).toBe("Replace “Unique”");
  });

  it("goes with what was accepted, once that is undone", async () => {
    const none = { event: "selection", rows: new Uint8Array(1), origin: null };
    const { state, form } = await make({}, { undo: () => new Told([none]) });
    state.acceptPlan();
    expect(form.of.value).toBe("rest");
    await state.review.undo();
    expect(form.of.value).toBe("selection");
    expect(form.name.value).toBe("");
  });

  it("is left without a word", async () => {
    const { state, form } = await make();
    state.acceptPlan();
    form.leave();
    expect(form.of.value).toBe("selection");
    expect(form.name.value).toBe("");
    expect(state.selection.count).toBe(3);
  });
});

describe("Catalogue", () => {
  it("joins collections from left to right", async () => {
    const { catalogue } = await make({ A: [0, 1, 2], B: [2, 3], C: [1] });
    const rows = catalogue.combine([
      { operation: "union", name: "A" },
      { operation: "union", name: "B" },
      { operation: "difference", name: "C" },
    ]);
    expect([...rows]).toEqual([0, 2, 3]);
    const both = catalogue.combine([
      { operation: "union", name: "A" },
      { operation: "intersection", name: "B" },
    ]);
    expect([...both]).toEqual([2]);
    expect([...catalogue.membersOf("A")]).toEqual([0, 1, 2]);
  });

  it("follows the latest collection when it is renamed or gone", async () => {
    const { model, catalogue } = await make(
      {},
      {
        collect: () => told({ A: [1] }, 1),
        collection: () => told({ B: [1] }),
      },
    );
    await catalogue.collect({ name: "A", of: "selection", how: "replace" });
    await catalogue.rename("A", "B");
    expect(catalogue.latest.value).toBe("B");
    model.answers.collection = () => told({});
    await catalogue.delete("B");
    expect(catalogue.latest.value).toBeNull();
    expect(model.ofKind("collection")).toMatchObject([
      { name: "A", change: { what: "rename", to: "B" } },
      { name: "B", change: { what: "delete" } },
    ]);
  });

  it("takes over what another notebook does", async () => {
    const { model, catalogue } = await make({ A: [0] });
    model.tell({ event: "collections", ...known({ A: [0], "From elsewhere": [3, 4] }) });
    expect(catalogue.tagsOf(3)).toEqual(["From elsewhere"]);
  });
});

describe("samples", () => {
  it("come from all over the set, each once", () => {
    const rows = new Bitset(1000);
    for (let row = 0; row < 1000; row += 10) rows.add(row);
    expect(samples(rows, 4)).toEqual([0, 250, 500, 750]);
    expect(samples(bitset(3, 5), 6)).toEqual([3, 5]);
    expect(samples(bitset(), 6)).toEqual([]);
  });
});

describe("termsText", () => {
  it("says how collections are joined", () => {
    const terms = [
      { operation: "union", name: "A" },
      { operation: "difference", name: "B" },
    ] as const;
    expect(termsText(terms)).toBe("A − B");
  });
});
