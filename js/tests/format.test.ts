import { describe, expect, it } from "vitest";
import * as format from "../src/data/format";

describe("score", () => {
  it.each([
    [0, "0"],
    [0.00003, "0.00003"],
    [0.0000999, "0.0001"],
    [0.0042, "0.0042"],
    [0.042, "0.042"],
    [0.87, "0.87"],
    [0.9996, "0.9996"],
    [1, "1"],
    [3e-8, "3e-8"],
    [Number.NaN, ""],
  ])("%d reads as %s", (value, text) => {
    expect(format.score(value)).toBe(text);
  });
});

describe("counts", () => {
  it("name their unit", () => {
    expect(format.images(1204)).toBe("1,204 images");
    expect(format.images(1)).toBe("1 image");
    expect(format.groups(87)).toBe("87 groups");
  });
});

describe("bound", () => {
  it("is what one would type", () => {
    expect([0, 0.0001, 0.00003, 0.05, 0.12345, 1].map(format.bound)).toEqual([
      "0",
      "0.0001",
      "3e-5",
      "0.05",
      "0.12345",
      "1",
    ]);
  });
});

describe("sentence", () => {
  it("begins with a capital, unless it begins with a path or a name in quotes", () => {
    const texts = ["cannot read it", "/tmp/a is there", "'a b' is taken", "Done.", ""];
    expect(texts.map(format.sentence)).toEqual(["Cannot read it", ...texts.slice(1)]);
  });
});

describe("firstSentence", () => {
  it("ends before the next capital, not within a name or an address", () => {
    const first = "Nothing at http://127.0.0.1:8080 (Errno 111 e.g. refused).";
    expect(format.firstSentence(`${first} To start one: run it.`)).toEqual([
      first,
      "To start one: run it.",
    ]);
    expect(format.firstSentence("It failed")).toEqual(["It failed", ""]);
  });
});

describe("splitCaption", () => {
  it("keeps short details whole, and cuts long ones", () => {
    const split = format.splitCaption;
    expect(split("cropped copy of a: b.jpg: 80 % of it")).toEqual([
      "cropped copy of a: b.jpg",
      ": 80 % of it",
    ]);
    expect(split("keeper: path that sorts first")).toEqual(["keeper: path that sorts first", ""]);
    expect(split("exact duplicate of a.jpg")).toEqual(["exact duplicate of a.jpg", ""]);
  });
});

describe("splitName", () => {
  it("keeps the end of a long name", () => {
    expect(format.splitName("IMG_20240517_0042.jpg")).toEqual(["IMG_20240517_", "0042.jpg"]);
    expect(format.splitName("a.jpg")).toEqual(["a.jpg", ""]);
  });
});
