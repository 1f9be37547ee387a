import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Message } from "../../state/naming";
import { CollectionCard, type PanelProps } from "./CollectionCard";
import { CombineForm } from "./CombineForm";

/** With more collections than this, one can look for a name. */
const MANY = 8;

/** All collections, with counts and thumbnails. */
export function CollectionsPanel(props: PanelProps) {
  const { state } = props;
  const wanted = useSignal("");
  const message = useSignal<Message | null>(null);
  const refocus = useRef<string | null>(null);
  const list = useRef<HTMLUListElement>(null);
  const collections = state.catalogue.collections.value;
  const report = (next: Message) => {
    message.value = next;
    if (next.kind === "done") list.current?.focus({ preventScroll: true });
  };
  const status = (
    <span role="status" class={message.value?.kind ?? ""}>
      {message.value?.text}
    </span>
  );
  if (collections.length === 0) {
    return (
      <div class="placeholder collection-panel-empty">
        <strong>No collections yet</strong>
        <span>Select images, or accept the plan, and give them a name beside the selection.</span>
        {status}
        <button type="button" onClick={props.onShow}>
          Go to the images
        </button>
      </div>
    );
  }
  const typed = wanted.value.trim().toLocaleLowerCase();
  const found = collections.filter(({ name }) => name.toLocaleLowerCase().includes(typed));
  return (
    <div class="collection-panel">
      <div class="bar">
        {collections.length > MANY && (
          <input
            type="search"
            placeholder="Find a collection"
            aria-label="Find a collection"
            value={wanted.value}
            onInput={(event) => {
              wanted.value = event.currentTarget.value;
            }}
            onKeyDown={(event) => event.stopPropagation()}
          />
        )}
        {status}
      </div>
      <ul
        ref={list}
        class="collection-panel-list"
        aria-label="Collections"
        tabIndex={-1}
        style={{ "--grid": `${state.height.value}px` }}
      >
        {found.map((info) => (
          <CollectionCard
            key={info.name}
            {...props}
            info={info}
            report={report}
            refocus={refocus}
          />
        ))}
        {found.length === 0 && <li class="placeholder">No collection is called so.</li>}
      </ul>
      {collections.length > 1 && <CombineForm state={state} />}
    </div>
  );
}
