import { useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useMemo } from "preact/hooks";
import { type ColumnData, presenceOf, textOf, type Value } from "../../data/filters";
import { measureOf } from "../../data/measure";
import type { ColumnInfo } from "../../wire/protocol";
import {
  BooleanEditor,
  CollectionsEditor,
  PlanEditor,
  PresenceEditor,
  ReviewedEditor,
} from "./ChoiceEditors";
import type { EditorProps } from "./editor";
import { RangeEditor } from "./RangeEditor";
import { TextEditor } from "./TextEditor";
import { ValueList } from "./ValueList";

interface FilterEditorProps extends EditorProps {
  /** Called once there is more to work with than a spinner. */
  onReady(): void;
}

/** Edit one clause, as what it is about allows. */
export function FilterEditor({ name, state, onReady }: FilterEditorProps) {
  // Emptying the field must not turn it into a list.
  const searched = useMemo(() => textOf(state.filtering.clauses.peek()[name]) !== null, [name]);
  if (name === "collections") return <CollectionsEditor name={name} state={state} />;
  if (name === "plan") return <PlanEditor name={name} state={state} />;
  if (name === "reviewed") return <ReviewedEditor name={name} state={state} />;
  const frame = state.frame.value!;
  const column = frame.columns.find((one) => one.name === name);
  if (!column || column.facet === null) return <PresenceEditor name={name} state={state} />;
  if (name === frame.score) {
    return <RangeEditor name={name} state={state} values={frame.scores} measure="number" />;
  }
  if (column.facet === "text" || searched) {
    return <TextEditor name={name} state={state} presence={name !== frame.path} />;
  }
  return <ColumnEditor name={name} state={state} column={column} onReady={onReady} />;
}

/** Edit the clause of a column once its data is here. */
function ColumnEditor({
  name,
  state,
  column,
  onReady,
}: FilterEditorProps & { column: ColumnInfo }) {
  const { filtering } = state;
  useSignalEffect(() => {
    // Reading it loads again what another plan changes.
    filtering.data(name);
    filtering.load(name);
  });
  const { data, error } = filtering.data(name);
  const ready = data !== null;
  useLayoutEffect(() => {
    if (ready) onReady();
  }, [ready]);
  if (error !== null) {
    return (
      <div class="editor-state" role="alert">
        <span class="reason">{error}</span>
        <button type="button" onClick={() => filtering.retry(name)}>
          Try again
        </button>
      </div>
    );
  }
  if (data === null) {
    return (
      <div class="editor-state" aria-busy="true">
        <span class="spinner" aria-hidden="true" />
        <span class="visually-hidden">Loading…</span>
      </div>
    );
  }
  return <DataEditor name={name} state={state} column={column} data={data} />;
}

function DataEditor({
  name,
  state,
  column,
  data,
}: EditorProps & { column: ColumnInfo; data: ColumnData }) {
  if ("values" in data) {
    const { values } = data;
    return <RangeEditor name={name} state={state} values={values} measure={measureOf(column)} />;
  }
  if (data.facet === "text") return <TextEditor name={name} state={state} presence />;
  const { codes, labels } = data;
  const missing = presenceOf(state.filtering.clauses.value[name]) !== null;
  const plain = data.facet === "boolean" && !missing && !(labels as Value[]).includes(null);
  const Editor = plain ? BooleanEditor : ValueList;
  return <Editor name={name} state={state} codes={codes} labels={labels} />;
}
