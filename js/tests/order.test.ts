import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Bands, bandsOf, denseRank, displayOrder, withNewcomers } from "../src/data/order";
import { NULL_RANK } from "../src/wire/protocol";
import { random } from "./random";

interface Case {
  rank: number[];
  band: number[];
  place: number[];
  mask: number[];
  descending: boolean;
  grouped: boolean;
}

function order({ rank, band, place, mask, descending, grouped }: Case): number[] {
  const rows = Uint8Array.from(mask);
  const bands = bandsOf(Uint32Array.from(band), Uint32Array.from(place));
  const grouping = grouped ? { bands, drawn: bands.members.map((row) => rows[row]) } : null;
  return orderOf(rank, band, rows, descending, grouping);
}

function orderOf(
  rank: number[],
  band: number[],
  mask: Uint8Array,
  descending: boolean,
  grouping: { bands: Bands; drawn: ArrayLike<number> } | null,
): number[] {
  const drawn = grouping && { ...grouping, drawn: Uint8Array.from(grouping.drawn) };
  const options = { rank: Uint32Array.from(rank), band: Uint32Array.from(band), mask, descending };
  const made = displayOrder({ ...options, grouping: drawn });
  return [...made.rows];
}

/** The definition, word for word and without regard for speed. */
function definition({ rank, band, place, mask, descending, grouped }: Case): number[] {
  const visible = rank.map((_, row) => row).filter((row) => mask[row]);
  const isNull = (row: number) => +(rank[row] === NULL_RANK);
  const sign = descending ? -1 : 1;
  visible.sort((a, b) => isNull(a) - isNull(b) || sign * (rank[a] - rank[b]) || a - b);
  // A map keeps the order in which its keys came.
  const units = new Map<string, number[]>();
  for (const row of visible) {
    const name = grouped && band[row] ? `band ${band[row]}` : `row ${row}`;
    units.set(name, [...(units.get(name) ?? []), row]);
  }
  return [...units.values()].flatMap((rows) => rows.sort((a, b) => place[a] - place[b] || a - b));
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

describe("context tiles", () => {
  const band = [1, 1, 0, 2, 2];
  const bands = bandsOf(Uint32Array.from(band), Uint32Array.from([0, 1, 0, 1, 0]));
  const shown = (mask: number[], beside: number[]) => {
    const drawn = [...bands.members].map((row) => mask[row] || 2 * beside[row]);
    return orderOf([0, 1, 2, 3, 4], band, Uint8Array.from(mask), false, { bands, drawn });
  };

  it("stand in front of the visible members of their bands, as keepers do", () => {
    expect(shown([0, 1, 1, 1, 0], [1, 0, 0, 0, 1])).toEqual([0, 1, 2, 4, 3]);
  });

  it("stand where they stood, of one that became the keeper", () => {
    expect(shown([1, 0, 1, 0, 0], [0, 1, 0, 0, 0])).toEqual([0, 1, 2]);
  });

  it("are none where nothing is hidden", () => {
    expect(shown([0, 0, 1, 1, 1], [0, 0, 0, 0, 0])).toEqual([2, 4, 3]);
  });

  it("show no band of which the mask shows nothing", () => {
    expect(shown([0, 0, 1, 0, 0], [0, 0, 0, 0, 0])).toEqual([2]);
  });
});

describe("bandsOf", () => {
  it("sorts few and many members by place, equal ones by row", () => {
    const place = Uint32Array.from({ length: 80 }, (_, row) => (row * 7) % 30);
    const band = place.map((_, row) => (row < 8 ? 2 : 1));
    const { start, members } = bandsOf(band, place);
    for (const b of [1, 2]) {
      const rows = [...members.subarray(start[b], start[b + 1])];
      const all = [...band.keys()].filter((row) => band[row] === b);
      expect(rows).toEqual(all.sort((a, z) => place[a] - place[z] || a - z));
    }
  });
});

describe("an order of many rows", () => {
  const n = 20_000;
  const next = random(5);
  const rank = denseRank(Float32Array.from({ length: n }, () => Math.round(30 * next())));
  const band = Uint32Array.from({ length: n }, () =>
    next() < 0.7 ? 0 : 1 + Math.floor(300 * next()),
  );
  const bands = bandsOf(band, new Uint32Array(n));
  const made = (grouped: boolean) => {
    const mask = new Uint8Array(n).fill(1);
    const drawn = new Uint8Array(bands.members.length).fill(1);
    const grouping = grouped ? { bands, drawn } : null;
    return displayOrder({ rank, band, mask, descending: false, grouping });
  };

  it.each([true, false])("is the same from wherever it is looked at (in groups: %s)", (grouped) => {
    const all = [...made(grouped).rows];
    expect([...made(grouped).slice(7000, 7040)]).toEqual(all.slice(7000, 7040));
    expect(made(grouped).at(n - 1)).toBe(all[n - 1]);
    const order = made(grouped);
    const positions = [0, 1500, 9000, 3, n - 1];
    expect(positions.map((at) => order.at(at))).toEqual(positions.map((at) => all[at]));
    expect(made(grouped).indexOf(all[12_345])).toBe(12_345);
  });

  it("agrees with the definition where many have the same rank", () => {
    const few = {
      rank: Array.from({ length: 3000 }, () => Math.floor(4 * next())),
      band: Array.from({ length: 3000 }, () => Math.max(0, Math.floor(900 * next()) - 500)),
      place: Array.from({ length: 3000 }, () => Math.floor(3 * next())),
      mask: Array.from({ length: 3000 }, () => +(next() < 0.8)),
    };
    for (const descending of [false, true]) {
      const frame = { ...few, descending, grouped: true };
      expect(order(frame)).toEqual(definition(frame));
    }
  });

  it("has nothing before its beginning, beyond its end, or of rows that are hidden", () => {
    const order = made(true);
    expect([order.at(-1), order.at(n)]).toEqual([undefined, undefined]);
    expect([...order.slice(-5, 2)]).toEqual([...order.rows.slice(0, 2)]);
    expect(order.slice(n, n + 5)).toHaveLength(0);
    expect(order.indexOf(n)).toBe(-1);
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
