// Fails where this node is older than package.json asks for.
import { readFileSync } from "node:fs";

const { engines } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
const order = new Intl.Collator("en", { numeric: true });
process.exitCode = order.compare(process.versions.node, engines.node.replace(">=", "")) < 0 ? 1 : 0;
