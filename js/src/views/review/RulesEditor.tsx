import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { ExplorerState } from "../../state/explorer";
import type { Rule } from "../../state/review";
import type { ReviewInfo } from "../../wire/protocol";
import { AscendingIcon, CloseIcon, DescendingIcon } from "../ui/icons";
import { kindsOf, type NewKind, NewRule } from "./NewRule";

interface RulesEditorProps {
  state: ExplorerState;
  info: ReviewInfo;
}

type Action = "up" | "down" | "remove";

/** Which image of a group stays: the rules in effect, in their order. */
export function RulesEditor({ state, info }: RulesEditorProps) {
  const { review } = state;
  const rules = review.rules.value;
  const list = useRef<HTMLOListElement>(null);
  const making = useSignal<NewKind | null>(null);
  /** Where the keyboard goes on once the rules have moved. */
  const next = useRef<{ place: number; action: Action } | null>(null);
  const present = rules.map(({ rule }) => rule);
  const choices = info.rule_choices.filter(({ name }) => !present.includes(name));

  useLayoutEffect(() => {
    if (!next.current) return;
    const { place, action } = next.current;
    next.current = null;
    const rule = list.current?.children[Math.min(place, rules.length - 1)];
    rule?.querySelector<HTMLElement>(`[data-action="${action}"]`)?.focus();
  });

  const act = (place: number, action: Action) => {
    const to = place + { up: -1, down: 1, remove: 0 }[action];
    const changed = [...present];
    const [rule] = changed.splice(place, 1);
    if (action !== "remove") changed.splice(to, 0, rule);
    if (to < 0 || to >= present.length || changed.length === 0) return;
    next.current = { place: to, action };
    review.setRules(changed);
  };
  /** It comes first: after the path, which always decides, it would decide nothing. */
  const add = (rule: Rule) => {
    making.value = null;
    next.current = { place: 0, action: "down" };
    review.setRules([rule, ...present]);
  };

  return (
    <section class="rules-editor" aria-label="Keeper rules">
      <p class="muted">Of a group stays the image that the first of these rules prefers.</p>
      <div class="drop-foot">
        <select
          aria-label="Add a rule"
          value=""
          onChange={(event) => {
            const { value } = event.currentTarget;
            event.currentTarget.value = "";
            const kind = kindsOf(state).find(({ key }) => key === value);
            if (kind) making.value = kind.key;
            else add(value);
          }}
        >
          <option value="" disabled>
            Add a rule…
          </option>
          <optgroup label="Prefer">
            {kindsOf(state).map(({ key, label }) => (
              <option key={key} value={key}>
                {label}
              </option>
            ))}
          </optgroup>
          {choices.length > 0 && (
            <optgroup label="Rules">
              {choices.map(({ name, about }) => (
                <option key={name} value={name}>
                  {about}
                </option>
              ))}
            </optgroup>
          )}
        </select>
        <button type="button" onClick={() => review.setRules(null)}>
          Default rules
        </button>
      </div>
      {making.value !== null && (
        <NewRule
          key={making.value}
          kind={making.value}
          state={state}
          onMade={add}
          onLeft={() => {
            making.value = null;
          }}
        />
      )}
      <ol ref={list} class="rules">
        {rules.map(({ rule, about }, place) => (
          <li key={typeof rule === "string" ? rule : about}>
            <span class="about" title={about}>
              {about}
            </span>
            <Move
              action="up"
              label={`Move “${about}” up`}
              off={place === 0}
              onClick={() => act(place, "up")}
            />
            <Move
              action="down"
              label={`Move “${about}” down`}
              off={place === rules.length - 1}
              onClick={() => act(place, "down")}
            />
            <Move
              action="remove"
              label={`Remove “${about}”`}
              off={rules.length === 1}
              onClick={() => act(place, "remove")}
            />
          </li>
        ))}
      </ol>
    </section>
  );
}

interface MoveProps {
  action: Action;
  label: string;
  off: boolean;
  onClick(): void;
}

/** Keeps the focus when it can do nothing: a disabled button would lose it. */
function Move({ action, label, off, onClick }: MoveProps) {
  return (
    <button
      type="button"
      class="plain"
      data-action={action}
      aria-label={label}
      title={label}
      aria-disabled={off}
      onClick={onClick}
    >
      {action === "up" ? <AscendingIcon /> : action === "down" ? <DescendingIcon /> : <CloseIcon />}
    </button>
  );
}
