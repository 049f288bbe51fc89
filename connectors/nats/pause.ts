/** For so long, or until it is ended, a partition applies nothing: several of them can then be looked at together. */
export class Pause {
  readonly over: Promise<void>;
  #isOver = false;
  #resolve: () => void = () => undefined;
  #timer: NodeJS.Timeout;

  constructor(msMax: number) {
    this.over = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#timer = setTimeout(() => this.end(), msMax);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** From now on it lasts until `end`, which the caller sees to. */
  keep(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#isOver = true;
    this.#resolve();
  }
}
