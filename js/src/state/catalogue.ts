import { batch, type Signal, signal } from "@preact/signals";
import { Bitset } from "../data/bitset";
import type { Outbox } from "../wire/outbox";
import type { CollectionChange, CollectionInfo, Events, Requests } from "../wire/protocol";
import type { Rpc } from "../wire/rpc";

/** What is about to get a name. */
export interface Naming {
  of: "selection" | "rest";
  suggested: string;
}

/** How two sets make one. */
export type SetOperation = "union" | "intersection" | "difference";

/** A collection, and how it joins what stands before it; the first one's is not looked at. */
export interface Term {
  operation: SetOperation;
  name: string;
}

/** The collections, and which rows are in which. */
export class Catalogue {
  readonly collections: Signal<readonly CollectionInfo[]> = signal([]);
  /** The members of each collection by its name. */
  readonly members: Signal<ReadonlyMap<string, Bitset>> = signal(new Map());
  readonly naming: Signal<Naming> = signal({ of: "selection", suggested: "" });
  /** The collection that was made or changed last on this page. */
  readonly latest: Signal<string | null> = signal(null);
  #rpc: Rpc;
  #outbox: Outbox;
  #rows = 0;

  constructor(rpc: Rpc, outbox: Outbox) {
    this.#rpc = rpc;
    this.#outbox = outbox;
    rpc.on("collections", (event) => this.#take(event));
  }

  load(rows: number, known: Pick<Events["collections"], "collections" | "members">): void {
    this.#rows = rows;
    this.#take(known);
  }

  find(name: string): CollectionInfo | undefined {
    return this.collections.value.find((collection) => collection.name === name);
  }

  membersOf(name: string): Bitset {
    return this.members.value.get(name) ?? new Bitset(this.#rows);
  }

  /** The names of the collections that a row is in. */
  tagsOf(row: number): string[] {
    const tags = [];
    for (const [name, rows] of this.members.value) if (rows.has(row)) tags.push(name);
    return tags;
  }

  /** The rows of collections joined from left to right. */
  combine(terms: readonly Term[]): Bitset {
    if (terms.length === 0) return new Bitset(this.#rows);
    const [first, ...others] = terms;
    return others.reduce(
      (rows, { operation, name }) => rows[operation](this.membersOf(name)),
      this.membersOf(first.name),
    );
  }

  /** Offer to give something a name: the form takes it over. */
  propose(of: Naming["of"], suggested: string): void {
    this.naming.value = { of, suggested };
  }

  /** Name the selection, or what is not selected; returns the size of the collection. */
  async collect(args: Requests["collect"]): Promise<number> {
    this.#outbox.flush();
    const { size } = await this.#rpc.request("collect", args);
    if (this.find(args.name)) this.latest.value = args.name;
    return size;
  }

  async rename(name: string, to: string): Promise<void> {
    const wasLatest = this.latest.peek() === name;
    await this.#change(name, { what: "rename", to });
    if (wasLatest && this.find(to)) this.latest.value = to;
  }

  async describe(name: string, text: string): Promise<void> {
    await this.#change(name, { what: "describe", text });
  }

  async delete(name: string): Promise<void> {
    await this.#change(name, { what: "delete" });
  }

  /** What came of it is told before the answer. */
  async #change(name: string, change: CollectionChange): Promise<void> {
    await this.#rpc.request("collection", { name, change });
  }

  #take({ collections, members }: Pick<Events["collections"], "collections" | "members">): void {
    const bytes = (this.#rows + 7) >> 3;
    batch(() => {
      this.members.value = new Map(
        collections.map(({ name }, i) => [
          name,
          new Bitset(this.#rows, members.subarray(i * bytes, (i + 1) * bytes)),
        ]),
      );
      this.collections.value = collections;
      const latest = this.latest.peek();
      if (latest !== null && !this.find(latest)) this.latest.value = null;
    });
  }
}

/** Rows from all over a set, few enough to look at. */
export function samples(rows: Bitset, most: number): number[] {
  const size = rows.count();
  const few = Math.min(most, size);
  const picked: number[] = [];
  let at = 0;
  for (const row of rows) {
    if (at++ === Math.floor((picked.length * size) / few)) picked.push(row);
    if (picked.length === few) break;
  }
  return picked;
}

const SIGNS = { union: "∪", intersection: "∩", difference: "−" } as const;

/** "A ∪ B − C". */
export function termsText(terms: readonly Term[]): string {
  return terms
    .map(({ operation, name }, i) => (i === 0 ? name : `${SIGNS[operation]} ${name}`))
    .join(" ");
}
