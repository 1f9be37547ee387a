import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";

export const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export const widgets = ["explorer", "image_grid", "range_histogram", "similar_items", "pointer"];

/** A style sheet is imported as minified text: it goes into the shadow root, not the page. */
const styleSheetAsText = {
  name: "style-sheet-as-text",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), {
        loader: "css",
        minify: true,
      });
      return { contents: code, loader: "text" };
    });
  },
};

/** Options that every bundle shares. One file a widget: relative chunks do not load from a blob URL. */
export const options = {
  bundle: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  plugins: [styleSheetAsText],
  logLevel: "warning",
};
