import { defineConfig } from "vitest/config";

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  test: {
    include: ["tests/**/*.test.{ts,tsx}"],
    environment: "node",
    setupFiles: "tests/setup.ts",
    // Long enough for a machine that does other things meanwhile.
    testTimeout: 60_000,
  },
});
