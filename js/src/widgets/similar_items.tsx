import { SimilarItemsState } from "../state/similar-items";
import { SimilarItems } from "../views/similar/SimilarItems";
import similar from "../views/similar/similar.css";
import { widget } from "../views/ui/mount";
import thumb from "../views/ui/Thumb.css";

export default widget({
  create: (model, signal) => new SimilarItemsState(model, { signal }),
  view: (state) => <SimilarItems state={state} />,
  styles: [thumb, similar],
});
