/** Where a sink writes, as the sinks of one data folder share it. */
export interface Place {
  /** Name of the sink, for a person. */
  readonly sink: string;
  readonly uri: string;
  readonly storeId: string;
  /** '' for sealed files of any topics, which use the same keys. Otherwise the derivation. */
  readonly content: string;
  readonly markName: string;
  /** Known once the mark was written. */
  mark?: string;
}

/**
 * The places of all sinks of one data folder. If two sinks upload the same content to stores with one id, it
 * is one place spelled twice, or a store and its copy. In both cases only one of them counts.
 */
export class Places {
  readonly #taken: Place[] = [];

  /** Takes the place, or returns the sink that has it. */
  take(place: Place): Place | undefined {
    const other = this.#taken.find(
      ({ storeId, content, uri }) =>
        storeId === place.storeId && content === place.content && uri !== place.uri,
    );
    if (other) return other;
    this.leave(place.uri, place.content);
    this.#taken.push(place);
    return undefined;
  }

  /** The store there turned out to be another one. */
  leave(uri: string, content: string): void {
    const at = this.#taken.findIndex((one) => one.uri === uri && one.content === content);
    if (at >= 0) this.#taken.splice(at, 1);
  }
}
