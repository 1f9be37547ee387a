import explorer from "../src/explorer";
import imageGrid from "../src/image_grid";
import rangeHistogram from "../src/range_histogram";
import similarItems from "../src/similar_items";
import { FakeModel, type FakeOptions } from "./fake-model";

const widgets = { explorer, imageGrid, rangeHistogram, similarItems };

const query = new URLSearchParams(location.search);
const number = (name: string, fallback: number) => Number(query.get(name) ?? fallback);
const theme = query.get("theme");
if (theme) document.body.dataset.jpThemeLight = String(theme === "light");

const model = new FakeModel({
  rows: number("rows", 100_000),
  delay: number("delay", 40),
  fault: (query.get("fault") ?? "") as FakeOptions["fault"],
  traits: {
    _filters: {},
    _sort: { column: "uniqueness", descending: false, grouped: true },
    height: number("height", 560),
    value: [0, 1],
    log: query.has("log"),
    label: "uniqueness",
    _row: number("row", 3),
    k: 12,
  },
});
Object.assign(window, { model });

const name = (query.get("widget") ?? "explorer") as keyof typeof widgets;
const { initialize, render } = widgets[name]();
const lifetime = new AbortController();
initialize({ model, signal: lifetime.signal });
for (let i = 0; i < number("views", 1); i++) {
  const el = document.createElement("div");
  el.className = "cell";
  document.body.append(el);
  render({ model, el, signal: lifetime.signal });
}
Object.assign(window, { lifetime });
