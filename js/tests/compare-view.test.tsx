// @vitest-environment happy-dom
import { expect, it, vi } from "vitest";
import explorer from "../src/widgets/explorer";
import { smallFrame, smallTiles, TestModel } from "./fake";
import { display, painted } from "./screen";

async function show() {
  const frame = smallFrame();
  frame.columns = [
    ...frame.columns,
    { name: "fingerprint", type: "String", sortable: true, facet: "text" },
  ];
  const model = new TestModel(
    {
      open_review: () => frame,
      tiles: smallTiles((row) => ({
        caption: row === 4 ? "keeper: most pixels" : null,
        width: 400,
        height: 300,
      })),
      beside: ({ row, others }) => ({
        facts: [
          {
            name: "pixels",
            texts: [row, ...(others as number[])].map((it) =>
              it === row ? "400 × 300" : "40 × 30",
            ),
            numbers: [row, ...(others as number[])].map((it) => (it === row ? 120_000 : 1200)),
          },
          { name: "format", texts: ["jpeg", "jpeg", "jpeg"], numbers: null },
        ],
        others: (others as number[]).map(() => ({
          identical: false,
          words: "resized to 10 %",
          agreement: 0.97,
          score: 0.08,
          map: [1, 0, 0, 0, 1, 0],
          box: [0, 0, 1, 1],
        })),
      }),
      picture: () => new Error("/2.jpg: does not exist"),
      decide: () => ({}),
    },
    { height: 300 },
  );
  const [root] = await display(explorer, model);
  const press = async (key: string) => {
    const target = root.activeElement ?? root.querySelector(".compare, .grid")!;
    target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true }));
    await painted();
  };
  const tile = root.querySelector('[data-row="2"] .tile')!;
  tile.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
  await painted();
  return { model, root, press };
}

const text = (root: ShadowRoot, selector: string) =>
  root.querySelector(selector)?.textContent?.replace(/\s+/g, " ").trim();

it("a double click puts the review in the place of the grid, with the focus", async () => {
  const { root } = await show();
  expect(root.querySelector(".grid")).toBeNull();
  expect(root.activeElement?.getAttribute("aria-label")).toBe("Review of groups");
  expect(text(root, ".where")).toBe("Group 2 of 2 · 3 images");
  expect(text(root, ".progress")).toBe("0 of 2 reviewed");
});

it("says in one sentence what a copy is, and marks by a sign what differs", async () => {
  const { root } = await show();
  expect(text(root, ".evidence")).toBe(
    "2.jpg is resized to 10 %. 97 % of the picture agrees. Keeper: most pixels.",
  );
  const rows = [...root.querySelectorAll(".facts tbody tr")];
  expect(rows.map((row) => row.textContent?.replace(/\s+/g, " "))).toEqual([
    "pixels ≠400 × 300 ▲40 × 30",
    "formatjpegjpeg",
  ]);
});

it("a file that is missing says so in its place", async () => {
  const { root } = await show();
  const alerts = [...root.querySelectorAll(".picture [role=alert]")];
  expect(alerts.map((it) => it.textContent)).toEqual(Array(2).fill("/2.jpg: does not exist"));
});

it("Enter on a button presses it, and goes on elsewhere", async () => {
  const { model, root, press } = await show();
  const split = [...root.querySelectorAll<HTMLElement>(".compare-head button")].find(
    (it) => it.textContent === "Split",
  )!;
  split.focus();
  await press("Enter");
  expect(model.ofKind("decide")).toHaveLength(0);
  root.querySelector<HTMLElement>(".compare")!.focus();
  await press("Enter");
  expect(model.ofKind("decide").map(({ change }) => change)).toEqual([
    { what: "reviewed", rows: [4, 2, 6], value: true },
  ]);
});

it("the split is a slider for the keyboard", async () => {
  const { root, press } = await show();
  await press("3");
  const divider = root.querySelector<HTMLElement>("[role=slider].divider")!;
  expect(divider.getAttribute("aria-valuenow")).toBe("50");
  divider.focus();
  await press("ArrowRight");
  expect(divider.getAttribute("aria-valuenow")).toBe("52");
  await press("Home");
  expect(divider.getAttribute("aria-valuenow")).toBe("0");
});

it("Escape closes the list of keys, then the review, and the grid has the focus", async () => {
  const { root, press } = await show();
  await press("?");
  expect(root.querySelector("[role=dialog]")?.textContent).toContain("keep both");
  await press("Escape");
  expect(root.querySelector("[role=dialog]")).toBeNull();
  await press("Escape");
  expect(root.querySelector(".compare")).toBeNull();
  await vi.waitFor(() => expect(root.activeElement?.classList.contains("grid")).toBe(true));
});
