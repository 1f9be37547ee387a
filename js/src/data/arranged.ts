import {
  type Accepted,
  accepted,
  acceptedAgain,
  type Banded,
  bandedAgain,
  bandedBy,
  type Frame,
} from "./frame";
import { countOf } from "./masks";
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

/** Above this part of rows that changed, all is worked out from the beginning. */
const MOST = 1 / 4;

/** Arrange what a mask shows; from what was shown before where that takes less. */
export function arranged(by: Arrangement, mask: Uint8Array, before: Arranged | null): Arranged {
  const changes = before && isAlike(by, before.by) ? changesOf(by, before, mask) : null;
  const { frame, keepers } = by;
  if (!before || !changes) {
    const banded = bandedBy(frame, mask, keepers);
    const items = displayOrder(optionsOf(by, mask, banded));
    return { mask, count: countOf(mask), banded, accepted: accepted(frame, banded), items, by };
  }
  const { rows, bands, drawn } = changes;
  const some = bands.length > 0;
  const banded = some ? bandedAgain(frame, before.banded, bands, mask, keepers) : before.banded;
  const goes = acceptedAgain(frame, before.accepted, bands, drawn, banded.drawn);
  const items = before.items.again(optionsOf(by, mask, banded), changes);
  let { count } = before;
  for (let i = 0; i < rows.length; i++) count += mask[rows[i]] ? 1 : -1;
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

/** Room for the rows that change, which are many in each frame of a drag. */
let room = new Uint32Array(0);

/** What differs between two masks, until it is asked for again; null where that is much. */
function changesOf({ frame }: Arrangement, before: Arranged, mask: Uint8Array): Changes | null {
  const old = before.mask;
  const { band, bands } = frame;
  const most = Math.ceil(mask.length * MOST);
  if (room.length < most + 4) room = new Uint32Array(most + 4);
  const rows = room;
  let count = 0;
  // Four at a time: most are alike.
  const words = mask.length >> 2;
  const now = new Uint32Array(mask.buffer, mask.byteOffset, words);
  const then = new Uint32Array(old.buffer, old.byteOffset, words);
  for (let word = 0; word < words; word++) {
    if (now[word] === then[word]) continue;
    if (count > most) return null;
    for (let row = 4 * word; row < 4 * word + 4; row++) {
      if (mask[row] !== old[row]) rows[count++] = row;
    }
  }
  for (let row = 4 * words; row < mask.length; row++) {
    if (mask[row] !== old[row]) rows[count++] = row;
  }
  const isKnown = new Uint8Array(bands.start.length);
  const changed: number[] = [];
  for (let i = 0; i < count; i++) {
    const b = band[rows[i]];
    if (b === 0 || isKnown[b]) continue;
    isKnown[b] = 1;
    changed.push(b);
  }
  const { drawn } = before.banded;
  return { rows: rows.subarray(0, count), bands: Uint32Array.from(changed), drawn };
}
