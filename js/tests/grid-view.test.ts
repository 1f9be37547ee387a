import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ExplorerState } from "../src/state/explorer";
import { GridView } from "../src/state/grid-view";
import { settle, smallFrame, smallPlan, smallReview, TestModel } from "./fake";

let lifetime: AbortController;
beforeEach(() => {
  lifetime = new AbortController();
});
afterEach(() => lifetime.abort());

const plain = { toggle: false, shift: false };
const shift = { toggle: false, shift: true };
const toggle = { toggle: true, shift: false };

/** Three columns; display order 1 3 4 2 6 5 0 7. */
async function make() {
  const model = new TestModel({ open_review: () => smallFrame() }, { height: 300 });
  const state = new ExplorerState(model, { signal: lifetime.signal });
  await settle();
  const view = new GridView(state, lifetime.signal);
  view.resize({ width: 600, size: 200 });
  const picked = () => {
    const rows: number[] = [];
    state.selection.rows.forEach((row) => {
      rows.push(row);
    });
    return rows;
  };
  return { model, state, view, picked };
}

describe("clicks", () => {
  it("select one, toggle one, or a range in display order", async () => {
    const { view, picked } = await make();
    view.click(3, plain);
    expect(picked()).toEqual([3]);
    view.click(6, shift);
    expect(picked()).toEqual([2, 3, 4, 6]);
    view.click(4, toggle);
    expect(picked()).toEqual([2, 3, 6]);
    view.click(0, plain);
    expect(picked()).toEqual([0]);
  });

  it("keep the anchor through several shift-clicks", async () => {
    const { view, picked } = await make();
    view.click(4, plain);
    view.click(6, shift);
    view.click(3, shift);
    expect(picked()).toEqual([3, 4]);
  });

  it("can select a context tile, which ranges and select-all leave out", async () => {
    const { state, view, picked } = await make();
    state.setRange([0, 0.0001]);
    expect(view.key("a", toggle)).toBe(true);
    expect(picked()).toEqual([3]);
    view.click(1, toggle);
    expect(picked()).toEqual([1, 3]);
  });
});

describe("keys", () => {
  it("move the focus, extend the selection, toggle and clear", async () => {
    const { view, picked } = await make();
    view.focused();
    expect(view.focus.value).toBe(1);
    view.key("ArrowDown", plain);
    expect(view.focus.value).toBe(2);
    view.key(" ", plain);
    expect(picked()).toEqual([2]);
    view.key("ArrowRight", shift);
    expect(picked()).toEqual([2, 6]);
    view.key("Escape", plain);
    expect(picked()).toEqual([]);
  });

  it("stop at both ends", async () => {
    const { view } = await make();
    view.key("End", plain);
    expect(view.focus.value).toBe(1);
    view.key("End", plain);
    expect(view.focus.value).toBe(7);
    view.key("ArrowRight", plain);
    expect(view.focus.value).toBe(7);
    view.key("Home", plain);
    expect(view.focus.value).toBe(1);
  });

  it("open similar items on Enter and S, and nothing on Shift+Enter", async () => {
    const { view } = await make();
    view.focused();
    view.key("s", plain);
    expect(view.similarTo.value).toBe(1);
    view.similarTo.value = null;
    expect(view.key("Enter", { ...plain, shift: true })).toBe(false);
    expect(view.similarTo.value).toBeNull();
    expect(view.key("Enter", plain)).toBe(true);
    expect(view.similarTo.value).toBe(1);
  });

  it("that are not the grid's stay with the page", async () => {
    const { view } = await make();
    expect(view.key("c", toggle)).toBe(false);
    expect(view.key("Tab", plain)).toBe(false);
    expect(view.key("Escape", plain)).toBe(false);
  });
});

