import { signal } from "@preact/signals";
import { describe, expect, it } from "vitest";
import { DAY } from "../src/data/measure";
import { countIn } from "../src/data/range";
import { Bars } from "../src/histogram/bars";
import {
  binCounts,
  binsOf,
  canBeLog,
  extentOf,
  isSkewed,
  keyStep,
  moveBoth,
  moveEnd,
  rangeOrNull,
  scaleFor,
} from "../src/histogram/histogram";
import type { Scale } from "../src/histogram/scale";
import type { Numbers } from "../src/wire/protocol";
import { random } from "./random";

const scores = new Float32Array([0, 0, 1e-7, 2e-5, 0.05, 0.5, 1, Number.NaN]);
const extent = extentOf(scores);
const log = scaleFor(extent, true);
const linear = scaleFor(extent, false);
const countsOf = (values: Numbers, scale: Scale) => binCounts(binsOf(values, scale), scale);

describe("the log axis", () => {
  it("gives exactly 0 a bin of its own", () => {
    expect(countsOf(scores, log)[0]).toBe(2);
    expect(log.toValue(log.edges[0])).toBe(0);
  });

  it("counts every value once", () => {
    const total = countsOf(scores, log).reduce((sum, count) => sum + count, 0);
    expect(total).toBe(7);
  });

  it("tells 0 … 0.0001 from 0.05", () => {
    expect(log.toPlace(0.05) - log.toPlace(0.0001)).toBeGreaterThan(0.3);
    expect(linear.toPlace(0.05) - linear.toPlace(0.0001)).toBeLessThan(0.06);
  });

  it("maps places back to their values", () => {
    for (const value of [0, 2e-6, 3e-4, 0.05, 1]) {
      expect(log.toValue(log.toPlace(value))).toBeCloseTo(value, 9);
    }
  });

  it("starts above 0 at the smallest positive value there is", () => {
    const low = log.toValue(log.edges[1]);
    expect(low).toBeGreaterThan(0);
    expect(countIn(scores, [low, 1])).toBe(5);
  });

  it("draws a range up to 0 as wide as the block of zeros", () => {
    expect(log.toEnd(0)).toBeGreaterThan(log.toPlace(0));
  });

  it("is not offered for negative values", () => {
    const negative = extentOf(new Float32Array([-1, 2]));
    expect(canBeLog(negative)).toBe(false);
    expect(scaleFor(negative, true).log).toBe(false);
  });

  it("begins where values that are far from 0 begin", () => {
    const sizes = Float64Array.of(200_000, 3_000_000, 20_000_000);
    const scale = scaleFor(extentOf(sizes), true, "bytes");
    expect(scale.min).toBe(200_000);
    expect(scale.toPlace(200_000)).toBe(0);
    expect(scale.ticks.map(({ label }) => label)).toEqual(["300 kB", "1 MB", "3 MB", "10 MB"]);
    expect(countsOf(sizes, scale).reduce((sum, count) => sum + count, 0)).toBe(3);
  });
});

