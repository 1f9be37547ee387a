import { textOf, WORDS } from "../../data/filters";
import type { GridState } from "../../state/grid";
import { useTyped } from "./use-typed";

/** Find images by name as one types, and by what they show on Enter where the model knows words. */
export function SearchBox({ state }: { state: GridState }) {
  const frame = state.frame.value;
  const clauses = state.filtering.clauses.value;
  const path = frame?.path ?? "";
  const words = textOf(clauses[WORDS]);
  const { text, type, apply } = useTyped(words ?? textOf(clauses[path]) ?? "", (text) => {
    const found = textOf(state.filtering.clauses.peek()[WORDS]);
    if (text === found) return;
    if (found !== null) state.findByWords(null);
    state.filtering.set(path, text === "" ? null : { contains: text });
  });
  if (!frame) return null;
  const { error, pending } = state.filtering.statusOf(words === null ? path : WORDS);
  const label = frame.words ? "Find by name, or ↵ by words" : "Find by name";
  return (
    <span class="find">
      <input
        type="search"
        aria-label={label}
        aria-busy={pending}
        aria-invalid={error !== null}
        placeholder={label}
        title={error ?? undefined}
        maxLength={1000}
        value={text.value}
        onInput={(event) => type(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          const typed = text.peek().trim();
          if (frame.words && typed !== "") {
            text.value = typed;
            state.findByWords(typed);
          }
          apply();
        }}
      />
    </span>
  );
}