describe("the rubber band", () => {
  it("picks what it touches, on top of what was there when asked to", async () => {
    const { state, view, picked } = await make();
    const { width, height } = view.cells.value;
    const rect = { left: width + 5, right: 3 * width - 5, top: 5, bottom: height + 5 };
    view.pickIn(rect);
    expect(picked()).toEqual(
      [2, 3, 4, 6]
        .filter((row) => row !== 2)
        .concat([5])
        .sort(),
    );
    state.selection.only(7);
    view.pickIn({ ...rect, bottom: 10 }, state.selection.rows.copy());
    expect(picked()).toEqual([3, 4, 7]);
  });
});

describe("going to a row", () => {
  it("brings it on screen and lets it stand out", async () => {
    const { view } = await make();
    expect(view.goTo(7)).toBe(true);
    expect(view.endRow.value).toBe(3);
    expect(view.flash.value).toBe(7);
    expect(view.focus.value).toBe(7);
  });

  it("says when the filter hides it", async () => {
    const { state, view } = await make();
    state.setRange([0, 0.0001]);
    expect(view.goTo(5)).toBe(false);
  });
});

describe("tiles", () => {
  it("are asked for where the viewport is", async () => {
    const { model, view } = await make();
    await settle();
    const rows = model.ofKind("tiles").flatMap((sent) => sent.rows as number[]);
    expect(rows.slice(0, 6)).toEqual([1, 3, 4, 2, 6, 5]);
    expect(view.firstRow.value).toBe(0);
  });
});

describe("a new size", () => {
  it("keeps the first image on screen", async () => {
    const { view } = await make();
    view.scrollTo(view.cells.value.height);
    view.resize({ width: 200 });
    expect(view.cells.value.columns).toBe(1);
    expect(Math.round(view.top.value / view.cells.value.height)).toBe(3);
  });
});

