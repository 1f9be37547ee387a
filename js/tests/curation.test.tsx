// @vitest-environment happy-dom
import { describe, expect, it, vi } from "vitest";
import { Bitset } from "../src/data/bitset";
import explorer from "../src/widgets/explorer";
import type { DatasetForm, Events, Replies } from "../src/wire/protocol";
import { type SentMessage, smallFrame, smallTiles, TestModel, Told } from "./fake";
import { display, painted } from "./screen";

/** The Python side of collections and datasets, as far as the screen can tell. */
class Catalogue extends TestModel {
  rows: Map<string, Set<number>>;
  datasets: DatasetForm[] = [];
  #selected = new Bitset(8);

  constructor(collections: Record<string, number[]> = {}) {
    super();
    this.rows = new Map(Object.entries(collections).map(([name, rows]) => [name, new Set(rows)]));
    this.answers = {
      open_review: () => ({ ...smallFrame(), ...this.#known() }),
      ping: () => ({}),
      tiles: smallTiles(),
      select: (_, [rows]) => {
        this.#selected = new Bitset(8, new Uint8Array(rows));
        return { count: this.#selected.count() };
      },
      collect: ({ name, of, how }) => {
        const old = how === "replace" ? [] : (this.rows.get(name as string) ?? []);
        const rows = new Set(old);
        for (let row = 0; row < 7; row++) {
          if (this.#selected.has(row) !== (of === "selection")) continue;
          if (how === "remove") rows.delete(row);
          else rows.add(row);
        }
        this.rows.set(name as string, rows);
        return new Told([{ event: "collections", ...this.#known() }], { size: rows.size });
      },
      collection: ({ name, change }) => {
        const rows = this.rows.get(name as string)!;
        const { to } = change as { to?: string };
        if (to && this.rows.has(to)) return new Error(`“${to}” exists`);
        this.rows.delete(name as string);
        if (to) this.rows.set(to, rows);
        return new Told([{ event: "collections", ...this.#known() }]);
      },
      preview: ({ dataset }) => preview(dataset as DatasetForm),
      create: ({ dataset }) => {
        const { name, source } = dataset as DatasetForm;
        this.datasets.push(dataset as DatasetForm);
        const images = source.kind === "collection" ? this.rows.get(source.name)!.size : 0;
        return {
          name,
          path: `/data/${name}`,
          images,
          bytes: 2000,
          removed: 8 - images,
          project_url: null,
          problem: null,
        };
      },
    };
  }

  #known(): Omit<Events["collections"], "event"> {
    const members = [...this.rows.values()].map((rows) => {
      const set = new Bitset(8);
      for (const row of rows) set.add(row);
      return set.bytes[0];
    });
    return {
      collections: [...this.rows].map(([name, { size }]) => ({ name, size, description: "" })),
      members: Uint8Array.from(members),
    };
  }
}

const preview = (dataset: DatasetForm): Replies["preview"] | Error =>
  dataset.name.includes("/")
    ? new Error("the dataset name contains “/”")
    : {
        path: `/data/datasets/${dataset.name}`,
        images: 4,
        bytes: 2000,
        new_bytes: 0,
        free_bytes: 1e9,
        placed: { hardlink: 4 },
        splits: { train: 4 },
        renamed: 0,
        unreadable: 1,
        removed: 4,
        copies: 0,
        companions: 0,
        left_behind: 0,
        lost_groups: 3,
      };

const show = (model: TestModel, views = 1) => display(explorer, model, views);

const find = <T extends HTMLElement = HTMLElement>(root: ParentNode, selector: string) =>
  root.querySelector<T>(selector)!;
const button = (root: ParentNode, label: string) =>
  [...root.querySelectorAll("button")].find(
    (one) =>
      one.textContent?.startsWith(label) || one.getAttribute("aria-label")?.startsWith(label),
  )!;

async function press(root: ParentNode, label: string): Promise<void> {
  button(root, label).click();
  await painted();
}

async function type(input: HTMLInputElement, text: string): Promise<void> {
  input.value = text;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  await painted();
}

async function key(element: HTMLElement, name: string): Promise<void> {
  element.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
  await painted();
}

async function submit(form: HTMLFormElement): Promise<void> {
  form.requestSubmit();
  await painted();
}

const tab = (root: ParentNode, name: string) => find(root, `#tab-${name}`);
const nameInput = (root: ParentNode) => find<HTMLInputElement>(root, ".collection-name");
const nameForm = (root: ParentNode) => find<HTMLFormElement>(root, ".name-form");
const dialog = (root: ParentNode) => find<HTMLDialogElement>(root, "dialog");

describe("from the plan to a dataset", () => {
  it("takes: accept, name, open, submit", async () => {
    const model = new Catalogue();
    const [root] = await show(model);
    await press(root, "Accept plan");
    expect(root.activeElement).toBe(nameInput(root));
    expect(nameInput(root).value).toBe("Unique");
    expect(find(root, ".naming").textContent).toBe("Name what stays (4 images)");
    await submit(nameForm(root));
    expect(find(root, ".toast").textContent).toBe("“Unique” holds 4 images.");
    expect([...model.rows.get("Unique")!]).toEqual([0, 1, 4, 5]);
    await press(root, "Create dataset…");
    await press(dialog(root), "Submit");
    expect(model.datasets).toMatchObject([
      { source: { kind: "collection", name: "Unique" }, name: "unique", root: "datasets" },
    ]);
    expect(find(root, ".written").textContent).toBe(
      "Dataset “unique” written: 4 images, 2.0 kB, 4 left out.",
    );
    expect(find(root, ".path code").textContent).toBe("/data/unique");
    await press(root, "Done");
    expect(dialog(root)).toBeNull();
  });
});

describe("the name form", () => {
  it("takes the focus only in the display where the plan was accepted", async () => {
    const [left, right] = await show(new Catalogue(), 2);
    const elsewhere = vi.spyOn(nameInput(right), "focus");
    button(left, "Accept plan").focus();
    await press(left, "Accept plan");
    expect(left.activeElement).toBe(nameInput(left));
    expect(elsewhere).not.toHaveBeenCalled();
    expect(nameInput(right).value).toBe("Unique");
  });

  it("goes back to the selection on Escape", async () => {
    const [root] = await show(new Catalogue());
    await press(root, "Accept plan");
    await key(nameInput(root), "Escape");
    expect(find(root, ".naming")).toBeNull();
    expect(nameInput(root).value).toBe("");
    expect(find(root, ".picked-count strong").textContent).toBe("3");
  });

  it("asks what to do with a collection of this name, and adds unless told otherwise", async () => {
    const model = new Catalogue({ Blurred: [0] });
    const [root] = await show(model);
    await press(root, "Accept plan");
    await press(root, "Name the selection instead");
    await type(nameInput(root), "Blurred");
    expect(find(root, ".offer").textContent).toBe("Add 3 to “Blurred”");
    await submit(nameForm(root));
    expect([...model.rows.get("Blurred")!]).toEqual([0, 2, 3, 6]);
    expect(find(root, ".toast").textContent).toContain("3 images added to “Blurred”");
  });

  it("keeps its keys from the grid and the host", async () => {
    const [root] = await show(new Catalogue());
    const heard = vi.fn();
    root.addEventListener("keydown", heard);
    await key(nameInput(root), "k");
    expect(heard).not.toHaveBeenCalled();
  });
});

describe("the tabs", () => {
  it("are worked by the arrow keys", async () => {
    const [root] = await show(new Catalogue());
    const images = tab(root, "images");
    images.focus();
    await key(images, "ArrowLeft");
    const collections = tab(root, "collections");
    expect(root.activeElement).toBe(collections);
    expect(collections.getAttribute("aria-selected")).toBe("true");
    expect([images.tabIndex, collections.tabIndex]).toEqual([-1, 0]);
    const panel = find(root, '[role="tabpanel"]');
    expect(collections.getAttribute("aria-controls")).toBe(panel.id);
    expect(panel.textContent).toContain("No collections yet");
  });

  it("give the grid back as it was left", async () => {
    const model = new Catalogue();
    model.set("height", 200);
    const [root] = await show(model);
    await press(root, "Accept plan");
    const grid = () => find(root, ".grid");
    grid().scrollTop = 120;
    grid().dispatchEvent(new Event("scroll"));
    await painted();
    tab(root, "collections").click();
    await painted();
    expect(grid()).toBeNull();
    tab(root, "images").click();
    await painted();
    expect(grid().scrollTop).toBe(120);
    expect(find(root, ".picked-count strong").textContent).toBe("3");
  });

  it("ask for the charts once, and say why there are none", async () => {
    const model = new Catalogue();
    const [root] = await show(model);
    tab(root, "analytics").click();
    await painted();
    expect(find(root, '[role="tabpanel"]').textContent).toContain("Preparing the charts…");
    model.reply(model.ofKind("analytics")[0], new Error("no column of numbers"));
    await painted();
    expect(find(root, '[role="alert"]').textContent).toContain("no column of numbers");
    model.answers.analytics = () => ({});
    await press(root, "Try again");
    expect(find(root, 'slot[name="analytics"]')).not.toBeNull();
    tab(root, "images").click();
    await painted();
    expect(find(root, 'slot[name="analytics"]')).toBeNull();
    tab(root, "analytics").click();
    await painted();
    expect(model.ofKind("analytics")).toHaveLength(2);
  });
});

describe("the collections panel", () => {
  async function open(collections: Record<string, number[]>) {
    const model = new Catalogue(collections);
    model.set("height", 560);
    const [root] = await show(model);
    tab(root, "collections").click();
    await painted();
    const card = (name: string) =>
      [...root.querySelectorAll(".collection")].find(
        (one) => find(one, ".collection-label")?.textContent === name,
      )!;
    return { model, root, card };
  }

  it("shows counts and thumbnails, for which it asks once", async () => {
    const { model, card } = await open({ A: [0, 1, 2], B: [2] });
    expect(card("A").textContent).toContain("3 images");
    expect(card("B").textContent).toContain("1 image");
    expect(card("A").querySelectorAll(".thumb")).toHaveLength(3);
    expect(model.ofKind("tiles")).toHaveLength(1);
  });

  it("shows, excludes and selects the images of a collection", async () => {
    const { model, root, card } = await open({ A: [0, 1, 2], B: [2] });
    await press(card("B"), "Exclude");
    expect(button(card("B"), "Exclude").getAttribute("aria-pressed")).toBe("true");
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(model.get("_filters")).toEqual({ collections: { include: [], exclude: ["B"] } });
    await press(card("A"), "Show");
    expect(tab(root, "images").getAttribute("aria-selected")).toBe("true");
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(model.get("_filters")).toEqual({ collections: { include: ["A"] } });
    tab(root, "collections").click();
    await painted();
    await press(card("A"), "Select");
    expect(find(root, ".picked-count strong").textContent).toBe("3");
  });

  it("renames in place, and says why not", async () => {
    const { model, root, card } = await open({ A: [0], B: [2] });
    await press(card("A"), "Rename");
    const input = find<HTMLInputElement>(root, ".collection-title input");
    input.value = "B";
    await submit(find<HTMLFormElement>(root, ".collection-title form"));
    expect(find(root, ".collection-title .failed").textContent).toBe("“B” exists");
    find<HTMLInputElement>(root, ".collection-title input").value = "C";
    await submit(find<HTMLFormElement>(root, ".collection-title form"));
    expect([...model.rows.keys()].sort()).toEqual(["B", "C"]);
    expect(root.activeElement?.getAttribute("aria-label")).toBe("Rename “C”");
  });

  it("deletes only when asked twice", async () => {
    const { model, card, root } = await open({ A: [0], B: [2] });
    await press(card("A"), "Delete");
    expect(card("A").textContent).toContain("Delete “A”? The images stay.");
    expect(root.activeElement?.textContent).toBe("Keep");
    await press(card("A"), "Keep");
    await press(card("A"), "Exclude");
    await press(card("A"), "Delete");
    await press(card("A"), "Delete");
    expect([...model.rows.keys()]).toEqual(["B"]);
    expect(model.get("_filters")).toEqual({});
    expect(find(root, ".collection-panel [role=status]").textContent).toContain(
      "Undo brings it back",
    );
  });

  it("makes a collection of others", async () => {
    const { model, root } = await open({ A: [0, 1, 2], B: [2, 3] });
    const [operation] = root.querySelectorAll<HTMLSelectElement>(".combine .term + .term select");
    operation.value = "difference";
    operation.dispatchEvent(new Event("change", { bubbles: true }));
    await painted();
    await submit(find<HTMLFormElement>(root, ".combine"));
    expect([...model.rows.get("A − B")!]).toEqual([0, 1]);
    expect(find(root, ".combine [role=status]").textContent).toContain("“A − B” holds 2 images");
  });

  it("opens the dialog for one of them", async () => {
    const { root, card } = await open({ A: [0, 1, 2], B: [2] });
    await press(card("B"), "Create dataset…");
    const chosen = find<HTMLSelectElement>(dialog(root), "select").selectedOptions[0];
    expect(chosen.textContent).toBe("B (1)");
  });
});

describe("the dataset dialog", () => {
  const field = (root: ParentNode, label: string) =>
    [...dialog(root).querySelectorAll("label")]
      .find((one) => one.textContent?.startsWith(label))!
      .querySelector<HTMLInputElement>("input, select, textarea")!;

  it("shows what it would cost, and which groups would be lost", async () => {
    const [root] = await show(new Catalogue());
    await press(root, "Create dataset…");
    const text = find(dialog(root), ".dataset-counts").textContent;
    expect(text).toContain("Left out4");
    expect(text).toContain("New on disk0 bytes");
    expect(text).toContain("3 groups would have no image left in the dataset.");
    expect(text).toContain("/data/datasets/clean");
  });

  it("says what is wrong with a name, and does not submit it", async () => {
    const model = new Catalogue();
    const [root] = await show(model);
    await press(root, "Create dataset…");
    await type(field(root, "Dataset name"), "a/b");
    await new Promise((resolve) => setTimeout(resolve, 300));
    await painted();
    expect(find(dialog(root), ".dialog-foot .failed").textContent).toContain("contains “/”");
    expect(button(dialog(root), "Submit").disabled).toBe(true);
    await submit(find<HTMLFormElement>(dialog(root), "form"));
    expect(model.datasets).toHaveLength(0);
  });

  it("keeps what was typed when it is closed", async () => {
    const [root] = await show(new Catalogue());
    await press(root, "Create dataset…");
    await type(field(root, "Description"), "of summer");
    await press(dialog(root), "Cancel");
    expect(dialog(root)).toBeNull();
    await press(root, "Create dataset…");
    expect(field(root, "Description").value).toBe("of summer");
  });

  it("hides the token, and sends it only with the dataset", async () => {
    const model = new Catalogue();
    const [root] = await show(model);
    await press(root, "Create dataset…");
    field(root, "Send to Label Studio").click();
    await painted();
    const token = field(root, "Token");
    expect(token.type).toBe("password");
    await type(token, "secret");
    await press(dialog(root), "Submit");
    expect(model.datasets[0].annotate).toEqual({ url: "", token: "secret" });
  });

  it("shows progress, goes on when it is hidden, and can be cancelled", async () => {
    const model = new Catalogue();
    model.answers.create = undefined;
    const [root] = await show(model);
    await press(root, "Create dataset…");
    await press(dialog(root), "Submit");
    const [{ client, seq: target }] = model.ofKind("create") as SentMessage[];
    model.tell({ event: "progress", client, target, done: 1, total: 4, text: "writing" });
    await painted();
    const bar = find<HTMLProgressElement>(dialog(root), "progress");
    expect([bar.value, bar.max]).toEqual([1, 4]);
    await press(dialog(root), "Hide");
    expect(dialog(root)).toBeNull();
    await press(root, "Creating dataset… 25 %");
    await press(dialog(root), "Cancel");
    expect(model.ofKind("cancel").map((message) => message.target)).toContain(target);
    expect(dialog(root).textContent).toContain("Stopping…");
  });

  it("says what became of sending it, and links to the project", async () => {
    const model = new Catalogue();
    const written = { name: "x", path: "/x", images: 1, bytes: 1, removed: 0 };
    model.answers.create = () => ({
      ...written,
      project_url: "http://127.0.0.1:8080/projects/1",
      problem: null,
    });
    const [root] = await show(model);
    await press(root, "Create dataset…");
    await press(dialog(root), "Submit");
    const link = find<HTMLAnchorElement>(dialog(root), "a");
    expect([link.href, link.rel]).toEqual([
      "http://127.0.0.1:8080/projects/1",
      "noopener noreferrer",
    ]);
    const problem = "no server answers";
    model.answers.create = () => ({ ...written, project_url: "javascript:alert(1)", problem });
    await press(dialog(root), "Create another");
    await press(dialog(root), "Submit");
    expect(find(dialog(root), "a")).toBeNull();
    expect(find(dialog(root), ".banner").textContent).toContain(problem);
  });
});
