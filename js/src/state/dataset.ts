import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Clauses, CollectionsClause } from "../data/filters";
import * as format from "../data/format";
import type { Outbox } from "../wire/outbox";
import type { DatasetForm, Replies } from "../wire/protocol";
import { CancelledError, RemoteError, type Rpc, reasonOf } from "../wire/rpc";
import type { Catalogue } from "./catalogue";

export type Source = DatasetForm["source"];

/** What the dialog holds; it stays for the next opening. */
export interface Draft extends Omit<DatasetForm, "annotate"> {
  send: boolean;
  url: string;
  token: string;
}

export type Work =
  | { kind: "draft" }
  | { kind: "running"; done: number; total: number; text: string; stopping: boolean }
  | { kind: "done"; result: Replies["create"] };

interface Choice {
  source: Source;
  text: string;
}

interface DatasetOptions {
  rpc: Rpc;
  outbox: Outbox;
  catalogue: Catalogue;
  /** Images that stay under the plan; null without a plan. */
  staying: () => number | null;
  selected: () => number;
  shown: () => number;
  filters: () => Clauses;
  /** Whether something is selected that stays under the plan. */
  leftover: () => boolean;
  signal: AbortSignal;
}

/** Milliseconds without a change after which the preview is asked for. */
const PAUSE = 250;

/** The text of Python's progress while it sends the dataset on; by then it is written. */
const SENDING = "sending";

const SUGGESTED = { plan: "clean", selection: "selection", view: "images" } as const;

const BLANK: Draft = {
  source: { kind: "view" },
  name: "",
  description: "",
  project: "",
  project_description: "",
  root: "datasets",
  mode: "hardlink",
  format: "imagefolder",
  copies: false,
  merge: false,
  splits: true,
  send: false,
  url: "",
  token: "",
};

/** Making a dataset: what is wanted, what it would cost, and how far it is. */
export class DatasetMaker {
  readonly draft: Signal<Draft> = signal(BLANK);
  /** The last preview; `checking` while a newer one is under way. */
  readonly preview: Signal<Replies["preview"] | null> = signal(null);
  readonly checking: Signal<boolean> = signal(false);
  readonly work: Signal<Work> = signal({ kind: "draft" });
  /** Why the last attempt made no dataset. */
  readonly failure: Signal<string | null> = signal(null);

  #options: DatasetOptions;
  #refused: Signal<string | null> = signal(null);
  #visible: Signal<number> = signal(0);
  /** Whether the name was typed: only a suggested one follows the source. */
  #typed = false;
  #made = new Set<string>();
  #latestSeen: string | null = null;
  #opened = false;
  /** Whether something was selected since a collection was made, or a source chosen here. */
  #selectedSince = false;
  #check: AbortController | null = null;
  #job: AbortController | null = null;

  readonly choices: ReadonlySignal<Choice[]> = computed(() => {
    const { catalogue, staying, selected, shown } = this.#options;
    const choice = (source: Source, label: string, count: number): Choice => ({
      source,
      text: `${label} (${format.count(count)})`,
    });
    const choices = catalogue.collections.value.map(({ name, size }) =>
      choice({ kind: "collection", name }, name, size),
    );
    const stay = staying();
    if (stay !== null) choices.push(choice({ kind: "plan" }, "What stays under the plan", stay));
    choices.push(choice({ kind: "selection" }, "The selection", selected()));
    choices.push(choice({ kind: "view" }, "The images shown", shown()));
    return choices;
  });

