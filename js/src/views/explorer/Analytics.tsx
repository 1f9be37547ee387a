import { useEffect } from "preact/hooks";
import type { ExplorerState } from "../../state/explorer";

/** The place of the charts, which are a widget of their own, and what stands in for them. */
export function Analytics({ state }: { state: ExplorerState }) {
  useEffect(() => state.charts.request(), [state]);
  const status = state.charts.status.value;
  if (status.kind === "error") {
    return (
      <div class="placeholder" role="alert">
        <strong>The charts cannot be drawn.</strong>
        <span class="reason">{status.message}</span>
        {state.charts.canEmbed && (
          <button type="button" onClick={() => state.charts.request()}>
            Try again
          </button>
        )}
      </div>
    );
  }
  return (
    <>
      {status.kind !== "ready" && (
        <div class="placeholder" aria-busy="true">
          <span class="spinner" aria-hidden="true" />
          <span>Preparing the charts…</span>
        </div>
      )}
      <slot name="analytics" />
    </>
  );
}
