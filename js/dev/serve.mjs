import { context } from "esbuild";
import { here, options } from "../bundle.mjs";

const build = await context({
  ...options,
  entryPoints: [here("dev/main.ts")],
  outdir: here("dev/dist"),
  sourcemap: "inline",
  write: false,
});
const { port } = await build.serve({
  host: "127.0.0.1",
  port: Number(process.env.PORT ?? 8123),
  servedir: here("dev"),
});
console.log(`http://127.0.0.1:${port}/?widget=explorer&rows=100000`);
