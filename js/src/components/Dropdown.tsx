import { type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { historyStep } from "../keys";
import { CloseIcon } from "./icons";
import { usePopover } from "./use-popover";

export interface DropdownProps {
  /** What stands on the button. */
  label: ComponentChildren;
  /** Names what drops down. */
  heading: string;
  title?: string;
  class?: string;
  busy?: boolean;
  children: ComponentChildren;
}

/** A button and what it drops down, in the top layer: the output cell of a notebook clips. */
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
        <Panel heading={props.heading} button={button} open={open}>
          {props.children}
        </Panel>
      )}
    </>
  );
}

interface PanelProps {
  heading: string;
  button: { current: HTMLButtonElement | null };
  open: Signal<boolean>;
  children: ComponentChildren;
}

function Panel({ heading, button, open, children }: PanelProps) {
  const panel = useRef<HTMLDivElement>(null);
  const opener = button.current!;
  usePopover(panel, {
    opener,
    // The button moves with the counts beside it; what is being dragged must not.
    holder: opener.closest(".app") ?? opener,
    close: () => {
      open.value = false;
    },
  });
  useLayoutEffect(() => panel.current!.focus({ preventScroll: true }), []);
  const close = () => {
    open.value = false;
    opener.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!historyStep(event)) event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  };
  return (
    <div
      ref={panel}
      class="popover dropdown"
      popover="manual"
      role="dialog"
      tabIndex={-1}
      aria-label={heading}
      onKeyDown={onKeyDown}
    >
      <div class="popover-head">
        <strong>{heading}</strong>
        <button type="button" class="plain" aria-label="Close" onClick={close}>
          <CloseIcon />
        </button>
      </div>
      {children}
    </div>
  );
}
