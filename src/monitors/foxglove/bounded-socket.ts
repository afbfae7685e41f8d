import type { WebSocket } from 'ws';

/** What the protocol's server library calls on a connection. */
export interface ServerSocket {
  binaryType: string;
  readonly protocol: string;
  onerror: ((event: unknown) => void) | null | undefined;
  onopen: ((event: unknown) => void) | null | undefined;
  onclose: ((event: unknown) => void) | null | undefined;
  onmessage: ((event: unknown) => void) | null | undefined;
  close(): void;
  send(data: string | ArrayBuffer | ArrayBufferView, options?: { readonly fin?: boolean }): void;
}

/** Payloads up to this size are copied behind their header: one write instead of two. */
const COPY_MAX_BYTES = 16 * 1024;
/** Bytes that control messages may use beyond the limit of the data. */
const CONTROL_SLACK_BYTES = 4 * 2 ** 20;
const WARN_EVERY_MS = 5_000;

export interface BoundedSocketOptions {
  /** Unsent bytes; beyond it messages are skipped. */
  readonly maxBytes: number;
  /** After this time without progress, the client is dropped. */
  readonly stuckMs: number;
  readonly nowMs: () => number;
  readonly onSkipped: () => void;
}

/**
 * A connection that never holds more than its limit. A message for a client that does not keep up is skipped
 * and counted; control messages must not be lost, so they end the connection instead.
 */
export class BoundedSocket implements ServerSocket {
  binaryType = 'arraybuffer';
  onerror: ServerSocket['onerror'];
  onopen: ServerSocket['onopen'];
  onclose: ServerSocket['onclose'];
  onmessage: ServerSocket['onmessage'];
  #header: Buffer | undefined;
  #stuckSince: number | undefined;
  #warnedAt = -Infinity;

  readonly #socket: WebSocket;
  readonly #options: BoundedSocketOptions;

  constructor(socket: WebSocket, options: BoundedSocketOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.binaryType = 'arraybuffer';
    socket.on('error', () => socket.terminate());
    socket.on('close', (code: number, reason: Buffer) =>
      this.onclose?.({ code, reason: String(reason), wasClean: code === 1000 }),
    );
    socket.on('message', (data: ArrayBuffer | Buffer, isBinary: boolean) =>
      this.onmessage?.({ data: isBinary ? data : Buffer.from(data as ArrayBuffer).toString('utf8') }),
    );
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** No bytes were sent for too long. */
  get isStuck(): boolean {
    const { nowMs, stuckMs, maxBytes } = this.#options;
    if (this.#stuckSince === undefined) return false;
    if (this.unsentBytes < maxBytes) {
      this.#stuckSince = undefined;
      return false;
    }
    return nowMs() - this.#stuckSince > stuckMs;
  }

  close(): void {
    this.#socket.close();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** Two parameters on purpose: by their number the library knows that header and payload may come separately. */
  send(data: string | ArrayBuffer | ArrayBufferView, options?: { readonly fin?: boolean }): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (typeof data === 'string') {
      this.#sendControl(data);
      return;
    }
    if (options?.fin === false) {
      this.#header = bytesOf(data);
      return;
    }
    const header = this.#header;
    this.#header = undefined;
    this.sendMessage(header ?? Buffer.alloc(0), bytesOf(data));
  }

  /** One message of the data kind. */
  sendMessage(header: Buffer, payload: Buffer): void {
    const socket = this.#socket;
    const options = this.#options;
    if (this.unsentBytes + payload.length > options.maxBytes && this.unsentBytes > 0) {
      this.#skip();
      return;
    }
    this.#stuckSince = undefined;
    if (payload.length <= COPY_MAX_BYTES) {
      socket.send(Buffer.concat([header, payload]));
      return;
    }
    socket.send(header, { fin: false, binary: true });
    socket.send(payload, { fin: true, binary: true });
  }

  #sendControl(text: string): void {
    if (this.unsentBytes > this.#options.maxBytes + CONTROL_SLACK_BYTES) this.#socket.terminate();
    else this.#socket.send(text);
  }

  #skip(): void {
    const now = this.#options.nowMs();
    this.#options.onSkipped();
    this.#stuckSince ??= now;
    if (now - this.#warnedAt < WARN_EVERY_MS) return;
    this.#warnedAt = now;
    const message = 'this connection is too slow: messages are left out here; the recording has them';
    this.#sendControl(JSON.stringify({ op: 'status', level: 1, message, id: 'holdfast-slow' }));
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Buffer {
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data);
}
