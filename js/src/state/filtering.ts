import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import {
  anyOf,
  basisOf,
  type Clause,
  type Clauses,
  type CollectionsClause,
  type ColumnData,
  collectionsMask,
  columnData,
  columnMask,
  fits,
  isRange,
  type Left,
  missingMask,
  planMask,
  presenceOf,
  rangeMask,
  readClauses,
  sameClause,
  textOf,
  unpack,
  withClauses,
} from "../data/filters";
import type { Frame } from "../data/frame";
import { allOf, type Combined } from "../data/masks";
import { reviewedMask } from "../data/reviewed";
import { type Answer, Answers } from "../wire/answers";
import type { AnyModel } from "../wire/model";
import type { Outbox } from "../wire/outbox";
import type { Rpc } from "../wire/rpc";
import { syncTrait } from "../wire/sync";
import type { Throttled } from "../wire/throttle";
import type { Catalogue } from "./catalogue";
import type { Reviewed } from "./reviewed";

/** Columns that another plan changes. */
const PLANNED: readonly string[] = [
  ...["kind", "keep", "group"],
  ...["uniqueness", "nearest", "distance", "relation", "agreement"],
];

/** Whether another plan changes a column. */
export const isPlanned = (column: string, { score }: Pick<Frame, "score">): boolean =>
  column === score || PLANNED.includes(column);

/** Answers of Python that are kept in case a clause comes back. */
const MAX_MATCHES = 12;

interface FilteringOptions {
  frame: ReadonlySignal<Frame | null>;
  catalogue: Pick<Catalogue, "members">;
  reviewed: Pick<Reviewed, "bands">;
  rpc: Rpc;
  outbox: Outbox;
  signal: AbortSignal;
}

/** A clause and the rows that it keeps. */
interface Applied {
  readonly clause: Clause;
  /** What the mask was made from: as long as it is the same, so is the mask. */
  readonly basis: unknown;
  /** Null while what it needs has not been loaded: until then it keeps every row. */
  readonly mask: Uint8Array | null;
  readonly pending: boolean;
  readonly error: string | null;
}

/** Whether what a clause needs has been loaded. */
interface ClauseStatus {
  pending: boolean;
  error: string | null;
}

/** The filters: a clause for each column, and which rows they leave. */
export class Filtering {
  readonly clauses: Signal<Clauses> = signal({});
  #frame: ReadonlySignal<Frame | null>;
  #catalogue: Pick<Catalogue, "members">;
  #reviewed: Pick<Reviewed, "bands">;
  #rpc: Rpc;
  #columns = new Answers<ColumnData>();
  #matches = new Answers<Uint8Array>();
  #masksWithout = new Map<string, ReadonlySignal<Uint8Array | null>>();
  #previous: ReadonlyMap<string, Applied> = new Map();
  /** The plan under which Python gave the answers. */
  #plan: Uint8Array | null = null;
  #filled = 0;
  #push: Throttled;

