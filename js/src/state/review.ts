import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { valueName } from "../data/describe";
import type { Outbox } from "../wire/outbox";
import type { Change, Replies, ReviewInfo } from "../wire/protocol";
import { CancelledError, RetryError, type Rpc, reasonOf } from "../wire/rpc";
import { type Throttled, throttle } from "../wire/throttle";

/** Milliseconds between two values that are sent while a setting is being moved. */
const SEND_EVERY = 100;

/**
 * A setting that a person moves faster than Python can follow.
 *
 * One value is under way at a time; of those that come meanwhile only the last is sent.
 */
class Setting<T> {
  /** What was set and is not in effect yet. */
  readonly wanted: Signal<{ value: T } | null> = signal(null);
  #send: (value: T) => Promise<void>;
  #sent: { value: T } | null = null;
  #underWay = 0;
  #push: Throttled;

  constructor(send: (value: T) => Promise<void>, abort: AbortSignal) {
    this.#send = send;
    this.#push = throttle(
      () => {
        if (this.#underWay === 0) void this.#sendLast();
      },
      SEND_EVERY,
      abort,
    );
  }

  set(value: T): void {
    this.wanted.value = { value };
    this.#push();
  }

  /** Send now, whatever is under way: what comes next builds on it. */
  flush(): void {
    void this.#sendLast();
  }

  async #sendLast(): Promise<void> {
    const wanted = this.wanted.peek();
    if (!wanted || wanted === this.#sent) return;
    this.#sent = wanted;
    this.#underWay += 1;
    await this.#send(wanted.value);
    this.#underWay -= 1;
    if (this.wanted.peek() === wanted) this.wanted.value = null;
    else this.#push();
  }
}

/** A keeper rule by the name that Python has for it, or one to be made. */
export type Rule = NonNullable<Extract<Change, { what: "rules" }>["rules"]>[number];

/** A rule as it is edited, in words. */
interface EditedRule {
  rule: Rule;
  about: string;
}

/** What a rule prefers; of one that Python has yet to make, in the words that it will have. */
function aboutOf(rule: Rule, known: ReadonlyMap<string, string>): string {
  if (typeof rule === "string") return known.get(rule) ?? rule;
  switch (rule.prefers) {
    case "folder":
      return `in the folder ${rule.folder.split(/[\\/]/).slice(-2).join("/")}`;
    case "values":
      return `${rule.column} ${rule.values.map(valueName).join(", then ")}`;
    case "column": {
      const isDate = rule.best === "oldest" || rule.best === "newest";
      return `${rule.best} ${isDate ? "by " : ""}${rule.column}`;
    }
  }
}

/** Images that would stay. */
export interface Offer {
  text: string;
  label: string;
  rows: number[];
}

/** What the plan follows: decisions by hand, the near boundary, the keeper rules; and undo. */
export class Review {
  readonly info: Signal<ReviewInfo | null> = signal(null);
  /** What can be done instead of what was asked for; until the next decision. */
  readonly offer: Signal<Offer | null> = signal(null);
  /** Why the last request came to nothing. */
  readonly error: Signal<string | null> = signal(null);
  /** Whether it was taken note of that this goes on with an earlier review. */
  readonly wentOnSeen = signal(false);
  /** Whether there is a plan that decisions can change. */
  readonly on = computed(() => this.info.value !== null && this.info.value.off === null);
  /** The near boundary as it is being moved. */
  readonly near: ReadonlySignal<number> = computed(() => {
    const wanted = this.#near.wanted.value;
    const info = this.info.value;
    return (wanted ? wanted.value : info?.near) ?? info?.scored_near ?? 0;
  });
  /** The rules as they are being edited. */
  readonly rules: ReadonlySignal<readonly EditedRule[]> = computed(() => {
    const { rules = [], rule_choices = [] } = this.info.value ?? {};
    const wanted = this.#rules.wanted.value?.value;
    const known = new Map([...rule_choices, ...rules].map((rule) => [rule.name, rule.about]));
    return (
      wanted?.map((rule) => ({ rule, about: aboutOf(rule, known) })) ??
      rules.map(({ name, about }) => ({ rule: name, about }))
    );
  });
  readonly busy = computed(
    () => this.#near.wanted.value !== null || this.#rules.wanted.value !== null,
  );
  /** The folders that images lie in; null until they were asked for and came. */
  readonly folders: Signal<Replies["folders"] | null> = signal(null);
  #rpc: Rpc;
  #outbox: Outbox;
  #last: Promise<void> = Promise.resolve();
  #near: Setting<number | null>;
  #rules: Setting<Rule[] | null>;

  constructor(rpc: Rpc, outbox: Outbox, abort: AbortSignal) {
    this.#rpc = rpc;
    this.#outbox = outbox;
    this.#near = outbox.add(new Setting((near) => this.decide({ what: "near", near }), abort));
    this.#rules = outbox.add(new Setting((rules) => this.decide({ what: "rules", rules }), abort));
    rpc.on("review", ({ review }) => {
      this.info.value = review;
    });
  }

  /** Choose an image to be the keeper of its group, or take the choice back. */
  keep(row: number, chosen: boolean): Promise<void> {
    const [add, remove] = chosen ? [[row], []] : [[], [row]];
    return this.decide({ what: "keepers", add, remove });
  }

  /** Declare images no duplicates of the others in their groups, or take that back. */
  notDuplicates(rows: number[], value: boolean): Promise<void> {
    return this.decide({ what: "not_duplicate", rows, value });
  }

  /** Let images stay beside each other, whatever the rules say: all kept ones of their groups. */
  keepAll(rows: number[]): Promise<void> {
    return this.decide({ what: "keepers", add: rows, remove: [] });
  }

  /** Move the near boundary; null for where the frame was scored. */
  setNear(near: number | null): void {
    this.#near.set(near);
  }

  /** Choose the keeper rules, strongest first; null for those the frame was scored with. */
  setRules(rules: Rule[] | null): void {
    this.#rules.set(rules);
  }

  async loadFolders(): Promise<void> {
    try {
      this.folders.value = await this.#rpc.request("folders", {}, { latest: "folders" });
    } catch (error) {
      this.#failed(error);
    }
  }

  async decide(change: Change): Promise<void> {
    this.offer.value = null;
    this.#outbox.flush();
    try {
      await this.#inOrder(() => this.#decideWithRetry(change));
    } catch (error) {
      this.#failed(error);
    }
  }

  undo(): Promise<void> {
    return this.#step("undo");
  }

  redo(): Promise<void> {
    return this.#step("redo");
  }

  /** Look at all images again; what was decided by hand stays. */
  beginAnew(): Promise<void> {
    return this.#step("begin_anew");
  }

  async #step(kind: "undo" | "redo" | "begin_anew"): Promise<void> {
    this.offer.value = null;
    this.#outbox.flush();
    try {
      await this.#inOrder(() => this.#rpc.request(kind, {}));
    } catch (error) {
      this.#failed(error);
    }
  }

  /**
   * A decision that was lost on the way is sent again, before those made since: deciding the same
   * twice changes nothing.
   */
  async #decideWithRetry(change: Change): Promise<unknown> {
    try {
      return await this.#rpc.request("decide", { change });
    } catch (error) {
      if (error instanceof RetryError) return this.#decideWithRetry(change);
      throw error;
    }
  }

  /** One request after the other: Python may answer a slow one after those that came later. */
  #inOrder(request: () => Promise<unknown>): Promise<void> {
    const answer = this.#last.then(request).then(() => {
      this.error.value = null;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  #failed(error: unknown): void {
    if (!(error instanceof CancelledError)) this.error.value = reasonOf(error);
  }
}
