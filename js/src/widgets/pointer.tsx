import { point } from "../views/charts/pointer";
import type { RenderProps } from "../wire/model";

export default {
  render({ model, el, signal }: RenderProps): () => void {
    const own = new AbortController();
    point(model, el, signal ? AbortSignal.any([signal, own.signal]) : own.signal);
    return () => own.abort();
  },
};
