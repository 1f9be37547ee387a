import { useSignal } from "@preact/signals";
import { valueName } from "../../data/describe";
import type { Value } from "../../data/filters";
import * as format from "../../data/format";
import { chosenOf, clauseOf, findLabels, LISTED, toggled } from "../../data/values";
import { type EditorProps, useLabelCounts } from "./editor";

interface ValueListProps extends EditorProps {
  codes: Uint32Array;
  labels: readonly Value[];
}

/** Labels from which on there is a search field. */
const MANY = 8;

/** Choose some of a column's values. */
export function ValueList(props: ValueListProps) {
  const { name, state, labels } = props;
  const text = useSignal("");
  const counts = useLabelCounts(props);
  const chosen = chosenOf(state.filtering.clauses.value[name], labels);
  const found = findLabels(labels, text.value);
  const set = (next: readonly Value[]) => state.filtering.set(name, clauseOf(next));
  const searched = text.value.trim() !== "";
  return (
    <>
      {labels.length > MANY && (
        <input
          type="text"
          data-first
          aria-label={`Search values of ${name}`}
          placeholder={`Search ${format.count(labels.length)} values`}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
      )}
      <ul class="value-list" aria-label={`Values of ${name}`}>
        {found.slice(0, LISTED).map((i, position) => {
          const value = labels[i];
          return (
            <li key={i}>
              <label class={counts[i] === 0 ? "none" : undefined} title={valueName(value)}>
                <input
                  type="checkbox"
                  data-first={position === 0 && labels.length <= MANY ? true : undefined}
                  checked={chosen.includes(value)}
                  onChange={() => set(toggled(chosen, value))}
                />
                <span class={typeof value === "string" && value !== "" ? "name" : "name word"}>
                  {valueName(value)}
                </span>
                <span class="n">{format.count(counts[i])}</span>
              </label>
            </li>
          );
        })}
      </ul>
      {found.length > LISTED && (
        <p class="reason">
          The first {LISTED} of {format.count(found.length)}: type to find more.
        </p>
      )}
      {found.length === 0 && <p class="reason">No value holds this text.</p>}
      <div class="controls">
        <button
          type="button"
          disabled={found.length === 0}
          onClick={() => set([...chosen, ...found.map((i) => labels[i])])}
        >
          {searched ? `Select ${format.count(found.length)} found` : "Select all"}
        </button>
        <button type="button" disabled={chosen.length === 0} onClick={() => set([])}>
          Clear
        </button>
      </div>
    </>
  );
}
