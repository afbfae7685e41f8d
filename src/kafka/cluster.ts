import { defined } from '../core/defined.js';

export const kafkaMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

/** Which cluster, and how to log in. */
export interface KafkaCluster {
  /** `host:port` of some brokers. */
  readonly brokers: readonly string[];
  /** Files with PEM; absent: no TLS. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly login?: {
    readonly user: string;
    readonly mechanism: (typeof kafkaMechanisms)[number];
    /** Absent: the password is in {@link KAFKA_PASSWORD}. */
    readonly passwordFile?: string;
  };
}

/** Names of the options of a cluster, as in the query of a sink or source. */
export const clusterOptionNames = [
  ...['tls', 'ca', 'cert', 'cert_key'],
  ...['user', 'mechanism', 'password_file'],
] as const;

/** The environment variable with the password. */
export const KAFKA_PASSWORD = 'HOLDFAST_KAFKA_PASSWORD';

const DEFAULT_PORT = 9092;

/** Reports a fault: the option, or its value, and what is allowed. */
export type KafkaFault = (value: string, allowed: string) => void;

/** Whether Kafka allows a topic of this name. */
export function isTopic(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,249}$/.test(text) && text !== '.' && text !== '..';
}

/** Brokers, TLS and login, as the sink and the source have them. */
export function parseCluster(
  hosts: string,
  given: ReadonlyMap<string, string>,
  fault: KafkaFault,
): KafkaCluster {
  const [ca, cert, key] = [given.get('ca'), given.get('cert'), given.get('cert_key')];
  if ((cert === undefined) !== (key === undefined)) fault('cert', 'together with cert_key');
  const wanted = choose('tls', ['yes', 'no'], given, fault);
  const files = defined({ ca, cert, key });
  const hasFiles = Object.keys(files).length > 0;
  if (wanted === 'no' && hasFiles) fault('tls=no', 'without ca, cert and cert_key');
  const [user, passwordFile] = [given.get('user'), given.get('password_file')];
  if (user === undefined && passwordFile !== undefined) fault('password_file', 'together with user');
  const mechanism = choose('mechanism', kafkaMechanisms, given, fault) ?? 'scram-sha-512';
  if (user === undefined && given.has('mechanism')) fault('mechanism', 'together with user');
  const login = user === undefined ? undefined : { user, mechanism, ...defined({ passwordFile }) };
  const tls = hasFiles || wanted === 'yes' ? files : undefined;
  return { brokers: brokersOf(hosts, fault), ...defined({ tls, login }) };
}

function brokersOf(hosts: string, fault: KafkaFault): string[] {
  if (hosts.includes('@')) {
    fault(
      'kafka:',
      `an address without credentials: user=NAME, and the password in ${KAFKA_PASSWORD} or password_file`,
    );
    return [];
  }
  return hosts.split(',').flatMap((host) => {
    const [, name, port] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(host) ?? [];
    const number = Number(port ?? DEFAULT_PORT);
    if (name !== undefined && number >= 1 && number <= 65_535) return [`${name}:${number}`];
    if (host !== '') fault(host, 'a broker as host:port');
    return [];
  });
}

/** One of a few words; undefined: absent, or a fault. */
export function choose<const T extends string>(
  name: string,
  values: readonly T[],
  given: ReadonlyMap<string, string>,
  fault: KafkaFault,
): T | undefined {
  const text = given.get(name);
  const found = values.find((value) => value === text);
  if (text !== undefined && found === undefined) fault(`${name}=${text}`, values.join(', '));
  return found;
}
