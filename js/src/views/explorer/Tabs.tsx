import type { Signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import * as format from "../../data/format";
import type { ExplorerState } from "../../state/explorer";

export type Tab = "images" | "analytics" | "collections";

const ORDER: Tab[] = ["images", "analytics", "collections"];
const LABELS: Record<Tab, string> = {
  images: "Images",
  analytics: "Analytics",
  collections: "Collections",
};

interface TabsProps {
  state: ExplorerState;
  tab: Signal<Tab>;
  onChoose: (tab: Tab) => void;
}

/** Switch between the images, the analytics and the collections. */
export function Tabs({ state, tab, onChoose }: TabsProps) {
  const list = useRef<HTMLDivElement>(null);
  const { length } = state.catalogue.collections.value;

  const onKeyDown = (event: KeyboardEvent) => {
    const at = ORDER.indexOf(tab.value);
    const to = {
      ArrowRight: (at + 1) % ORDER.length,
      ArrowLeft: (at + ORDER.length - 1) % ORDER.length,
      Home: 0,
      End: ORDER.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    onChoose(ORDER[to]);
    list.current?.querySelectorAll<HTMLElement>('[role="tab"]')[to]?.focus();
  };
  return (
    <div ref={list} class="tabs" role="tablist" aria-label="Views" onKeyDown={onKeyDown}>
      {ORDER.map((value) => (
        <button
          key={value}
          id={`tab-${value}`}
          type="button"
          role="tab"
          aria-selected={tab.value === value}
          aria-controls={tab.value === value ? `panel-${value}` : undefined}
          tabIndex={tab.value === value ? 0 : -1}
          onClick={() => onChoose(value)}
        >
          {LABELS[value]}
          {value === "collections" && length > 0 && <span class="n">{format.count(length)}</span>}
        </button>
      ))}
    </div>
  );
}
