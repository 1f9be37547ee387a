import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { textOf } from "../../data/filters";
import { PresenceEditor } from "./ChoiceEditors";
import type { EditorProps } from "./editor";

/** Milliseconds after the last key until the search begins. */
const PAUSE = 200;

interface TextEditorProps extends EditorProps {
  /** Whether some rows may have no text. */
  presence: boolean;
  label?: string;
}

/** Search a column for a text. */
export function TextEditor(props: TextEditorProps) {
  const { name, state, presence, label = `Text in ${name}` } = props;
  const inForce = textOf(state.filtering.clauses.value[name]) ?? "";
  const text = useSignal(inForce);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const apply = () => {
    clearTimeout(timer.current);
    timer.current = undefined;
    if (text.peek() !== (textOf(state.filtering.clauses.peek()[name]) ?? "")) {
      state.filtering.set(name, text.peek() === "" ? null : { contains: text.peek() });
    }
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
  return (
    <>
      <input
        type="text"
        data-first
        aria-label={label}
        placeholder={label}
        maxLength={1000}
        value={text.value}
        onInput={(event) => {
          text.value = event.currentTarget.value;
          clearTimeout(timer.current);
          timer.current = setTimeout(apply, PAUSE);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") apply();
        }}
      />
      {presence && <PresenceEditor name={name} state={state} />}
    </>
  );
}