  #applied = computed(() => {
    const frame = this.#frame.value;
    const applied = new Map<string, Applied>();
    if (frame) {
      for (const [key, clause] of Object.entries(this.clauses.value)) {
        applied.set(key, this.#apply(frame, key, clause, this.#previous.get(key)));
      }
    }
    this.#previous = applied;
    return applied;
  });

  /** The rows that all clauses keep; null without a frame. */
  readonly mask: ReadonlySignal<Uint8Array | null> = this.#combine(null);

  /** Whether something that a clause needs is being loaded. */
  readonly pending: ReadonlySignal<boolean> = computed(() =>
    [...this.#applied.value.values()].some(({ pending }) => pending),
  );

  constructor(model: AnyModel, options: FilteringOptions) {
    const { frame, catalogue, reviewed, rpc, outbox, signal: abort } = options;
    this.#frame = frame;
    this.#catalogue = catalogue;
    this.#reviewed = reviewed;
    this.#rpc = rpc;
    this.#push = outbox.add(syncTrait(model, "_filters", this.clauses, readClauses, abort));
    const stop = effect(() => this.#fetch());
    abort.addEventListener("abort", stop, { once: true });
  }

  /** The rows that all clauses keep but that of `key`, whose own view must not filter itself. */
  maskWithout(key: string): ReadonlySignal<Uint8Array | null> {
    let rows = this.#masksWithout.get(key);
    if (!rows) {
      rows = this.#combine(key);
      this.#masksWithout.set(key, rows);
    }
    return rows;
  }

  statusOf(key: string): ClauseStatus {
    return this.#applied.value.get(key) ?? { pending: false, error: null };
  }

  /** Set the clause of one key, or take it away. */
  set(key: string, clause: Clause | null): void {
    this.change({ [key]: clause });
  }

  /** Set some clauses at once; null takes one away. */
  change(changes: Readonly<Record<string, Clause | null>>): void {
    const before = this.clauses.peek();
    const real = Object.entries(changes).filter(
      ([key, clause]) => !sameClause(before[key] ?? null, clause),
    );
    if (real.length === 0) return;
    this.clauses.value = withClauses(before, Object.fromEntries(real));
    this.#push();
  }

  reset(): void {
    this.clauses.value = {};
    this.#push();
  }

  /** What is known of a column's data; {@link load} requests it. */
  data(column: string): Answer<ColumnData> {
    return this.#columns.get(column);
  }

  load(column: string): void {
    this.#columns.want(column, async () =>
      columnData(await this.#rpc.request("column", { column })),
    );
  }

  /** Ask again for what a clause or an editor could not get. */
  retry(key: string): void {
    this.#columns.retry(key);
    const clause = this.clauses.peek()[key];
    if (clause !== undefined) this.#matches.retry(matchId(key, clause));
  }

  /** Request what the clauses need, and again what another plan has changed. */
  #fetch(): void {
    const frame = this.#frame.value;
    this.#rpc.recovered.value;
    if (!frame) {
      this.#columns.clear();
      this.#matches.clear();
      this.#plan = null;
      return;
    }
    if (this.#filled !== frame.filled) {
      this.#columns.outdate();
      this.#matches.outdate();
    } else if (this.#plan !== null && this.#plan !== frame.keep) this.#replanned(frame);
    this.#plan = frame.keep;
    this.#filled = frame.filled;
    const matched = new Set<string>();
    for (const [key, clause] of Object.entries(this.clauses.value)) {
      const basis = basisOf(key, clause, frame);
      if (basis === "column") this.load(key);
      if (basis === "match" || (basis === "column" && !this.#mayFit(key, clause))) {
        const id = matchId(key, clause);
        matched.add(id);
        const ask = async () => {
          const { rows } = await this.#rpc.request(
            "match",
            { key, clause },
            { latest: `match ${key}` },
          );
          return unpack(rows, frame.rows);
        };
        // Reading it runs this effect again once the answer is out of date.
        this.#matches.get(id);
        this.#matches.want(id, ask);
      }
    }
    this.#matches.forget((id) => matched.has(id), MAX_MATCHES);
  }

  #replanned(frame: Frame): void {
    this.#columns.outdate((column) => isPlanned(column, frame));
    this.#matches.outdate((id) => {
      const [key, clause] = JSON.parse(id) as [string, Clause];
      return isPlanned(key, frame) || textOf(clause) === null;
    });
  }

  /** Whether a clause can be applied to a column's data; assumed while that is being loaded. */
  #mayFit(key: string, clause: Clause): boolean {
    const { data } = this.#columns.get(key);
    return data === null || fits(data.facet, clause);
  }

  #apply(frame: Frame, key: string, clause: Clause, previous: Applied | undefined): Applied {
    const known = (basis: unknown, make: (before: Left | null) => Uint8Array): Applied => {
      const before =
        previous?.mask && previous.basis === basis
          ? { clause: previous.clause, mask: previous.mask }
          : null;
      const kept = before?.clause === clause ? before.mask : make(before);
      return { clause, basis, mask: kept, pending: false, error: null };
    };
    const answered = <T>(
      answer: Answer<T>,
      make: (data: T, before: Left | null) => Uint8Array,
    ): Applied => {
      const { data, pending, error } = answer;
      if (data !== null) return { ...known(data, (before) => make(data, before)), pending, error };
      // The previous mask stays until the answer is here, so that nothing flickers.
      const mask = error === null ? (previous?.mask ?? null) : null;
      return { clause, basis: null, mask, pending: error === null, error };
    };
    switch (basisOf(key, clause, frame)) {
      case "scores":
        return known(frame.scores, (before) =>
          isRange(clause)
            ? rangeMask(frame.scores, clause, before)
            : missingMask(frame.scores, presenceOf(clause) === true),
        );
      case "collections": {
        const members = this.#catalogue.members.value;
        const make = () => collectionsMask(frame.rows, members, clause as CollectionsClause);
        return known(members, make);
      }
      case "plan":
        return known(frame.keep, () => planMask(frame.keep, anyOf(clause) ?? []));
      case "reviewed": {
        const done = this.#reviewed.bands.value;
        return known(done, () =>
          done ? reviewedMask(frame, done, anyOf(clause) ?? []) : new Uint8Array(frame.rows),
        );
      }
      case "column":
        if (this.#mayFit(key, clause)) {
          return answered(this.#columns.get(key), (data, before) => {
            return columnMask(data, clause, before)!;
          });
        }
        break;
    }
    return answered(this.#matches.get(matchId(key, clause)), (rows) => rows);
  }

  /** The rows that all clauses but `except` keep; the same array while their masks are the same. */
  #combine(except: string | null): ReadonlySignal<Uint8Array | null> {
    let before: Combined | null = null;
    return computed(() => {
      const frame = this.#frame.value;
      if (!frame) return null;
      const masks: Uint8Array[] = [];
      for (const [key, { mask }] of this.#applied.value) {
        if (key !== except && mask) masks.push(mask);
      }
      const old = before?.rows.length === frame.rows ? before : null;
      const isSame =
        old?.masks.length === masks.length && masks.every((mask, i) => mask === old.masks[i]);
      if (!old || !isSame) before = { masks, rows: allOf(masks, frame.rows, old) };
      return before!.rows;
    });
  }
}

const matchId = (key: string, clause: Clause) => JSON.stringify([key, clause]);
