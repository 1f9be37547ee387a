import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { GridState } from "../../state/grid";
import { LostBanner, Placeholder, Working } from "../ui/Banner";

interface AppProps {
  state: GridState;
  label: string;
  onKeyDown?(event: KeyboardEvent): void;
  /** What to draw once there are images. */
  children: ComponentChildren;
}

/** The outermost element of a widget of images, and what it shows while there are none. */
export function App({ state, label, onKeyDown, children }: AppProps) {
  const status = state.status.value;
  const frame = state.frame.value;
  const pressed = useSignal(false);
  const lost = state.rpc.lost.value;
  if (!lost && pressed.peek()) pressed.value = false;
  /** Without a kernel a button would do nothing, and say nothing. */
  const refuse = (event: MouseEvent) => {
    const button = (event.target as Element).closest("button:not([role=tab])");
    if (!lost || !button) return;
    event.stopPropagation();
    event.preventDefault();
    pressed.value = true;
    (event.currentTarget as Element).querySelector(".banner")?.scrollIntoView({ block: "nearest" });
  };
  const ready = frame !== null && status.kind === "ready";
  return (
    <section
      class="app"
      aria-label={label}
      data-lost={lost}
      onClickCapture={refuse}
      onKeyDown={ready && frame.rows > 0 ? onKeyDown : undefined}
    >
      <LostBanner rpc={state.rpc} pressed={pressed.value} />
      <Working rpc={state.rpc} />
      {!ready ? (
        <Placeholder status={status} height={Math.min(240, state.height.value)} />
      ) : frame.rows === 0 ? (
        <div class="placeholder">
          <strong>No images</strong>
          <span>There is nothing in this frame to show.</span>
        </div>
      ) : (
        children
      )}
    </section>
  );
}
