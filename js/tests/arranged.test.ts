import { describe, expect, it } from "vitest";
import { arranged } from "../src/data/arranged";
import { accepted } from "../src/data/frame";
import { bandsOf, denseRank } from "../src/data/order";
import { random } from "./random";

/** A frame of which a third stands in bands, and many have equal scores. */
function made(rows: number, next: () => number) {
  const below = (n: number) => Math.floor(next() * n);
  const band = Uint32Array.from({ length: rows }, () =>
    next() < 0.66 ? 0 : 1 + below(1 + rows / 9),
  );
  const place = Uint32Array.from({ length: rows }, () => below(4));
  const bands = bandsOf(band, place);
  const roles = Uint8Array.from(bands.members, () => below(16));
  const scores = Float32Array.from({ length: rows }, () =>
    next() < 0.1 ? Number.NaN : below(next() < 0.5 ? 3 : 5000),
  );
  return { frame: { band, bands, roles }, rank: denseRank(scores) };
}

describe("what is shown, worked out from what was shown before", () => {
  it.each([
    ["few rows", 60, 40],
    ["several blocks of them", 9000, 3],
  ])("is the same as from the beginning: %s", (_, rows, trials) => {
    const next = random(7);
    for (let trial = 0; trial < trials; trial++) {
      const { frame, rank } = made(rows, next);
      const how = { descending: next() < 0.5, grouped: next() < 0.8, keepers: next() < 0.5 };
      const by = { frame, rank, ...how };
      const mask = new Uint8Array(rows).fill(1);
      let shown = arranged(by, mask.slice(), null);
      for (let step = 0; step < 12; step++) {
        // Somebody looks here and there; what was laid out there may hold, or not.
        for (let look = 0; look < 3; look++) {
          const at = Math.floor(next() * shown.items.length);
          const row = shown.items.at(at);
          if (row !== undefined) expect(shown.items.indexOf(row)).toBe(at);
        }
        const change = next() < 0.2 ? 0.6 : 0.05;
        for (let row = 0; row < rows; row++) if (next() < change) mask[row] ^= 1;
        shown = arranged(by, mask.slice(), shown);
        const afresh = arranged(by, mask.slice(), null);
        expect([...shown.items.rows]).toEqual([...afresh.items.rows]);
        const { items: _items, ...told } = shown;
        const { items: _others, ...expected } = afresh;
        expect(told).toEqual(expected);
        expect(accepted(frame, shown.banded)).toEqual(accepted(frame, afresh.banded));
      }
    }
  });

  it("begins anew where the order is another one", () => {
    const { frame, rank } = made(200, random(2));
    const by = { frame, rank, descending: false, grouped: true, keepers: true };
    const mask = new Uint8Array(200).fill(1);
    const before = arranged(by, mask, null);
    const turned = arranged({ ...by, descending: true }, mask, before);
    const afresh = arranged({ ...by, descending: true }, mask, null);
    expect([...turned.items.rows]).toEqual([...afresh.items.rows]);
  });
});
