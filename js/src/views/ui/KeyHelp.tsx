import type { Signal } from "@preact/signals";
import { keyHelp } from "../../data/keys";
import { Dropdown } from "./Dropdown";

/** The keys of the grid, for people to read. */
export function KeyHelp({ open }: { open: Signal<boolean> }) {
  return (
    <Dropdown class="plain" heading="Keys of the grid" title="Keys (?)" label="?" open={open}>
      <KeyList help={keyHelp()} />
    </Dropdown>
  );
}

export function KeyList({ help }: { help: ReturnType<typeof keyHelp> }) {
  return (
    <dl class="keys">
      {help.map(({ keys, does }) => (
        <div key={does}>
          <dt>
            {keys.map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}
          </dt>
          <dd>{does}</dd>
        </div>
      ))}
    </dl>
  );
}
