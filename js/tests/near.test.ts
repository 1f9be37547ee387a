import { describe, expect, it } from "vitest";
import { nearStops, stopOf } from "../src/data/near";

describe("the stops of the near boundary", () => {
  it("go from 0 to the most there is, finer near 0, and are short to read", () => {
    const stops = nearStops(0.2);
    expect(stops[0]).toBe(0);
    expect(stops.at(-1)).toBe(0.2);
    expect(stops[1]).toBe(0.0001);
    expect(stops).toContain(0.05);
    for (const stop of stops) expect(String(stop).length).toBeLessThanOrEqual(6);
    for (let i = 1; i < stops.length; i++) expect(stops[i]).toBeGreaterThan(stops[i - 1]);
  });

  it("end at a bound that is no step of theirs, and at 1", () => {
    expect(nearStops(0.0523).slice(-2)).toEqual([0.052, 0.0523]);
    expect(nearStops(1).at(-1)).toBe(1);
    expect(nearStops(0)).toEqual([0, 0]);
  });

  it("find the nearest one to a value that was typed", () => {
    const stops = nearStops(0.2);
    expect(stops[stopOf(stops, 0.0333)]).toBe(0.033);
    expect(stops[stopOf(stops, 5)]).toBe(0.2);
  });
});
