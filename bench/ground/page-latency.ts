import { WebSocket, type RawData } from 'ws';
import { measuredAtMs } from './fleet-values.js';

/** Other messages of the page have no robots. */
interface Update {
  readonly robots?: readonly {
    readonly robot: string;
    readonly position?: { readonly latitude: number } | null;
  }[];
}

const TICK_MS = 100;
const MAX_LATENCIES = 2_000_000;

/**
 * A page that is open: how old each sample is when the page shows it, or a later one of its robot, milliseconds. A
 * sample that waits for the next update of the page counts with its waiting.
 */
export class PageLatency implements Disposable {
  readonly latenciesMs: number[] = [];
  readonly #socket: WebSocket;
  readonly #shownMs = new Map<string, number>();
  #isOn = false;

  constructor(url: string) {
    this.#socket = new WebSocket(`${url.replace(/^http/, 'ws')}/live`, { headers: { origin: url } });
    this.#socket.on('message', (data: RawData) => this.#take(data as Buffer));
    this.#socket.on('error', () => undefined);
  }

  begin(): void {
    this.#isOn = true;
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }

  #take(data: Buffer): void {
    const nowMs = Date.now();
    for (const { robot, position } of (JSON.parse(data.toString('utf8')) as Update).robots ?? []) {
      if (position === undefined || position === null) continue;
      const atMs = measuredAtMs(position.latitude, nowMs);
      const before = this.#shownMs.get(robot) ?? atMs - TICK_MS;
      this.#shownMs.set(robot, atMs);
      if (!this.#isOn) continue;
      for (let sample = atMs; sample > before && this.latenciesMs.length < MAX_LATENCIES; sample -= TICK_MS)
        this.latenciesMs.push(nowMs - sample);
    }
  }
}
