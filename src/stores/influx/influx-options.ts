import { defined } from '../../core/defined.js';

/** Where points go, and how. */
export interface InfluxOptions {
  /** Address of the server, without a slash at its end. */
  readonly server: string;
  /** The place in the server, as in the query of a write. */
  readonly target:
    | { readonly api: 'v1'; readonly database: string; readonly retentionPolicy?: string }
    | { readonly api: 'v2'; readonly bucket: string; readonly organisation: string };
  /** Absent: the token is in {@link INFLUX_TOKEN}, or the server needs no token. */
  readonly tokenFile?: string;
}

/** Names of the options, as in the query of a sink. */
export const influxOptionNames = ['db', 'rp', 'bucket', 'org', 'token_file'] as const;

/** The environment variable with the token. */
export const INFLUX_TOKEN = 'HOLDFAST_INFLUX_TOKEN';

export const INFLUX_FORM =
  'http://host:8086 or https://..., then ?db=NAME (InfluxDB 1, QuestDB, VictoriaMetrics) or ?org=NAME&bucket=NAME (InfluxDB 2 and 3)';

const TEXT = /^[^\u0000-\u001f\u007f]{1,1024}$/;

/** Reports a fault: the option, or its value, and what is allowed. */
export type InfluxFault = (value: string, allowed: string) => void;

/** Parses the address and the given options and reports every fault; the result is valid only if there are none. */
export function parseInfluxOptions(
  address: string,
  given: ReadonlyMap<string, string>,
  fault: InfluxFault,
): InfluxOptions {
  const text = (name: (typeof influxOptionNames)[number]): string | undefined => {
    const value = given.get(name);
    if (value !== undefined && !TEXT.test(value)) fault(name, 'a name without control characters');
    return value;
  };
  const [database, bucket] = [text('db'), text('bucket')];
  const [retentionPolicy, organisation] = [text('rp'), text('org')];
  const tokenFile = text('token_file');
  if ((database === undefined) === (bucket === undefined)) {
    fault('influx:', 'one of db=NAME and bucket=NAME');
  } else if (bucket === undefined && organisation !== undefined) {
    fault('org', 'only with bucket=NAME');
  } else if (database === undefined && retentionPolicy !== undefined) {
    fault('rp', 'only with db=NAME');
  }
  const target =
    bucket === undefined
      ? { api: 'v1' as const, database: database ?? '', ...defined({ retentionPolicy }) }
      : { api: 'v2' as const, bucket, organisation: organisation ?? '' };
  return { server: parseServer(address, fault), target, ...defined({ tokenFile }) };
}

/** Credentials in an address are not repeated. */
function parseServer(address: string, fault: InfluxFault): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url && (url.username !== '' || url.password !== '')) {
    fault('influx:', `an address without credentials: they come from ${INFLUX_TOKEN} or token_file alone`);
    return '';
  }
  if (!url || !/^https?:$/.test(url.protocol) || url.hash !== '') {
    fault('influx:', `followed by ${INFLUX_FORM}`);
    return '';
  }
  return url.href.replace(/\/+$/, '');
}

/** The sink as status and errors show it: it identifies the place of the points. */
export function describeInflux({ server, target }: InfluxOptions): string {
  return `influx:${server}?${placeOf(target)}`;
}

/** Address that a batch is posted to; times are nanoseconds. */
export function writeAddress({ server, target }: InfluxOptions): string {
  const path = target.api === 'v1' ? '/write' : '/api/v2/write';
  return `${server}${path}?${placeOf(target)}&precision=ns`;
}

function placeOf(target: InfluxOptions['target']): string {
  const place =
    target.api === 'v1'
      ? { db: target.database, ...defined({ rp: target.retentionPolicy }) }
      : { org: target.organisation, bucket: target.bucket };
  return new URLSearchParams(place).toString();
}
