import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Bitset } from "../data/bitset";
import * as format from "../data/format";
import { type Frame, readableRows } from "../data/frame";
import type { Selection } from "../data/selection";
import type { Requests } from "../wire/protocol";
import { reasonOf } from "../wire/rpc";
import type { Catalogue, Naming } from "./catalogue";

export type How = Requests["collect"]["how"];

export interface Message {
  kind: "done" | "failed";
  text: string;
}

/** What the button of the form does. */
interface Offer {
  label: string;
  hint: string;
  ready: boolean;
  how: How;
  /** The collection that has this name already. */
  existing: boolean;
}

interface NamingOptions {
  catalogue: Catalogue;
  selection: Selection;
  frame: ReadonlySignal<Frame | null>;
  /** The rows that one can see. */
  visible: ReadonlySignal<Uint8Array | null>;
  signal: AbortSignal;
}

/** The form that names the selection or what stays, and adds to what has a name. */
export class NameForm {
  readonly name: Signal<string> = signal("");
  readonly message: Signal<Message | null> = signal(null);
  readonly busy: Signal<boolean> = signal(false);
  /** What happens to the collection that has this name; null for what is usual. */
  #how: Signal<How | null> = signal(null);
  #options: NamingOptions;
  #readable = computed(() => {
    const frame = this.#options.frame.value;
    return frame && readableRows(frame);
  });

  readonly of: ReadonlySignal<Naming["of"]> = computed(
    () => this.#options.catalogue.naming.value.of,
  );

  /** The rows that would get the name. */
  readonly rows: ReadonlySignal<Bitset> = computed(() => {
    const { selection } = this.#options;
    selection.version.value;
    const readable = this.#readable.value;
    // The selection changes in place: reading its version subscribes to that.
    if (this.of.value === "selection" || !readable) return selection.rows.copy();
    return readable.difference(selection.rows);
  });

  readonly count: ReadonlySignal<number> = computed(() => this.rows.value.count());

  /** How many of them the filter hides. */
  readonly hidden: ReadonlySignal<number> = computed(() => {
    if (this.count.value === 0) return 0;
    const visible = this.#options.visible.value;
    return visible?.length === this.rows.value.size
      ? this.count.value - this.rows.value.countIn(visible)
      : 0;
  });

  readonly offer: ReadonlySignal<Offer> = computed(() => {
    const { catalogue } = this.#options;
    const name = this.name.value.trim();
    const existing = catalogue.find(name);
    const rows = this.rows.value;
    const count = this.count.value;
    const rest = this.of.value === "rest";
    const how = this.#how.value ?? (rest || !existing ? "replace" : "add");
    const offer = { ready: false, how, existing: existing !== undefined };
    const these = format.withHidden(count, this.hidden.value);
    const label = rest ? "Keep" : count > 0 ? `Make collection (${these})` : "Make collection";
    const nothing = rest ? "No image stays" : "Select images first";
    if (!existing) {
      const ready = count > 0 && name !== "" && !this.busy.value;
      const hint = `Keep ${format.images(count)} under this name`;
      return { ...offer, ready, label, hint: count === 0 ? nothing : hint };
    }
    const members = catalogue.membersOf(name);
    const common = rows.intersection(members).count();
    const change = how === "add" ? count - common : how === "remove" ? common : count;
    const size = { add: existing.size + change, remove: existing.size - change, replace: count };
    const labels = {
      add: `Add ${format.count(change)} to “${name}”`,
      remove: `Remove ${format.count(change)} from “${name}”`,
      replace: `Replace “${name}”`,
    };
    const hidden = this.hidden.value;
    const note = hidden > 0 ? ` (${format.count(hidden)} hidden)` : "";
    const then = `“${name}” holds ${format.images(existing.size)}, then ${format.count(size[how])}`;
    const none =
      how === "add" ? `They are all in “${name}” already` : `None of them is in “${name}”`;
    return {
      ...offer,
      ready: change > 0 && !this.busy.value,
      label: rest ? labels[how] : `${labels[how]}${note}`,
      hint: count === 0 ? nothing : change === 0 ? none : then,
    };
  });

  constructor(options: NamingOptions) {
    this.#options = options;
    const stop = effect(() => {
      const { suggested } = options.catalogue.naming.value;
      this.type(suggested);
    });
    options.signal.addEventListener("abort", stop, { once: true });
  }

  type(name: string): void {
    this.name.value = name;
    this.#how.value = null;
    this.message.value = null;
  }

  choose(how: How): void {
    this.#how.value = how;
    this.message.value = null;
  }

  /** Name the selection again. */
  leave(): void {
    this.#options.catalogue.propose("selection", "");
  }

  async submit(): Promise<void> {
    const { ready, how } = this.offer.peek();
    if (!ready) return;
    const { catalogue, selection } = this.#options;
    const name = this.name.peek().trim();
    const of = this.of.peek();
    const before = catalogue.find(name)?.size ?? null;
    this.busy.value = true;
    this.message.value = null;
    try {
      const size = await catalogue.collect({ name, of, how });
      // What has a name now is done with: the next selection starts from nothing.
      if (of === "selection") selection.clear();
      this.leave();
      this.message.value = { kind: "done", text: outcome(name, how, before, size) };
    } catch (error) {
      this.message.value = { kind: "failed", text: format.sentence(reasonOf(error)) };
    }
    this.busy.value = false;
  }
}

function outcome(name: string, how: How, before: number | null, size: number): string {
  if (before === null) return `“${name}” holds ${format.images(size)}.`;
  if (how === "replace") {
    return `“${name}” holds ${format.images(size)}, before ${format.count(before)}.`;
  }
  const change = format.images(Math.abs(size - before));
  const done = how === "add" ? `${change} added to` : `${change} removed from`;
  return `${done} “${name}”, which now holds ${format.images(size)}.`;
}
