import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type Field, searchFields } from "../../data/fields";
import type { Clauses } from "../../data/filters";

interface FieldListProps {
  fields: readonly Field[];
  clauses: Clauses;
  onChoose(key: string): void;
}

/** What one can filter by; the arrow keys choose from the search field. */
export function FieldList({ fields, clauses, onChoose }: FieldListProps) {
  const text = useSignal("");
  const active = useSignal(0);
  const list = useRef<HTMLDivElement>(null);
  const found = searchFields(fields, text.value);
  const at = Math.min(active.value, found.length - 1);
  useLayoutEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView?.({ block: "nearest" });
  }, [at]);

  const onKeyDown = (event: KeyboardEvent) => {
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: found.length - 1 }[event.key];
    if (event.key === "Enter" && found[at]) onChoose(found[at].key);
    else if (to !== undefined) active.value = Math.min(Math.max(to, 0), found.length - 1);
    else return;
    event.preventDefault();
  };
  return (
    <>
      <input
        type="text"
        data-first
        role="combobox"
        aria-label="Search columns"
        aria-expanded="true"
        aria-controls="filter-fields"
        aria-activedescendant={at < 0 ? undefined : `filter-field-${at}`}
        placeholder="Search columns"
        value={text.value}
        onInput={(event) => {
          text.value = event.currentTarget.value;
          active.value = 0;
        }}
        onKeyDown={onKeyDown}
      />
      <div
        ref={list}
        id="filter-fields"
        class="field-list"
        role="listbox"
        aria-label="Columns"
        tabIndex={-1}
      >
        {found.map(({ key, name, type }, i) => (
          <div
            key={key}
            id={`filter-field-${i}`}
            role="option"
            tabIndex={-1}
            class={key in clauses ? "option used" : "option"}
            aria-selected={i === at}
            title={key in clauses ? `${name}: in force` : name}
            onPointerMove={() => {
              active.value = i;
            }}
            onClick={() => onChoose(key)}
            onKeyDown={onKeyDown}
          >
            <span class="name">{name}</span>
            <span class="muted">{type}</span>
          </div>
        ))}
      </div>
      {found.length === 0 && <p class="reason">No column of this name.</p>}
    </>
  );
}
