import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** Milliseconds after the last key until what was typed is applied. */
const PAUSE = 200;

interface Typed {
  readonly text: Signal<string>;
  type(text: string): void;
  /** Apply now what was typed. */
  apply(): void;
}

/** A text that is typed, and applied a moment after the last key. */
export function useTyped(inForce: string, set: (text: string) => void): Typed {
  const text = useSignal(inForce);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const apply = () => {
    clearTimeout(timer.current);
    timer.current = undefined;
    set(text.peek());
  };
  useEffect(() => {
    // What is being typed is newer than what is in force.
    if (timer.current === undefined) text.value = inForce;
  }, [inForce, text]);
  // Closing it must not lose the last keys.
  useEffect(
    () => () => {
      if (timer.current !== undefined) apply();
    },
    [],
  );
  const type = (typed: string) => {
    text.value = typed;
    clearTimeout(timer.current);
    timer.current = setTimeout(apply, PAUSE);
  };
  return { text, type, apply };
}
