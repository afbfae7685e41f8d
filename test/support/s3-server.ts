import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { AwsCredentials } from './aws-environment.js';

/** A real S3 server on loopback that a test started. */
export interface S3Server extends AwsCredentials {
  /** With `http://`. */
  readonly endpoint: string;
  createBucket(name: string): Promise<void>;
}

/** A server that its test ends. */
export type OwnS3Server = S3Server & AsyncDisposable;

export async function createBucket(
  server: Omit<S3Server, 'createBucket'>,
  Bucket: string,
  region = 'us-east-1',
): Promise<void> {
  const { endpoint, accessKeyId, secretAccessKey } = server;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  try {
    await client.send(new CreateBucketCommand({ Bucket }));
  } finally {
    client.destroy();
  }
}
