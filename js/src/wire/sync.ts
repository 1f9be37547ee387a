import type { Signal } from "@preact/signals";
import { type AnyModel, listen } from "./model";
import { type Throttled, throttle } from "./throttle";

/** Milliseconds between two values that are written: each keeps the host busy for some of them. */
const WRITE_EVERY = 200;

/** Write a trait a few times a second at most, and follow it when Python changes it. */
export function syncTrait<T>(
  model: AnyModel,
  name: string,
  value: Signal<T>,
  read: (raw: unknown) => T,
  abort: AbortSignal,
): Throttled {
  value.value = read(model.get(name));
  const push = throttle(
    () => {
      model.set(name, value.value);
      model.save_changes();
    },
    WRITE_EVERY,
    abort,
  );
  const pull = () => {
    const next = read(model.get(name));
    // What this page is about to write is newer than what comes in.
    if (push.due || JSON.stringify(next) === JSON.stringify(value.value)) return;
    value.value = next;
  };
  listen(model, `change:${name}`, pull, abort);
  return push;
}
