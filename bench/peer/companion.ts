/** A script of its own process that is asked again and again: it keeps its state between two questions. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** One that is asked with Question and answers with Answer, each plain data. */
export class Companion<Question, Answer> {
  readonly #process: ChildProcess;
  readonly #end: Promise<never>;

  /** Starts `dist/bench/<script>.js` with an argument. It ends with this process. */
  constructor(script: string, argument: unknown, nodeOptions: readonly string[] = []) {
    const path = fileURLToPath(new URL(`../${script}.js`, import.meta.url));
    this.#process = fork(path, [JSON.stringify(argument)], { execArgv: [...process.execArgv, ...nodeOptions] });
    this.#end = once(this.#process, "exit").then(([code, signal]) => {
      throw new Error(`${script} ended with ${signal ?? `exit code ${code}`}`);
    });
    // Who asks is told; one that is stopped has nobody to tell.
    this.#end.catch(() => {});
  }

  /** Throws where the process ends before it has answered. */
  async ask(question: Question): Promise<Answer> {
    this.#process.send(question as object);
    const [answer] = (await Promise.race([once(this.#process, "message"), this.#end])) as [Answer];
    return answer;
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }
}

/** In the companion: answers each question, one at a time, until the one who asks is gone. */
export function answerEach<Question, Answer>(answer: (question: Question) => Answer | Promise<Answer>): void {
  process.on("disconnect", () => process.exit(0));
  process.on("message", async (question: Question) => {
    process.send?.((await answer(question)) as object);
  });
}

/** Time that something took: on the clock, and of all threads of the process. */
export interface Spent {
  readonly ms: number;
  readonly cpuMs: number;
}

/** Does it, and says what it took beside what it gave. */
export async function spend<T>(work: () => T | Promise<T>): Promise<Spent & { readonly given: T }> {
  const before = process.cpuUsage();
  const started = performance.now();
  const given = await work();
  const ms = performance.now() - started;
  const { user, system } = process.cpuUsage(before);
  return { ms, cpuMs: (user + system) / 1000, given };
}
