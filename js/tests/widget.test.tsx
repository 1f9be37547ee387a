// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { hostTheme } from "../src/views/ui/theme";
import explorer from "../src/widgets/explorer";
import imageGrid from "../src/widgets/image_grid";
import rangeHistogram from "../src/widgets/range_histogram";
import { smallFrame, smallTiles, TestModel } from "./fake";
import { display, lifetime, painted } from "./screen";

const tiles = smallTiles((row) => ({
  ...(row === 1 && { name: "<img src=x onerror=alert(1)>.jpg" }),
  caption: row === 3 ? "exact duplicate of 1.jpg" : null,
  error: row === 7 ? "the file is cut short" : null,
}));

const open = () => smallFrame();
const answers = { open_review: open, open_grid: open, tiles, ping: () => ({}) };

const text = (root: ShadowRoot, selector: string) => root.querySelector(selector)?.textContent;
const button = (root: ShadowRoot, label: string) =>
  [...root.querySelectorAll("button")].find((one) => one.textContent?.startsWith(label))!;

describe("Explorer", () => {
  it("draws tiles with score, badge and what they are a copy of", async () => {
    const [root] = await display(explorer, new TestModel(answers));
    const copy = root.querySelector("#cell-3")!;
    expect(copy.querySelector(".badge")?.textContent).toBe("exact");
    expect(copy.querySelector(".caption")?.textContent).toBe("exact duplicate of 1.jpg");
    expect(copy.querySelector(".score")?.textContent).toBe("0");
    expect(text(root, "#cell-1 .badge")).toBe("keeper");
    expect(text(root, "#cell-1 .strip")).toBe("Group 1 · 2 images");
    expect(text(root, ".count")).toBe("8 images · 2 groups");
  });

  it("shows file names as text, whatever they hold", async () => {
    const [root] = await display(explorer, new TestModel(answers));
    expect(root.querySelector("img")).toBeNull();
    expect(text(root, "#cell-1 .name")).toBe("<img src=x onerror=alert(1)>.jpg");
  });

  it("shows why a file could not be read", async () => {
    const [root] = await display(explorer, new TestModel(answers));
    expect(text(root, "#cell-7 .broken")).toBe("the file is cut short");
  });

  it("keeps two displays of one widget in step at once", async () => {
    const [left, right] = await display(explorer, new TestModel(answers), 2);
    left.querySelector<HTMLElement>("#cell-3 .thumb")!.click();
    await painted();
    expect(right.querySelector("#cell-3")?.getAttribute("aria-selected")).toBe("true");
    button(right, "1 exact copy").click();
    await painted();
    expect(text(left, ".count")).toBe("1 image · 1 group");
    expect(left.querySelector("#cell-1")?.classList.contains("context")).toBe(true);
  });

  it("offers a way out when the filter leaves nothing", async () => {
    const model = new TestModel(answers, { _filters: { uniqueness: [0.6, 0.7] } });
    const [root] = await display(explorer, model);
    expect(text(root, ".placeholder strong")).toBe("No image passes these filters");
    button(root, "Reset filters").click();
    await painted();
    expect(root.querySelectorAll(".cell")).toHaveLength(8);
  });

  it("opens similar items beside the tile, and Escape closes them", async () => {
    const similar = () => ({
      items: [{ row: 3, score: 0.02, relation: "cropped, 80 % of it" }],
      tiles: [],
      blob: new Uint8Array(0),
    });
    const [root] = await display(explorer, new TestModel({ ...answers, similar }));
    root.querySelector<HTMLElement>("#cell-1 .similar")!.click();
    await painted();
    const popover = root.querySelector<HTMLElement>(".popover")!;
    expect(popover.getAttribute("popover")).toBe("manual");
    expect(text(root, ".similar-item .caption")).toBe("cropped, 80 % of it");
    popover.querySelector<HTMLElement>(".check")!.click();
    await painted();
    expect(root.querySelector("#cell-3")?.getAttribute("aria-selected")).toBe("true");
    popover.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    await painted();
    expect(root.querySelector(".popover")).toBeNull();
  });

  it("says why similar items are off", async () => {
    const off = { ...answers, open_review: () => ({ ...smallFrame(), similar: "no embedding" }) };
    const [root] = await display(explorer, new TestModel(off));
    root.querySelector<HTMLElement>("#cell-1 .similar")!.click();
    await painted();
    expect(root.querySelector(".popover")?.textContent).toContain("off: no embedding");
  });

  it("leaves nothing behind when it goes", async () => {
    const model = new TestModel(answers);
    await display(explorer, model, 2);
    lifetime.abort();
    expect(document.body.querySelectorAll("div > div")).toHaveLength(0);
    for (const event of ["msg:custom", "change:_filters", "change:_sort", "change:height"]) {
      expect(model.listeners(event)).toBe(0);
    }
  });

  it("keeps JupyterLab from acting on its keys", async () => {
    const [root] = await display(explorer, new TestModel(answers));
    expect((root.host as HTMLElement).dataset.lmSuppressShortcuts).toBe("true");
  });
});

