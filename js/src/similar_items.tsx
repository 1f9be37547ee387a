import { SimilarItems } from "./components/SimilarItems";
import { widget } from "./mount";
import { SimilarItemsState } from "./state";

export default widget(
  (model, signal) => new SimilarItemsState(model, { signal }),
  (state) => <SimilarItems state={state} />,
);
