/** A path that breaks where its folders end. */
export function Path({ path }: { path: string }) {
  return <>{path.split(/(?<=[/\\])/).map((part, at) => [at > 0 && <wbr />, part])}</>;
}
