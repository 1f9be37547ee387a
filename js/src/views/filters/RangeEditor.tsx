import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { isRange, presenceOf } from "../../data/filters";
import type { Measure } from "../../data/measure";
import { rowsByValue } from "../../data/order";
import type { Range } from "../../data/range";
import { Bars } from "../../histogram/bars";
import { isSkewed } from "../../histogram/histogram";
import type { Numbers } from "../../wire/protocol";
import { RangeHistogram } from "../histogram/RangeHistogram";
import { PresenceEditor } from "./ChoiceEditors";
import type { EditorProps } from "./editor";

interface RangeEditorProps extends EditorProps {
  values: Numbers;
  measure: Measure;
}

/** Choose a range of numbers or dates. */
export function RangeEditor({ name, state, values, measure }: RangeEditorProps) {
  const log = useSignal<boolean | null>(null);
  const bars = useMemo(() => {
    const plain = new Bars({ values: () => values, log: () => false, measure });
    const skewed = measure !== "date" && measure !== "day" && isSkewed(plain.counts.peek());
    return new Bars({
      values: () => values,
      log: () => log.value ?? skewed,
      measure,
      left: () => state.filtering.maskWithout(name).value,
    });
  }, [values, measure, name, state, log]);
  useEffect(() => {
    // What a drag goes by takes longer than a frame of one.
    const timer = setTimeout(() => rowsByValue(values), 0);
    return () => clearTimeout(timer);
  }, [values]);
  const missing = useMemo(() => values.some(Number.isNaN), [values]);
  const clause = state.filtering.clauses.value[name];
  if (bars.empty.value) {
    return (
      <>
        <p class="reason">No image has a value here.</p>
        <PresenceEditor name={name} state={state} />
      </>
    );
  }
  const scale = bars.scale.value;
  const range: Range | null = isRange(clause)
    ? [clause[0] ?? scale.min, clause[1] ?? scale.max]
    : null;
  return (
    <>
      <RangeHistogram
        label={name}
        measure={measure}
        scale={scale}
        bars={bars.counts.value}
        left={bars.left.value}
        range={range}
        log={scale.log}
        canBeLog={bars.canBeLog.value && measure !== "date" && measure !== "day"}
        onRange={(next) =>
          state.filtering.set(
            name,
            next && [next[0] <= scale.min ? null : next[0], next[1] >= scale.max ? null : next[1]],
          )
        }
        onLog={(next) => {
          log.value = next;
        }}
        onDrag={(dragging) => {
          state.screen.dragging.value = dragging;
        }}
      />
      {(missing || presenceOf(clause) !== null) && <PresenceEditor name={name} state={state} />}
    </>
  );
}
