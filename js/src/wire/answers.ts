import { type Signal, signal } from "@preact/signals";
import { CancelledError, RetryError } from "./rpc";

/** What is known of one answer. Data that is out of date stands in until the new is there. */
export interface Answer<T> {
  readonly data: T | null;
  readonly error: string | null;
  readonly pending: boolean;
}

interface Entry<T> {
  answer: Signal<Answer<T>>;
  /** Counts the times that the answer went out of date. */
  now: number;
  /** When the data and the request under way are from; -1 for none. */
  known: number;
  asked: number;
}

/** Answers of Python by name, asked for once and kept until they are out of date. */
export class Answers<T> {
  #entries = new Map<string, Entry<T>>();

  /** What is known; reading it subscribes to changes. */
  get(id: string): Answer<T> {
    return this.#entry(id).answer.value;
  }

  /** Request it once, and again only after {@link outdate} or {@link retry}. */
  want(id: string, ask: () => Promise<T>): void {
    const entry = this.#entry(id);
    const { now, answer } = entry;
    if (entry.known === now || entry.asked === now || answer.peek().error !== null) return;
    entry.asked = now;
    answer.value = { ...answer.peek(), pending: true };
    ask().then(
      (data) => {
        if (entry.asked === now) entry.asked = -1;
        if (entry.known >= now) return;
        entry.known = now;
        answer.value = { data, error: null, pending: entry.asked !== -1 };
      },
      (error: Error) => {
        // A later question takes its place.
        if (entry.asked !== now) return;
        entry.asked = -1;
        const anew = error instanceof CancelledError || error instanceof RetryError;
        answer.value = anew
          ? { ...answer.peek(), pending: false }
          : { data: null, error: error.message, pending: false };
      },
    );
  }

  /** Request those that pass the test again, once they are wanted. */
  outdate(test: (id: string) => boolean = () => true): void {
    for (const [id, entry] of this.#entries) {
      if (!test(id)) continue;
      entry.now++;
      entry.answer.value = { ...entry.answer.peek(), error: null };
    }
  }

  /** Ask again after an error. */
  retry(id: string): void {
    this.outdate((other) => other === id);
  }

  /** Drop the oldest that are not needed, so that no more than `most` remain. */
  forget(needed: (id: string) => boolean, most: number): void {
    for (const id of this.#entries.keys()) {
      if (this.#entries.size <= most) return;
      if (!needed(id)) this.#entries.delete(id);
    }
  }

  clear(): void {
    this.#entries.clear();
  }

  #entry(id: string): Entry<T> {
    let entry = this.#entries.get(id);
    if (!entry) {
      const answer = signal<Answer<T>>({ data: null, error: null, pending: false });
      entry = { answer, now: 0, known: -1, asked: -1 };
      this.#entries.set(id, entry);
    }
    return entry;
  }
}
