import type { ComponentChildren } from "preact";
import type { GridState } from "../../state/grid";
import { LostBanner, Placeholder } from "../ui/Banner";

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
  const ready = frame !== null && status.kind === "ready";
  return (
    <section
      class="app"
      aria-label={label}
      onKeyDown={ready && frame.rows > 0 ? onKeyDown : undefined}
    >
      <LostBanner rpc={state.rpc} />
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
