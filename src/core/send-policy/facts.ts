/** Something that sync wants to know about the robot; or why it cannot be known. */
export type Fact<T> = { readonly value: T } | { readonly unknown: string };

/** What is known about the interface over which this machine reaches its default route. */
export interface NetworkFacts {
  /** Its name; empty: there is no default route. */
  readonly interface: Fact<string>;
  /** Name of the wireless network; empty: the interface is not wireless, or not associated. */
  readonly ssid: Fact<string>;
  readonly metered: Fact<boolean>;
  /** Negotiated rate. */
  readonly linkBitsPerS: Fact<number>;
}

/** Nothing is known, for one reason. */
export function unknownNetwork(why: string): NetworkFacts {
  const unknown = { unknown: why };
  return { interface: unknown, ssid: unknown, metered: unknown, linkBitsPerS: unknown };
}

/** Reads the facts; rejects only with the signal's reason. */
export interface NetworkSource {
  read(signal: AbortSignal): Promise<NetworkFacts>;
  /** Releases what it holds. */
  close?(): void;
}
