import { useLayoutEffect, useRef } from "preact/hooks";
import type { Review } from "../../state/review";
import type { ReviewInfo } from "../../wire/protocol";
import { Dropdown } from "../ui/Dropdown";
import { AscendingIcon, CloseIcon, DescendingIcon, DownIcon } from "../ui/icons";
import { HandMade } from "./HandMade";

/** Which image of a group stays: the rules in effect, in their order. */
export function RulesEditor({ review }: { review: Review }) {
  const info = review.info.value;
  if (!info) return null;
  return (
    <Dropdown
      class="drop"
      heading="Keeper rules"
      title="Which image of a group stays"
      label={
        <>
          rules
          <DownIcon />
        </>
      }
    >
      <p class="muted">The first rule that tells two images apart decides.</p>
      <Rules review={review} info={info} />
      <HandMade info={info} />
    </Dropdown>
  );
}

type Action = "up" | "down" | "remove";

function Rules({ review, info }: { review: Review; info: ReviewInfo }) {
  const rules = review.rules.value;
  const list = useRef<HTMLOListElement>(null);
  /** Where the keyboard goes on once the rules have moved. */
  const next = useRef<{ place: number; action: Action } | null>(null);
  const names = rules.map(({ name }) => name);
  const editable = names.every((name) => name !== null);
  const choices = info.rule_choices.filter(({ name }) => !names.includes(name));

  useLayoutEffect(() => {
    if (!next.current) return;
    const { place, action } = next.current;
    next.current = null;
    const rule = list.current?.children[Math.min(place, rules.length - 1)];
    rule?.querySelector<HTMLElement>(`[data-action="${action}"]`)?.focus();
  });

  const act = (place: number, action: Action) => {
    const to = place + { up: -1, down: 1, remove: 0 }[action];
    const changed = [...(names as string[])];
    const [name] = changed.splice(place, 1);
    if (action !== "remove") changed.splice(to, 0, name);
    if (to < 0 || to >= names.length || changed.length === 0) return;
    next.current = { place: to, action };
    review.setRules(changed);
  };

  return (
    <>
      <ol ref={list} class="rules">
        {rules.map(({ name, about }, place) => (
          <li key={name ?? place}>
            <span class="about" title={about}>
              {about}
            </span>
            {editable && (
              <>
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
              </>
            )}
          </li>
        ))}
      </ol>
      {!editable && (
        <p class="muted">Some of these rules were made in Python, and can be changed there only.</p>
      )}
      <div class="drop-foot">
        {editable && choices.length > 0 && (
          <select
            aria-label="Add a rule"
            value=""
            onChange={(event) => {
              const { value } = event.currentTarget;
              event.currentTarget.value = "";
              review.setRules([...(names as string[]), value]);
            }}
          >
            <option value="" disabled>
              Add a rule…
            </option>
            {choices.map(({ name, about }) => (
              <option key={name} value={name}>
                {about}
              </option>
            ))}
          </select>
        )}
        <button type="button" onClick={() => review.setRules(null)}>
          Default rules
        </button>
      </div>
    </>
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
