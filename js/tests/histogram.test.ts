import { describe, expect, it } from "vitest";
import {
  binCounts,
  canBeLog,
  countIn,
  extentOf,
  keyStep,
  moveBoth,
  moveEnd,
  rangeOrNull,
  scaleFor,
} from "../src/histogram";
import { isLog, placeOfHigh } from "../src/scale";

const scores = new Float32Array([0, 0, 1e-7, 2e-5, 0.05, 0.5, 1, Number.NaN]);
const extent = extentOf(scores);
const log = scaleFor(extent, true);
const linear = scaleFor(extent, false);

describe("the log axis", () => {
  it("gives exactly 0 a bin of its own", () => {
    const counts = binCounts(scores, log);
    expect(counts[0]).toBe(2);
    expect(log.binRange(0)).toEqual([0, 0]);
  });

  it("counts every value once", () => {
    const total = binCounts(scores, log).reduce((sum, count) => sum + count, 0);
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
    expect(placeOfHigh(log, 0)).toBeGreaterThan(log.toPlace(0));
  });

  it("is not offered for negative values", () => {
    const negative = extentOf(new Float32Array([-1, 2]));
    expect(canBeLog(negative)).toBe(false);
    expect(isLog(scaleFor(negative, true))).toBe(false);
  });
});

describe("the linear axis", () => {
  it("spans 0 … 1 for scores, otherwise the values", () => {
    expect([linear.min, linear.max]).toEqual([0, 1]);
    const wide = scaleFor(extentOf(new Float32Array([-3, 7])), false);
    expect([wide.min, wide.max]).toEqual([-3, 7]);
  });

  it("puts the largest value into the last bin", () => {
    expect(binCounts(scores, linear)[63]).toBe(1);
  });

  it("stands for a single value too", () => {
    const one = scaleFor(extentOf(new Float32Array([5, 5])), false);
    expect(binCounts(new Float32Array([5, 5]), one)[0]).toBe(2);
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
