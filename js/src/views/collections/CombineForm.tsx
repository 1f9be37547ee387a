import { useSignal } from "@preact/signals";
import * as format from "../../data/format";
import { type SetOperation, type Term, termsText } from "../../state/catalogue";
import type { ExplorerState } from "../../state/explorer";
import type { Message } from "../../state/naming";
import { reasonOf } from "../../wire/rpc";
import { CloseIcon, PlusIcon } from "../ui/icons";

const OPERATIONS: { operation: SetOperation; label: string }[] = [
  { operation: "union", label: "∪ together with" },
  { operation: "intersection", label: "∩ also in" },
  { operation: "difference", label: "− without" },
];

/** Make a collection of others: their union, intersection or difference. */
export function CombineForm({ state }: { state: ExplorerState }) {
  const { catalogue, selection } = state;
  const collections = catalogue.collections.value;
  const chosen = useSignal<Term[]>([]);
  const name = useSignal("");
  const busy = useSignal(false);
  const message = useSignal<Message | null>(null);

  const terms = withDefaults(
    chosen.value,
    collections.map(({ name }) => name),
  );
  const rows = catalogue.combine(terms);
  const count = rows.count();
  const suggested = termsText(terms);
  const wanted = name.value.trim() || suggested;
  const taken = catalogue.find(wanted) !== undefined;
  const exists = `There is a collection “${wanted}” already`;
  const refused = taken && name.value.trim() !== "";
  const hint = taken
    ? exists
    : count === 0
      ? "No image is left"
      : "Make the collection, and select its images";

  const set = (next: Term[]) => {
    chosen.value = next;
    message.value = null;
  };
  const change = (at: number, part: Partial<Term>) =>
    set(terms.map((term, i) => (i === at ? { ...term, ...part } : term)));
  const submit = async (event: Event) => {
    event.preventDefault();
    if (taken || count === 0 || busy.value) return;
    busy.value = true;
    selection.replace(rows);
    try {
      const size = await state.catalogue.collect({ name: wanted, of: "selection", how: "replace" });
      name.value = "";
      const text = `“${wanted}” holds ${format.images(size)}; they are selected.`;
      message.value = { kind: "done", text };
    } catch (error) {
      message.value = { kind: "failed", text: format.sentence(reasonOf(error)) };
    }
    busy.value = false;
  };
  return (
    <form
      class="combine"
      aria-label="Make a collection of others"
      onSubmit={submit}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <span class="muted">New from</span>
      {terms.map((term, at) => (
        <span class="term" key={at}>
          {at > 0 && (
            <select
              aria-label="How the next collection joins"
              value={term.operation}
              onChange={(event) =>
                change(at, { operation: event.currentTarget.value as SetOperation })
              }
            >
              {OPERATIONS.map(({ operation, label }) => (
                <option key={operation} value={operation}>
                  {label}
                </option>
              ))}
            </select>
          )}
          <select
            aria-label={`Collection ${at + 1}`}
            value={term.name}
            onChange={(event) => change(at, { name: event.currentTarget.value })}
          >
            {collections.map(({ name: label, size }) => (
              <option key={label} value={label}>
                {label} ({format.count(size)})
              </option>
            ))}
          </select>
          {at > 1 && (
            <button
              type="button"
              class="plain"
              aria-label={`Leave “${term.name}” out`}
              onClick={() => set(terms.filter((_, i) => i !== at))}
            >
              <CloseIcon />
            </button>
          )}
          {at === terms.length - 1 && terms.length < collections.length && (
            <button
              type="button"
              class="plain"
              aria-label="One more collection"
              title="One more collection"
              onClick={() =>
                set([...terms, { operation: "union", name: unused(terms, collections) }])
              }
            >
              <PlusIcon />
            </button>
          )}
        </span>
      ))}
      <span class="term">
        <input
          type="text"
          aria-label="Name of the new collection"
          placeholder={suggested}
          maxLength={200}
          value={name.value}
          onInput={(event) => {
            name.value = event.currentTarget.value;
            message.value = null;
          }}
        />
        <button
          type="submit"
          class="primary"
          disabled={taken || count === 0 || busy.value}
          title={hint}
        >
          Make <span class="n">{format.images(count)}</span>
        </button>
      </span>
      <span role="status" class={message.value?.kind ?? (refused ? "failed" : "")}>
        {message.value?.text ?? (refused && `${exists}.`)}
      </span>
    </form>
  );
}

/** At least two terms, all of collections that there are. */
function withDefaults(chosen: readonly Term[], names: readonly string[]): Term[] {
  const terms = chosen.filter(({ name }) => names.includes(name));
  for (const name of names) {
    if (terms.length >= 2) break;
    if (!terms.some((term) => term.name === name)) terms.push({ operation: "union", name });
  }
  return terms;
}

function unused(terms: readonly Term[], collections: readonly { name: string }[]): string {
  const left = collections.find(({ name }) => !terms.some((term) => term.name === name));
  return (left ?? collections[0]).name;
}
