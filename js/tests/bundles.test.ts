import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import { here, options, widgets } from "../bundle.mjs";

const files = readdirSync(here("src"), { recursive: true, encoding: "utf8" });
const sheets = files.filter((file) => file.endsWith(".css"));

async function modulesOf(widget: string): Promise<string[]> {
  const entryPoints = [here(`src/widgets/${widget}.tsx`)];
  const { metafile } = await build({
    ...options,
    entryPoints,
    absWorkingDir: here("src"),
    metafile: true,
    write: false,
  });
  return Object.keys(metafile.inputs);
}

/** A sheet named like a component is its own; any other one is that of all views in its folder. */
function needs(modules: string[], sheet: string): boolean {
  const component = sheet.replace(/css$/, "tsx");
  if (files.includes(component)) return modules.includes(component);
  return modules.some((file) => dirname(file) === dirname(sheet) && file.endsWith(".tsx"));
}

describe.each(widgets)("the bundle of %s", (widget) => {
  it("is of one byte a character, in which a page holds it", async () => {
    const entryPoints = [here(`src/widgets/${widget}.tsx`)];
    const { outputFiles } = await build({ ...options, entryPoints, minify: true, write: false });
    expect(outputFiles.map(({ text }) => /[\u0080-\uffff]/.exec(text)?.[0])).toEqual([undefined]);
  });

  it("carries the style sheets of its views, and no other", async () => {
    const modules = await modulesOf(widget);
    const carried = modules.filter((file) => file.endsWith(".css"));
    expect(carried.sort()).toEqual(sheets.filter((sheet) => needs(modules, sheet)).sort());
  });
});

it("an ImageGrid carries nothing that only an Explorer draws", async () => {
  const views = (await modulesOf("image_grid")).filter((file) => file.startsWith("views/"));
  const rooms = new Set(views.map((file) => basename(dirname(file))));
  expect([...rooms].sort()).toEqual(["compare", "grid", "similar", "ui"]);
});

it("takes colours from JupyterLab, else from VS Code, and has some of its own", () => {
  const text = sheets.map((sheet) => readFileSync(here(`src/${sheet}`), "utf8")).join("");
  const colours = text.match(/var\(--jp-[\w-]*color[^;]*;/g) ?? [];
  expect(colours.length).toBeGreaterThan(9);
  for (const colour of colours) {
    expect(colour).toMatch(/^var\(--jp-[\w-]+, var\(--vscode-[\w-]+, .*#[0-9a-f]{3,6}\)+;$/);
  }
});