describe("ImageGrid", () => {
  it("has the grid, but no histogram, shortcuts or collections", async () => {
    const [root] = await display(imageGrid, new TestModel(answers));
    expect(root.querySelectorAll(".cell")).toHaveLength(8);
    for (const selector of [".histogram", ".segments", ".collections"]) {
      expect(root.querySelector(selector)).toBeNull();
    }
  });
});

describe("an image of an ImageGrid", () => {
  it("is shown large on a double click, without what only a review decides", async () => {
    const beside = () => ({
      facts: [{ name: "pixels", texts: ["4 × 3"], numbers: [12] }],
      others: [],
    });
    const model = new TestModel({ ...answers, beside });
    const [root] = await display(imageGrid, model);
    root
      .querySelector('[data-row="3"] .tile')!
      .dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    await painted();
    expect(text(root, ".compare .where")).toBe("Image 2 of 8");
    expect(model.ofKind("picture")[0].row).toBe(3);
    expect(text(root, ".facts")).toContain("4 × 3");
    expect(text(root, ".evidence")).toBe("Exact duplicate of 1.jpg");
    expect(root.querySelector(".modes, .decide")).toBeNull();
    const leave = new KeyboardEvent("keydown", { key: "Escape", bubbles: true });
    root.querySelector(".compare")!.dispatchEvent(leave);
    await painted();
    expect(root.querySelector(".compare")).toBeNull();
    expect(root.activeElement).toBe(root.querySelector(".grid"));
  });
});

describe("RangeHistogram", () => {
  const values = Float32Array.from([0, 0.1, 0.5, 1]);
  const make = () =>
    new TestModel(
      { open_histogram: () => ({ values }) },
      { value: [0, 1], log: false, label: "sharpness" },
    );

  it("is worked by the keyboard and says where it stands", async () => {
    const model = make();
    const [root] = await display(rangeHistogram, model);
    const high = root.querySelector<HTMLElement>('[role="slider"][data-end="1"]')!;
    expect(high.getAttribute("aria-label")).toBe("Highest sharpness");
    high.dispatchEvent(new KeyboardEvent("keydown", { key: "PageDown", bubbles: true }));
    await painted();
    expect(high.getAttribute("aria-valuenow")).toBe("0.9");
    expect(text(root, ".count")).toBe("3 values");
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(model.get("value")).toEqual([0, 0.9]);
  });

  it("takes bounds that are typed, and puts back what is no number", async () => {
    const [root] = await display(rangeHistogram, make());
    const low = root.querySelector<HTMLInputElement>(".bound")!;
    low.value = "0.3";
    low.dispatchEvent(new Event("change", { bubbles: true }));
    await painted();
    expect(text(root, ".count")).toBe("2 values");
    low.value = "";
    low.dispatchEvent(new Event("change", { bubbles: true }));
    await painted();
    expect(low.value).toBe("0.3");
  });
});

describe("hostTheme", () => {
  afterEach(() => {
    document.body.removeAttribute("data-jp-theme-light");
    document.body.removeAttribute("data-vscode-theme-kind");
    document.documentElement.removeAttribute("theme");
    document.documentElement.className = "";
  });

  it("listens to JupyterLab and Colab, and says nothing elsewhere", () => {
    expect(hostTheme(document)).toBeNull();
    document.documentElement.setAttribute("theme", "dark");
    expect(hostTheme(document)).toBe("dark");
    document.body.dataset.jpThemeLight = "true";
    expect(hostTheme(document)).toBe("light");
  });

  it.each([
    ["vscode-dark", "dark"],
    ["vscode-high-contrast", "dark"],
    ["vscode-light", "light"],
    ["vscode-high-contrast-light", "light"],
  ])("listens to VS Code: %s", (kind, theme) => {
    document.body.dataset.vscodeThemeKind = kind;
    expect(hostTheme(document)).toBe(theme);
  });

  it("listens to marimo", () => {
    document.documentElement.className = "light";
    expect(hostTheme(document)).toBe("light");
    document.documentElement.className = "dark";
    expect(hostTheme(document)).toBe("dark");
  });
});
