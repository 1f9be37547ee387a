import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { valueName } from "../../data/describe";
import { searcher, type Value } from "../../data/filters";
import * as format from "../../data/format";
import { LISTED, toggled } from "../../data/values";
import type { ExplorerState } from "../../state/explorer";
import type { Rule } from "../../state/review";
import type { ColumnInfo } from "../../wire/protocol";

export type NewKind = "new:folder" | "new:values" | "new:column";

/** The rules that take more than a name, as far as this frame has what they look at. */
export function kindsOf(state: ExplorerState): { key: NewKind; label: string }[] {
  const kinds: { key: NewKind; label: string }[] = [{ key: "new:folder", label: "a folder…" }];
  if (listed(state).length > 0) kinds.push({ key: "new:values", label: "values of a column…" });
  if (ordered(state).length > 0) {
    kinds.push({ key: "new:column", label: "the highest, lowest, oldest or newest…" });
  }
  return kinds;
}

/** Columns of a few values. */
const listed = (state: ExplorerState): ColumnInfo[] =>
  columnsOf(state).filter(({ facet }) => facet === "category" || facet === "boolean");

/** Columns of numbers and dates. */
const ordered = (state: ExplorerState): ColumnInfo[] =>
  columnsOf(state).filter(({ facet }) => facet === "number" || facet === "date");

/** All but what scores and plans are made of. */
function columnsOf(state: ExplorerState): ColumnInfo[] {
  const frame = state.frame.value;
  if (!frame) return [];
  const made = ["group", "keep", "kind", "error", "nearest", "relation", "fingerprint"];
  return frame.columns.filter(
    ({ name }) => !made.includes(name) && name !== frame.score && name !== frame.path,
  );
}

interface NewRuleProps {
  kind: NewKind;
  state: ExplorerState;
  onMade(rule: Rule): void;
  onLeft(): void;
}

/** What a rule prefers, to be chosen. */
export function NewRule({ kind, state, onMade, onLeft }: NewRuleProps) {
  const form = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    form.current?.querySelector<HTMLElement>("input, select")?.focus();
    form.current?.scrollIntoView?.({ block: "nearest" });
  }, []);
  const Form = { "new:folder": Folders, "new:values": Values, "new:column": Ends }[kind];
  return (
    <div
      ref={form}
      class="new-rule"
      role="group"
      aria-label="New rule"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        event.stopPropagation();
        onLeft();
      }}
    >
      <Form state={state} onMade={onMade} />
      <button type="button" class="plain-text" onClick={onLeft}>
        Cancel
      </button>
    </div>
  );
}

type FormProps = Pick<NewRuleProps, "state" | "onMade">;

/** One of the folders that there are. */
function Folders({ state: { review }, onMade }: FormProps) {
  const text = useSignal("");
  useEffect(() => void review.loadFolders(), [review]);
  const known = review.folders.value;
  if (!known) {
    return <span class="muted">{review.error.value ? "No folders." : "Reading the folders…"}</span>;
  }
  const holds = searcher(text.value.trim());
  const short = (folder: string) => folder.slice(known.root.length).replace(/^[/\\]/, "");
  const found = known.folders.filter(({ folder }) => holds(short(folder)));
  return (
    <>
      <strong>Prefer the folder</strong>
      {known.folders.length > 8 && (
        <input
          type="text"
          aria-label="Search folders"
          placeholder={`Search ${format.count(known.folders.length)} folders`}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
      )}
      <ul class="folders" aria-label="Folders">
        {found.slice(0, LISTED).map(({ folder, images }) => (
          <li key={folder}>
            <button
              type="button"
              title={folder}
              onClick={() => onMade({ prefers: "folder", folder })}
            >
              <span class="what">{short(folder)}</span>
              <span class="n">{format.count(images)}</span>
            </button>
          </li>
        ))}
      </ul>
      {known.folders.length === 0 && (
        <p class="reason">All images lie in one folder: {known.root}</p>
      )}
      {found.length > LISTED && (
        <p class="reason">
          The first {LISTED} of {format.count(found.length)}: type to find more.
        </p>
      )}
    </>
  );
}

/** Some values of a column, the best first. */
function Values({ state, onMade }: FormProps) {
  const columns = listed(state);
  const column = useSignal(columns[0].name);
  const chosen = useSignal<readonly Value[]>([]);
  const { filtering } = state;
  useEffect(() => filtering.load(column.value), [column.value, filtering]);
  const { data, error } = filtering.data(column.value);
  const labels: readonly Value[] = data && "codes" in data ? data.labels : [];
  return (
    <>
      <strong>Prefer values of</strong>
      <ColumnSelect
        columns={columns}
        value={column.value}
        onChange={(name) => {
          column.value = name;
          chosen.value = [];
        }}
      />
      {error !== null && <p class="reason">{error}</p>}
      <ul class="folders" aria-label={`Values of ${column.value}, the best first`}>
        {labels
          .filter((label) => label !== null)
          .slice(0, LISTED)
          .map((label) => {
            const place = chosen.value.indexOf(label);
            return (
              <li key={String(label)}>
                <button
                  type="button"
                  aria-pressed={place >= 0}
                  onClick={() => {
                    chosen.value = toggled(chosen.value, label);
                  }}
                >
                  <span class="what">{valueName(label)}</span>
                  <span class="n">{place >= 0 ? `${place + 1}.` : ""}</span>
                </button>
              </li>
            );
          })}
      </ul>
      <button
        type="button"
        disabled={chosen.value.length === 0}
        onClick={() =>
          onMade({
            prefers: "values",
            column: column.value,
            values: chosen.value.filter((value) => value !== null),
          })
        }
      >
        Prefer in this order
      </button>
    </>
  );
}

/** One end of a column of numbers or dates. */
function Ends({ state, onMade }: FormProps) {
  const columns = ordered(state);
  const column = useSignal(columns[0].name);
  const isDate = columns.find(({ name }) => name === column.value)?.facet === "date";
  const ends = isDate ? (["oldest", "newest"] as const) : (["highest", "lowest"] as const);
  return (
    <>
      <strong>Prefer by</strong>
      <ColumnSelect
        columns={columns}
        value={column.value}
        onChange={(name) => {
          column.value = name;
        }}
      />
      <span class="controls">
        {ends.map((best) => (
          <button
            key={best}
            type="button"
            onClick={() => onMade({ prefers: "column", column: column.value, best })}
          >
            {best}
          </button>
        ))}
      </span>
    </>
  );
}

interface ColumnSelectProps {
  columns: readonly ColumnInfo[];
  value: string;
  onChange(name: string): void;
}

function ColumnSelect({ columns, value, onChange }: ColumnSelectProps) {
  return (
    <select
      aria-label="Column"
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    >
      {columns.map(({ name }) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}
