import { Component } from "preact";
import type { Fact } from "../../data/facts";
import * as format from "../../data/format";
import type { Tile } from "../../state/tiles";
import type { TileInfo } from "../../wire/protocol";
import { CheckIcon, GoesIcon, NotDuplicateIcon, PinIcon, SimilarIcon } from "../ui/icons";
import { Name } from "../ui/Name";
import { Thumb } from "../ui/Thumb";

export interface GridTileProps {
  row: number;
  id: string;
  tile: Tile | undefined;
  facts: readonly Fact[];
  /** What images are sorted by. */
  sorted: Fact | null;
  badge: "keeper" | "exact" | "near" | null;
  /** The plan removes it. */
  goes: boolean;
  grouped: boolean;
  /** Whether decisions can be made here. */
  decides: boolean;
  /** The names of the collections that it is in. */
  tags: readonly string[];
  /** Shown for the keeper's sake although the filter hides it. */
  context: boolean;
  picked: boolean;
  focused: boolean;
  flashed: boolean;
  /** Where the tile stands in its band; null outside of one. */
  band: { starts: boolean; ends: boolean; label: string | null } | null;
  column: number;
}

/** A tile, which is drawn again only where it shows something else: a filter that moves redraws few. */
export class GridTile extends Component<GridTileProps> {
  override shouldComponentUpdate(next: GridTileProps): boolean {
    return !showsSame(this.props, next);
  }

  override render() {
    return cell(this.props);
  }
}

/** Whether two tiles look the same; what is read anew each time is compared by what it says. */
export function showsSame(one: GridTileProps, other: GridTileProps): boolean {
  for (const name in other) {
    const [before, after] = [one[name as keyof GridTileProps], other[name as keyof GridTileProps]];
    if (before === after) continue;
    if (name === "tile" || typeof after !== "object" || after === null) return false;
    if (JSON.stringify(before) !== JSON.stringify(after)) return false;
  }
  return true;
}

function cell(props: GridTileProps) {
  const { row, id, tile, badge, facts, goes, tags, band, context, picked, column } = props;
  const info = tile?.info;
  const name = info?.name ?? "";
  const caption = context ? "outside the filter" : (info?.caption ?? null);
  const told = facts.map(({ text }) => text).join(" · ");
  const { sorted } = props;
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
      aria-label={[
        name,
        badge,
        goes && "goes",
        sorted && `${sorted.name} ${sorted.text}`,
        told,
        caption,
        ...tags,
      ]
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
        {badge && (
          <Badge badge={badge} goes={goes} chosen={badge === "keeper" && info?.chosen === true} />
        )}
        {tags.length > 0 && <Tags names={tags} />}
        {info && props.decides && <Decisions info={info} grouped={props.grouped} />}
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
        <div class={goes ? "line goes" : "line"}>
          {info ? <Name name={name} path={info.path} /> : <span class="name skeleton" />}
          {sorted && (
            <span class="score" title={`${sorted.name} ${sorted.exactly ?? sorted.text}`}>
              {sorted.text}
            </span>
          )}
        </div>
        <div
          class="facts-line"
          title={facts.map(({ name, text }) => `${name}: ${text}`).join("\n") || undefined}
        >
          {told}
        </div>
        <div class="caption" title={caption ?? undefined}>
          {caption && <Caption text={caption} />}
        </div>
      </div>
    </div>
  );
}

function Caption({ text }: { text: string }) {
  const [head, tail] = format.splitCaption(text);
  return (
    <>
      <span class="head">{head}</span>
      {tail && <span class="tail">{tail}</span>}
    </>
  );
}

interface BadgeProps {
  badge: "keeper" | "exact" | "near";
  goes: boolean;
  chosen: boolean;
}

function Badge({ badge, goes, chosen }: BadgeProps) {
  const classes = ["badge", badge];
  if (goes) classes.push("goes");
  if (chosen) classes.push("chosen");
  const title = goes ? "goes, by the plan" : chosen ? "chosen by hand" : undefined;
  return (
    <span class={classes.join(" ")} title={title}>
      {goes && <GoesIcon />}
      {chosen && <PinIcon />}
      {badge}
    </span>
  );
}

/** What a person can decide about one image. */
function Decisions({ info, grouped }: { info: TileInfo; grouped: boolean }) {
  const { name, chosen, not_duplicate: notDuplicate } = info;
  return (
    <>
      {(grouped || chosen) && (
        <button
          type="button"
          class="act keep"
          tabIndex={-1}
          data-action="keep"
          aria-label={`Keep ${name}`}
          aria-pressed={chosen}
          title={chosen ? "Chosen by hand: take that back (K)" : "Keep this one (K)"}
        >
          <PinIcon />
        </button>
      )}
      {(grouped || notDuplicate) && (
        <button
          type="button"
          class="act apart"
          tabIndex={-1}
          data-action="apart"
          aria-label={`${name} is not a duplicate`}
          aria-pressed={notDuplicate}
          title={notDuplicate ? "Not a duplicate: take that back (N)" : "Not a duplicate (N)"}
        >
          <NotDuplicateIcon />
        </button>
      )}
    </>
  );
}

/** Names that a tile has room for. */
const ROOM = 2;

function Tags({ names }: { names: readonly string[] }) {
  const more = names.length - ROOM;
  return (
    <span class="tags" title={names.join("\n")}>
      {names.slice(0, ROOM).map((name) => (
        <span key={name} class="tag">
          <span>{name}</span>
        </span>
      ))}
      {more > 0 && <span class="tag more">+{format.count(more)}</span>}
    </span>
  );
}
