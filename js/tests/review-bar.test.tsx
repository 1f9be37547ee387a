// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { Bitset } from "../src/data/bitset";
import explorer from "../src/widgets/explorer";
import imageGrid from "../src/widgets/image_grid";
import type { ReviewInfo } from "../src/wire/protocol";
import { smallFrame, smallReview, smallTiles, TestModel } from "./fake";
import { display, painted } from "./screen";

const about = (row: number) => ({
  caption: row === 1 ? "keeper: most pixels" : null,
  chosen: row === 4,
  not_duplicate: row === 5,
});
const tiles = smallTiles(about);

interface Given {
  make?: typeof explorer;
  review?: Partial<ReviewInfo>;
  open?: object;
}

const columns = [
  ...smallFrame().columns!,
  { name: "fingerprint", type: "String", sortable: false, facet: null },
];

async function show({ make = explorer, review = {}, open = {} }: Given = {}) {
  const info = { ...smallReview(), ...review };
  const model = new TestModel({
    open_review: () => ({ ...smallFrame(), columns, review: info, ...open }),
    open_grid: () => ({ ...smallFrame(), columns, ...open }),
    tiles,
    ping: () => ({}),
    select: () => ({ count: 0 }),
    decide: () => ({}),
    undo: () => ({}),
    redo: () => ({}),
  });
  const [root] = await display(make, model);
  const button = (label: string) =>
    [...root.querySelectorAll("button")].find(
      (one) =>
        one.textContent?.trim().startsWith(label) || one.getAttribute("aria-label") === label,
    )!;
  const click = async (label: string) => {
    button(label).click();
    await painted();
  };
  const changes = () => model.ofKind("decide").map(({ change }) => change);
  const selected = () =>
    [...root.querySelectorAll<HTMLElement>('[aria-selected="true"][data-row]')]
      .map((cell) => Number(cell.dataset.row))
      .sort();
  const popover = () => root.querySelector<HTMLElement>(".dropdown");
  return { model, root, button, click, changes, selected, popover };
}

const press = (target: Element, key: string, more: KeyboardEventInit = {}) =>
  target.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, composed: true, cancelable: true, ...more }),
  );

describe("the plan", () => {
  it("is accepted by one click, which selects what goes of the images shown", async () => {
    const { root, button, click, selected } = await show();
    expect(root.querySelector(".headline p")?.textContent).toBe(
      "8 images: 1 exact copy in 1 group can go (2 kB). 2 near-duplicates want a look.",
    );
    expect(button("Accept plan").textContent).toBe("Accept plan (3)");
    await click("Accept plan");
    expect(selected()).toEqual([2, 3, 6]);
    expect(root.querySelector(".selection-bar")?.textContent).toContain("Nothing is deleted.");
  });

  it("is accepted for the exact copies alone, whatever the filter hides", async () => {
    const { model, root, click, selected } = await show();
    model.change("_filters", { uniqueness: [0.5, 1] });
    await painted();
    await click("Remove exact");
    expect(selected()).toEqual([3]);
    expect(model.get("_filters")).toEqual({ uniqueness: [0, 0.0001] });
    expect(root.querySelector(".naming")?.textContent).toBe("Name what stays (6 images)");
  });

  it("leads to a review of the near-duplicates that it removes", async () => {
    const { model, root, click } = await show();
    await click("Review near");
    expect(model.get("_filters")).toMatchObject({ plan: { any: ["remove"] } });
    expect(root.querySelector(".compare")).not.toBeNull();
  });

  it("keeps the place of the sentence and of the selection bar, of which one is seen", async () => {
    const { root } = await show();
    const unseen = () => root.querySelector(".first-line > .unseen > :first-child")!.className;
    expect(unseen()).toContain("selection-bar");
    root.querySelector<HTMLElement>("#cell-3 .check")!.click();
    await painted();
    expect(unseen()).toBe("headline");
  });

  it("cannot be accepted where the filter shows nothing that goes", async () => {
    const { model, button } = await show();
    model.change("_filters", { uniqueness: [0.5, 1] });
    await painted();
    expect(button("Accept plan").disabled).toBe(true);
    expect(button("Accept plan").title).toContain("none of the images that go");
  });

  it("says why there is none", async () => {
    const { root, button } = await show({ review: { off: "the frame has no fingerprints" } });
    expect(root.querySelector(".headline p")?.textContent).toBe(
      "8 images. No plan: the frame has no fingerprints.",
    );
    for (const label of ["Accept plan", "Remove exact", "Plan", "Not duplicates"]) {
      expect(button(label)).toBeUndefined();
    }
    expect(root.querySelector(".act")).toBeNull();
  });

  it("marks on the tiles what goes, what stays and what was chosen by hand", async () => {
    const { root } = await show();
    const classes = (row: number) => root.querySelector(`#cell-${row} .badge`)?.className;
    expect(classes(1)).toBe("badge keeper");
    expect(classes(4)).toBe("badge keeper chosen");
    expect(classes(3)).toBe("badge exact goes");
    expect(root.querySelector("#cell-3")?.getAttribute("aria-label")).toContain("goes");
    expect(root.querySelector("#cell-1 .caption")?.textContent).toBe("keeper: most pixels");
  });
});

