import type { BuildOptions } from "esbuild";

export function here(path: string): string;
export const widgets: readonly string[];
export const options: BuildOptions;
