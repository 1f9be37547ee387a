// @vitest-environment happy-dom
import { describe, expect, it, vi } from "vitest";
import { Bitset } from "../src/data/bitset";
import explorer from "../src/widgets/explorer";
import type { ColumnInfo, Replies } from "../src/wire/protocol";
import { type SentMessage, smallFrame, smallTiles, TestModel } from "./fake";
import { display, lifetime, painted } from "./screen";

// Another program on the machine must not fail these.
vi.setConfig({ testTimeout: 20_000 });

const bits = (...rows: number[]) => {
  const set = new Bitset(8);
  for (const row of rows) set.add(row);
  return set.bytes;
};

const MORE: ColumnInfo[] = [
  { name: "taken", type: "Datetime", sortable: true, facet: "date" },
  { name: "keep", type: "Boolean", sortable: true, facet: "boolean" },
  { name: "sharp", type: "Boolean", sortable: true, facet: "boolean" },
  { name: "place", type: "String", sortable: true, facet: "category" },
];
const PLACES = Array.from({ length: 300 }, (_, i) => `place ${i}`);

const data: Record<string, Replies["column"]> = {
  width: {
    facet: "number",
    values: Float64Array.of(100, 200, 300, 400, 500, 600, 700, Number.NaN),
  },
  taken: {
    facet: "date",
    values: Float64Array.from({ length: 8 }, (_, row) => Date.UTC(2020 + row, 5, 1)),
  },
  kind: {
    facet: "category",
    codes: Uint32Array.of(2, 0, 1, 0, 1, 2, 1, 3),
    labels: ["exact", "near", "unique", null],
  },
  keep: {
    facet: "boolean",
    codes: Uint32Array.of(0, 0, 1, 1, 0, 0, 1, 2),
    labels: [true, false, null],
  },
  sharp: {
    facet: "boolean",
    codes: Uint32Array.of(0, 0, 0, 0, 0, 1, 1, 1),
    labels: [true, false],
  },
  place: { facet: "category", codes: Uint32Array.from({ length: 8 }, (_, i) => i), labels: PLACES },
};

const open_review = (): Replies["open_review"] => ({
  ...smallFrame(),
  columns: [...smallFrame().columns!, ...MORE],
  collections: [{ name: "Blurred", size: 2, description: "" }],
  members: bits(0, 3),
});

const answers: TestModel["answers"] = {
  open_review,
  tiles: smallTiles(),
  ping: () => ({}),
  column: ({ column }: SentMessage) => data[column as string],
  match: ({ key }: SentMessage) => ({
    rows: key === "error" ? bits(0, 1, 2, 3, 4, 5, 6) : bits(1, 2),
  }),
};

async function show(filters: object = {}, more: TestModel["answers"] = {}) {
  const model = new TestModel({ ...answers, ...more }, { _filters: filters });
  const [root] = await display(explorer, model);
  const toggle = root.querySelector<HTMLElement>("[title*='Filter by score']");
  toggle?.click();
  await painted();
  return { model, root };
}

const all = (root: ParentNode, selector: string) => [
  ...root.querySelectorAll<HTMLElement>(selector),
];
const button = (root: ParentNode, label: string) =>
  all(root, "button").find(
    (one) => (one.getAttribute("aria-label") ?? one.textContent ?? "").trim() === label,
  )!;
const texts = (root: ParentNode, selector: string) =>
  all(root, selector).map((one) => one.textContent);
const shown = (root: ParentNode) =>
  all(root, ".cell:not(.context)")
    .map((cell) => Number(cell.dataset.row))
    .sort();
const press = (element: Element, key: string) =>
  element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