describe("decisions on a tile", () => {
  it("choose a keeper, take the choice back, and declare no duplicate", async () => {
    const { root, changes } = await show();
    root.querySelector<HTMLElement>("#cell-3 .act.keep")!.click();
    root.querySelector<HTMLElement>("#cell-4 .act.keep")!.click();
    root.querySelector<HTMLElement>("#cell-2 .act.apart")!.click();
    root.querySelector<HTMLElement>("#cell-5 .act.apart")!.click();
    await painted();
    expect(changes()).toEqual([
      { what: "keepers", add: [3], remove: [] },
      { what: "keepers", add: [], remove: [4] },
      { what: "not_duplicate", rows: [2], value: true },
      { what: "not_duplicate", rows: [5], value: false },
    ]);
    expect(root.querySelector("#cell-0 .act")).toBeNull();
    expect(root.querySelector(".cell.focused")?.id).toBe("cell-5");
  });

  it("on all that are selected in groups, from the bar", async () => {
    const { root, button, click, changes } = await show();
    expect(button("Not duplicates").disabled).toBe(true);
    root.querySelector<HTMLElement>("#cell-2 .check")!.click();
    root.querySelector<HTMLElement>("#cell-5 .check")!.click();
    await painted();
    await click("Not duplicates (1)");
    expect(changes()).toEqual([{ what: "not_duplicate", rows: [2], value: true }]);
  });

  it("need a fingerprint to be remembered by", async () => {
    const { root, button } = await show({ open: { columns: smallFrame().columns } });
    root.querySelector<HTMLElement>("#cell-3 .check")!.click();
    await painted();
    expect(button("Not duplicates").disabled).toBe(true);
    expect(button("Not duplicates").title).toContain("fingerprint");
  });

  it("that fail say why, until that is dismissed", async () => {
    const { model, root, click } = await show();
    model.answers.decide = () => new Error("the store is read-only");
    root.querySelector<HTMLElement>("#cell-3 .act.keep")!.click();
    await painted();
    expect(root.querySelector('[role="alert"]')?.textContent).toContain("The store is read-only");
    await click("Dismiss");
    expect(root.querySelector('[role="alert"]')).toBeNull();
  });
});

