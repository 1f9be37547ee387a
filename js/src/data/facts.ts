import type { ColumnInfo, TileInfo } from "../wire/protocol";
import * as format from "./format";
import type { Frame } from "./frame";
import { measureOf, write } from "./measure";

/** What a tile tells of its image, in words. */
export interface Fact {
  name: string;
  text: string;
  /** With all digits. */
  exactly?: string;
}

/** Facts that are no column; a column may have any name but these. */
export const PIXELS = "\0pixels";
export const FOLDER = "\0folder";

/** Facts that a tile has room for. */
export const ROOM = 2;

interface FactChoice {
  key: string;
  name: string;
}

/** What tiles can show, what people ask for most first. */
export function factChoices({ columns, path }: Frame): FactChoice[] {
  const there = new Set(columns.map(({ name }) => name));
  const choices = [{ key: FOLDER, name: "folder" }];
  if (there.has("width") && there.has("height")) choices.unshift({ key: PIXELS, name: "pixels" });
  for (const { name, type, sortable } of columns) {
    const isShown = sortable || type.startsWith("List(String");
    if (isShown && name !== path && name !== "fingerprint") choices.push({ key: name, name });
  }
  return choices;
}

/** The label where there are labels; pixels and bytes as far as they are known. */
export function usualFacts(frame: Frame): string[] {
  const { mergeable, summary } = frame;
  const label = summary.label_conflicts !== null && mergeable.length > 0 ? mergeable[0] : "label";
  const there = factChoices(frame).map(({ key }) => key);
  return [label, PIXELS, "bytes"].filter((key) => there.includes(key)).slice(0, ROOM);
}

/** The columns that facts are read from, and what images are sorted by. */
export function columnsOf(
  facts: readonly string[],
  { score, path }: Frame,
  sort: string,
): string[] {
  const columns = [...facts, sort].filter(
    (key) => ![PIXELS, FOLDER, "", score, path].includes(key),
  );
  return [...new Set(columns)];
}

/** A fact of one image; null where it has none. */
export function factOf(key: string, info: TileInfo, columns: readonly ColumnInfo[]): Fact | null {
  if (key === PIXELS) {
    const { width, height } = info;
    return width && height ? { name: "pixels", text: `${width} × ${height}` } : null;
  }
  if (key === FOLDER) {
    const folder = info.path.split(/[\\/]/).at(-2);
    return folder ? { name: "folder", text: folder } : null;
  }
  const value = info.facts[key] ?? null;
  if (value === null || value === "") return null;
  if (typeof value === "boolean") return { name: key, text: value ? key : `no ${key}` };
  if (typeof value === "string") return { name: key, text: value };
  const column = columns.find(({ name }) => name === key);
  const measure = column ? measureOf(column) : "number";
  if (measure === "number") return { name: key, text: format.score(value) };
  const text = measure === "bytes" ? format.roundBytes(value) : write(measure, value, 0);
  return { name: key, text };
}
