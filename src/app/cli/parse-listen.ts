import { describeError, HoldfastError, systemCode } from '../../core/errors.js';

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

/** The port is taken, the address is of another machine, or the user may not use the port. */
const REFUSALS: readonly string[] = ['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'ENOTFOUND', 'EAI_AGAIN'];

/** For the rejection of a server that listens there. Throws `REQUEST_INVALID`, and other errors as they are. */
export function refusedListen({ address, port }: ListenPlace): (error: unknown) => never {
  return (error) => {
    if (!REFUSALS.includes(systemCode(error) ?? '')) throw error;
    const shown = `${address.includes(':') ? `[${address}]` : address}:${port}`;
    const message = `--listen is "${shown}", allowed: an address of this machine and a free port: ${describeError(error)}`;
    throw new HoldfastError('REQUEST_INVALID', message, { cause: error, facts: { listen: shown } });
  };
}
