import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { here, options, widgets } from "./bundle.mjs";

const result = await build({
  ...options,
  entryPoints: widgets.map((name) => here(`src/widgets/${name}.tsx`)),
  outdir: here("../src/dedup_widgets/widgets/static"),
  minify: true,
  legalComments: "none",
  metafile: true,
  write: true,
});

const { readFile } = await import("node:fs/promises");
for (const path of Object.keys(result.metafile.outputs)) {
  const bytes = await readFile(path);
  const kilobytes = (n) => `${(n / 1000).toFixed(1)} kB`;
  console.log(
    `${path.split("/").pop()}: ${kilobytes(bytes.length)}, ${kilobytes(gzipSync(bytes).length)} gzip`,
  );
}
