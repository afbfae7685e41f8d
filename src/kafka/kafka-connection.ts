import { describeError, HoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { KAFKA_PASSWORD, type KafkaCluster } from './cluster.js';
import type { KafkaLibrary } from './kafka-library.js';

/** What a connection reads from outside. */
export interface KafkaAccess {
  readonly fileSystem: Pick<FileSystem, 'readFile'>;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export type KafkaConnectionOptions = Pick<
  ConstructorParameters<KafkaLibrary['Producer']>[0],
  'clientId' | 'bootstrapBrokers' | 'tls' | 'sasl' | 'connectTimeout' | 'timeout' | 'retries'
>;

const CONNECT_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

/** Reads the files of a login. Throws `STORE_ACCESS_DENIED` with the name of the file, and no secret. */
export async function connectionOptions(
  { brokers, tls, login }: KafkaCluster,
  access: KafkaAccess,
): Promise<KafkaConnectionOptions> {
  const files = await Promise.all(
    Object.entries(tls ?? {}).map(async ([name, path]) => [name, await read(path, access)] as const),
  );
  return {
    clientId: 'holdfast',
    bootstrapBrokers: [...brokers],
    connectTimeout: CONNECT_TIMEOUT_MS,
    timeout: REQUEST_TIMEOUT_MS,
    // The caller decides when to try again.
    retries: 0,
    ...(tls && { tls: Object.fromEntries(files) }),
    ...(login && {
      sasl: {
        mechanism: login.mechanism.toUpperCase() as 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512',
        username: login.user,
        password: await passwordOf(login.passwordFile, access),
      },
    }),
  };
}

async function passwordOf(file: string | undefined, access: KafkaAccess): Promise<string> {
  if (file !== undefined) return (await read(file, access)).toString('utf8').trim();
  const password = access.environment?.[KAFKA_PASSWORD] ?? '';
  if (password === '')
    throw denied(`there is a user and no password: set ${KAFKA_PASSWORD} or password_file`);
  return password;
}

async function read(path: string, { fileSystem }: KafkaAccess): Promise<Buffer> {
  try {
    return await fileSystem.readFile(path);
  } catch (error) {
    throw denied(`${path} cannot be read: ${describeError(error)}`);
  }
}

function denied(message: string): HoldfastError {
  return new HoldfastError('STORE_ACCESS_DENIED', message);
}
