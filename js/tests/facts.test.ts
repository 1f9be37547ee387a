import { describe, expect, it } from "vitest";
import { columnsOf, FOLDER, factChoices, factOf, PIXELS, usualFacts } from "../src/data/facts";
import { frameOf } from "../src/data/frame";
import type { ColumnInfo, TileInfo } from "../src/wire/protocol";
import { smallFrame } from "./fake";

const column = (name: string, type: string, facet: ColumnInfo["facet"]): ColumnInfo => ({
  name,
  type,
  sortable: !type.startsWith("List") && !type.startsWith("Array"),
  facet,
});
const columns = [
  ...smallFrame().columns,
  column("height", "Int32", "number"),
  column("bytes", "Int64", "number"),
  column("sharpness", "Float32", "number"),
  column("taken", "Datetime(time_unit='us', time_zone=None)", "date"),
  column("exif", "Boolean", "boolean"),
  column("label", "String", "category"),
  column("tags", "List(String)", null),
  column("vector", "Array(Float32, shape=(4,))", null),
];
const frame = { ...frameOf(smallFrame()), columns };
const info: TileInfo = {
  row: 0,
  name: "a.jpg",
  path: "/photos/camera/a.jpg",
  caption: null,
  chosen: false,
  not_duplicate: false,
  width: 4032,
  height: 3024,
  facts: {
    bytes: 2_100_000,
    sharpness: 0.4567,
    taken: Date.UTC(2024, 4, 17, 12),
    exif: false,
    label: "cat",
    tags: null,
  },
  error: null,
  thumb: null,
};

describe("the facts of a tile", () => {
  it("can be any column that has one value for an image, its pixels and its folder", () => {
    const names = factChoices(frame).map(({ name }) => name);
    expect(names.slice(0, 2)).toEqual(["pixels", "folder"]);
    expect(names).toContain("tags");
    for (const name of ["path", "fingerprint", "vector"]) expect(names).not.toContain(name);
  });

  it("are pixels and bytes, or the label and pixels where there are labels", () => {
    const unlabelled = columns.filter(({ name }) => name !== "label");
    expect(usualFacts({ ...frame, columns: unlabelled })).toEqual([PIXELS, "bytes"]);
    expect(usualFacts(frame)).toEqual(["label", PIXELS]);
    const summary = { ...frame.summary, label_conflicts: 0 };
    expect(usualFacts({ ...frame, summary, mergeable: ["exif"] })).toEqual(["exif", PIXELS]);
  });

  it("are requested as columns, with what images are sorted by, unless it is known anyway", () => {
    expect(columnsOf([PIXELS, "bytes"], frame, "")).toEqual(["bytes"]);
    expect(columnsOf([FOLDER, "bytes"], frame, "uniqueness")).toEqual(["bytes"]);
    expect(columnsOf(["bytes"], frame, "sharpness")).toEqual(["bytes", "sharpness"]);
  });

  it("read as a person would write them", () => {
    const text = (key: string) => factOf(key, info, columns)?.text;
    expect(text(PIXELS)).toBe("4032 × 3024");
    expect(text(FOLDER)).toBe("camera");
    expect(text("bytes")).toBe("2.1 MB");
    expect(text("sharpness")).toBe("0.46");
    expect(text("taken")).toBe("2024-05-17 12:00");
    expect(text("exif")).toBe("no exif");
    expect(text("label")).toBe("cat");
    expect(text("tags")).toBeUndefined();
  });
});
