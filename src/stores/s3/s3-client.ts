import { S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { S3Options } from './s3-options.js';

/**
 * A connection that was idle this long is not used again: behind a mobile carrier's address translation it
 * may be dead without either end knowing, and the next part would wait for a timeout.
 */
const IDLE_CONNECTION_MS = 8_000;

/** The one way the client is set up. `ca` is the PEM text of an authority, where one is configured. */
export function createS3Client(options: S3Options, ca: string | undefined): S3Client {
  const agent = { keepAlive: true, maxSockets: options.maxSockets, timeout: IDLE_CONNECTION_MS };
  const client = new S3Client({
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    forcePathStyle: options.pathStyle,
    // When to try again is for sync to decide: it knows the link, and what to send first.
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Waiting for "100 Continue" costs a round trip for every part, and seconds where the store has none.
    expectContinueHeader: false,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: options.connectTimeoutMs,
      // Inactivity, not duration: a large part over a slow link is no fault while bytes move.
      socketTimeout: options.timeoutMs,
      httpAgent: agent,
      httpsAgent: { ...agent, ...(ca === undefined ? {} : { ca }) },
    }),
  });
  if (options.checksum === 'none') leavePayloadsUnsigned(client);
  return client;
}

function leavePayloadsUnsigned(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => (args) => {
      const request = args.request as { headers?: Record<string, string> };
      if (context.commandName === 'UploadPartCommand' && request.headers) {
        request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      }
      return next(args);
    },
    { step: 'build', name: 'holdfastUnsignedPayload' },
  );
}