function type(field: Element, text: string): void {
  (field as HTMLInputElement).value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Open the editor of a column by name. */
async function edit(root: ShadowRoot, name: string): Promise<HTMLElement> {
  button(root, "Add filter").click();
  await painted();
  type(root.querySelector('[role="combobox"]')!, name);
  await painted();
  press(root.querySelector('[role="combobox"]')!, "Enter");
  await painted();
  return root.querySelector<HTMLElement>(".filter-popover")!;
}

describe("the overview", () => {
  it("reads as counts, each of which sets its filter alone", async () => {
    const { root, model } = await show({ group: { null: false }, plan: { any: ["remove"] } });
    const labels = texts(root, ".overview button");
    expect(labels).toEqual([
      "8 images",
      "1 exact copy",
      "2 near-duplicates",
      "4 kept",
      "1 unreadable",
    ]);
    button(root, "1 exact copy").click();
    await painted();
    expect(shown(root)).toEqual([3]);
    expect(button(root, "1 exact copy").getAttribute("aria-pressed")).toBe("true");
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(model.get("_filters")).toEqual({ uniqueness: [0, 0.0001] });
    button(root, "1 exact copy").click();
    await painted();
    expect(shown(root)).toHaveLength(8);
    button(root, "4 kept").click();
    await painted();
    expect(shown(root)).toEqual([0, 1, 4, 5]);
    button(root, "8 images").click();
    await painted();
    expect(shown(root)).toHaveLength(8);
  });

  it("offers nothing that there is none of", async () => {
    const summary = { ...smallFrame().summary!, unreadable: 0 };
    const { root } = await show({}, { open_review: () => ({ ...open_review(), summary }) });
    expect((button(root, "0 unreadable") as HTMLButtonElement).disabled).toBe(true);
  });
});

describe("chips", () => {
  it("show every clause but the range that the histogram shows, and can be removed", async () => {
    const { root } = await show({
      uniqueness: [0, 0.9],
      width: [200, null],
      kind: { any: ["near"] },
      odd: { new: 1 },
    });
    expect(texts(root, ".chip.filter .edit")).toEqual([
      "widthfrom 200",
      "kindnear",
      'odd{"new":1}',
    ]);
    expect(shown(root)).toEqual([2]);
    button(root, "Remove filter: kind near").click();
    await painted();
    expect(shown(root)).toEqual([1, 2]);
    button(root, "Reset filters").click();
    await painted();
    expect(shown(root)).toHaveLength(8);
    expect(button(root, "Reset filters")).toBeUndefined();
  });

  it("say which filter is not in force, and why", async () => {
    const { root } = await show(
      { where: { text: "width > 3", expression: "x" } },
      { match: () => new Error("set it again") },
    );
    const chip = root.querySelector(".chip.filter.off")!;
    expect(chip.textContent).toContain("Not in force: set it again");
    expect(shown(root)).toHaveLength(8);
  });

  it("open their editor, which Escape closes", async () => {
    const { root } = await show({ kind: { any: ["near"] } });
    const chip = root.querySelector<HTMLElement>(".chip.filter button.edit")!;
    chip.click();
    await painted();
    const popover = root.querySelector<HTMLElement>(".filter-popover")!;
    expect(popover.getAttribute("popover")).toBe("manual");
    expect(popover.getAttribute("aria-label")).toBe("Filter by kind");
    press(popover, "Escape");
    await painted();
    expect(root.querySelector(".filter-popover")).toBeNull();
    expect(root.activeElement).toBe(chip);
  });
});

describe("Add filter", () => {
  it("lists what there is to filter by, and arrow keys choose", async () => {
    const { root } = await show();
    button(root, "Add filter").click();
    await painted();
    expect(texts(root, ".option .name")).toEqual([
      ..."Collections Plan path kind group width error taken keep sharp place".split(" "),
    ]);
    const search = root.querySelector('[role="combobox"]')!;
    press(search, "ArrowDown");
    await painted();
    press(search, "Enter");
    await painted();
    expect(root.querySelector(".filter-popover")?.getAttribute("aria-label")).toBe(
      "Filter by Plan",
    );
    button(root, "All columns").click();
    await painted();
    expect(root.activeElement).toBe(root.querySelector('[role="combobox"]'));
  });

  it("has a histogram for numbers, which shows what other filters leave", async () => {
    const { root, model } = await show({ kind: { any: ["near"] } });
    const popover = await edit(root, "width");
    const high = popover.querySelector('[role="slider"][data-end="1"]')!;
    expect(high.getAttribute("aria-valuenow")).toBe("700");
    const [low] = all(popover, ".bound") as HTMLInputElement[];
    low.value = "450";
    low.dispatchEvent(new Event("change", { bubbles: true }));
    await painted();
    expect(shown(root)).toEqual([4, 6]);
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(model.get("_filters")).toMatchObject({ width: [450, null] });
    // The axis clips what the range keeps; the bars' own extent may be shorter.
    const clip = popover.querySelector<SVGElement>("svg:has(.kept)")!.style.clipPath;
    expect(clip).toBe("inset(0 0.000% 0 58.333%)");
    expect(popover.querySelector(".bars.left")!.getAttribute("d")).not.toBe(
      popover.querySelector(".bars")!.getAttribute("d"),
    );
  });

  it("takes dates as text, a year as a whole", async () => {
    const { root } = await show();
    const popover = await edit(root, "taken");
    const [low, high] = all(popover, ".bound") as HTMLInputElement[];
    expect(low.getAttribute("aria-label")).toBe("Earliest taken");
    for (const [field, text] of [
      [low, "2021"],
      [high, "2022"],
    ] as const) {
      field.value = text;
      field.dispatchEvent(new Event("change", { bubbles: true }));
      await painted();
    }
    expect(shown(root)).toEqual([1, 2]);
    expect(texts(root, ".chip.filter .edit")).toEqual(["taken2021-01-01 … 2022-12-31"]);
  });

  it("lists values with how many the other filters leave", async () => {
    const { root } = await show({ width: [300, null] });
    const popover = await edit(root, "kind");
    expect(texts(popover, ".value-list label")).toEqual([
      "exact1",
      "near3",
      "unique1",
      "no value0",
    ]);
    const boxes = all(popover, "input[type=checkbox]") as HTMLInputElement[];
    boxes[0].click();
    await painted();
    boxes[2].click();
    await painted();
    expect(shown(root)).toEqual([3, 5]);
    expect(texts(popover, ".value-list .n")).toEqual(["1", "3", "1", "0"]);
    button(popover, "Clear").click();
    await painted();
    expect(shown(root)).toEqual([2, 3, 4, 5, 6]);
  });

  it("lists no more than 200 values, and finds the rest", async () => {
    const { root } = await show();
    const popover = await edit(root, "place");
    expect(all(popover, ".value-list li")).toHaveLength(200);
    expect(popover.textContent).toContain("The first 200 of 300: type to find more.");
    type(popover.querySelector("input")!, "place 29");
    await painted();
    expect(all(popover, ".value-list li")).toHaveLength(11);
    type(popover.querySelector("input")!, "place 3");
    await painted();
    button(popover, "Select 11 found").click();
    await painted();
    expect(shown(root)).toEqual([3]);
  });

  it("has a switch for booleans, and a list where some have no value", async () => {
    const { root } = await show();
    const popover = await edit(root, "sharp");
    expect(texts(popover, ".choices button")).toEqual(["Any", "Yes 5", "No 3"]);
    button(popover, "No 3").click();
    await painted();
    expect(shown(root)).toEqual([5, 6, 7]);
    press(popover, "Escape");
    await painted();
    const list = await edit(root, "keep");
    expect(texts(list, ".value-list .name")).toEqual(["yes", "no", "no value"]);
  });

  it("searches text once the typing pauses, and not with every key", async () => {
    const { root, model } = await show();
    const popover = await edit(root, "path");
    const field = popover.querySelector("input")!;
    for (const text of ["b", "be", "beach"]) type(field, text);
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(model.ofKind("match").map(({ clause }) => clause)).toEqual([{ contains: "beach" }]);
    await painted();
    expect(shown(root)).toEqual([1, 2]);
    type(field, "");
    press(field, "Enter");
    await painted();
    expect(shown(root)).toHaveLength(8);
  });

  it("includes and excludes collections, and tells what the plan does", async () => {
    const { root } = await show();
    const popover = await edit(root, "collections");
    expect(texts(popover, ".choice-list .name, .choice-list .n")).toEqual(["Blurred", "2"]);
    button(popover, "Not in").click();
    await painted();
    expect(shown(root)).toEqual([1, 2, 4, 5, 6, 7]);
    button(popover, "In").click();
    await painted();
    expect(shown(root)).toEqual([0, 3]);
    expect(texts(root, ".chip.filter .edit")).toEqual(["inBlurred"]);
    press(popover, "Escape");
    await painted();
    const plan = await edit(root, "plan");
    expect(texts(plan, ".choices button")).toEqual(["Any", "Stays 1", "Goes 1"]);
    button(plan, "Goes 1").click();
    await painted();
    expect(shown(root)).toEqual([3]);
  });

  it("says why a column cannot be read, and tries again", async () => {
    let fail = true;
    const { root } = await show(
      {},
      { column: () => (fail ? new Error("it is broken") : data.width) },
    );
    const popover = await edit(root, "width");
    expect(popover.querySelector('[role="alert"]')?.textContent).toContain("it is broken");
    fail = false;
    button(popover, "Try again").click();
    await painted();
    expect(popover.querySelector(".histogram")).not.toBeNull();
  });

  it("says why a search is not in force, and tries again", async () => {
    let fail = true;
    const { root } = await show(
      { path: { contains: "beach" } },
      { match: () => (fail ? new Error("it is broken") : { rows: bits(4) }) },
    );
    root.querySelector<HTMLElement>(".chip.filter button.edit")!.click();
    await painted();
    const popover = root.querySelector<HTMLElement>(".filter-popover")!;
    expect(popover.querySelector('[role="alert"]')?.textContent).toContain("it is broken");
    fail = false;
    button(popover, "Try again").click();
    await painted();
    expect(popover.querySelector('[role="alert"]')).toBeNull();
    expect(shown(root)).toEqual([4]);
  });

  it("keeps keys that are typed in it from the grid and the notebook", async () => {
    const { root } = await show();
    const popover = await edit(root, "path");
    let heard = 0;
    document.addEventListener("keydown", () => heard++, { signal: lifetime.signal });
    press(popover.querySelector("input")!, "a");
    expect(heard).toBe(0);
  });
});
