import { HoldfastError } from '../../core/errors.js';
import { present } from '../../core/present.js';
import type { SourceUri } from '../source-uri.js';
import {
  choiceOption,
  durationMsOption,
  integerOption,
  readUriOptions,
  type UriOption,
} from '../uri-options.js';

/** Credentials of the recorder: at most one kind. Files are read again at every connection. */
export type NatsLogin =
  | { readonly kind: 'none' }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'token-file'; readonly path: string }
  | { readonly kind: 'creds-file'; readonly path: string }
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'password-file'; readonly user: string; readonly path: string };

export interface NatsOptions {
  /** `host:port` of each server of the cluster. */
  readonly servers: readonly string[];
  readonly login: NatsLogin;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
  readonly stream: string;
  readonly durable: string;
  /** Empty: everything in the stream. */
  readonly subjects: readonly string[];
  /** Where to start a durable that has to be created. */
  readonly deliver: 'all' | 'new';
  readonly ackWaitMs: number;
  readonly maxAckPending: number;
  /** Bytes requested and not yet taken by the recorder. */
  readonly pullBytes: number;
  readonly maxMessageBytes: number;
  /** Undefined: none. */
  readonly deadLetter: string | undefined;
  readonly alert: string | undefined;
  readonly robotFrom: 'topic' | 'simulation_id' | 'worker_id';
}

const MB = 1024 * 1024;
const NONE = 'none';
const DEFAULT_PORT = 4222;
const SECOND_MS = 1_000;

const NAME = /^[^\s.*>/\\]{1,200}$/;
const TOKEN = /^[^\s.*>]+$/;

function isSubject(text: string, wildcards: boolean): boolean {
  const tokens = text.split('.');
  return tokens.every(
    (token, index) =>
      TOKEN.test(token) || (wildcards && (token === '*' || (token === '>' && index === tokens.length - 1))),
  );
}

/** A name of a stream or durable; required. */
const nameOption: UriOption<string> = {
  default: '',
  allowed: 'a name without spaces, dots, slashes, * and >',
  read: (text) => (NAME.test(text) ? text : undefined),
};

const fileOption: UriOption<string | undefined> = {
  default: undefined,
  allowed: 'the path of a file',
  read: (text) => (text === '' ? undefined : text),
};

function subjectOption(value: string): UriOption<string> {
  return {
    default: value,
    allowed: `a subject without wildcards, or ${NONE}`,
    read: (text) => (isSubject(text, false) ? text : undefined),
  };
}

const subjectsOption: UriOption<readonly string[]> = {
  default: [],
  allowed: 'a comma-separated list of subjects, such as logging.events.raw or logging.>',
  read: (text) => {
    const subjects = [...new Set(text.split(',').map((part) => part.trim()))];
    return subjects.every((subject) => isSubject(subject, true)) ? subjects : undefined;
  },
};

const table = {
  stream: nameOption,
  durable: nameOption,
  subjects: subjectsOption,
  deliver: choiceOption('all', 'all', 'new'),
  ack_wait: durationMsOption(60 * SECOND_MS),
  max_ack_pending: integerOption(20_000, 1, 1_000_000),
  pull_mb: integerOption(8, 1, 256),
  max_message_mb: integerOption(64, 1, 64),
  dead_letter: subjectOption('logging.events.dead'),
  alert: subjectOption('logging.alerts'),
  robot_from: choiceOption('topic', 'topic', 'simulation_id', 'worker_id'),
  tls: choiceOption('no', 'no', 'yes'),
  ca: fileOption,
  cert: fileOption,
  key: fileOption,
  creds: fileOption,
  token_file: fileOption,
  user: fileOption,
  password_file: fileOption,
};

interface Address {
  readonly servers: readonly string[];
  readonly user: string | undefined;
  readonly secret: string | undefined;
}

/**
 * Reads `nats://host:port?stream=LOGS&durable=holdfast`.
 *
 * @throws HoldfastError SOURCE_UNKNOWN if it is not an address, CONFIG_INVALID with all faults of the
 * options.
 */
