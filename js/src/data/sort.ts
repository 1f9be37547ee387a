/** The trait `_sort`. An empty column stands for the score. */
export interface Sort {
  column: string;
  descending: boolean;
  grouped: boolean;
}

const DEFAULT_SORT: Sort = { column: "", descending: false, grouped: true };

export function readSort(value: unknown): Sort {
  if (typeof value !== "object" || value === null) return DEFAULT_SORT;
  const { column, descending, grouped } = value as Partial<Sort>;
  return {
    column: typeof column === "string" ? column : DEFAULT_SORT.column,
    descending: descending === true,
    grouped: grouped !== false,
  };
}
