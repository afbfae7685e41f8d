import type { IntakeFault } from '../sources/udp/datagram-intake.js';

/** State and counters of a `V2vManager`; counters start at its creation. */
export interface V2vStats {
  /** `waiting`: the network does not allow it; it retries. */
  readonly state: 'opening' | 'open' | 'waiting' | 'closed';
  /** Why it is waiting. */
  readonly reason: string | undefined;
  /** Datagrams passed to the network. */
  readonly sent: number;
  /** Datagrams that were not sent: no network, too many in transit, or a state that is not finite. */
  readonly notSent: number;
  /** Received datagrams of others that were passed on. */
  readonly received: number;
  /** Numbers of others that did not arrive. */
  readonly lost: number;
  /** Datagrams that were received before. */
  readonly duplicates: number;
  /** Datagrams that were refused, by reason. */
  readonly refused: Readonly<Partial<Record<IntakeFault, number>>>;
  /** Ids of the received vehicles, in the order of their first datagram. */
  readonly vehicles: readonly string[];
}
