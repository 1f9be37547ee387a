import type { Compare } from "../../state/compare";
import type { Replies } from "../../wire/protocol";
import { Name } from "../ui/Name";

type Fact = Replies["beside"]["facts"][number];

/** The facts of the pictures that are compared; those that differ stand out, by a sign too. */
export function Facts({ compare }: { compare: Compare }) {
  const { data, error } = compare.told.value;
  const base = compare.base.value;
  const candidate = compare.candidate.value;
  if (error !== null) {
    return (
      <p class="reason" role="alert">
        {error}
      </p>
    );
  }
  if (!data) return <div class="facts" aria-busy="true" />;
  const place = compare.placeOf(candidate);
  const isPair = candidate !== base && place >= 0;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <div class="facts" tabIndex={0} role="group" aria-label="Facts">
      <table>
        <thead class={isPair ? undefined : "visually-hidden"}>
          <tr>
            <th scope="col">
              <span class="visually-hidden">fact</span>
            </th>
            <Head compare={compare} row={base} />
            {isPair && <Head compare={compare} row={candidate} />}
          </tr>
        </thead>
        <tbody>
          {data.facts.map((fact) => (
            <Row key={fact.name} fact={fact} place={isPair ? place : null} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Head({ compare, row }: { compare: Compare; row: number }) {
  compare.state.tiles.version.value;
  const tile = compare.state.tiles.get(row);
  return (
    <th scope="col">
      <Name name={tile?.info.name ?? ""} path={tile?.info.path ?? ""} />
    </th>
  );
}

/** `place`: of the candidate among the values; null where there is none. */
function Row({ fact, place }: { fact: Fact; place: number | null }) {
  const { name, texts, numbers } = fact;
  const [one, other] = [texts[0], place === null ? null : texts[place]];
  if (place === null) {
    if (one === null) return null;
    return (
      <tr>
        <th scope="row">{name}</th>
        <td>{one}</td>
      </tr>
    );
  }
  if (one === null && other === null) return null;
  const differs = one !== other;
  const more = (own: number, its: number) =>
    differs && numbers !== null && (numbers[own] ?? 0) > (numbers[its] ?? 0);
  return (
    <tr class={differs ? "differs" : undefined}>
      <th scope="row">
        {name}
        {differs && (
          <span class="sign" title="These differ">
            {" "}
            ≠
          </span>
        )}
      </th>
      <Value text={one} more={more(0, place)} />
      <Value text={other} more={more(place, 0)} />
    </tr>
  );
}

function Value({ text, more }: { text: string | null; more: boolean }) {
  return (
    <td title={text ?? undefined}>
      {text ?? "–"}
      {more && (
        <span class="sign" title="More than the other">
          {" "}
          ▲
        </span>
      )}
    </td>
  );
}
