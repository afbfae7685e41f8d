import type { Timers } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Fact, NetworkFacts, NetworkSource } from '../../core/send-policy/facts.js';
import { askNetworkManager, type Bus } from './network-manager.js';

/** NetworkManager must answer in this time; otherwise the kernel alone is asked. */
const ANSWER_TIMEOUT_MS = 3_000;

/**
 * The network of this machine: the interface of the default route from the kernel, and what NetworkManager
 * says about it. Without NetworkManager, what the kernel tells; the reason is in the facts that are unknown.
 */
export class HostNetwork implements NetworkSource {
  readonly #kernel: NetworkSource;
  readonly #bus: Bus;
  readonly #timers: Timers;

  constructor(kernel: NetworkSource, bus: Bus, timers: Timers) {
    this.#kernel = kernel;
    this.#bus = bus;
    this.#timers = timers;
  }

  close(): void {
    this.#bus.close();
  }

  async read(signal: AbortSignal): Promise<NetworkFacts> {
    const facts = await this.#kernel.read(signal);
    const name = 'value' in facts.interface ? facts.interface.value : '';
    if (name === '') return facts;
    const limit = new AbortController();
    const late = new Error(`NetworkManager did not answer in ${ANSWER_TIMEOUT_MS} ms`);
    const timer = this.#timers.after(ANSWER_TIMEOUT_MS, () => limit.abort(late), { background: true });
    try {
      const within = AbortSignal.any([signal, limit.signal]);
      const { ssid, metered, bitsPerS } = await askNetworkManager(this.#bus, name, within);
      return {
        ...facts,
        ssid: { value: ssid },
        metered: metered === undefined ? facts.metered : { value: metered },
        linkBitsPerS: bitsPerS === undefined ? facts.linkBitsPerS : { value: bitsPerS },
      };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const because = <T>(fact: Fact<T>): Fact<T> =>
        'unknown' in fact ? { unknown: `${fact.unknown} (${describeError(error)})` } : fact;
      const { ssid, metered, linkBitsPerS } = facts;
      return {
        ...facts,
        ssid: because(ssid),
        metered: because(metered),
        linkBitsPerS: because(linkBitsPerS),
      };
    } finally {
      timer.cancel();
    }
  }
}
