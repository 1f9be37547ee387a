import { SimilarItemsState } from "../state/explorer";
import { SimilarItems } from "../views/similar/SimilarItems";
import { widget } from "../views/ui/mount";

export default widget(
  (model, signal) => new SimilarItemsState(model, { signal }),
  (state) => <SimilarItems state={state} />,
);
