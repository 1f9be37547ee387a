import {
  type Accepted,
  accepted,
  acceptedAgain,
  type Banded,
  bandedAgain,
  bandedBy,
  type Frame,
} from "./frame";
import { countOf, lengthOf, turnedRows } from "./masks";
import { type Changes, displayOrder, type OrderOptions, type PlacedOrder } from "./order";

/** How images are arranged, whichever of them a filter leaves. */
interface Arrangement {
  frame: Pick<Frame, "band" | "bands" | "roles">;
  rank: Uint32Array;
  descending: boolean;
  grouped: boolean;
  /** Whether hidden keepers stand beside what is shown of their bands. */
  keepers: boolean;
}

/** What a mask shows, arranged. */
export interface Arranged {
  mask: Uint8Array;
  /** How many rows the mask shows. */
  count: number;
  banded: Banded;
  /** What of it goes when the plan is accepted. */
  accepted: Accepted;
  /** The rows that it shows, with context tiles. */
  items: PlacedOrder;
  by: Arrangement;
}

/** Arrange what a mask shows; from what was shown before where that takes less. */
export function arranged(by: Arrangement, mask: Uint8Array, before: Arranged | null): Arranged {
  const changes = before && isAlike(by, before.by) ? changesOf(by, before, mask) : null;
  const { frame, keepers } = by;
  if (!before || !changes) {
    const banded = bandedBy(frame, mask, keepers);
    const items = displayOrder(optionsOf(by, mask, banded));
    return { mask, count: countOf(mask), banded, accepted: accepted(frame, banded), items, by };
  }
  const { on, off, bands, drawn } = changes;
  const some = bands.length > 0;
  const banded = some ? bandedAgain(frame, before.banded, bands, mask, keepers) : before.banded;
  const goes = acceptedAgain(frame, before.accepted, bands, drawn, banded.drawn);
  const items = before.items.again(optionsOf(by, mask, banded), changes);
  const count = before.count + lengthOf(on) - lengthOf(off);
  return { mask, count, banded, accepted: goes, items, by };
}

function optionsOf(by: Arrangement, mask: Uint8Array, { drawn }: Banded): OrderOptions {
  const { frame, rank, descending, grouped } = by;
  const grouping = grouped ? { bands: frame.bands, drawn } : null;
  return { rank, band: frame.band, mask, descending, grouping };
}

const isAlike = (one: Arrangement, other: Arrangement): boolean =>
  one.frame.bands === other.frame.bands &&
  one.frame.roles === other.frame.roles &&
  one.rank === other.rank &&
  one.descending === other.descending &&
  one.grouped === other.grouped &&
  one.keepers === other.keepers;

/** What differs between two masks; null where that is much. */
function changesOf({ frame }: Arrangement, before: Arranged, mask: Uint8Array): Changes | null {
  const turned = turnedRows(mask, before.mask);
  if (!turned) return null;
  const { band, bands } = frame;
  const isKnown = new Uint8Array(bands.start.length);
  const changed: number[] = [];
  for (const rows of [...turned.on, ...turned.off]) {
    for (let i = 0; i < rows.length; i++) {
      const b = band[rows[i]];
      if (b === 0 || isKnown[b]) continue;
      isKnown[b] = 1;
      changed.push(b);
    }
  }
  return { ...turned, bands: Uint32Array.from(changed), drawn: before.banded.drawn };
}
