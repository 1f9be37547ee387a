import { type Signal, useSignal } from "@preact/signals";
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
  /** Class of what drops down. */
  panelClass?: string;
  /** Opens it from elsewhere. */
  open?: Signal<boolean>;
  children: ComponentChildren;
}

/** A button and what it drops down. */
export function Dropdown(props: DropdownProps) {
  const button = useRef<HTMLButtonElement>(null);
  const own = useSignal(false);
  const open = props.open ?? own;
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

function Panel({ heading, opener, panelClass, onClose, children }: PanelProps) {
  const panel = useRef<HTMLDivElement>(null);
  // The button moves with the counts beside it; what is being dragged must not.
  const place = useMemo(() => below(opener, opener.closest(".app") ?? opener), [opener]);
  return (
    <Popover
      panel={panel}
      class={panelClass ? `dropdown ${panelClass}` : "dropdown"}
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
