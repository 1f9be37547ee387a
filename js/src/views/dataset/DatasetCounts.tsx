import * as format from "../../data/format";
import type { DatasetMaker } from "../../state/dataset";
import { WarningIcon } from "../ui/icons";
import { Path } from "../ui/Path";

/** What the dataset would hold and cost. */
export function DatasetCounts({ maker }: { maker: DatasetMaker }) {
  const preview = maker.preview.value;
  const checking = maker.checking.value;
  const lines: { label: string; value: string; title?: string }[] = [
    { label: "Images", value: preview ? format.count(preview.images) : NONE },
    { label: "Size", value: preview ? format.bytes(preview.bytes) : NONE },
    {
      label: "New on disk",
      value: preview ? format.bytes(preview.new_bytes) : NONE,
    },
    { label: "Free there", value: preview ? format.bytes(preview.free_bytes) : NONE },
    {
      label: "Left out",
      value: preview ? format.count(preview.removed) : NONE,
      title: "Listed in removed.parquet, each with its keeper and the reason",
    },
  ];
  if (preview?.copies && !maker.draft.value.copies) {
    lines.push({
      label: "of these exact copies",
      value: format.count(preview.copies),
      title: "The same picture as another image of the dataset",
    });
  }
  if (preview?.unreadable) {
    lines.push({ label: "of these unreadable", value: format.count(preview.unreadable) });
  }
  if (preview?.renamed) {
    lines.push({
      label: "Renamed",
      value: format.count(preview.renamed),
      title: "Images that share a file name, or whose name is not safe everywhere",
    });
  }
  if (preview?.companions) {
    lines.push({
      label: "Labels and masks",
      value: format.count(preview.companions),
      title: "Files that belong to the pictures, and go along with them",
    });
  }
  if (preview?.left_behind) {
    lines.push({
      label: "Left behind",
      value: format.count(preview.left_behind),
      title: "Labels, captions, settings and masks that this format has no place for",
    });
  }
  const kinds = Object.entries(preview?.placed ?? {});
  if (kinds.length > 1) lines.push({ label: "Placed", value: inWords(kinds) });
  const splits = Object.entries(preview?.splits ?? {});
  if (splits.length > 1) lines.push({ label: "Splits", value: inWords(splits) });
  return (
    <section
      class={checking ? "dataset-counts checking" : "dataset-counts"}
      aria-label="Preview"
      aria-busy={checking}
    >
      <dl>
        {lines.map(({ label, value, title }) => (
          <div key={label} title={title}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {preview && preview.lost_groups > 0 && (
        <p class="warning" role="status">
          <WarningIcon />
          <span>{format.groups(preview.lost_groups)} would have no image left in the dataset.</span>
        </p>
      )}
      {preview && (
        <p class="folder">
          <span class="muted">Folder</span>
          <code>
            <Path path={preview.path} />
          </code>
        </p>
      )}
    </section>
  );
}

/** Stands in for a number that is not known. */
const NONE = "–";

const inWords = (counts: [string, number][]) =>
  counts.map(([name, count]) => `${name} ${format.count(count)}`).join(", ");
