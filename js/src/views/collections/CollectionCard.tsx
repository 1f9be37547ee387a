import { batch, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { Bitset } from "../../data/bitset";
import type { CollectionsClause } from "../../data/filters";
import * as format from "../../data/format";
import { samples } from "../../state/catalogue";
import type { Source } from "../../state/dataset";
import type { ExplorerState } from "../../state/explorer";
import type { Message } from "../../state/naming";
import type { CollectionInfo } from "../../wire/protocol";
import { reasonOf } from "../../wire/rpc";
import { DeleteIcon, RenameIcon } from "../ui/icons";
import { Thumb } from "../ui/Thumb";

/** Thumbnails of each collection. */
const THUMBS = 6;

export interface PanelProps {
  state: ExplorerState;
  /** Go to the images. */
  onShow: () => void;
  /** Open the dialog that makes a dataset. */
  onCreate: (source: Source) => void;
}

interface CardProps extends PanelProps {
  info: CollectionInfo;
  report: (message: Message) => void;
  /** The name of the collection that takes the focus once it is drawn. */
  refocus: { current: string | null };
}

/** One collection: what is in it, and what can be done with it. */
export function CollectionCard(props: CardProps) {
  const { state, info, report, refocus, onShow, onCreate } = props;
  const { name, size } = info;
  const { catalogue, filtering } = state;
  const doing = useSignal<"nothing" | "rename" | "delete">("nothing");
  const element = useRef<HTMLLIElement>(null);
  const members = catalogue.membersOf(name);
  const clause = (filtering.clauses.value.collections ?? {}) as CollectionsClause;
  const { include = [], exclude = [] } = clause;
  const shown = include.includes(name);
  const excluded = exclude.includes(name);

  const focusOn = (action: string) =>
    element.current?.querySelector<HTMLElement>(`[data-does="${action}"]`)?.focus();
  useLayoutEffect(() => {
    if (refocus.current !== name) return;
    refocus.current = null;
    focusOn("rename");
  }, [name]);

  const back = (action: string) => {
    doing.value = "nothing";
    requestAnimationFrame(() => focusOn(action));
  };
  const show = () => {
    batch(() => {
      filtering.reset();
      filtering.set("collections", { include: [name] });
    });
    onShow();
  };
  const filter = (excluding: boolean) => {
    const others = exclude.filter((other) => other !== name);
    const next = {
      include: include.filter((other) => other !== name),
      exclude: excluding ? [...others, name] : others,
    };
    const empty = next.include.length + next.exclude.length === 0;
    filtering.set("collections", empty ? null : next);
  };
  const select = () => {
    state.selection.replace(members);
    onShow();
  };
  const remove = async () => {
    if (shown || excluded) {
      // Sent first, so that the deletion is what the next undo takes back.
      filter(false);
      state.outbox.flush();
    }
    try {
      await catalogue.delete(name);
      report({ kind: "done", text: `“${name}” was deleted. Undo brings it back.` });
    } catch (error) {
      report({ kind: "failed", text: format.sentence(reasonOf(error)) });
      back("delete");
    }
  };
  return (
    <li ref={element} class="collection">
      <button type="button" class="thumbs" aria-label={`Show “${name}”`} onClick={show}>
        <Thumbs state={state} members={members} />
      </button>
      <div class="about">
        <div class="collection-title">
          {doing.value === "rename" ? (
            <Rename
              name={name}
              save={async (to) => {
                refocus.current = to;
                await catalogue.rename(name, to);
              }}
              onClose={() => back("rename")}
            />
          ) : (
            <>
              <strong class="collection-label" title={name}>
                {name}
              </strong>
              <span class="n">{format.images(size)}</span>
              <button
                type="button"
                class="plain"
                data-does="rename"
                aria-label={`Rename “${name}”`}
                title="Rename"
                onClick={() => {
                  doing.value = "rename";
                }}
              >
                <RenameIcon />
              </button>
            </>
          )}
        </div>
        <Description state={state} info={info} />
      </div>
      {doing.value === "delete" ? (
        <Confirm onKeep={() => back("delete")} onDelete={remove}>
          Delete “{name}”? The images stay.
        </Confirm>
      ) : (
        <div class="controls">
          <button type="button" aria-pressed={shown} title="Show only its images" onClick={show}>
            Show
          </button>
          <button
            type="button"
            aria-pressed={excluded}
            title={excluded ? "Show its images again" : "Hide its images"}
            onClick={() => filter(!excluded)}
          >
            Exclude
          </button>
          <button type="button" title="Select its images" onClick={select}>
            Select
          </button>
          <button
            type="button"
            disabled={size === 0}
            onClick={() => onCreate({ kind: "collection", name })}
          >
            Create dataset…
          </button>
          <button
            type="button"
            class="plain"
            data-does="delete"
            aria-label={`Delete “${name}”`}
            title="Delete"
            onClick={() => {
              doing.value = "delete";
            }}
          >
            <DeleteIcon />
          </button>
        </div>
      )}
    </li>
  );
}

/** A few of the images; asked for while they are on screen. */
function Thumbs({ state, members }: { state: ExplorerState; members: Bitset }) {
  const { tiles } = state;
  const element = useRef<HTMLSpanElement>(null);
  const rows = useMemo(() => samples(members, THUMBS), [members]);
  const frame = state.frame.value;
  useEffect(() => {
    const view = {};
    const want = (visible: boolean) => tiles.want(view, visible ? rows : []);
    if (typeof IntersectionObserver === "undefined") {
      want(true);
      return () => want(false);
    }
    const observer = new IntersectionObserver((entries) => want(entries.at(-1)!.isIntersecting));
    observer.observe(element.current!);
    return () => {
      observer.disconnect();
      want(false);
    };
  }, [tiles, rows, frame]);
  tiles.version.value;
  return (
    <span ref={element} class="strip-of-thumbs">
      {rows.map((row) => (
        <Thumb key={row} tile={tiles.get(row)} />
      ))}
    </span>
  );
}

interface RenameProps {
  name: string;
  save: (to: string) => Promise<void>;
  onClose: () => void;
}

function Rename({ name, save, onClose }: RenameProps) {
  const input = useRef<HTMLInputElement>(null);
  const error = useSignal<string | null>(null);
  useLayoutEffect(() => input.current!.select(), []);
  const submit = async (event: Event) => {
    event.preventDefault();
    const to = input.current!.value.trim();
    if (to === "" || to === name) return onClose();
    try {
      await save(to);
    } catch (failure) {
      error.value = format.sentence(reasonOf(failure));
    }
  };
  return (
    <form class="inline-form" onSubmit={submit} onKeyDown={closeOnEscape(onClose)}>
      <input
        ref={input}
        type="text"
        aria-label={`New name of “${name}”`}
        aria-invalid={error.value !== null}
        maxLength={200}
        defaultValue={name}
      />
      <button type="submit" class="primary">
        Rename
      </button>
      <button type="button" onClick={onClose}>
        Cancel
      </button>
      {error.value !== null && (
        <span role="alert" class="failed">
          {error.value}
        </span>
      )}
    </form>
  );
}

/** A line of text that turns into a field; what is typed is kept on Enter and when one leaves. */
function Description({ state, info }: { state: ExplorerState; info: CollectionInfo }) {
  const { name, description } = info;
  const editing = useSignal(false);
  const error = useSignal<string | null>(null);
  const place = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (editing.value) input.current?.focus();
  }, [editing.value]);

  const leave = () => {
    editing.value = false;
    error.value = null;
  };
  const save = async () => {
    const text = input.current?.value.trim() ?? description;
    if (text === description) return leave();
    try {
      await state.catalogue.describe(name, text);
      leave();
    } catch (failure) {
      error.value = format.sentence(reasonOf(failure));
    }
  };
  const refocus = () =>
    requestAnimationFrame(() => place.current?.querySelector("button")?.focus());
  return (
    <div ref={place} class="description">
      {editing.value ? (
        <form
          class="inline-form"
          onSubmit={(event) => {
            event.preventDefault();
            void save().then(refocus);
          }}
          onKeyDown={closeOnEscape(() => {
            // Leaving the field keeps what is typed, and Escape must not.
            input.current!.value = description;
            leave();
            refocus();
          })}
        >
          <input
            ref={input}
            type="text"
            aria-label={`Description of “${name}”`}
            placeholder="Description"
            maxLength={2000}
            defaultValue={description}
            onBlur={() => void save()}
          />
          {error.value !== null && (
            <span role="alert" class="failed">
              {error.value}
            </span>
          )}
        </form>
      ) : (
        <button
          type="button"
          class="text"
          title={description || undefined}
          aria-label={description ? `Description of “${name}”: ${description}` : undefined}
          onClick={() => {
            editing.value = true;
          }}
        >
          {description || "Add a description"}
        </button>
      )}
    </div>
  );
}

interface ConfirmProps {
  children: ComponentChildren;
  onKeep: () => void;
  onDelete: () => void;
}

function Confirm({ children, onKeep, onDelete }: ConfirmProps) {
  const keep = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => keep.current!.focus(), []);
  return (
    <div class="controls confirm" role="group" onKeyDown={closeOnEscape(onKeep)}>
      <span>{children}</span>
      <button type="button" class="danger" onClick={onDelete}>
        Delete
      </button>
      <button ref={keep} type="button" onClick={onKeep}>
        Keep
      </button>
    </div>
  );
}

function closeOnEscape(close: () => void) {
  return (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  };
}
