import { useEffect, useMemo } from "preact/hooks";
import { SimilarQuery } from "../../state/similar";
import type { TileCache } from "../../state/tiles";
import type { Rpc } from "../../wire/rpc";

/** The similar items of one row, for as long as the component shows them. */
export function useSimilar(rpc: Rpc, tiles: TileCache, row: number, k: number): SimilarQuery {
  const [query, lifetime] = useMemo(() => {
    const controller = new AbortController();
    return [new SimilarQuery(rpc, tiles, { row, k }, controller.signal), controller] as const;
  }, [rpc, tiles, row, k]);
  useEffect(() => () => lifetime.abort(), [lifetime]);
  return query;
}