describe("the linear axis", () => {
  it("spans 0 … 1 for scores, otherwise the values", () => {
    expect([linear.min, linear.max]).toEqual([0, 1]);
    const wide = scaleFor(extentOf(new Float32Array([-3, 7])), false);
    expect([wide.min, wide.max]).toEqual([-3, 7]);
  });

  it("puts the largest value into the last bin", () => {
    expect(countsOf(scores, linear)[63]).toBe(1);
  });

  it("stands for a single value too", () => {
    const one = scaleFor(extentOf(new Float32Array([5, 5])), false);
    expect(countsOf(new Float32Array([5, 5]), one)[0]).toBe(2);
  });

  it("leaves infinite values out of its extent", () => {
    const values = Float64Array.of(3, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
    expect(extentOf(values)).toEqual({ min: 3, max: 3, minPositive: 3 });
  });

  it("counts what a mask leaves", () => {
    const bins = binsOf(scores, linear);
    expect(binCounts(bins, linear, Uint8Array.of(0, 1, 1, 0, 0, 0, 1, 1))[0]).toBe(2);
  });

  it("has round numbers at its ticks", () => {
    const labels = (min: number, max: number, measure: "number" | "whole" | "bytes") =>
      scaleFor({ min, max, minPositive: min }, false, measure).ticks.map(({ label }) => label);
    expect(labels(0, 1, "number")).toEqual(["0", "0.25", "0.5", "0.75", "1"]);
    expect(labels(612, 4032, "whole")).toEqual(["1,000", "2,000", "3,000", "4,000"]);
    expect(labels(2e5, 17e6, "bytes")).toEqual(["5 MB", "10 MB", "15 MB"]);
    expect(labels(-0.31, 0.42, "number")).toEqual(["-0.2", "0", "0.2", "0.4"]);
    expect(labels(1e6, 6e6, "whole")).toEqual(["1M", "2M", "3M", "4M", "5M", "6M"]);
  });
});

describe("what other filters leave of the bars", () => {
  it("is the same from what they left before, on whichever axis", () => {
    const next = random(8);
    const values = Float32Array.from({ length: 300 }, () => (next() < 0.1 ? Number.NaN : next()));
    const mask = signal<Uint8Array | null>(null);
    const axis = signal(false);
    const made = () =>
      new Bars({ values: () => values, log: () => axis.value, left: () => mask.value });
    const bars = made();
    expect(bars.left.value).toBe(bars.counts.value);
    mask.value = new Uint8Array(300).fill(1);
    for (let step = 0; step < 40; step++) {
      mask.value = mask.peek()!.map((shown) => (next() < 0.1 ? 1 - shown : shown));
      if (step % 7 === 6) axis.value = !axis.value;
      expect([...bars.left.value]).toEqual([...made().left.value]);
    }
  });
});

describe("the axis of few whole numbers", () => {
  const ratings = Float64Array.of(0, 1, 1, 5, Number.NaN);
  const scale = scaleFor(extentOf(ratings), false, "whole");

  it("gives each a block, which a range covers whole", () => {
    expect([...countsOf(ratings, scale)]).toEqual([1, 2, 0, 0, 0, 1]);
    expect(scale.toPlace(1)).toBeCloseTo(1 / 6);
    expect(scale.toEnd(1)).toBeCloseTo(2 / 6);
  });

  it("rests on whole numbers only", () => {
    expect(scale.snap(scale.toValue(0.4), 0)).toBe(2);
    expect(keyStep("ArrowRight", 2, scale, false)).toBe(3);
    expect(keyStep("ArrowLeft", 2, scale, true, 1)).toBe(1);
    expect(keyStep("ArrowRight", 5, scale, false, 1)).toBe(5);
  });

  it("moves a range by whole blocks, and keeps its width", () => {
    expect(moveBoth([1, 2], 1 / 6, scale)).toEqual([2, 3]);
    expect(moveBoth([1, 2], 5, scale)).toEqual([4, 5]);
    expect(moveBoth([1, 2], -5, scale)).toEqual([0, 1]);
  });
});

describe("the axis of dates", () => {
  const years = { min: Date.UTC(2019, 2, 3, 4, 5), max: Date.UTC(2024, 6, 1), minPositive: 1 };

  it("has round dates at its ticks", () => {
    const labels = (min: number, max: number) =>
      scaleFor({ min, max, minPositive: min }, false, "date").ticks.map(({ label }) => label);
    expect(labels(years.min, years.max)).toEqual(["2020", "2022", "2024"]);
    expect(labels(Date.UTC(2024, 0, 20), Date.UTC(2024, 10, 3))).toEqual([
      "2024-04",
      "2024-07",
      "2024-10",
    ]);
    expect(labels(Date.UTC(2024, 4, 1, 9), Date.UTC(2024, 4, 1, 21))).toEqual([
      "05-01 09:00",
      "05-01 12:00",
      "05-01 15:00",
      "05-01 18:00",
      "05-01 21:00",
    ]);
  });

  it("rests on whole days, the last of them to its end", () => {
    const scale = scaleFor(years, false, "date");
    const noon = Date.UTC(2021, 5, 6, 12);
    expect(scale.snap(noon, 0)).toBe(Date.UTC(2021, 5, 6));
    expect(scale.snap(noon, 1)).toBe(Date.UTC(2021, 5, 7) - 1);
    expect(scale.snap(years.min, 0)).toBe(years.min);
  });

  it("rests on midnight where there are only days", () => {
    const scale = scaleFor({ ...years, min: Date.UTC(2019, 2, 3) }, false, "day");
    expect(scale.snap(Date.UTC(2021, 5, 6), 1)).toBe(Date.UTC(2021, 5, 6));
    expect(keyStep("ArrowRight", Date.UTC(2021, 5, 6), scale, true, 1)! % DAY).toBe(0);
  });
});

describe("ranges", () => {
  it("are no filter when they leave nothing out", () => {
    expect(rangeOrNull([0, 1], log)).toBeNull();
    expect(rangeOrNull([0, 0.9], log)).toEqual([0, 0.9]);
  });

  it("keep their ends in order", () => {
    expect(moveEnd([0.2, 0.5], 0, 0.9)).toEqual([0.5, 0.5]);
    expect(moveEnd([0.2, 0.5], 1, 0.1)).toEqual([0.2, 0.2]);
  });

  it("move as a whole and stop at the end of the axis", () => {
    const [low, high] = moveBoth([0.2, 0.5], 0.9, linear);
    expect(low).toBeCloseTo(0.7);
    expect(high).toBeCloseTo(1);
  });
});

describe("keys of a thumb", () => {
  it("go to the ends on Home and End", () => {
    expect(keyStep("Home", 0.3, linear, false)).toBe(0);
    expect(keyStep("End", 0.3, linear, false)).toBe(1);
  });

  it("go a hundredth of the axis, a thousandth with shift, a tenth by page", () => {
    expect(keyStep("ArrowRight", 0.3, linear, false)).toBeCloseTo(0.31);
    expect(keyStep("ArrowLeft", 0.3, linear, true)).toBeCloseTo(0.299);
    expect(keyStep("PageUp", 0.3, linear, false)).toBeCloseTo(0.4);
  });

  it("do not get stuck at 0 on the log axis", () => {
    expect(keyStep("ArrowRight", 0, log, false)).toBeGreaterThan(0);
    const lowest = log.toValue(log.edges[1]);
    expect(keyStep("ArrowLeft", lowest, log, false)).toBe(0);
  });

  it("leave other keys alone", () => {
    expect(keyStep("a", 0.3, linear, false)).toBeNull();
  });
});

describe("a log axis by default", () => {
  it("is for values that crowd at the low end", () => {
    const values = Float64Array.from({ length: 1000 }, (_, i) => (i < 950 ? 1 + i / 1000 : i * 10));
    const counts = countsOf(values, scaleFor(extentOf(values), false));
    expect(isSkewed(counts)).toBe(true);
    expect(isSkewed(countsOf(scores, linear))).toBe(false);
  });
});