describe("the near boundary", () => {
  it("moves by slider and by number, and says what changed", async () => {
    const { root, click, changes, popover } = await show({
      review: { changes: "31 groups (+7), 40 images go (+12)", keepers: 3, not_duplicates: 1 },
    });
    await click("Plan");
    expect(popover()?.textContent).toContain("31 groups (+7), 40 images go (+12)");
    expect(popover()?.textContent).toContain("Hand-made choices stay: 3 keepers, 1 not-duplicate.");
    const slider = root.querySelector<HTMLInputElement>('.boundary [type="range"]')!;
    slider.value = slider.max;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await painted();
    const number = root.querySelector<HTMLInputElement>(".boundary .bound")!;
    number.value = "0.033";
    number.dispatchEvent(new Event("change", { bubbles: true }));
    await painted();
    await painted();
    expect(changes()).toEqual([
      { what: "near", near: 0.2 },
      { what: "near", near: 0.033 },
    ]);
  });

  it("says beyond 0.05 that nobody has confirmed it, where pictures were compared", async () => {
    const summary = { ...smallFrame().summary, compared: 12 };
    const { click, popover } = await show({ review: { near: 0.08 }, open: { summary } });
    await click("Plan");
    expect(popover()?.textContent).toContain("nobody has confirmed them");
  });

  it.each([
    { near: 0.05, compared: 12 },
    { near: 0.08, compared: null },
  ])("says nothing of that at $near with $compared pairs compared", async ({ near, compared }) => {
    const summary = { ...smallFrame().summary, compared };
    const { click, popover } = await show({ review: { near }, open: { summary } });
    await click("Plan");
    expect(popover()?.textContent).not.toContain("confirmed");
  });

  it("goes back to where the frame was scored", async () => {
    const { click, changes } = await show({ review: { near: 0.08 } });
    await click("Plan");
    await click("Back to 0.05");
    expect(changes()).toEqual([{ what: "near", near: null }]);
  });

  it("says why it cannot move", async () => {
    const { root, click, popover } = await show({ review: { near_max: null } });
    await click("Plan");
    expect(popover()?.textContent).toContain("Without a column “embedding”");
    expect(root.querySelector(".boundary")).toBeNull();
  });

  it("Escape closes it and gives the focus back; its keys do not reach the grid", async () => {
    const { root, button, click, popover, changes } = await show();
    await click("Plan");
    press(root.querySelector(".boundary .bound")!, "k");
    press(popover()!, "Escape");
    await painted();
    expect(popover()).toBeNull();
    expect(root.activeElement).toBe(button("Plan"));
    expect(changes()).toEqual([]);
  });
});

describe("the keeper rules", () => {
  const rules = [
    { name: "pixels", about: "most pixels" },
    { name: "bytes", about: "most bytes" },
  ];
  const rule_choices = [...rules, { name: "exif", about: "EXIF present" }];

  it("are moved, removed, added to and reset, each at once", async () => {
    const { root, click, changes } = await show({ review: { rules, rule_choices } });
    await click("Plan");
    await click("Move “most bytes” up");
    expect(root.activeElement?.getAttribute("aria-label")).toBe("Move “most bytes” up");
    await click("Remove “most pixels”");
    const add = root.querySelector<HTMLSelectElement>('[aria-label="Add a rule"]')!;
    expect([...add.options].map(({ text }) => text)).toEqual([
      "Add a rule…",
      "a folder…",
      "the highest, lowest, oldest or newest…",
      "EXIF present",
    ]);
    add.value = "exif";
    add.dispatchEvent(new Event("change", { bubbles: true }));
    await painted();
    await painted();
    await click("Default rules");
    await painted();
    expect(changes()).toEqual([
      { what: "rules", rules: ["bytes", "pixels"] },
      { what: "rules", rules: ["bytes"] },
      { what: "rules", rules: ["exif", "pixels", "bytes"] },
      { what: "rules", rules: null },
    ]);
  });

  it("the last one stays, and the first cannot move up", async () => {
    const { click, changes } = await show({ review: { rules: rules.slice(0, 1) } });
    await click("Plan");
    await click("Remove “most pixels”");
    await click("Move “most pixels” up");
    expect(changes()).toEqual([]);
  });

  it("that were made in Python are shown in words, and move and go like the others", async () => {
    const own = { name: "0", about: "source camera, then web" };
    const { click, changes, popover } = await show({ review: { rules: [own, ...rules] } });
    await click("Plan");
    expect(popover()?.textContent).toContain("source camera, then web");
    await click("Move “source camera, then web” down");
    await painted();
    expect(changes()).toEqual([{ what: "rules", rules: ["pixels", "0", "bytes"] }]);
  });

  it("prefer a folder, an end of a column, or values of one, and come first", async () => {
    const { model, root, click, changes } = await show({ review: { rules } });
    model.answers.folders = () => ({
      root: "/p",
      folders: [{ folder: "/p/camera", images: 5 }],
    });
    const add = async (kind: string) => {
      const select = root.querySelector<HTMLSelectElement>('[aria-label="Add a rule"]')!;
      select.value = kind;
      select.dispatchEvent(new Event("change", { bubbles: true }));
      await painted();
    };
    await click("Plan");
    await add("new:folder");
    expect(root.querySelector(".folders")?.textContent).toBe("camera5");
    await click("camera");
    await painted();
    await add("new:column");
    await click("lowest");
    await painted();
    expect(changes()).toEqual([
      { what: "rules", rules: [{ prefers: "folder", folder: "/p/camera" }, "pixels", "bytes"] },
      {
        what: "rules",
        rules: [{ prefers: "column", column: "width", best: "lowest" }, "pixels", "bytes"],
      },
    ]);
  });
});

