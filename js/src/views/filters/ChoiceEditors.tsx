import { useComputed } from "@preact/signals";
import { anyOf, type Clause, type CollectionsClause, presenceOf } from "../../data/filters";
import * as format from "../../data/format";
import type { ExplorerState } from "../../state/explorer";
import { Keep } from "../../wire/protocol";
import { type CodesProps, type EditorProps, useLabelCounts } from "./editor";

interface Choice {
  label: string;
  clause: Clause | null;
  count?: number;
}

interface ChoicesProps extends EditorProps {
  label: string;
  choices: readonly Choice[];
  chosen: number;
}

/** One of a few. */
function Choices({ name, state, label, choices, chosen }: ChoicesProps) {
  return (
    <div class="segments choices" role="group" aria-label={label}>
      {choices.map((choice, i) => (
        <button
          key={choice.label}
          type="button"
          data-first={i === 0 ? true : undefined}
          aria-pressed={i === chosen}
          onClick={() => state.filtering.set(name, choice.clause)}
        >
          {choice.label}
          {choice.count !== undefined && <span class="n"> {format.count(choice.count)}</span>}
        </button>
      ))}
    </div>
  );
}

const PRESENCE: readonly Choice[] = [
  { label: "All", clause: null },
  { label: "With a value", clause: { null: false } },
  { label: "Without", clause: { null: true } },
];

/** Whether there is a value at all. */
export function PresenceEditor({ name, state }: EditorProps) {
  const clause = state.filtering.clauses.value[name];
  const missing = presenceOf(clause);
  const chosen = missing !== null ? (missing ? 2 : 1) : clause === undefined ? 0 : -1;
  return (
    <Choices
      name={name}
      state={state}
      label={`Images by whether they have a ${name}`}
      choices={PRESENCE}
      chosen={chosen}
    />
  );
}

/** Yes, no, or either. */
export function BooleanEditor(props: CodesProps) {
  const { name, state, labels } = props;
  const counts = useLabelCounts(props);
  const any = anyOf(state.filtering.clauses.value[name]) ?? [];
  const count = (value: boolean) => counts[labels.indexOf(value)] ?? 0;
  const choices: Choice[] = [
    { label: "Any", clause: null },
    { label: "Yes", clause: { any: [true] }, count: count(true) },
    { label: "No", clause: { any: [false] }, count: count(false) },
  ];
  const chosen = any.length === 1 ? (any[0] === true ? 1 : 2) : 0;
  return <Choices name={name} state={state} label={name} choices={choices} chosen={chosen} />;
}

/** What the plan keeps, what it removes, or either. */
export function PlanEditor({ name, state }: EditorProps) {
  const going = useComputed(() => {
    const { keep } = state.frame.value!;
    const rows = state.filtering.maskWithout(name).value;
    let goes = 0;
    let all = 0;
    for (let row = 0; rows && row < keep.length; row++) {
      all += rows[row];
      goes += keep[row] === Keep.goes ? rows[row] : 0;
    }
    return { goes, stays: all - goes };
  }).value;
  const any = anyOf(state.filtering.clauses.value[name]) ?? [];
  const choices: Choice[] = [
    { label: "Any", clause: null },
    { label: "Stays", clause: { any: ["keep"] }, count: going.stays },
    { label: "Goes", clause: { any: ["remove"] }, count: going.goes },
  ];
  const chosen = any.length === 1 ? (any[0] === "keep" ? 1 : 2) : 0;
  return <Choices name={name} state={state} label="Plan" choices={choices} chosen={chosen} />;
}

/** Groups that were reviewed, those that were not yet, or either. */
export function ReviewedEditor({ name, state }: EditorProps) {
  const any = anyOf(state.filtering.clauses.value[name]) ?? [];
  const choices: Choice[] = [
    { label: "Any", clause: null },
    { label: "Reviewed", clause: { any: [true] } },
    { label: "Not reviewed", clause: { any: [false] } },
  ];
  const chosen = any.length === 1 ? (any[0] === true ? 1 : 2) : 0;
  return <Choices name={name} state={state} label="Reviewed" choices={choices} chosen={chosen} />;
}

/** In which collections, and in which not. */
export function CollectionsEditor({ name, state }: EditorProps) {
  const { filtering, catalogue } = state;
  const rows = filtering.maskWithout(name).value;
  const members = catalogue.members.value;
  const clause = (filtering.clauses.value[name] ?? {}) as CollectionsClause;
  const { include = [], exclude = [] } = clause;
  // Those that are gone stay in the list for as long as the filter names them.
  const names = [...new Set([...members.keys(), ...include, ...exclude])];
  if (names.length === 0) {
    return <p class="reason">No collection has images of this frame yet.</p>;
  }
  const set = (one: string, side: "include" | "exclude" | null) => {
    const next = {
      include: include.filter((other) => other !== one),
      exclude: exclude.filter((other) => other !== one),
    };
    if (side) next[side].push(one);
    const sides = Object.entries(next).filter(([, list]) => list.length > 0);
    filtering.set(name, sides.length > 0 ? Object.fromEntries(sides) : null);
  };
  return (
    <ul class="choice-list" aria-label="Collections">
      {names.map((one, i) => (
        <li key={one}>
          <span class="name" title={one}>
            {one}
          </span>
          <span class="n">{format.count(countOf(state, one, rows))}</span>
          <span class="segments" role="group" aria-label={one}>
            <button
              type="button"
              data-first={i === 0 ? true : undefined}
              aria-pressed={include.includes(one)}
              onClick={() => set(one, include.includes(one) ? null : "include")}
            >
              In
            </button>
            <button
              type="button"
              aria-label="Either"
              title="Either"
              aria-pressed={!include.includes(one) && !exclude.includes(one)}
              onClick={() => set(one, null)}
            >
              –
            </button>
            <button
              type="button"
              aria-pressed={exclude.includes(one)}
              onClick={() => set(one, exclude.includes(one) ? null : "exclude")}
            >
              Not in
            </button>
          </span>
        </li>
      ))}
    </ul>
  );
}

/** How many of a collection's images the other filters leave. */
function countOf(state: ExplorerState, name: string, rows: Uint8Array | null): number {
  const members = state.catalogue.members.value.get(name);
  return members && rows ? members.countIn(rows) : 0;
}
