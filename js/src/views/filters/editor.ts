import { useComputed } from "@preact/signals";
import { labelCounts, type Value } from "../../data/filters";
import type { ExplorerState } from "../../state/explorer";

export interface EditorProps {
  /** The key of the clause. */
  name: string;
  state: ExplorerState;
}

export interface CodesProps extends EditorProps {
  codes: Uint32Array;
  labels: readonly Value[];
}

/** How many images with each label the other filters leave. */
export function useLabelCounts({ name, state, codes, labels }: CodesProps): Uint32Array {
  return useComputed(() => {
    const rows = state.filtering.maskWithout(name).value;
    return rows?.length === codes.length
      ? labelCounts(codes, labels.length, rows)
      : new Uint32Array(labels.length);
  }).value;
}
