import * as format from "../../data/format";
import type { ExplorerState } from "../../state/explorer";
import { Dropdown } from "../ui/Dropdown";
import { DownIcon } from "../ui/icons";
import { HandMade } from "./HandMade";
import { NearControl } from "./NearControl";
import { RulesEditor } from "./RulesEditor";

/** What the plan follows, and accepting all of it. */
export function PlanMenu({ state }: { state: ExplorerState }) {
  const { review } = state;
  const info = review.info.value;
  const frame = state.frame.value;
  if (!info || info.off !== null || !frame) return null;
  const moved = review.near.value !== info.scored_near;
  return (
    <Dropdown
      class={moved ? "drop moved" : "drop"}
      panelClass="plan-menu"
      heading="Plan"
      title={info.changes || "Which images stay, which go, and why"}
      busy={review.busy.value}
      label={
        <>
          Plan
          {moved && <span class="n muted">≤ {format.bound(review.near.value)}</span>}
          <DownIcon />
        </>
      }
    >
      <p class="plan-count" role="status">
        {format.count(frame.summary.exact + frame.summary.near)} of {format.images(frame.rows)} can
        go.
      </p>
      <NearControl review={review} info={info} summary={frame.summary} />
      <RulesEditor state={state} info={info} />
      <HandMade info={info} />
    </Dropdown>
  );
}
