import { expect, it, describe as suite } from "vitest";
import { describe } from "../src/data/describe";
import { canEdit, fieldsOf, searchFields } from "../src/data/fields";
import type { Clause } from "../src/data/filters";
import { frameOf } from "../src/data/frame";
import { chosenOf, clauseOf, findLabels, toggled } from "../src/data/values";
import type { ColumnInfo } from "../src/wire/protocol";
import { smallFrame } from "./fake";

const columns: ColumnInfo[] = [
  { name: "width", type: "Int64", sortable: true, facet: "number" },
  { name: "bytes", type: "Int64", sortable: true, facet: "number" },
  { name: "taken", type: "Datetime", sortable: true, facet: "date" },
];
const chip = (key: string, clause: Clause) => {
  const { name, text } = describe(key, clause, columns);
  return `${name}: ${text}`;
};

suite("a chip", () => {
  it("says in words what a clause keeps", () => {
    expect(chip("width", [1000, 4032])).toBe("width: 1,000 … 4,032");
    expect(chip("width", [1000, null])).toBe("width: from 1,000");
    expect(chip("bytes", [null, 2e6])).toBe("bytes: up to 2 MB");
    expect(chip("taken", [Date.UTC(2024, 0), Date.UTC(2025, 0) - 1])).toBe(
      "taken: 2024-01-01 … 2024-12-31",
    );
    expect(chip("kind", { any: ["near", null] })).toBe("kind: near, no value");
    expect(chip("blurred", { any: [true] })).toBe("blurred: yes");
    expect(chip("place", { any: ["a", "b", "c", "d", "e"] })).toBe("place: a, b, c and 2 more");
    expect(chip("path", { contains: "beach" })).toBe("path: contains “beach”");
    expect(chip("group", { null: false })).toBe("in a group: ");
    expect(chip("error", { null: true })).toBe("readable: ");
    expect(chip("error", { null: false })).toBe("unreadable: ");
    expect(chip("place", { null: false })).toBe("place: any value");
    expect(chip("plan", { any: ["remove"] })).toBe("plan: goes");
    expect(chip("collections", { exclude: ["A", "B"] })).toBe("not in: A, B");
    expect(chip("collections", { include: ["C"], exclude: ["A"] })).toBe("in: C; not in A");
    expect(chip("label_conflict", true)).toBe("label conflicts: ");
    expect(chip("where", { text: "width > 3", expression: "1" })).toBe("where: width > 3");
  });

  it("shows clauses of an unknown kind as they are", () => {
    expect(chip("width", { between: [1, 2] })).toBe('width: {"between":[1,2]}');
    expect(chip("else", true)).toBe("else: true");
  });
});

suite("what to filter by", () => {
  const frame = frameOf(smallFrame());
  const keys = (shown: boolean) =>
    fieldsOf(frame, { scoreShown: shown, planned: true }).map(({ key }) => key);

  it("are collections, the plan and each column that can be filtered", () => {
    expect(keys(true)).toEqual(["collections", "plan", "path", "kind", "group", "width", "error"]);
    expect(keys(false)).toContain("uniqueness");
  });

  it("leaves out the plan where there is none, and columns of reserved names", () => {
    const odd: ColumnInfo = { name: "where", type: "String", sortable: true, facet: "category" };
    const found = fieldsOf(
      { ...frame, columns: [...frame.columns, odd] },
      { scoreShown: true, planned: false },
    );
    expect(found.map(({ key }) => key)).not.toContain("plan");
    expect(found.map(({ key }) => key)).not.toContain("where");
  });

  it("is found by a part of its name", () => {
    const found = searchFields(fieldsOf(frame, { scoreShown: true, planned: true }), " PA ");
    expect(found.map(({ key }) => key)).toEqual(["path"]);
  });

  it("cannot be edited where Python alone sets it", () => {
    expect(["where", "label_conflict", "leakage"].filter(canEdit)).toEqual([]);
    expect(["width", "plan", "collections"].filter(canEdit)).toHaveLength(3);
  });
});

suite("a list of values", () => {
  const labels = ["exact", "near", "unique", null];

  it("knows which are chosen, whatever the clause", () => {
    expect(chosenOf({ any: ["near"] }, labels)).toEqual(["near"]);
    expect(chosenOf({ null: false }, labels)).toEqual(["exact", "near", "unique"]);
    expect(chosenOf({ null: true }, labels)).toEqual([null]);
    expect(chosenOf(undefined, labels)).toEqual([]);
  });

  it("is no filter when none is chosen", () => {
    expect(clauseOf(toggled(["near"], "near"))).toBeNull();
    expect(clauseOf(toggled(["near"], null))).toEqual({ any: ["near", null] });
    expect(clauseOf(["near", "exact", "near"])).toEqual({ any: ["near", "exact"] });
  });

  it("is searched by what is on screen", () => {
    expect(findLabels(labels, "E")).toEqual([0, 1, 2, 3]);
    expect(findLabels(labels, "no value")).toEqual([3]);
    expect(findLabels([true, false, ""], "yes")).toEqual([0]);
  });
});
