import { useEffect, useMemo } from "preact/hooks";
import type { Rpc } from "../rpc";
import { SimilarQuery } from "../similar";
import type { TileCache } from "../tiles";

/** The similar items of one row, for as long as the component shows them. */
export function useSimilar(rpc: Rpc, tiles: TileCache, row: number, k: number): SimilarQuery {
  const [query, lifetime] = useMemo(() => {
    const controller = new AbortController();
    return [new SimilarQuery(rpc, tiles, { row, k }, controller.signal), controller] as const;
  }, [rpc, tiles, row, k]);
  useEffect(() => () => lifetime.abort(), [lifetime]);
  return query;
}
