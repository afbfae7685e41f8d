import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { FolderBlobs, MemoryBlobs, type BlobStore } from './blobs.js';
import { BodyStopped, checkBody, receiveBody } from './body.js';
import { FaultScript, refusals, type FaultRule, type Operation, type Refusal } from './fault-script.js';
import { Operations, type Answer, type Behaviour } from './operations.js';
import { S3Fault } from './s3-fault.js';
import { verifySignature } from './signature.js';
import { newBucket } from './state.js';
import { document } from './xml.js';
import { sleep } from '../../../src/testing/waiting.js';

export interface FaultyS3Options extends Partial<Behaviour> {
  /** Keep the bytes in files here instead of in memory; the folder must exist. */
  readonly folder?: string;
  /** Seed of the fault script's probabilities. Default 1. */
  readonly seed?: number;
  readonly buckets?: readonly string[];
  readonly region?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** Default: a free port. */
  readonly port?: number;
  /** What it calls itself in every answer. Default: nothing. */
  readonly serverName?: string;
  /** Bytes per second taken in and given out, together over all connections. Default: unlimited. */
  readonly bandwidthBytesPerS?: number;
}

/** What was received, per request. */
export interface RequestRecord {
  readonly operation: Operation | undefined;
  readonly bucket: string;
  readonly key: string;
  readonly partNumber?: number;
  readonly uploadId?: string;
  /** It carries a checksum, or asks for one. */
  readonly withChecksum: boolean;
  /** What it asks of the new object: encryption, storage class and tags, by header. */
  readonly wishes: Readonly<Record<string, string>>;
  /** The signature covers the SHA-256 of the body. */
  readonly isSigned: boolean;
  /** Body bytes that arrived. */
  bytes: number;
  /** Status answered; undefined where the connection ended without. */
  status?: number;
  readonly fault?: string;
}

export interface PartRecord {
  readonly key: string;
  readonly partNumber: number;
  /** How often it was received, whole or not. */
  readonly times: number;
  /** Body bytes over all times. */
  readonly bytes: number;
}

const REQUESTS_KEPT = 100_000;

/** The project's own S3 server for tests: checks what it is sent, and misbehaves on demand. */
export class FaultyS3 {
  readonly faults: FaultScript;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Newest last, bounded. */
  readonly requests: RequestRecord[] = [];
  bandwidthBytesPerS: number | undefined;
  /** What it calls itself in every answer; empty: nothing. */
  serverName: string;
  readonly #server: Server;
  readonly #operations: Operations;
  readonly #blobs: BlobStore;
  readonly #sockets = new Set<Socket>();
  #offline: 'no' | 'reset' | 'hang' = 'no';
  #freeAt = 0;
  #port = 0;

