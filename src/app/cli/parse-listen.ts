import { HoldfastError } from '../../core/errors.js';

/** Where a server listens. */
export interface ListenPlace {
  readonly address: string;
  /** 0: a free one. */
  readonly port: number;
}

/** The place of `--listen`, `ADDRESS:PORT`. Throws `REQUEST_INVALID`, with a default as the example. */
export function parseListen(text: string, example: string): ListenPlace {
  const match = /^(?:\[([0-9a-f:]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  const address = match?.[1] ?? match?.[2];
  if (address === undefined || port > 65_535) {
    throw new HoldfastError(
      'REQUEST_INVALID',
      `--listen is "${text}", allowed: an address and a port, such as ${example} or [::1]:8090`,
      { facts: { listen: text } },
    );
  }
  return { address, port };
}
