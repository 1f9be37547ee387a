import { splitName } from "../../data/format";

/** A file name on one line; when space is short the middle goes, not the ends. */
export function Name({ name, path }: { name: string; path: string }) {
  const [head, tail] = splitName(name);
  return (
    <span class="name" title={path}>
      <span class="head">{head}</span>
      {tail && <span class="tail">{tail}</span>}
    </span>
  );
}
