import { point } from "../views/charts/pointer";
import type { Widget } from "../wire/model";

const pointer: Pick<Widget, "render"> = {
  render({ model, el, signal }) {
    const own = new AbortController();
    point(model, el, signal ? AbortSignal.any([signal, own.signal]) : own.signal);
    return () => own.abort();
  },
};

export default pointer;