  constructor(options: FaultyS3Options) {
    this.faults = new FaultScript(options.seed);
    this.region = options.region ?? 'us-east-1';
    this.accessKeyId = options.accessKeyId ?? 'test:tester';
    this.secretAccessKey = options.secretAccessKey ?? 'testing';
    this.bandwidthBytesPerS = options.bandwidthBytesPerS;
    this.serverName = options.serverName ?? '';
    this.#blobs = options.folder === undefined ? new MemoryBlobs() : new FolderBlobs(options.folder);
    this.#operations = new Operations({
      conditionalPut: options.conditionalPut ?? 'honoured',
      conditionalComplete: options.conditionalComplete ?? 'honoured',
      checksums: options.checksums ?? 'full-object',
      etags: options.etags ?? 'md5',
      minPartBytes: options.minPartBytes ?? 5 * 1024 * 1024,
      pageSize: options.pageSize ?? 1000,
      partOrder: options.partOrder ?? 'required',
    });
    for (const name of options.buckets ?? []) this.createBucket(name);
    this.#server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      void this.#serve(request, response);
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      if (this.#offline === 'reset') socket.resetAndDestroy();
    });
  }

  async start(port = 0): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Stays what it was after {@link stop}. */
  get port(): number {
    return this.#port;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    await new Promise((resolve) => this.#server.close(resolve));
  }

  createBucket(name: string): void {
    this.#operations.buckets.set(name, newBucket(name));
  }

  deleteBucket(name: string): void {
    this.#operations.buckets.delete(name);
  }

  /** From now on it behaves otherwise. */
  behave(change: Partial<Behaviour>): void {
    Object.assign(this.#operations.behaviour, change);
  }

  /** Ends all connections; new ones are reset, or accepted and never answered. */
  goOffline(how: 'reset' | 'hang' = 'reset'): void {
    this.#offline = how;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  goOnline(): void {
    this.#offline = 'no';
    // Hung connections would stay hung.
    for (const socket of this.#sockets) socket.destroy();
  }

  /** All objects of all buckets, in no order. */
  objects(): { bucket: string; key: string; bytes: number; etag: string }[] {
    return [...this.#operations.buckets.values()].flatMap((bucket) =>
      [...bucket.objects.values()].map(({ key, blob, etag }) => ({
        bucket: bucket.name,
        key,
        bytes: blob.bytes,
        etag,
      })),
    );
  }

  uploads(): { bucket: string; key: string; uploadId: string; parts: number[] }[] {
    return [...this.#operations.buckets.values()].flatMap((bucket) =>
      [...bucket.uploads.values()].map(({ key, uploadId, parts }) => ({
        bucket: bucket.name,
        key,
        uploadId,
        parts: [...parts.keys()].sort((a, b) => a - b),
      })),
    );
  }

  async readObject(bucket: string, key: string): Promise<Buffer> {
    const { blob } = this.#stored(bucket, key);
    const chunks: Buffer[] = [];
    for await (const chunk of blob.read(0, blob.bytes)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async sha256(bucket: string, key: string): Promise<string> {
    const { blob } = this.#stored(bucket, key);
    const hash = createHash('sha256');
    for await (const chunk of blob.read(0, blob.bytes)) hash.update(chunk);
    return hash.digest('hex');
  }

  /** Flips one bit of a stored object; its stored checksum is brought in line, as a store's scrub would. */
  async corruptObject(bucket: string, key: string, offset = 0): Promise<void> {
    const object = this.#stored(bucket, key);
    await object.blob.flip(offset);
    const { checksum: _stale, ...rest } = object;
    this.#operations.buckets.get(bucket)?.objects.set(key, rest);
  }

  deleteObject(bucket: string, key: string): void {
    this.#operations.buckets.get(bucket)?.objects.delete(key);
  }

  dropUpload(uploadId: string): void {
    for (const bucket of this.#operations.buckets.values()) bucket.uploads.delete(uploadId);
  }

  /** Puts another object of the bucket under the key. */
  exchangeObject(bucket: string, key: string): void {
    const objects = this.#operations.buckets.get(bucket)?.objects;
    const other = [...(objects?.values() ?? [])].find((one) => one.key !== key && one.key.endsWith('.mcap'));
    if (objects?.has(key) && other) objects.set(key, { ...other, key });
  }

  /** Every part that was received, how often and with how many bytes. */
  partsReceived(key?: string): PartRecord[] {
    const parts = new Map<string, PartRecord>();
    for (const request of this.requests) {
      if (request.operation !== 'UploadPart' || request.partNumber === undefined) continue;
      if (key !== undefined && request.key !== key) continue;
      const name = `${request.key} ${request.partNumber}`;
      const before = parts.get(name);
      parts.set(name, {
        key: request.key,
        partNumber: request.partNumber,
        times: (before?.times ?? 0) + 1,
        bytes: (before?.bytes ?? 0) + request.bytes,
      });
    }
    return [...parts.values()];
  }

  count(operation: Operation): number {
    return this.requests.filter((request) => request.operation === operation).length;
  }

  #stored(bucket: string, key: string) {
    const object = this.#operations.buckets.get(bucket)?.objects.get(key);
    if (!object) throw new Error(`no object ${bucket}/${key}`);
    return object;
  }

  #isOffline(): boolean {
    return this.#offline !== 'no';
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Taken now: a request whose body is left unread lets go of it.
    const { socket } = request;
    response.on('error', () => undefined);
    request.on('error', () => undefined);
    if (this.#isOffline()) return;
    const target = parseTarget(request);
    const rule = this.faults.strike(target.operation, target.key);
    const partNumber = target.query.get('partNumber');
    const record: RequestRecord = {
      operation: target.operation,
      bucket: target.bucket,
      key: target.key,
      isSigned: request.headers['x-amz-content-sha256'] !== 'UNSIGNED-PAYLOAD',
      withChecksum: Object.keys(request.headers).some((name) => name.startsWith('x-amz-checksum-')),
      wishes: wishesOf(request),
      bytes: 0,
      ...(partNumber !== null && { partNumber: Number(partNumber) }),
      ...(target.query.has('uploadId') && { uploadId: target.query.get('uploadId') as string }),
      ...(rule && { fault: rule.fault }),
    };
    this.requests.push(record);
    if (this.requests.length > REQUESTS_KEPT) this.requests.shift();
    try {
      const answer = await this.#answer(request, target, rule, record);
      if (this.#isOffline()) return;
      await this.#send(request, socket, response, answer, rule, record);
    } catch (error) {
      if (!(error instanceof BodyStopped)) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  async #answer(
    request: IncomingMessage,
    target: Target,
    rule: FaultRule | undefined,
    record: RequestRecord,
  ): Promise<Answer> {
    const half = Math.max(1, Math.floor(Number(request.headers['content-length'] ?? 0) / 2));
    const body = await receiveBody(request, this.#blobs, {
      onChunk: async (bytes) => {
        record.bytes += bytes;
        await this.#pace(bytes);
      },
      ...(rule?.fault === 'reset-mid-body' && { stopAfter: half }),
      corrupt: rule?.fault === 'corrupt-bytes',
    });
    try {
      // Also a request without a body is cut off.
      if (rule?.fault === 'reset-mid-body') throw new BodyStopped();
      const sha256 = verifySignature(request, this);
      if (rule?.fault !== 'corrupt-bytes') checkBody(request, body, sha256);
      if (rule && rule.fault in refusals) throw refusal(rule.fault as Refusal);
      if (rule?.fault === 'timeout-before-commit') return { status: 200 };
      if (rule?.fault === 'captive-portal') return portal;
      if (rule?.fault === 'upload-vanishes') this.dropUpload(target.query.get('uploadId') ?? '');
      if (rule?.fault === 'object-lost') this.deleteObject(target.bucket, target.key);
      if (rule?.fault === 'other-object') this.exchangeObject(target.bucket, target.key);
      if (rule?.fault === 'error-in-200') return { status: 200, body: errorText('InternalError', 'late') };
      if (target.operation === undefined) throw new S3Fault(501, 'NotImplemented', 'unknown operation');
      const { operation } = target;
      return await this.#operations.run({
        ...target,
        operation,
        headers: request.headers,
        body,
        fault: rule,
      });
    } catch (error) {
      if (!(error instanceof S3Fault)) throw error;
      await body.blob.remove();
      return { status: error.status, body: errorText(error.code, error.message) };
    }
  }

  async #send(
    request: IncomingMessage,
    socket: Socket,
    response: ServerResponse,
    answer: Answer,
    rule: FaultRule | undefined,
    record: RequestRecord,
  ): Promise<void> {
    const fault = rule?.fault;
    if (fault === 'timeout-before-commit' || fault === 'timeout-after-commit') return;
    if (fault === 'reset-after-commit') return void socket.resetAndDestroy();
    if (fault === 'slow-response') {
      await sleep(rule?.delayMs ?? 100);
    }
    record.status = answer.status;
    const isHead = request.method === 'HEAD';
    const text = typeof answer.body === 'string' && !isHead ? Buffer.from(answer.body) : undefined;
    const headers: Record<string, string | number> = {
      'x-amz-request-id': 'holdfast-test',
      ...(this.serverName !== '' && { Server: this.serverName }),
      ...(typeof answer.body === 'string' && { 'Content-Type': 'application/xml' }),
      ...(text && { 'Content-Length': text.length }),
      ...(answer.body === undefined && { 'Content-Length': 0 }),
      ...answer.headers,
    };
    if (fault === 'reset-mid-response' && (answer.body === undefined || isHead)) {
      socket.write('HTTP/1.1 200 OK\r\nContent-Le');
      return void setImmediate(() => socket.resetAndDestroy());
    }
    response.writeHead(answer.status, headers);
    if (isHead || answer.body === undefined) return void response.end();
    const half = Math.floor(Number(headers['Content-Length'] ?? 0) / 2);
    let sent = 0;
    const chunks = text ? [text] : bodyOf(answer);
    for await (const chunk of chunks) {
      await this.#pace(chunk.length);
      if (response.destroyed) return;
      const rest = fault === 'reset-mid-response' ? chunk.subarray(0, Math.max(0, half - sent)) : chunk;
      sent += rest.length;
      if (!response.write(rest)) await drained(response);
      if (rest.length < chunk.length) {
        // Let the half leave first: a reset discards what waits in the socket.
        await sleep(20);
        return void socket.resetAndDestroy();
      }
    }
    response.end();
  }

  /** Waits as a link of the set bandwidth would, shared by all connections. */
  async #pace(bytes: number): Promise<void> {
    if (this.bandwidthBytesPerS === undefined) return;
    const now = performance.now();
    this.#freeAt = Math.max(this.#freeAt, now) + (bytes / this.bandwidthBytesPerS) * 1000;
    const waitMs = this.#freeAt - now;
    if (waitMs > 2) await sleep(waitMs);
  }
}

