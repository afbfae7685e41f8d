import type { Delivery } from '../../core/delivery.js';
import type { ErrorCode } from '../../core/error-catalogue.js';
import { HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { CallOptions } from '../../core/store.js';
import { describeInflux, writeAddress, type InfluxOptions } from './influx-options.js';
import { readAuthorization } from './influx-token.js';

export interface InfluxPorts {
  readonly fileSystem: Pick<FileSystem, 'readFile'>;
  /** Environment variables, for the token. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Of an answer of the server that is read and shown. */
const ANSWER_MAX_CHARS = 500;

/**
 * A server that takes InfluxDB line protocol over HTTP: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/.
 * A batch is text compressed with gzip. The same point written twice is one point.
 */
export class InfluxDelivery implements Delivery {
  readonly uri: string;
  readonly #options: InfluxOptions;
  readonly #ports: InfluxPorts;

  constructor(options: InfluxOptions, ports: InfluxPorts) {
    this.#options = options;
    this.#ports = ports;
    this.uri = describeInflux(options);
  }

  /** Any answer will do: not every server that takes the protocol has `/ping`. */
  async probe(options: CallOptions = {}): Promise<void> {
    const { status, text } = await this.#request('GET', `${this.#options.server}/ping`, options);
    const code = codeOf(status);
    if (code === 'STORE_ACCESS_DENIED' || code === 'STORE_BUSY') throw this.#refusal(code, status, text);
  }

  async deliver(batch: Uint8Array, options: CallOptions = {}): Promise<void> {
    const { status, text } = await this.#request('POST', writeAddress(this.#options), options, batch);
    const code = codeOf(status);
    if (code !== undefined) throw this.#refusal(code, status, text);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #request(
    method: 'GET' | 'POST',
    address: string,
    { signal }: CallOptions,
    body?: Uint8Array,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const { fileSystem, environment = {} } = this.#ports;
    const authorization = await readAuthorization(this.#options.tokenFile, environment, fileSystem);
    signal?.throwIfAborted();
    try {
      const answer = await fetch(address, {
        method,
        headers: {
          ...(authorization !== undefined && { authorization }),
          ...(body && { 'content-encoding': 'gzip', 'content-type': 'text/plain; charset=utf-8' }),
        },
        ...(body && { body }),
        redirect: 'manual',
        ...(signal && { signal }),
      });
      return { status: answer.status, text: await beginningOf(answer) };
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      throw new HoldfastError('STORE_OFFLINE', `${this.uri} cannot be reached`, {
        ...{ cause, facts: { uri: this.uri } },
      });
    }
  }

  #refusal(code: ErrorCode, status: number, text: string): HoldfastError {
    const said = text === '' ? '' : `: ${text}`;
    return new HoldfastError(code, `${this.uri} answered ${status}${said}`, {
      facts: { uri: this.uri, status },
    });
  }
}

/** What a status means for the batch; undefined: it was taken. */
function codeOf(status: number): ErrorCode | undefined {
  if (status >= 200 && status < 300) return undefined;
  if (status === 401 || status === 403) return 'STORE_ACCESS_DENIED';
  // Of a database or bucket. A redirect leads to another server than the configured one.
  if (status === 404 || (status >= 300 && status < 400)) return 'STORE_NOT_FOUND';
  if (status === 408 || status === 429 || status >= 500) return 'STORE_BUSY';
  return 'STORE_REJECTED';
}

/** One line. */
async function beginningOf({ body }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  // Leaving the loop cancels the rest.
  for await (const piece of body ?? []) {
    text += decoder.decode(piece as Uint8Array, { stream: true });
    if (text.length >= ANSWER_MAX_CHARS) break;
  }
  return text.slice(0, ANSWER_MAX_CHARS).replace(/\s+/g, ' ').trim();
}
