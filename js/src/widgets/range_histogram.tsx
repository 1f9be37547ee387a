import * as format from "../data/format";
import { HistogramState } from "../state/range-histogram";
import histogram from "../views/histogram/histogram.css";
import { RangeHistogram } from "../views/histogram/RangeHistogram";
import { LostBanner, Placeholder } from "../views/ui/Banner";
import { widget } from "../views/ui/mount";

function View({ state }: { state: HistogramState }) {
  const status = state.status.value;
  return (
    <section class="app" aria-label="Range histogram">
      <LostBanner rpc={state.rpc} />
      {status.kind === "ready" ? (
        <RangeHistogram
          label={state.label.value}
          scale={state.bars.scale.value}
          bars={state.bars.counts.value}
          range={state.shownRange.value}
          count={`${format.count(state.count.value)} ${state.count.value === 1 ? "value" : "values"}`}
          log={state.log.value}
          canBeLog={state.bars.canBeLog.value}
          onRange={(range) => state.setRange(range)}
          onLog={(log) => state.setLog(log)}
        />
      ) : (
        <Placeholder status={status} height={120} />
      )}
    </section>
  );
}

export default widget({
  create: (model, signal) => new HistogramState(model, { signal }),
  view: (state) => <View state={state} />,
  styles: [histogram],
});
