/** Segments through `sync.transform`, since this process started. */
export interface TransformStats {
  readonly segments: number;
  /** Payload bytes of the sealed segments, and of what was made of them. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Failed attempts. */
  readonly failed: number;
}

/** Counts what was transformed; the counters only grow. */
export class TransformCounters {
  #stats: TransformStats = { segments: 0, bytesIn: 0, bytesOut: 0, failed: 0 };

  done({ bytesIn, bytesOut }: { readonly bytesIn: number; readonly bytesOut: number }): void {
    const { segments, failed } = this.#stats;
    this.#stats = {
      segments: segments + 1,
      bytesIn: this.#stats.bytesIn + bytesIn,
      bytesOut: this.#stats.bytesOut + bytesOut,
      failed,
    };
  }

  failed(): void {
    this.#stats = { ...this.#stats, failed: this.#stats.failed + 1 };
  }

  toJson(): TransformStats {
    return this.#stats;
  }
}
