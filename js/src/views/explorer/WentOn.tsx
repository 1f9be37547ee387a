import type { Review } from "../../state/review";
import { CloseIcon } from "../ui/icons";

interface WentOnProps {
  review: Review;
  /** Where the keyboard goes on once this is gone. */
  onGone(): void;
}

/** Which earlier review this one goes on with, and the way to look at all images again. */
export function WentOn({ review, onGone }: WentOnProps) {
  const sentence = review.info.value?.went_on;
  if (!sentence || review.wentOnSeen.value) return null;
  const leave = () => {
    review.wentOnSeen.value = true;
    onGone();
  };
  return (
    <div class="went-on" role="note">
      <span>{sentence}</span>
      <button
        type="button"
        title="All images, nothing selected, boundary and rules as scored; each can be undone. Keepers chosen by hand, what is no duplicate, what was reviewed and collections stay. In Python: ex.begin_anew()"
        onClick={() => {
          leave();
          void review.beginAnew();
        }}
      >
        Begin anew
      </button>
      <button type="button" class="plain" aria-label="Dismiss" onClick={leave}>
        <CloseIcon />
      </button>
    </div>
  );
}
