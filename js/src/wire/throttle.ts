export interface Throttled {
  /** Run soon: at once when the last run is long enough ago, otherwise after the rest of the wait. */
  (): void;
  /** Run now if a run is due. */
  flush(): void;
  readonly due: boolean;
}

/** Run `task` at most once every `wait` ms, always once more after the last call. */
export function throttle(task: () => void, wait: number, signal: AbortSignal): Throttled {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = Number.NEGATIVE_INFINITY;
  const run = () => {
    clearTimeout(timer);
    timer = undefined;
    last = Date.now();
    task();
  };
  const call = () => {
    if (timer !== undefined || signal.aborted) return;
    timer = setTimeout(run, Math.max(0, wait - (Date.now() - last)));
  };
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return Object.defineProperty(
    Object.assign(call, {
      flush: () => {
        if (timer !== undefined) run();
      },
    }),
    "due",
    { get: () => timer !== undefined },
  ) as Throttled;
}