describe("undo and redo", () => {
  it("say what they do, or that there is nothing to do", async () => {
    const { model, button, click } = await show({ review: { undo: "select 20 images" } });
    expect(button("Undo").title).toBe("Undo: select 20 images");
    expect(button("Redo").title).toBe("Nothing to redo");
    expect(button("Redo").getAttribute("aria-disabled")).toBe("true");
    await click("Redo");
    await click("Undo");
    expect(model.ofKind("undo")).toHaveLength(1);
    expect(model.ofKind("redo")).toHaveLength(0);
  });

  it("have keys, wherever the focus is, but for text fields", async () => {
    const { model, root, button, click } = await show();
    await click("Plan");
    press(root.querySelector(".grid")!, "z", { ctrlKey: true });
    press(button("Accept plan"), "Z", { ctrlKey: true, shiftKey: true });
    press(root.querySelector(".grid")!, "y", { ctrlKey: true });
    press(root.querySelector(".boundary .bound")!, "z", { ctrlKey: true });
    await painted();
    expect(model.ofKind("undo")).toHaveLength(1);
    expect(model.ofKind("redo")).toHaveLength(2);
  });
});

describe("tags", () => {
  it("show two collections of an image, and how many more there are", async () => {
    const names = ["Duplicates", "Family", "Best"];
    const set = new Bitset(8);
    set.add(3);
    const collections = names.map((name) => ({ name, size: 1, description: "" }));
    const members = Uint8Array.from([...set.bytes, ...set.bytes, ...set.bytes]);
    const { root } = await show({ open: { collections, members } });
    const tags = root.querySelector<HTMLElement>("#cell-3 .tags")!;
    expect([...tags.children].map((tag) => tag.textContent)).toEqual([
      "Duplicates",
      "Family",
      "+1",
    ]);
    expect(tags.title).toBe("Duplicates\nFamily\nBest");
    expect(root.querySelector("#cell-1 .tags")).toBeNull();
  });
});

describe("an ImageGrid", () => {
  it("has no plan to accept, but still selects all but keepers", async () => {
    const { button, click, selected } = await show({
      make: imageGrid,
    });
    expect(button("Accept plan")).toBeUndefined();
    expect(button("Undo")).toBeUndefined();
    await click("All but keepers");
    expect(selected()).toEqual([2, 3, 6]);
  });
});

describe("the keys of the grid", () => {
  it("are listed", async () => {
    const { click, popover } = await show();
    await click("?");
    expect(popover()?.textContent).toContain("keep this one");
    expect(popover()?.textContent).toContain("not a duplicate");
  });
});
