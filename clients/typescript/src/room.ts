/** The bound of the memory: who sends waits until there is room, in turn. */

interface Waiting {
  readonly bytes: number;
  readonly admit: () => void;
  readonly refuse: (error: Error) => void;
}

/** Room for so many events and bytes. One event that is larger than all of it gets in alone. */
export class Room {
  #events = 0;
  #bytes = 0;
  #waiting: Waiting[] = [];

  constructor(
    private readonly maxEvents: number,
    private readonly maxBytes: number,
  ) {}

  get events(): number {
    return this.#events;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Resolves once there is room. `admitted` runs at that very moment, so that those who wait get in in their order and
   * nobody comes between.
   */
  enter(bytes: number, admitted: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const admit = () => {
        admitted();
        resolve();
      };
      this.#waiting.push({ bytes, admit, refuse: reject });
      this.#letIn();
    });
  }

  leave(bytes: number): void {
    this.#events -= 1;
    this.#bytes -= bytes;
    this.#letIn();
  }

  /** Turn away all who wait. */
  shut(error: Error): void {
    for (const { refuse } of this.#waiting.splice(0)) refuse(error);
  }

  #letIn(): void {
    for (let next = this.#waiting[0]; next && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#events += 1;
      this.#bytes += next.bytes;
      next.admit();
    }
  }

  #fits(bytes: number): boolean {
    if (this.#events === 0) return true;
    return this.#events < this.maxEvents && this.#bytes + bytes <= this.maxBytes;
  }
}
