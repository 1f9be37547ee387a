import type { Status } from "../../state/pick";
import type { Rpc } from "../../wire/rpc";
import { WarningIcon } from "./icons";

/** A warning while the kernel does not answer, which also says so when a button was pressed. */
export function LostBanner({ rpc, pressed = false }: { rpc: Rpc; pressed?: boolean }) {
  if (!rpc.lost.value) return null;
  return (
    <div class="banner" role="alert">
      <WarningIcon />
      <span>
        {pressed && <strong>Nothing was done. </strong>}
        No answer from the kernel: it is busy, or was restarted. If it was restarted, run this cell
        again.
      </span>
    </div>
  );
}

/** What says that an answer takes its time. */
export function Working({ rpc }: { rpc: Rpc }) {
  if (rpc.slow.value === 0 || rpc.lost.value) return null;
  return (
    <div class="working" role="status">
      <span class="spinner" aria-hidden="true" />
      <span>Working…</span>
    </div>
  );
}

/** What stands in for the content while there is none. */
export function Placeholder({ status, height }: { status: Status; height: number }) {
  const style = { minHeight: `${height}px` };
  if (status.kind === "error") {
    return (
      <div class="placeholder" role="alert" style={style}>
        <strong>This view could not be loaded.</strong>
        <span class="reason">{status.message}</span>
        <button type="button" onClick={status.retry}>
          Try again
        </button>
      </div>
    );
  }
  return (
    <div class="placeholder" style={style} aria-busy="true">
      <span class="spinner" aria-hidden="true" />
      <span>Loading…</span>
    </div>
  );
}
