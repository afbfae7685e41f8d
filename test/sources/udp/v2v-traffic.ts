import { createSocket, type Socket } from 'node:dgram';
import * as fs from 'node:fs/promises';
import type { Source } from '../../../src/core/source.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';
import { createUdpSource } from '../../../src/sources/udp/udp-source.js';
import { V2vSender, type V2vSenderOptions } from '../../../src/sources/udp/v2v-sender.js';
import { systemClock } from '../../../src/host/system-clock.js';

export const STANDING = { x: 1, y: 2, theta: 0.5, v: 3 };
export const KEY = Buffer.from('sixteen bytes or more');

export const udp = (uri: string): Promise<Source> => createUdpSource(parseSourceUri(uri), { fs });

export const senderOf = (options: Partial<V2vSenderOptions> = {}): V2vSender =>
  new V2vSender({ vehicle: 'car1', session: 's1', ...options }, () => systemClock.now());

/** Sends to one address; every datagram on its own. */
export class Radio {
  readonly #socket: Socket;

  constructor(
    readonly port: number,
    readonly address = '127.0.0.1',
    family: 'udp4' | 'udp6' = 'udp4',
  ) {
    this.#socket = createSocket(family);
  }

  send(bytes: Uint8Array | string): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#socket.send(bytes, this.port, this.address, (error) => (error ? reject(error) : resolve())),
    );
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

/** Vehicles that talk every few milliseconds until closed. */
export function talkingVehicles(port: number): { close(): Promise<void> } {
  const radio = new Radio(port);
  const cars = ['car1', 'car2'].map((vehicle) => senderOf({ vehicle, session: String(port) }));
  const timer = setInterval(() => {
    for (const car of cars) {
      radio.send(car.state(STANDING)).catch(() => undefined);
      radio.send(car.fleet([{ vehicle: 'car9', ...STANDING }])).catch(() => undefined);
    }
  }, 4);
  return {
    close: async () => {
      clearInterval(timer);
      await radio.close();
    },
  };
}
