import * as format from "../format";
import type { TileInfo } from "../protocol";
import type { Tile } from "../tiles";
import { CheckIcon, SimilarIcon } from "./icons";
import { Name } from "./Name";
import { Thumb } from "./Thumb";

export interface GridTileProps {
  row: number;
  id: string;
  tile: Tile | undefined;
  score: number;
  badge: "keeper" | "exact" | "near" | null;
  /** Shown for the keeper's sake although the filter hides it. */
  context: boolean;
  picked: boolean;
  focused: boolean;
  flashed: boolean;
  /** Where the tile stands in its band; null outside of one. */
  band: { starts: boolean; ends: boolean; label: string | null } | null;
  scoreName: string;
  column: number;
}

const BADGES = { keeper: "keeper", exact: "exact", near: "near" } as const;

/** What an image is to another one, in words. */
export function relation({ of, role }: TileInfo): string | null {
  if (of === null) return null;
  if (role === "copy") return `copy of ${of}`;
  if (role === "near") return `near-duplicate of ${of}`;
  if (role === "beside") return `near ${of}, in no group`;
  return null;
}

function dimensions({ width, height }: TileInfo): string | null {
  return width && height ? `${width} × ${height}` : null;
}

export function GridTile(props: GridTileProps) {
  const { row, id, tile, badge, band, context, picked, column } = props;
  const info = tile?.info;
  const name = info?.name ?? "";
  const caption = context ? "outside the filter" : info && (relation(info) ?? dimensions(info));
  const score = format.score(props.score);
  const classes = ["cell"];
  if (band) classes.push("banded");
  if (band?.starts) classes.push("starts");
  if (band?.ends) classes.push("ends");
  if (context) classes.push("context");
  if (picked) classes.push("picked");
  if (props.focused) classes.push("focused");
  if (props.flashed) classes.push("flashed");
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the grid holds the focus (aria-activedescendant)
    <div
      id={id}
      class={classes.join(" ")}
      role="gridcell"
      aria-selected={picked}
      aria-colindex={column + 1}
      aria-label={[name, badge, score && `${props.scoreName} ${score}`, caption]
        .filter(Boolean)
        .join(", ")}
      data-row={row}
    >
      <div class="strip">{band?.label && <span>{band.label}</span>}</div>
      <div class="tile">
        <Thumb tile={tile} />
        <button
          type="button"
          class="check"
          tabIndex={-1}
          data-action="check"
          aria-label={`Select ${name}`}
          aria-pressed={picked}
        >
          <CheckIcon />
        </button>
        {badge && <span class={`badge ${badge}`}>{BADGES[badge]}</span>}
        {info && info.error === null && (
          <button
            type="button"
            class="similar"
            tabIndex={-1}
            data-action="similar"
            aria-label={`Similar items of ${name}`}
            title="Similar items (S)"
          >
            <SimilarIcon />
          </button>
        )}
        <div class="line">
          {info ? <Name name={name} path={info.path} /> : <span class="name skeleton" />}
          <span class="score" title={score ? `${props.scoreName} ${props.score}` : "no score"}>
            {score}
          </span>
        </div>
        <div class="caption" title={caption ?? undefined}>
          {caption}
        </div>
      </div>
    </div>
  );
}
