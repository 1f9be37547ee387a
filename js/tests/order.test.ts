import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bandsOf, denseRank, displayOrder, withHidden, withNewcomers } from "../src/data/order";
import { NULL_RANK } from "../src/wire/protocol";

interface Case {
  rank: number[];
  band: number[];
  place: number[];
  mask: number[];
  descending: boolean;
  grouped: boolean;
}

function order({ rank, band, place, mask, descending, grouped }: Case): number[] {
  return [
    ...displayOrder(
      Uint32Array.from(rank),
      Uint32Array.from(band),
      Uint32Array.from(place),
      Uint8Array.from(mask),
      descending,
      grouped,
    ),
  ];
}

/** The definition, word for word and without regard for speed. */
function definition({ rank, band, place, mask, descending, grouped }: Case): number[] {
  const visible = rank.map((_, row) => row).filter((row) => mask[row]);
  const units = new Map<string, number[]>();
  for (const row of visible) {
    const name = grouped && band[row] ? `band ${band[row]}` : `row ${row}`;
    units.set(name, [...(units.get(name) ?? []), row]);
  }
  const keyOf = (rows: number[]) => {
    const ranks = rows.map((row) => rank[row]).filter((value) => value !== NULL_RANK);
    if (ranks.length === 0) return null;
    return descending ? Math.max(...ranks) : Math.min(...ranks);
  };
  return [...units.values()]
    .sort((a, b) => {
      const [left, right] = [keyOf(a), keyOf(b)];
      if (left !== right) {
        if (left === null) return 1;
        if (right === null) return -1;
        return descending ? right - left : left - right;
      }
      return Math.min(...a) - Math.min(...b);
    })
    .flatMap((rows) => rows.sort((a, b) => place[a] - place[b] || a - b));
}

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("displayOrder", () => {
  it("agrees with the definition on a thousand random frames", () => {
    const next = random(3);
    const below = (n: number) => Math.floor(next() * n);
    for (let trial = 0; trial < 1000; trial++) {
      const n = below(14);
      const bands = 1 + below(4);
      const values = Array.from({ length: n }, () => (next() < 0.15 ? Number.NaN : below(5)));
      const rank = [...denseRank(Float32Array.from(values))];
      const band = Array.from({ length: n }, () => (next() < 0.4 ? 0 : 1 + below(bands)));
      const place = Array.from({ length: n }, () => below(4));
      const mask = Array.from({ length: n }, () => +(next() < 0.7));
      for (const descending of [false, true]) {
        for (const grouped of [false, true]) {
          const frame = { rank, band, place, mask, descending, grouped };
          expect(order(frame), JSON.stringify(frame)).toEqual(definition(frame));
        }
      }
    }
  });

  it("keeps the rows of a band together, keeper first", () => {
    const frame = {
      rank: [3, 2, 0, 1],
      band: [0, 1, 1, 0],
      place: [0, 0, 1, 0],
      mask: [1, 1, 1, 1],
      descending: false,
      grouped: true,
    };
    expect(order(frame)).toEqual([1, 2, 3, 0]);
    expect(order({ ...frame, grouped: false })).toEqual([2, 3, 1, 0]);
  });

  it("puts rows without a value last in both directions", () => {
    const frame = {
      rank: [NULL_RANK, 1, 0],
      band: [0, 0, 0],
      place: [0, 0, 0],
      mask: [1, 1, 1],
      descending: false,
      grouped: true,
    };
    expect(order(frame)).toEqual([2, 1, 0]);
    expect(order({ ...frame, descending: true })).toEqual([1, 2, 0]);
  });
});

describe("displayOrder, on the cases that Python is tested with", () => {
  const fixture = new URL("../../tests/fixtures/order.json", import.meta.url);
  const cases: {
    name: string;
    rank: (number | null)[];
    band: number[];
    place: number[];
    mask: boolean[];
    descending: boolean;
    grouped: boolean;
    order: number[];
  }[] = JSON.parse(readFileSync(fixture, "utf8"));

  it.each(cases)("$name", (frame) => {
    const rank = frame.rank.map((value) => value ?? NULL_RANK);
    const mask = frame.mask.map(Number);
    expect(order({ ...frame, rank, mask })).toEqual(frame.order);
  });
});

describe("denseRank", () => {
  it("counts distinct values upwards and ranks NaN as null", () => {
    const scores = new Float32Array([0.5, Number.NaN, 0, 0.5, -0, -2, 1e-38]);
    expect([...denseRank(scores)]).toEqual([3, NULL_RANK, 1, 3, 1, 0, 2]);
  });
});

describe("withHidden", () => {
  const band = Uint32Array.from([1, 1, 0, 2, 2]);
  const place = Uint32Array.from([0, 1, 0, 1, 0]);
  const bands = bandsOf(band, place);
  const shown = (mask: number[], hidden: number[]) => {
    const bytes = Uint8Array.from(mask);
    const rank = Uint32Array.from([0, 1, 2, 3, 4]);
    const visible = displayOrder(rank, band, place, bytes, false, true, bands);
    return [...withHidden(visible, band, bytes, Uint8Array.from(hidden), bands)];
  };

  it("puts a hidden keeper in front of its visible members", () => {
    expect(shown([0, 1, 1, 1, 0], [1, 0, 0, 0, 1])).toEqual([0, 1, 2, 4, 3]);
  });

  it("puts one that became the keeper where it stood", () => {
    expect(shown([1, 0, 1, 0, 0], [0, 1, 0, 0, 0])).toEqual([0, 1, 2]);
  });

  it("leaves the order as it is where nothing is hidden", () => {
    expect(shown([0, 0, 1, 1, 1], [0, 0, 0, 0, 0])).toEqual([2, 4, 3]);
  });
});

describe("withNewcomers", () => {
  const band = Uint32Array.from([1, 1, 0, 2, 2, 0]);
  const now = (items: number[], visible: number[]) => [
    ...withNewcomers(Uint32Array.from(items), Uint8Array.from(visible), band),
  ];

  it("keeps everything where it was, gone or not", () => {
    expect(now([4, 3, 2, 0], [0, 0, 0, 1, 0, 0])).toEqual([4, 3, 2, 0]);
  });

  it("puts what is new at the end of its band, else at the end", () => {
    expect(now([4, 2, 0], [1, 1, 1, 1, 1, 1])).toEqual([4, 3, 2, 0, 1, 5]);
  });
});
