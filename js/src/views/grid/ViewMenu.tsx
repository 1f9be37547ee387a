import { factChoices, ROOM } from "../../data/facts";
import { hasGroups } from "../../data/frame";
import type { GridState } from "../../state/grid";
import type { GridView } from "../../state/grid-view";
import { Dropdown } from "../ui/Dropdown";
import {
  AscendingIcon,
  DescendingIcon,
  DownIcon,
  LargeTilesIcon,
  SmallTilesIcon,
} from "../ui/icons";

interface ViewMenuProps {
  state: GridState;
  view: GridView;
}

/** How images are shown: their order, their size, and what is told of them. */
export function ViewMenu({ state, view }: ViewMenuProps) {
  const frame = state.frame.value;
  if (!frame) return null;
  return (
    <Dropdown
      class="drop"
      heading="View"
      title="Order, size, and what tiles tell"
      busy={state.sorting.value !== null}
      label={
        <>
          View
          <DownIcon />
        </>
      }
    >
      <SortControls state={state} />
      {hasGroups(frame) && <GroupToggles state={state} />}
      <SizeSlider view={view} />
      <Facts state={state} />
    </Dropdown>
  );
}

function SortControls({ state }: { state: GridState }) {
  const frame = state.frame.value;
  const { column, descending } = state.sort.value;
  if (!frame) return null;
  const names = frame.columns.filter(({ sortable }) => sortable).map(({ name }) => name);
  return (
    <span class="controls">
      <label class="field">
        Sort by
        <select
          data-first
          value={column === "" ? (frame.score ?? "") : column}
          aria-busy={state.sorting.value !== null}
          onChange={(event) => state.setSort({ column: event.currentTarget.value })}
        >
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        class="icon-text"
        aria-label={descending ? "Descending" : "Ascending"}
        onClick={() => state.setSort({ descending: !descending })}
      >
        {descending ? <DescendingIcon /> : <AscendingIcon />}
        {descending ? "highest first" : "lowest first"}
      </button>
      {state.orderKept.value && (
        <button type="button" onClick={() => state.sortAgain()}>
          Sort again
        </button>
      )}
    </span>
  );
}

function GroupToggles({ state }: { state: GridState }) {
  const { grouped } = state.sort.value;
  return (
    <span class="boxes">
      <label>
        <input
          type="checkbox"
          checked={grouped}
          onChange={() => state.setSort({ grouped: !grouped })}
        />
        Groups together
      </label>
      <label>
        <input
          type="checkbox"
          checked={state.screen.showKeepers.value}
          disabled={!grouped}
          onChange={() => {
            state.screen.showKeepers.value = !state.screen.showKeepers.value;
          }}
        />
        Keepers that the filter hides, in a dashed frame
      </label>
    </span>
  );
}

function SizeSlider({ view }: { view: GridView }) {
  return (
    <label class="size" title="Thumbnail size">
      <SmallTilesIcon />
      <input
        type="range"
        min={112}
        max={352}
        step={8}
        value={view.size.value}
        aria-label="Thumbnail size"
        onInput={(event) => view.resize({ size: event.currentTarget.valueAsNumber })}
      />
      <LargeTilesIcon />
    </label>
  );
}

/** A third one takes the place of the first. */
function Facts({ state }: { state: GridState }) {
  const frame = state.frame.value;
  const chosen = state.facts.value;
  if (!frame) return null;
  const toggle = (key: string) => {
    state.screen.facts.value = chosen.includes(key)
      ? chosen.filter((one) => one !== key)
      : [...chosen, key].slice(-ROOM);
  };
  return (
    <fieldset class="facts">
      <legend>Below each picture: up to two of these, and what it is sorted by</legend>
      <ul>
        {factChoices(frame).map(({ key, name }) => (
          <li key={key}>
            <label title={name}>
              <input type="checkbox" checked={chosen.includes(key)} onChange={() => toggle(key)} />
              <span>{name}</span>
            </label>
          </li>
        ))}
      </ul>
    </fieldset>
  );
}
