import { S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { defined } from '../../core/defined.js';
import type { S3Options } from './s3-options.js';

/**
 * A connection that was idle for this long is not reused. Behind a mobile carrier's address translation it
 * may be dead without either end knowing, and the next part would wait for a timeout.
 */
const IDLE_CONNECTION_MS = 8_000;
/** Maximum number of characters kept of a server's name. */
const SERVER_NAME_MAX = 200;

/**
 * The only place that configures the client. `ca` is the PEM text of an authority, if one is configured;
 * `onServer` receives what the server calls itself, with each answer.
 */
export function createS3Client(
  options: S3Options,
  ca: string | undefined,
  onServer: (server: string) => void,
): S3Client {
  const agent = { keepAlive: true, maxSockets: options.maxSockets, timeout: IDLE_CONNECTION_MS };
  const client = new S3Client({
    ...defined({ region: options.region, endpoint: options.endpoint }),
    forcePathStyle: options.pathStyle,
    // Sync decides when to retry: it knows the link, and what to send first.
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Waiting for "100 Continue" costs a round trip per part, and seconds if the store does not send it.
    expectContinueHeader: false,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: options.connectTimeoutMs,
      // Inactivity, not duration: a large part over a slow link is not a fault while bytes move.
      socketTimeout: options.timeoutMs,
      httpAgent: agent,
      httpsAgent: { ...agent, ...defined({ ca }) },
    }),
  });
  leavePartsUnsigned(client, options.checksum === 'none');
  readServerNames(client, onServer);
  return client;
}

function readServerNames(client: S3Client, onServer: (server: string) => void): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers?: Record<string, string> };
      onServer((headers?.['server'] ?? '').slice(0, SERVER_NAME_MAX));
      return result;
    },
    { step: 'deserialize', name: 'holdfastServerName' },
  );
}

/**
 * Over https, the SHA-256 of a part in its signature protects nothing that TLS and its CRC-32 do not: it would be the
 * second SHA-256 of all that sync sends. The signature covers the CRC-32.
 *
 * @param always - Also parts without a CRC-32.
 */
function leavePartsUnsigned(client: S3Client, always: boolean): void {
  client.middlewareStack.add(
    (next, context) => (args) => {
      const { headers, protocol } = args.request as {
        headers?: Record<string, string>;
        protocol?: string;
      };
      const isCovered = protocol === 'https:' && headers?.['x-amz-checksum-crc32'] !== undefined;
      if (context.commandName === 'UploadPartCommand' && headers && (always || isCovered)) {
        headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      }
      return next(args);
    },
    { step: 'build', name: 'holdfastUnsignedParts' },
  );
}