describe("decisions", () => {
  const decided = async (model: TestModel) => {
    model.answers.decide = () => ({});
    for (const request of model.ofKind("decide")) model.reply(request, {});
    await settle();
    await settle();
    return model.ofKind("decide").map(({ change }) => change);
  };

  let version = 0;
  beforeEach(() => {
    version = 0;
  });

  /** Python tells of a plan with other bands. */
  const tellPlan = (model: TestModel, band: number[], place: number[], keep: number[]) => {
    version += 1;
    model.tell(
      smallPlan({
        version,
        band: Uint32Array.from(band),
        place: Uint32Array.from(place),
        keep: Uint8Array.from(keep),
      }),
    );
  };

  it("are made by K and N on the focused image, if it stands in a group", async () => {
    const { model, view } = await make();
    view.goTo(3);
    expect(view.key("k", plain)).toBe(true);
    view.goTo(2);
    expect(view.key("N", plain)).toBe(true);
    view.goTo(5);
    view.key("k", plain);
    view.key("n", plain);
    expect(await decided(model)).toEqual([
      { what: "keepers", add: [3], remove: [] },
      { what: "not_duplicate", rows: [2], value: true },
    ]);
    expect(view.key("k", toggle)).toBe(false);
    expect(view.key("n", shift)).toBe(false);
  });

  it("are taken back by the same keys", async () => {
    const { model, state, view } = await make();
    const about = {
      name: "",
      path: "",
      caption: null,
      width: 1,
      height: 1,
      facts: {},
      error: null,
      thumb: null,
    };
    await state.tiles.add(
      [
        { ...about, row: 3, chosen: true, not_duplicate: false },
        { ...about, row: 5, chosen: false, not_duplicate: true },
      ],
      new Uint8Array(0),
    );
    view.goTo(3);
    view.key("k", plain);
    view.goTo(5);
    view.key("n", plain);
    expect(await decided(model)).toEqual([
      { what: "keepers", add: [], remove: [3] },
      { what: "not_duplicate", rows: [5], value: false },
    ]);
  });

  it("N acts on all selected images in groups when the focused one is selected", async () => {
    const { model, state, view } = await make();
    state.selection.replace([2, 4, 5, 7]);
    view.goTo(2);
    view.key("n", plain);
    view.goTo(6);
    view.key("n", plain);
    expect(await decided(model)).toEqual([
      { what: "not_duplicate", rows: [2, 4], value: true },
      { what: "not_duplicate", rows: [6], value: true },
    ]);
  });

  it("N on an exact copy parts nothing, and offers to keep both", async () => {
    const { model, state, view } = await make();
    view.goTo(3);
    view.key("n", plain);
    expect(await decided(model)).toEqual([]);
    expect(state.review.offer.value).toMatchObject({ label: "Keep both", rows: [1, 3] });
    await state.review.keepAll(state.review.offer.value!.rows);
    expect(await decided(model)).toEqual([{ what: "keepers", add: [1, 3], remove: [] }]);
    expect(state.review.offer.value).toBeNull();
  });

  it("are not made where there is no plan", async () => {
    const { model, state, view } = await make();
    state.review.info.value = { ...smallReview(), off: "it has no fingerprints" };
    view.goTo(3);
    expect(view.key("k", plain)).toBe(false);
    expect(view.key("n", plain)).toBe(false);
    expect(await decided(model)).toEqual([]);
  });

  it("keep the focused image focused, and where it is on screen, although bands move", async () => {
    const { model, view } = await make();
    view.resize({ width: 200 });
    view.goTo(6);
    const onScreen = (row: number) =>
      view.positionOf(row) * view.cells.value.height - view.top.value;
    const before = onScreen(6);
    expect(view.positionOf(6)).toBe(4);
    tellPlan(model, [0, 0, 1, 0, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 1, 1, 1, 255]);
    expect(view.positionOf(6)).toBe(3);
    expect(view.focus.value).toBe(6);
    expect(onScreen(6)).toBeCloseTo(before);
  });

  it("bring the image into view where there is no room to keep its place", async () => {
    const { model, view } = await make();
    view.resize({ width: 200 });
    view.goTo(3);
    view.scrollTo(view.cells.value.height - 40);
    tellPlan(model, [0, 1, 2, 1, 2, 0, 2, 0], [0, 1, 1, 0, 0, 0, 2, 0], [1, 0, 0, 1, 1, 1, 0, 255]);
    expect(view.positionOf(3)).toBe(0);
    expect(view.top.value).toBe(0);
  });

  it("leave the place on screen alone when the focus is elsewhere", async () => {
    const { model, view } = await make();
    view.resize({ width: 200 });
    view.goTo(1);
    view.scrollTo(4 * view.cells.value.height);
    const { top } = view;
    const before = top.value;
    tellPlan(model, [0, 0, 1, 0, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 1, 1, 1, 255]);
    expect(top.value).toBe(before);
  });

  it("go on with the image that comes next when the filter hides the decided one", async () => {
    const { model, state, view } = await make();
    state.screen.showKeepers.value = false;
    state.filtering.set("plan", { any: ["remove"] });
    expect([...view.items.value.rows]).toEqual([3, 2, 6]);
    view.goTo(2);
    tellPlan(model, [0, 1, 0, 1, 2, 0, 2, 0], [0, 0, 0, 1, 0, 0, 1, 0], [1, 1, 1, 0, 1, 1, 0, 255]);
    expect([...view.items.value.rows]).toEqual([3, 6]);
    expect(view.focus.value).toBe(6);
  });
});

describe("while the range of a filter is dragged", () => {
  it("images are drawn a few times a second, and at once when it is let go", async () => {
    const { state, view } = await make();
    vi.useFakeTimers();
    const { dragging } = state.screen;
    const ends = [0.4, 0.2, 0.03, 0.02, 0.015, 0.01, 0.005];
    const shown = () => [...state.shown.value!.items.rows].join();
    const drawn = () => [...view.items.value.rows].join();
    dragging.value = true;
    const seen = new Set<string>();
    for (const end of ends) {
      vi.advanceTimersByTime(20);
      state.setRange([0, end]);
      seen.add(drawn());
    }
    expect(seen.size).toBeLessThan(4);
    expect(drawn()).not.toBe(shown());
    vi.advanceTimersByTime(150);
    expect(drawn()).toBe(shown());
    state.setRange([0, 0.4]);
    state.setRange([0, 0.02]);
    dragging.value = false;
    expect(drawn()).toBe(shown());
    vi.useRealTimers();
  });
});
