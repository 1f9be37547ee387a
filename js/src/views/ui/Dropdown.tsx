import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useMemo, useRef } from "preact/hooks";
import { Popover } from "./Popover";
import { below } from "./place";

interface DropdownProps {
  /** What stands on the button. */
  label: ComponentChildren;
  /** Names what drops down. */
  heading: string;
  title?: string;
  class?: string;
  busy?: boolean;
  children: ComponentChildren;
}

/** A button and what it drops down. */
export function Dropdown(props: DropdownProps) {
  const button = useRef<HTMLButtonElement>(null);
  const open = useSignal(false);
  return (
    <>
      <button
        ref={button}
        type="button"
        class={props.class}
        title={props.title}
        aria-haspopup="dialog"
        aria-expanded={open.value}
        aria-busy={props.busy}
        onClick={() => {
          open.value = !open.value;
        }}
      >
        {props.label}
      </button>
      {open.value && (
        <Panel
          {...props}
          opener={button.current!}
          onClose={(byHand) => {
            open.value = false;
            if (byHand) button.current!.focus();
          }}
        />
      )}
    </>
  );
}

interface PanelProps extends DropdownProps {
  opener: HTMLButtonElement;
  onClose(byHand: boolean): void;
}

function Panel({ heading, opener, onClose, children }: PanelProps) {
  const panel = useRef<HTMLDivElement>(null);
  // The button moves with the counts beside it; what is being dragged must not.
  const place = useMemo(() => below(opener, opener.closest(".app") ?? opener), [opener]);
  return (
    <Popover
      panel={panel}
      class="dropdown"
      label={heading}
      head={<strong>{heading}</strong>}
      place={place}
      isOpener={(path) => path.includes(opener)}
      onClose={onClose}
    >
      {children}
    </Popover>
  );
}
