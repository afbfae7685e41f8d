import type { FleetLedger } from '../../sources/sim/fleet-ledger.js';
import { FleetControl } from '../../sources/sim/fleet-control.js';
import { fleetScript } from '../setup/main-script.js';
import { DemoChild } from './demo-child.js';

/** The simulated fleet in its own process, which continues after any failure of the others. */
export class Fleet {
  readonly #child: DemoChild;
  readonly #control: FleetControl;

  private constructor(
    child: DemoChild,
    readonly uri: string,
    control: FleetControl,
  ) {
    this.#child = child;
    this.#control = control;
  }

  static async start(robots: number, seed: number): Promise<Fleet> {
    const child = new DemoChild('fleet', fleetScript, [
      ...['--sim', `robots=${robots}&seed=${seed}`],
      ...['--wait-for-listener', '--exit-with-parent'],
    ]);
    const { uri } = JSON.parse(await child.firstLine()) as { uri: string };
    const { hostname, port } = new URL(uri);
    return new Fleet(child, uri, await FleetControl.connect({ host: hostname, port: Number(port) }));
  }

  ledger(): Promise<FleetLedger> {
    return this.#control.ledger();
  }

  /** Resolves when a recorder listens; then the simulated time starts. */
  async connected(signal: AbortSignal, check: () => void): Promise<void> {
    while (!(await this.ledger()).connected) {
      signal.throwIfAborted();
      check();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ends the production and returns the final count. */
  stop(): Promise<FleetLedger> {
    return this.#control.stop();
  }

  async kill(): Promise<void> {
    await this.#control.close().catch(() => undefined);
    await this.#child.kill();
  }
}
