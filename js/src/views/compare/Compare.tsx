import { useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import * as format from "../../data/format";
import { hasGroups, inGroup } from "../../data/frame";
import { compareKeyHelp, historyStep, modifiers } from "../../data/keys";
import { type Beside, GAINS, MODES, type Compare as State } from "../../state/compare";
import { AscendingIcon, BackIcon, CloseIcon, DescendingIcon } from "../ui/icons";
import { KeyList } from "../ui/KeyHelp";
import { Facts } from "./Facts";
import { Filmstrip } from "./Filmstrip";
import { Stage, zoomBy, zoomToggle } from "./Stage";

/** CSS pixels: as low as it gets, and what stays free around it. */
const LOWEST = 520;
const AROUND = 32;

const BUTTON = "button, select, input, [role=slider], .facts";

/** One group after the other: two pictures large, what is known of both, and what to decide. */
export function Compare({ compare }: { compare: State }) {
  const root = useRef<HTMLDivElement>(null);
  const height = useSignal(LOWEST);
  useLayoutEffect(() => {
    const element = root.current!;
    const around = scrolledAround(element);
    const restore = around.map((it) => [it, it.scrollTop] as const);
    // As tall as what it stands in for, unless less is in sight: both pictures must be.
    const { innerHeight } = globalThis;
    const sight = Math.min(innerHeight, ...around.map(({ clientHeight }) => clientHeight));
    height.value = Math.max(LOWEST, Math.min(compare.height.peek(), sight - AROUND));
    element.style.height = `${height.peek()}px`;
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
    return () => {
      for (const [it, top] of restore) it.scrollTop = top;
    };
  }, []);
  const place = () => {
    const pane = root.current?.querySelector(".picture");
    return { width: pane?.clientWidth ?? 0, height: pane?.clientHeight ?? 0 };
  };
  const zoomKey = (key: string): boolean => {
    if (key.toLowerCase() === "z") zoomToggle(compare, place());
    else if (key === "+" || key === "=") zoomBy(compare, place(), 1.5);
    else if (key === "-") zoomBy(compare, place(), 1 / 1.5);
    else return false;
    return true;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const target = event.target as Element;
    const step = historyStep(event);
    if (step) compare[step]();
    else {
      const isButton = target !== root.current && target.closest(BUTTON);
      if (isButton && (event.key === "Enter" || event.key === " ")) return;
      if (event.altKey) return;
      const held = modifiers(event);
      if (!(!held.toggle && zoomKey(event.key)) && !compare.key(event.key, held, event.repeat)) {
        return;
      }
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const isGroup = compare.isGroup.value;
  return (
    <div
      ref={root}
      class={isGroup ? "compare" : "compare single"}
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it has keys, as a grid has
      tabIndex={0}
      aria-label={isGroup ? "Review of groups" : "Image"}
      style={{ height: `${height.value}px` }}
      onKeyDown={onKeyDown}
      onKeyUp={(event) => compare.keyUp(event.key)}
      onBlur={() => compare.keyUp(" ")}
      onClick={(event) => {
        // A click with the mouse leaves the keys to the review, not to the button.
        const button = (event.target as Element).closest("button");
        if (button && event.detail > 0) root.current?.focus({ preventScroll: true });
      }}
    >
      <Head compare={compare} />
      <Stage compare={compare} />
      {isGroup && <Decide compare={compare} />}
      <Below compare={compare} />
      {compare.keysShown.value && <Keys compare={compare} />}
      <Spoken compare={compare} />
    </div>
  );
}

/** What scrolls around an element, out of its shadow root too. */
function scrolledAround(element: Element): Element[] {
  const found: Element[] = [];
  let around: Element | null = element;
  while (around) {
    const root = around.getRootNode();
    around = around.parentElement ?? (root instanceof ShadowRoot ? root.host : null);
    if (!around) break;
    const { overflowY } = getComputedStyle(around);
    if (overflowY === "auto" || overflowY === "scroll") found.push(around);
  }
  return found;
}

function Head({ compare }: { compare: State }) {
  const at = compare.at.value;
  const count = compare.count.value;
  const isGroup = compare.isGroup.value;
  const { groups, reviewed } = compare.state.reviewed.progress.value;
  const decided = compare.decided.value;
  const one = isGroup ? "Group" : "Image";
  return (
    <div class="compare-head">
      <button
        type="button"
        title="Back to the grid (Esc)"
        class="back"
        onClick={() => compare.close()}
      >
        <BackIcon />
        {isGroup ? "Done" : "Back"}
      </button>
      <span class="where">
        <strong class="n">
          {one} {format.count(at + 1)} of {format.count(count)}
        </strong>
        {isGroup && (
          <span class="muted n">
            {" · "}
            {format.images(compare.members.value.length)}
            {decided > 0 && ` · ${format.count(decided)} decided`}
            {compare.isReviewed.value && " · reviewed ✓"}
          </span>
        )}
      </span>
      <span class="controls step">
        <button
          type="button"
          class="plain"
          aria-label={`Previous ${one.toLowerCase()}`}
          title={`Previous ${one.toLowerCase()} (↑)`}
          aria-disabled={at === 0}
          onClick={() => compare.go(at - 1)}
        >
          <AscendingIcon />
        </button>
        <button
          type="button"
          class="plain"
          aria-label={`Next ${one.toLowerCase()}`}
          title={`Next ${one.toLowerCase()} (↓)`}
          aria-disabled={at + 1 === count}
          onClick={() => compare.go(at + 1)}
        >
          <DescendingIcon />
        </button>
      </span>
      {isGroup && groups > 0 && (
        <span class="progress">
          <progress max={groups} value={reviewed} aria-label="Groups reviewed" />
          <span class="muted n">
            {format.count(reviewed)} of {format.count(groups)} reviewed
          </span>
        </span>
      )}
      <span class="spring" />
      {isGroup && <Modes compare={compare} />}
      <button
        type="button"
        class="plain"
        aria-label="Keys"
        title="Keys (?)"
        aria-expanded={compare.keysShown.value}
        onClick={() => {
          compare.keysShown.value = !compare.keysShown.peek();
        }}
      >
        ?
      </button>
    </div>
  );
}

function Modes({ compare }: { compare: State }) {
  const mode = compare.mode.value;
  return (
    <span class="controls">
      {mode === "difference" && (
        <span class="segments" role="group" aria-label="Strength of the difference">
          {GAINS.map((gain) => (
            <button
              key={gain}
              type="button"
              aria-pressed={compare.gain.value === gain}
              onClick={() => {
                compare.gain.value = gain;
              }}
            >
              ×{gain}
            </button>
          ))}
        </span>
      )}
      {mode === "flip" && (
        <button
          type="button"
          aria-pressed={compare.flipped.value}
          title="The other picture (hold Space)"
          onClick={() => {
            compare.flipped.value = !compare.flipped.peek();
          }}
        >
          Flip
        </button>
      )}
      <span class="segments" role="group" aria-label="How to compare">
        {MODES.map((one, i) => (
          <button
            key={one}
            type="button"
            aria-pressed={mode === one}
            title={`${format.capital(one)} (${i + 1})`}
            onClick={() => compare.setMode(one)}
          >
            {format.capital(one)}
          </button>
        ))}
      </span>
    </span>
  );
}

/** What can be decided, each with its key. */
function Decide({ compare }: { compare: State }) {
  const row = compare.candidate.value;
  const { goes, chosen, apart } = compare.statusOf(row);
  const identical = compare.besideOf(row)?.identical ?? false;
  if (!compare.state.review.on.value) return null;
  const isLast = compare.at.value + 1 === compare.count.value;
  return (
    <div class="decide" role="group" aria-label="Decide">
      <Act name="Keep this one" key_="K" pressed={chosen} act={() => compare.keep()} />
      <Act name={goes ? "Let it stay" : "Let it go"} key_="X" act={() => compare.toggleGoes()} />
      <Act name="Keep both" key_="B" act={() => compare.keepBoth()} />
      <Act
        name="Not a duplicate"
        key_="N"
        pressed={apart}
        off={identical}
        act={() => compare.notDuplicate()}
      />
      <Act name="Undecided" key_="U" act={() => compare.undecide()} />
      <span class="notice" role="status">
        {compare.notice.value}
      </span>
      <span class="spring" />
      <button type="button" class="primary accept" onClick={() => compare.accept()}>
        {isLast ? "Accept" : "Accept, next group"} <kbd>↵</kbd>
      </button>
    </div>
  );
}

interface ActProps {
  name: string;
  key_: string;
  pressed?: boolean;
  off?: boolean;
  act(): void;
}

function Act({ name, key_, pressed, off, act }: ActProps) {
  return (
    <button
      type="button"
      aria-pressed={pressed}
      aria-disabled={off}
      aria-keyshortcuts={key_}
      onClick={act}
    >
      {name} <kbd>{key_}</kbd>
    </button>
  );
}

/** What an image that is looked at alone is to others. */
function Alone({ compare }: { compare: State }) {
  const row = compare.base.value;
  const { frame, tiles } = compare.state;
  tiles.version.value;
  if (!frame.value || !hasGroups(frame.value)) return null;
  const caption = tiles.get(row)?.info.caption ?? "";
  const text = inGroup(frame.value, row) ? format.sentence(caption) : "It is in no group.";
  return text === "" ? null : <p class="evidence">{text}</p>;
}

function Below({ compare }: { compare: State }) {
  return (
    <div class="below">
      <div class="left">
        {compare.isGroup.value && (
          <>
            <Evidence compare={compare} />
            <Filmstrip compare={compare} />
          </>
        )}
        {!compare.isGroup.value && <Alone compare={compare} />}
      </div>
      <Facts compare={compare} />
    </div>
  );
}

/** What the candidate is of the base, and why that is kept; and what hinders comparing them. */
function Evidence({ compare }: { compare: State }) {
  compare.state.tiles.version.value;
  const base = compare.base.value;
  const candidate = compare.candidate.value;
  const it = compare.besideOf(candidate);
  const kept = compare.state.tiles.get(base)?.info.caption;
  const name = compare.state.tiles.get(candidate)?.info.name ?? "";
  return (
    <p class="evidence">
      {it && evidenceText(it, name)}
      {kept && <span class="muted"> {format.capital(kept)}.</span>}
      <Caveat compare={compare} base={base} candidate={candidate} />
    </p>
  );
}

function evidenceText({ identical, words, agreement }: Beside, name: string): string {
  if (identical) return "Identical pixels: both show exactly the same picture.";
  if (words === null) return "Near by their vectors; they were not laid over each other.";
  if (words === "near-duplicate") return "Both are copies of one picture, by way of other copies.";
  const agrees =
    agreement === null ? "" : ` ${Math.round(agreement * 100)} % of the picture agrees.`;
  return `${name} is ${words}.${agrees}`;
}

function Caveat({ compare, base, candidate }: { compare: State; base: number; candidate: number }) {
  const mode = compare.mode.value;
  if (mode === "side by side" || mode === "all" || base === candidate) return null;
  const [one, other] = [compare.sizeOf(base), compare.sizeOf(candidate)];
  if (!one || !other) return null;
  const { known } = compare.mapOf(candidate);
  if (!known) {
    return (
      <span class="caveat">
        {" "}
        How they lie on each other is not known: one is fitted into the other.
      </span>
    );
  }
  if (one.width === other.width && one.height === other.height) return null;
  const [own, its] = [one, other].map(
    ({ width, height }) => `${format.count(width)} × ${format.count(height)}`,
  );
  return (
    <span class="caveat">
      {" "}
      Sizes differ ({own} and {its}): they are laid over each other.
    </span>
  );
}

function Keys({ compare }: { compare: State }) {
  return (
    <div class="compare-keys" role="dialog" aria-label="Keys of the review">
      <div class="bar">
        <strong>Keys</strong>
        <span class="spring" />
        <button
          type="button"
          class="plain"
          aria-label="Close"
          onClick={() => {
            compare.keysShown.value = false;
          }}
        >
          <CloseIcon />
        </button>
      </div>
      <KeyList help={compareKeyHelp()} />
    </div>
  );
}

/** Tells a screen reader where one is. */
function Spoken({ compare }: { compare: State }) {
  const text = useRef<HTMLParagraphElement>(null);
  useSignalEffect(() => {
    const at = compare.at.value + 1;
    const row = compare.candidate.value;
    compare.state.tiles.version.value;
    const name = compare.state.tiles.get(row)?.info.name ?? "";
    const { goes } = compare.statusOf(row);
    const what = compare.isGroup.value
      ? `Group ${at} of ${compare.count.value}, ${format.images(compare.members.value.length)}. ${name}${goes ? ", goes" : ", stays"}`
      : `Image ${at} of ${compare.count.value}. ${name}`;
    if (text.current && text.current.textContent !== what) text.current.textContent = what;
  });
  return <p ref={text} class="visually-hidden" role="status" />;
}