const portal: Answer = {
  status: 200,
  headers: { 'Content-Type': 'text/html' },
  body: '<html><body><form action="/login">Welcome to Hotel WiFi<br></form></body></html>',
};

function refusal(fault: Refusal): S3Fault {
  const [status, code] = refusals[fault];
  return new S3Fault(status, code, `fault script: ${fault}`);
}

function errorText(code: string, message: string): string {
  return document('Error', { Code: code, Message: message, RequestId: 'holdfast-test' });
}

async function* bodyOf(answer: Answer): AsyncGenerator<Buffer> {
  if (typeof answer.body !== 'object') return;
  yield* answer.body.blob.read(answer.body.start, answer.body.end);
}

/** Resolves when more can be written, or nobody is left to read it. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

interface Target {
  readonly operation: Operation | undefined;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
}

function parseTarget(request: IncomingMessage): Target {
  const [path = '', search = ''] = (request.url ?? '/').split('?');
  const [, bucket = '', ...rest] = path.split('/');
  const query = new URLSearchParams(search);
  let key = rest.join('/');
  try {
    key = decodeURIComponent(key);
  } catch {
    // Left as it came.
  }
  return { operation: operationOf(request.method ?? '', key, query), bucket, key, query };
}

function operationOf(method: string, key: string, query: URLSearchParams): Operation | undefined {
  if (key === '') {
    if (method === 'PUT') return 'CreateBucket';
    if (method === 'HEAD') return 'HeadBucket';
    if (method !== 'GET') return undefined;
    return query.has('uploads') ? 'ListMultipartUploads' : 'ListObjectsV2';
  }
  const hasUpload = query.has('uploadId');
  switch (method) {
    case 'GET':
      return hasUpload ? 'ListParts' : 'GetObject';
    case 'HEAD':
      return 'HeadObject';
    case 'PUT':
      return hasUpload ? 'UploadPart' : 'PutObject';
    case 'DELETE':
      return hasUpload ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'POST':
      if (query.has('uploads')) return 'CreateMultipartUpload';
      return hasUpload ? 'CompleteMultipartUpload' : undefined;
    default:
      return undefined;
  }
}

/** Starts a server on a free loopback port. */
export async function startFaultyS3(options: FaultyS3Options = {}): Promise<FaultyS3> {
  const server = new FaultyS3(options);
  await server.start(options.port);
  return server;
}

const WISHES = /^x-amz-(server-side-encryption.*|storage-class|tagging)$/;

function wishesOf({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => WISHES.test(name))
      .map(([name, value]) => [name, String(value)]),
  );
}
