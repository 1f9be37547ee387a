import { useSignal } from "@preact/signals";
import * as format from "../format";
import type { ExplorerState } from "../state";

type Message = { kind: "done" | "failed"; text: string };

/** Name the selection, and see the collections there are. */
export function Collections({ state }: { state: ExplorerState }) {
  const name = useSignal("");
  const busy = useSignal(false);
  const message = useSignal<Message | null>(null);
  state.selection.version.value;
  const chosen = name.value.trim();
  const ready = chosen !== "" && state.selection.count > 0 && !busy.value;

  const submit = async (event: Event) => {
    event.preventDefault();
    if (!ready) return;
    busy.value = true;
    message.value = null;
    try {
      const size = await state.collect(chosen);
      const before = existing ? `, before ${format.count(existing.size)}` : "";
      message.value = { kind: "done", text: `“${chosen}” holds ${format.images(size)}${before}.` };
      name.value = "";
    } catch (error) {
      message.value = { kind: "failed", text: (error as Error).message };
    }
    busy.value = false;
  };

  const existing = state.collections.value.find((collection) => collection.name === chosen);
  const hint =
    state.selection.count === 0
      ? "Select images first"
      : existing
        ? `“${chosen}” holds ${format.images(existing.size)}; the selection takes their place`
        : "Keep the selection under this name";
  return (
    <span class="collections">
      <form class="controls" onSubmit={submit}>
        <input
          type="text"
          class="collection-name"
          placeholder="Collection name"
          aria-label="Collection name"
          maxLength={200}
          value={name.value}
          onInput={(event) => {
            name.value = event.currentTarget.value;
            message.value = null;
          }}
          onKeyDown={(event) => event.stopPropagation()}
        />
        <button type="submit" class="primary" disabled={!ready} title={hint}>
          {existing ? `Replace ${format.count(existing.size)}` : "Make collection"}
        </button>
      </form>
      <span role="status" class={message.value?.kind ?? ""}>
        {message.value?.text}
      </span>
      {state.collections.value.length > 0 && (
        <ul class="chips" aria-label="Collections">
          {state.collections.value.map(({ name: label, size }) => (
            <li key={label} class="chip" title={`${label}: ${format.images(size)}`}>
              <span class="label">{label}</span> <span class="n">{format.count(size)}</span>
            </li>
          ))}
        </ul>
      )}
    </span>
  );
}
