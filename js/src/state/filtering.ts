import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import {
  allOf,
  anyOf,
  basisOf,
  type Clause,
  type Clauses,
  type CollectionsClause,
  type ColumnData,
  collectionsMask,
  columnMask,
  fits,
  isRange,
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
import { type Answer, Answers } from "../wire/answers";
import type { AnyModel } from "../wire/model";
import type { Rpc } from "../wire/rpc";
import { syncTrait } from "../wire/sync";
import type { Throttled } from "../wire/throttle";
import type { Catalogue } from "./catalogue";

/** Columns that another plan changes. */
export const PLANNED: readonly string[] = ["kind", "keep", "group"];

/** Masks of Python that are kept for when a clause comes back. */
const MASKS = 12;

export interface FilteringOptions {
  frame: ReadonlySignal<Frame | null>;
  catalogue: Pick<Catalogue, "members">;
  rpc: Rpc;
  signal: AbortSignal;
}

/** One clause at work. */
interface Part {
  readonly clause: Clause;
  /** What the mask was made from: as long as it is the same, so is the mask. */
  readonly basis: unknown;
  /** Null while it keeps everything, for want of what it needs. */
  readonly mask: Uint8Array | null;
  readonly pending: boolean;
  readonly error: string | null;
}

/** How it stands with what a clause needs. */
export interface Standing {
  pending: boolean;
  error: string | null;
}

/** The filters: a clause for each column, and which rows they leave. */
export class Filtering {
  readonly clauses: Signal<Clauses> = signal({});
  #frame: ReadonlySignal<Frame | null>;
  #catalogue: Pick<Catalogue, "members">;
  #rpc: Rpc;
  #columns = new Answers<ColumnData>();
  #matches = new Answers<Uint8Array>();
  #besides = new Map<string, ReadonlySignal<Uint8Array | null>>();
  #before: ReadonlyMap<string, Part> = new Map();
  /** The plan that answers are from. */
  #plan: Uint8Array | null = null;
  #push: Throttled;

  #parts = computed(() => {
    const frame = this.#frame.value;
    const parts = new Map<string, Part>();
    if (frame) {
      for (const [key, clause] of Object.entries(this.clauses.value)) {
        parts.set(key, this.#part(frame, key, clause, this.#before.get(key)));
      }
    }
    this.#before = parts;
    return parts;
  });

  /** The rows that all clauses keep; null without a frame. */
  readonly mask: ReadonlySignal<Uint8Array | null> = this.#combine(null);

  /** Whether what some clause needs is on its way. */
  readonly pending: ReadonlySignal<boolean> = computed(() =>
    [...this.#parts.value.values()].some(({ pending }) => pending),
  );

  constructor(model: AnyModel, { frame, catalogue, rpc, signal: abort }: FilteringOptions) {
    this.#frame = frame;
    this.#catalogue = catalogue;
    this.#rpc = rpc;
    this.#push = syncTrait(model, "_filters", this.clauses, readClauses, abort);
    const stop = effect(() => this.#fetch());
    abort.addEventListener("abort", stop, { once: true });
  }

  /** The rows that all clauses but one keep: what its own view draws, so that none filters itself. */
  besides(key: string): ReadonlySignal<Uint8Array | null> {
    let rows = this.#besides.get(key);
    if (!rows) {
      rows = this.#combine(key);
      this.#besides.set(key, rows);
    }
    return rows;
  }

  standing(key: string): Standing {
    return this.#parts.value.get(key) ?? { pending: false, error: null };
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

  /** Let Python know now: it is about to be asked for what depends on the filters. */
  flush(): void {
    this.#push.flush();
  }

  /** What is known of a column's data; {@link load} sees that it comes. */
  data(column: string): Answer<ColumnData> {
    return this.#columns.get(column);
  }

  load(column: string): void {
    this.#columns.want(column, () => this.#rpc.request("column", { column }));
  }

  /** Ask again for what a clause or an editor could not get. */
  retry(key: string): void {
    this.#columns.retry(key);
    const clause = this.clauses.peek()[key];
    if (clause !== undefined) this.#matches.retry(matchId(key, clause));
  }

  /** See that what the clauses need is on its way, and that it is no older than the plan. */
  #fetch(): void {
    const frame = this.#frame.value;
    this.#rpc.recovered.value;
    if (!frame) {
      this.#columns.clear();
      this.#matches.clear();
      this.#plan = null;
      return;
    }
    if (this.#plan !== null && this.#plan !== frame.keep) this.#replanned();
    this.#plan = frame.keep;
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
        // Reading it runs this again when the question has to be asked anew.
        this.#matches.get(id);
        this.#matches.want(id, ask);
      }
    }
    this.#matches.forget((id) => matched.has(id), MASKS);
  }

  #replanned(): void {
    this.#columns.outdate((column) => PLANNED.includes(column));
    this.#matches.outdate((id) => {
      const [key, clause] = JSON.parse(id) as [string, Clause];
      return PLANNED.includes(key) || textOf(clause) === null;
    });
  }

  /** Whether a column's data can tell which rows a clause keeps, as far as is known. */
  #mayFit(key: string, clause: Clause): boolean {
    const { data } = this.#columns.get(key);
    return data === null || fits(data.facet, clause);
  }

  #part(frame: Frame, key: string, clause: Clause, before: Part | undefined): Part {
    const known = (basis: unknown, make: () => Uint8Array): Part =>
      before && before.basis === basis && before.mask !== null && before.clause === clause
        ? { ...before, pending: false, error: null }
        : { clause, basis, mask: make(), pending: false, error: null };
    const answered = <T>(answer: Answer<T>, make: (data: T) => Uint8Array): Part => {
      const { data, pending, error } = answer;
      if (data !== null) return { ...known(data, () => make(data)), pending, error };
      // What it kept before stands in while an answer is on its way: nothing flickers.
      const mask = error === null ? (before?.mask ?? null) : null;
      return { clause, basis: null, mask, pending: error === null, error };
    };
    switch (basisOf(key, clause, frame)) {
      case "scores":
        return known(frame.scores, () =>
          isRange(clause)
            ? rangeMask(frame.scores, clause)
            : missingMask(frame.scores, presenceOf(clause) === true),
        );
      case "collections": {
        const members = this.#catalogue.members.value;
        const make = () => collectionsMask(frame.rows, members, clause as CollectionsClause);
        return known(members, make);
      }
      case "plan":
        return known(frame.keep, () => planMask(frame.keep, anyOf(clause) ?? []));
      case "column":
        if (this.#mayFit(key, clause)) {
          return answered(this.#columns.get(key), (data) => columnMask(data, clause)!);
        }
        break;
    }
    return answered(this.#matches.get(matchId(key, clause)), (rows) => rows);
  }

  /** The rows that all clauses keep but that of `besides`; the same array as long as they do. */
  #combine(besides: string | null): ReadonlySignal<Uint8Array | null> {
    let from: readonly unknown[] = [];
    let rows: Uint8Array | null = null;
    return computed(() => {
      const frame = this.#frame.value;
      if (!frame) return null;
      const masks: Uint8Array[] = [];
      for (const [key, { mask }] of this.#parts.value) {
        if (key !== besides && mask) masks.push(mask);
      }
      const now = [frame.rows, ...masks];
      const same = now.length === from.length && now.every((mask, i) => mask === from[i]);
      if (!same || rows === null) rows = allOf(masks, frame.rows);
      from = now;
      return rows;
    });
  }
}

const matchId = (key: string, clause: Clause) => JSON.stringify([key, clause]);
