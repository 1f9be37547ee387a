import { textOf } from "../../data/filters";
import { PresenceEditor } from "./ChoiceEditors";
import type { EditorProps } from "./editor";
import { useTyped } from "./use-typed";

interface TextEditorProps extends EditorProps {
  /** Whether some rows may have no text. */
  presence: boolean;
}

/** Search a column for a text. */
export function TextEditor({ name, state, presence }: TextEditorProps) {
  const { text, type, apply } = useTyped(
    textOf(state.filtering.clauses.value[name]) ?? "",
    (text) => state.filtering.set(name, text === "" ? null : { contains: text }),
  );
  return (
    <>
      <input
        type="text"
        data-first
        aria-label={`Text in ${name}`}
        placeholder={`Text in ${name}`}
        maxLength={1000}
        value={text.value}
        onInput={(event) => type(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") apply();
        }}
      />
      {presence && <PresenceEditor name={name} state={state} />}
    </>
  );
}
