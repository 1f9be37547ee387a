import * as format from "../../data/format";
import type { SimilarItemsState } from "../../state/similar-items";
import { LostBanner, Placeholder } from "../ui/Banner";
import { Name } from "../ui/Name";
import { Thumb } from "../ui/Thumb";
import { SimilarList } from "./SimilarList";
import { useSimilar } from "./use-similar";

/** One image beside those that are nearest to it. */
export function SimilarItems({ state }: { state: SimilarItemsState }) {
  const status = state.status.value;
  return (
    <section class="app" aria-label="Similar items">
      <LostBanner rpc={state.rpc} />
      {status.kind === "ready" ? (
        <Answer state={state} />
      ) : (
        <Placeholder status={status} height={160} />
      )}
    </section>
  );
}

function Answer({ state }: { state: SimilarItemsState }) {
  const { rpc, tiles, selection } = state;
  const row = state.row.value;
  const k = state.k.value;
  const query = useSimilar(rpc, tiles, row, k);
  tiles.version.value;
  selection.version.value;
  const tile = tiles.get(row);
  return (
    <div class="similar-items">
      <figure class="query">
        <Thumb tile={tile} />
        <figcaption>{tile && <Name name={tile.info.name} path={tile.info.path} />}</figcaption>
        <span class="muted">{format.count(selection.count)} selected</span>
      </figure>
      <SimilarList query={query} tiles={tiles} selection={selection} />
    </div>
  );
}
