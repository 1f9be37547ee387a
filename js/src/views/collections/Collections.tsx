import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import * as format from "../../data/format";
import type { ExplorerState } from "../../state/explorer";
import type { How } from "../../state/naming";
import { CloseIcon } from "../ui/icons";

const CHOICES: { how: How; label: string }[] = [
  { how: "add", label: "Add to it" },
  { how: "remove", label: "Remove from it" },
  { how: "replace", label: "Replace it" },
];

/** Name the selection or what stays, and add to what has a name. */
export function Collections({ state }: { state: ExplorerState }) {
  const form = state.nameForm;
  const input = useRef<HTMLInputElement>(null);
  const naming = state.catalogue.naming.value;
  const rest = naming.of === "rest";
  const offer = form.offer.value;
  const label = rest ? "Name of the collection of what stays" : "Collection name";

  useLayoutEffect(() => {
    const element = input.current!;
    // With several displays of one widget, the one in which it was asked for takes the focus.
    if (naming.suggested === "" || !hasFocus(element)) return;
    element.focus({ preventScroll: true });
    element.select();
  }, [naming]);

  const leave = () => {
    form.leave();
    input.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key !== "Escape" || !rest) return;
    event.preventDefault();
    leave();
  };
  return (
    <div class="collections">
      <form
        class="name-form"
        aria-label={rest ? "Name what stays" : "Name the selection"}
        onSubmit={(event) => {
          event.preventDefault();
          void form.submit();
        }}
        onKeyDown={onKeyDown}
      >
        {rest && (
          <span class="naming">
            Name what stays <span class="n">({format.images(form.count.value)})</span>
          </span>
        )}
        <span class="name-field">
          <input
            ref={input}
            type="text"
            class="collection-name"
            placeholder="Collection name"
            aria-label={label}
            list="collection-names"
            maxLength={200}
            autocomplete="off"
            value={form.name.value}
            onInput={(event) => form.type(event.currentTarget.value)}
          />
          {rest && (
            <button
              type="button"
              class="plain"
              aria-label="Name the selection instead"
              title="Name the selection instead (Escape)"
              onClick={leave}
            >
              <CloseIcon />
            </button>
          )}
        </span>
        <datalist id="collection-names">
          {state.catalogue.collections.value.map(({ name }) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        {offer.existing && (
          <select
            aria-label="What to do with the collection of this name"
            value={offer.how}
            onChange={(event) => form.choose(event.currentTarget.value as How)}
          >
            {CHOICES.map(({ how, label }) => (
              <option key={how} value={how}>
                {label}
              </option>
            ))}
          </select>
        )}
        <button type="submit" class="primary offer" disabled={!offer.ready} title={offer.hint}>
          {offer.label}
        </button>
      </form>
    </div>
  );
}

/** Milliseconds for which the outcome stays. */
const SHOW_FOR = 8000;

/** Lies over what is below, so that nothing moves. */
export function Outcome({ state }: { state: ExplorerState }) {
  const { nameForm } = state;
  const message = nameForm.message.value;
  const dismiss = () => {
    nameForm.message.value = null;
  };
  useEffect(() => {
    if (message?.kind !== "done") return;
    const timer = setTimeout(dismiss, SHOW_FOR);
    return () => clearTimeout(timer);
  }, [message]);
  return (
    <div class={message ? `toast ${message.kind}` : "toast"}>
      <span role="status">{message?.text}</span>
      {message && (
        <button type="button" class="plain" aria-label="Dismiss" onClick={dismiss}>
          <CloseIcon />
        </button>
      )}
    </div>
  );
}

/** Whether the focus is in the same display of the widget, or nowhere. */
function hasFocus(element: HTMLElement): boolean {
  const root = element.getRootNode();
  const active = element.ownerDocument.activeElement;
  if (!active || active === element.ownerDocument.body) return true;
  return root instanceof ShadowRoot && root.host === active;
}
