import { firstSentence } from "../../data/format";

/** Why something failed: its first sentence, and the rest, if that is long, folded away. */
export function Reason({ text }: { text: string }) {
  const [first, rest] = firstSentence(text);
  if (rest.length < 160) return <>{text}</>;
  return (
    <>
      {first}
      <details>
        <summary>More</summary>
        {rest}
      </details>
    </>
  );
}
