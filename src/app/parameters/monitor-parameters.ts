import { bytes, count, duration, text, toggle } from './parameter.js';

const role = 'recorder';
const portRow = { min: 0, max: 65_535 } as const;
const isAddress = (value: string): boolean => /^[0-9A-Za-z.:_-]{1,253}$/.test(value);
const isNameList = (value: string): boolean => /^[0-9A-Za-z.:_, -]*$/.test(value);

/** Rows of the parameter table about the log file of either process; they follow those about the log. */
export const logFileParameters = {
  'log.file': text({
    role: 'both',
    default: 'auto',
    placeholder: 'path',
    description:
      'File the log is also written to, as JSON lines. auto: log/recorder.log or log/sync.log in the data ' +
      'folder; empty: none.',
  }),
  'log.file_max_bytes': bytes({
    role: 'both',
    default: 10_000_000,
    min: 10_000,
    max: 2 ** 30,
    description: 'Size at which the log file is rotated.',
  }),
  'log.files_kept': count(
    { role: 'both', default: 5, min: 1, max: 100, description: 'Rotated log files that are kept.' },
    'files',
  ),
} as const;

/** Rows of the parameter table that concern watching and steering, in the order of the docs. */
export const monitorParameters = {
  'web.enabled': toggle({
    role,
    flag: 'web',
    default: true,
    description: 'Serves the dashboard, the HTTP API and /metrics. A port that cannot be had is a warning.',
  }),
  'web.host': text(
    {
      role,
      default: '127.0.0.1',
      placeholder: 'address',
      description: 'Address to listen on. Any other than loopback needs web.token_file.',
    },
    'an IP address or a host name',
    isAddress,
  ),
  'web.port': count({
    role,
    default: 8_088,
    ...portRow,
    description: 'First port that is tried; 0: any free one. The log and /status say which it became.',
  }),
  'web.port_tries': count(
    {
      role,
      default: 20,
      min: 1,
      max: 1_000,
      description:
        'Ports that are tried, one after the other, so that several robots on one host each get one.',
    },
    'ports',
  ),
  'web.token_file': text({
    role,
    default: '',
    placeholder: 'file',
    description:
      'File of access tokens, one "operator TOKEN" or "viewer TOKEN" per line. Empty: no token is asked ' +
      'for, which is possible on loopback only.',
  }),
  'web.allowed_hosts': text(
    {
      role,
      default: '',
      placeholder: 'names',
      description:
        'Further host names the page is reached under, separated by commas (behind a proxy, in DNS). Requests ' +
        'to any other name are refused.',
    },
    'host names, separated by commas',
    isNameList,
  ),
  'web.max_clients': count(
    {
      role,
      default: 32,
      min: 1,
      max: 1_000,
      description: 'Pages that may watch at once; one more is refused.',
    },
    'pages',
  ),
  'web.interval_ms': duration({
    role,
    default: 500,
    min: 100,
    max: 10_000,
    description: 'Time between two updates of the page.',
  }),
  'metrics.max_topics': count(
    {
      role,
      default: 50,
      min: 0,
      max: 2_000,
      description: 'Topics with metrics of their own, those with the most bytes; the rest is summed up.',
    },
    'topics',
  ),
  'foxglove.enabled': toggle({
    role,
    flag: 'foxglove',
    default: true,
    description: 'Serves the recorded topics live to Foxglove. Costs nothing while nobody is connected.',
  }),
  'foxglove.host': text(
    {
      role,
      default: '127.0.0.1',
      placeholder: 'address',
      description:
        'Address to listen on. Foxglove sends no token: on any other than loopback whoever reaches the port ' +
        'sees all topics.',
    },
    'an IP address or a host name',
    isAddress,
  ),
  'foxglove.port': count({
    role,
    default: 8_765,
    ...portRow,
    description: 'First port that is tried; 0: any free one. Ports of foxglove: sources are left alone.',
  }),
  'foxglove.port_tries': count(
    { role, default: 20, min: 1, max: 1_000, description: 'Ports that are tried, one after the other.' },
    'ports',
  ),
  'foxglove.max_clients': count(
    { role, default: 8, min: 1, max: 100, description: 'Connections at once; one more is refused.' },
    'clients',
  ),
  'foxglove.client_max_bytes': bytes({
    role,
    default: 16 * 2 ** 20,
    min: 64 * 2 ** 10,
    max: 2 ** 30,
    description:
      'Unsent bytes per client; beyond it messages to this client are dropped, and in the end the client.',
  }),
  'foxglove.allowed_origins': text(
    {
      role,
      default: '',
      placeholder: 'origins',
      description:
        'Further web origins that may connect, separated by commas, such as https://viewer.example. Foxglove ' +
        'itself and programs without an origin may always.',
    },
    'origins, separated by commas',
    (value) => /^[0-9A-Za-z.:_,/ -]*$/.test(value),
  ),
  'alerts.loss_window_ms': duration({
    role,
    default: 2_000,
    min: 0,
    max: 3_600_000,
    description: 'Loss window above which an alert is raised. 0: no such alert.',
  }),
  'alerts.disk_time_to_full_ms': duration({
    role,
    default: 3_600_000,
    min: 0,
    max: 30 * 86_400_000,
    description: 'Time until the disk is full at the present rate, below which an alert is raised. 0: none.',
  }),
  'alerts.sync_stalled_ms': duration({
    role,
    default: 600_000,
    min: 0,
    max: 30 * 86_400_000,
    description: 'Time without progress while the link is up and segments wait. 0: none.',
  }),
  'alerts.link_down_ms': duration({
    role,
    default: 1_800_000,
    min: 0,
    max: 30 * 86_400_000,
    description: 'Time the store may be out of reach before an alert is raised. 0: none.',
  }),
  'alerts.webhook': text(
    {
      role,
      default: '',
      placeholder: 'url',
      description:
        'Address every change of an alert is posted to as JSON. It may hold a secret and is never logged; ' +
        'better set in the file than as a flag. Empty: none.',
    },
    'an http:// or https:// address',
    (value) => value === '' || (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)),
  ),
} as const;
