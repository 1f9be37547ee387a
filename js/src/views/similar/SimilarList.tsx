import * as format from "../../data/format";
import type { Selection } from "../../data/selection";
import type { SimilarQuery } from "../../state/similar";
import type { TileCache } from "../../state/tiles";
import { CheckIcon } from "../ui/icons";
import { Name } from "../ui/Name";
import { Thumb } from "../ui/Thumb";

interface SimilarListProps {
  query: SimilarQuery;
  tiles: TileCache;
  selection: Selection;
  /** What a click on an image does; without it a click selects. */
  onGo?(row: number): void;
}

/** The nearest images, and how far they are; each can be selected here. */
export function SimilarList({ query, tiles, selection, onGo }: SimilarListProps) {
  tiles.version.value;
  selection.version.value;
  const status = query.status.value;
  if (status.kind === "error") {
    return (
      <p class="reason" role="alert">
        {status.message}
      </p>
    );
  }
  if (status.kind === "loading") {
    return (
      <ul class="similar-list" aria-busy="true">
        {Array.from({ length: 8 }, (_, i) => (
          <li key={i} class="similar-item">
            <Thumb tile={undefined} />
            <div class="line">
              <span class="name skeleton" />
            </div>
          </li>
        ))}
      </ul>
    );
  }
  if (status.items.length === 0) return <p class="reason">There is no other image.</p>;
  const told = status.items.some(({ relation }) => relation !== null);
  return (
    <ul class="similar-list">
      {status.items.map(({ row, score, relation }) => {
        const tile = tiles.get(row);
        const picked = selection.has(row);
        const name = tile?.info.name ?? "";
        return (
          <li key={row} class={picked ? "similar-item picked" : "similar-item"}>
            <button
              type="button"
              class="open"
              aria-label={onGo ? `Go to ${name}` : `Select ${name}`}
              title={tile?.info.path}
              onClick={() => (onGo ? onGo(row) : selection.toggle(row))}
            >
              <Thumb tile={tile} />
            </button>
            <button
              type="button"
              class="check"
              aria-label={`Select ${name}`}
              aria-pressed={picked}
              onClick={() => selection.toggle(row)}
            >
              <CheckIcon />
            </button>
            <div class="line">
              {tile ? <Name name={name} path={tile.info.path} /> : <span class="name skeleton" />}
              <span class="score">{format.score(score)}</span>
            </div>
            {told && (
              <div class="caption" title={relation ?? undefined}>
                {relation}
              </div>
            )}
          </li>
        );
      })}
    </ul>
  );
}
