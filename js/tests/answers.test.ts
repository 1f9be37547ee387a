import { describe, expect, it } from "vitest";
import { Answers } from "../src/wire/answers";
import { CancelledError, RetryError } from "../src/wire/rpc";
import { settle } from "./fake";

/** Questions that are answered by hand. */
function desk() {
  const asked: { resolve: (value: string) => void; reject: (error: Error) => void }[] = [];
  const ask = () => new Promise<string>((resolve, reject) => asked.push({ resolve, reject }));
  return { asked, ask };
}

describe("Answers", () => {
  it("asks once, however often an answer is wanted", async () => {
    const { asked, ask } = desk();
    const answers = new Answers<string>();
    answers.want("a", ask);
    answers.want("a", ask);
    expect(answers.get("a")).toEqual({ data: null, error: null, pending: true });
    asked[0].resolve("one");
    await settle();
    answers.want("a", ask);
    expect(asked).toHaveLength(1);
    expect(answers.get("a")).toEqual({ data: "one", error: null, pending: false });
  });

  it("gives what is out of date until the new is there", async () => {
    const { asked, ask } = desk();
    const answers = new Answers<string>();
    answers.want("a", ask);
    asked[0].resolve("one");
    await settle();
    answers.outdate();
    answers.want("a", ask);
    expect(answers.get("a")).toMatchObject({ data: "one", pending: true });
    asked[1].resolve("two");
    await settle();
    expect(answers.get("a")).toMatchObject({ data: "two", pending: false });
  });

  it("does not let an early question's late answer replace a later one's", async () => {
    const { asked, ask } = desk();
    const answers = new Answers<string>();
    answers.want("a", ask);
    answers.outdate();
    answers.want("a", ask);
    asked[1].resolve("new");
    await settle();
    asked[0].resolve("old");
    await settle();
    expect(answers.get("a")).toMatchObject({ data: "new", pending: false });
  });

  it("keeps an error until it is told to try again", async () => {
    const { asked, ask } = desk();
    const answers = new Answers<string>();
    answers.want("a", ask);
    asked[0].reject(new Error("no"));
    await settle();
    answers.want("a", ask);
    expect(asked).toHaveLength(1);
    expect(answers.get("a")).toEqual({ data: null, error: "no", pending: false });
    answers.retry("a");
    answers.want("a", ask);
    expect(asked).toHaveLength(2);
  });

  it("asks anew for what was cancelled or lost on the way", async () => {
    const { asked, ask } = desk();
    const answers = new Answers<string>();
    for (const error of [new CancelledError("x"), new RetryError("x")]) {
      answers.want("a", ask);
      asked.at(-1)!.reject(error);
      await settle();
      expect(answers.get("a")).toEqual({ data: null, error: null, pending: false });
    }
    answers.want("a", ask);
    expect(asked).toHaveLength(3);
  });

  it("forgets the oldest that nobody needs", () => {
    const { asked, ask } = desk();
    const answers = new Answers<string>();
    for (const id of ["a", "b", "c"]) answers.want(id, ask);
    answers.forget((id) => id === "a", 2);
    for (const id of ["a", "c"]) answers.want(id, ask);
    expect(asked).toHaveLength(3);
    answers.want("b", ask);
    expect(asked).toHaveLength(4);
  });
});