export function readNatsUri(uri: SourceUri): NatsOptions {
  const address = readAddress(uri.path);
  if (address === undefined) {
    throw new HoldfastError(
      'SOURCE_UNKNOWN',
      `source ${uri.text}: a NATS server is nats://host:port, several are nats://host:port,host:port`,
      { facts: { uri: uri.text } },
    );
  }
  const options = readUriOptions(uri, table, combinationFaults(uri.query, address));
  const { ca, cert, key } = options;
  const tls = { ...given({ ca, cert, key }) };
  const ackWaitMs = options.ack_wait ?? 60 * SECOND_MS;
  return {
    servers: address.servers,
    login: loginOf(options, address),
    tls: options.tls === 'yes' || Object.keys(tls).length > 0 ? tls : undefined,
    stream: options.stream,
    durable: options.durable,
    subjects: options.subjects,
    deliver: options.deliver,
    ackWaitMs,
    maxAckPending: options.max_ack_pending,
    pullBytes: options.pull_mb * MB,
    maxMessageBytes: options.max_message_mb * MB,
    deadLetter: options.dead_letter === NONE ? undefined : options.dead_letter,
    alert: options.alert === NONE ? undefined : options.alert,
    robotFrom: options.robot_from,
  };
}

/** Of `//user:password@host:port,host`, `//token@host` or `//host`. */
function readAddress(path: string): Address | undefined {
  const [, credentials, hosts] = /^\/\/(?:([^@/]*)@)?([^@/]+)\/?$/.exec(path) ?? [];
  if (hosts === undefined) return undefined;
  const servers = hosts.split(',').map((host) => {
    const [, name, port] = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/.exec(host) ?? [];
    const number = port === undefined ? DEFAULT_PORT : Number(port);
    return name === undefined || number < 1 || number > 65_535 ? undefined : `${name}:${number}`;
  });
  if (servers.some((server) => server === undefined)) return undefined;
  const colon = credentials?.indexOf(':') ?? -1;
  return {
    servers: servers as string[],
    user: colon > 0 ? decoded(present(credentials).slice(0, colon)) : undefined,
    secret: credentials ? decoded(credentials.slice(colon + 1)) : undefined,
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A % that is not an escape stands for itself.
    return text;
  }
}

function combinationFaults(query: URLSearchParams, address: Address): string[] {
  const faults: string[] = [];
  for (const name of ['stream', 'durable']) if (!query.has(name)) faults.push(`${name}: has to be given`);
  const ways = ['creds', 'token_file', 'password_file'].filter((name) => query.has(name));
  if (address.secret !== undefined) ways.unshift('the credentials in the address');
  if (ways.length > 1) faults.push(`${ways.join(', ')}: only one of them may be given`);
  if (query.has('user') !== query.has('password_file')) {
    faults.push('user, password_file: either both are given or none');
  }
  if (query.has('cert') !== query.has('key')) faults.push('cert, key: either both are given or none');
  if (query.get('tls') === 'no' && ['ca', 'cert', 'key'].some((name) => query.has(name))) {
    faults.push('tls: "no", and yet ca, cert or key are given');
  }
  const deadLetter = query.get('dead_letter');
  if (deadLetter !== null && deadLetter !== NONE && deadLetter === query.get('alert')) {
    faults.push('dead_letter, alert: the same subject');
  }
  const ackWait = durationMsOption(undefined).read(query.get('ack_wait') ?? '1m');
  if (ackWait !== undefined && (ackWait < SECOND_MS || ackWait > 3_600 * SECOND_MS)) {
    faults.push('ack_wait: has to be from 1s to 1h');
  }
  return faults;
}

function loginOf(
  { creds, token_file, user, password_file }: Record<string, unknown>,
  address: Address,
): NatsLogin {
  if (typeof creds === 'string') return { kind: 'creds-file', path: creds };
  if (typeof token_file === 'string') return { kind: 'token-file', path: token_file };
  if (typeof user === 'string' && typeof password_file === 'string') {
    return { kind: 'password-file', user, path: password_file };
  }
  if (address.secret === undefined) return { kind: 'none' };
  return address.user === undefined
    ? { kind: 'token', token: address.secret }
    : { kind: 'password', user: address.user, password: address.secret };
}

function given<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