  /** Why no dataset can be made of the draft as it stands; null when it can. */
  readonly problem: ReadonlySignal<string | null> = computed(() => {
    const preview = this.preview.value;
    if (this.#refused.value !== null) return this.#refused.value;
    if (!preview || preview.new_bytes <= preview.free_bytes) return null;
    const { new_bytes, free_bytes } = preview;
    return `It needs ${format.bytes(new_bytes)}, and ${format.bytes(free_bytes)} are free there.`;
  });

  /** Python has the last word, so nothing waits for a preview that is still on its way. */
  readonly ready: ReadonlySignal<boolean> = computed(() => {
    const named = this.draft.value.name.trim() !== "";
    const possible = this.checking.value || this.problem.value === null;
    return named && possible && this.work.value.kind === "draft";
  });

  constructor(options: DatasetOptions) {
    this.#options = options;
    // A computed text: what changes nothing for the preview asks for none.
    const asked = computed(() => JSON.stringify(relevant(this.draft.value)));
    const watch = effect(() => {
      this.#selectedSince = options.selected() > 0;
    });
    const settled = effect(() => {
      options.catalogue.latest.value;
      this.#selectedSince = false;
    });
    const stop = effect(() => {
      this.#stopChecking();
      if (this.#visible.value === 0 || this.work.value.kind !== "draft") return;
      asked.value;
      this.choices.value;
      this.#checkSoon();
    });
    options.signal.addEventListener(
      "abort",
      () => {
        watch();
        settled();
        stop();
        this.#stopChecking();
      },
      { once: true },
    );
  }

  /** A dialog opens: for a source, or for what is most likely meant. Returns what closes it. */
  open(source?: Source): () => void {
    batch(() => {
      if (this.work.peek().kind === "draft") {
        // What was previewed when it was open last may be of another collection.
        if (this.#visible.peek() === 0) this.preview.value = null;
        this.set({ source: source ?? this.#likely() });
      }
      this.#selectedSince = false;
      this.#latestSeen = this.#options.catalogue.latest.peek();
      this.#opened = true;
      this.#visible.value = this.#visible.peek() + 1;
    });
    return () => {
      this.#visible.value = this.#visible.peek() - 1;
    };
  }

  set(change: Partial<Draft>): void {
    this.failure.value = null;
    const draft = { ...this.draft.peek(), ...change };
    if (change.name !== undefined) this.#typed = change.name.trim() !== "";
    else if (!this.#typed) draft.name = this.#suggest(draft.source);
    this.draft.value = draft;
  }

  async submit(): Promise<void> {
    if (!this.ready.peek()) return;
    const { rpc, outbox } = this.#options;
    const dataset = requestOf(this.draft.peek());
    const job = new AbortController();
    this.#job = job;
    outbox.flush();
    batch(() => {
      this.failure.value = null;
      this.work.value = { kind: "running", done: 0, total: 0, text: "", stopping: false };
    });
    try {
      const result = await rpc.request(
        "create",
        { dataset },
        {
          signal: job.signal,
          progress: ({ done, total, text }) => {
            if (this.#job !== job) return;
            const stopping = job.signal.aborted;
            this.work.value = { kind: "running", done, total, text, stopping };
          },
        },
      );
      if (this.#job === job) this.#written(result);
    } catch (error) {
      if (this.#job === job) this.#failed(error);
    }
  }

  /** Ask Python to stop; what was written by then comes with its answer. */
  stop(): void {
    const work = this.work.peek();
    if (work.kind !== "running") return;
    this.work.value = { ...work, stopping: true };
    this.#job?.abort();
  }

  /** Wait no longer for the answer. */
  abandon(): void {
    const { root, name } = this.draft.peek();
    this.#back(`No word of what became of it: look for “${name}” in “${root}”.`);
  }

  /** Leave the result behind; the next dataset gets a name of its own. */
  again(): void {
    batch(() => {
      this.#back(null);
      this.set({});
    });
  }

  #written(result: Replies["create"]): void {
    this.#made.add(result.name);
    this.#typed = false;
    batch(() => {
      this.work.value = { kind: "done", result };
      this.draft.value = { ...this.draft.peek(), token: "" };
    });
  }

  #failed(error: unknown): void {
    const stopped = error instanceof RemoteError && error.type === "CancelledError";
    this.#back(stopped ? this.#stopped() : reasonOf(error));
  }

  #stopped(): string {
    const work = this.work.peek();
    return work.kind === "running" && work.text === SENDING
      ? "Sending was stopped; the dataset on disk is complete."
      : "Stopped. Nothing was written.";
  }

  #back(failure: string | null): void {
    this.#job = null;
    batch(() => {
      this.work.value = { kind: "draft" };
      this.failure.value = failure;
    });
  }

  /** What was dealt with last: a selection, a collection, or what was chosen here before. */
  #likely(): Source {
    const { catalogue, staying, filters, leftover } = this.#options;
    const plan: Source = { kind: staying() === null ? "view" : "plan" };
    if (catalogue.naming.peek().of === "rest") return plan;
    // Nobody wants a dataset of what goes.
    if (this.#selectedSince && leftover()) return { kind: "selection" };
    const latest = catalogue.latest.peek();
    const { source } = this.draft.peek();
    const chosen = this.#opened && this.#isThere(source);
    if (latest !== null && (latest !== this.#latestSeen || !chosen)) {
      const made: Source = { kind: "collection", name: latest };
      if (this.#isThere(made)) return made;
    }
    if (chosen) return source;
    return Object.keys(filters()).length > 0 ? { kind: "view" } : plan;
  }

  /** Whether a source is there, and not what the filter keeps out. */
  #isThere(source: Source): boolean {
    const { catalogue, filters, selected } = this.#options;
    if (source.kind === "selection") return selected() > 0;
    if (source.kind !== "collection") return true;
    const { exclude = [] } = (filters().collections ?? {}) as CollectionsClause;
    return catalogue.find(source.name) !== undefined && !exclude.includes(source.name);
  }

  #suggest(source: Source): string {
    let name = source.kind === "collection" ? slug(source.name) : SUGGESTED[source.kind];
    while (this.#made.has(name)) name = nextName(name);
    return name;
  }

  /** Ask for the preview when the draft has come to rest; at once the first time. */
  #checkSoon(): void {
    if (this.draft.peek().name.trim() === "") {
      this.#refused.value = null;
      return;
    }
    const check = new AbortController();
    this.#check = check;
    this.checking.value = true;
    const first = this.preview.peek() === null && this.#refused.peek() === null;
    const timer = setTimeout(() => void this.#ask(check), first ? 0 : PAUSE);
    check.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  }

  async #ask(check: AbortController): Promise<void> {
    const { signal } = check;
    this.#options.outbox.flush();
    const draft = this.draft.peek();
    const ask = (send: boolean) => {
      const dataset = requestOf({ ...draft, send });
      return this.#options.rpc.request("preview", { dataset }, { signal });
    };
    let preview: Replies["preview"] | null = null;
    try {
      preview = await ask(false);
      // The counts hold whether or not it can be sent.
      if (draft.send) await ask(true);
      this.#checked(check, preview, null);
    } catch (error) {
      if (!(error instanceof CancelledError)) this.#checked(check, preview, reasonOf(error));
    }
  }

  #checked(
    check: AbortController,
    preview: Replies["preview"] | null,
    refused: string | null,
  ): void {
    if (this.#check !== check) return;
    batch(() => {
      this.#check = null;
      this.checking.value = false;
      this.preview.value = preview;
      this.#refused.value = refused;
    });
  }

  #stopChecking(): void {
    this.#check?.abort();
    this.#check = null;
    this.checking.value = false;
  }
}

/** What the preview depends on. */
function relevant({ description, project, project_description, ...rest }: Draft) {
  return rest;
}

function requestOf({ send, url, token, ...draft }: Draft): DatasetForm {
  return {
    ...draft,
    name: draft.name.trim(),
    // Shards always hold copies.
    mode: draft.format === "webdataset" ? "copy" : draft.mode,
    annotate: send ? { url: url.trim(), token: token.trim() } : null,
  };
}

/** "Été 2024: best!" → "ete-2024-best"; letters of every script stay. */
export function slug(text: string): string {
  const plain = text
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .normalize("NFC")
    .toLowerCase();
  const joined = plain.replace(/[^\p{L}\p{M}\p{N}_.]+/gu, "-").slice(0, 80);
  return joined.replace(/^[-.]+|[-.]+$/g, "") || "dataset";
}

/** "unique" → "unique-2", "clean-v1" → "clean-v2". */
export function nextName(name: string): string {
  const [, head, number] = /^(.*?)(\d+)$/.exec(name) ?? [];
  return number === undefined ? `${name}-2` : `${head}${Number(number) + 1}`;
}
