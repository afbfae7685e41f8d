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
      'File to which the log is also written, as JSON lines. auto: log/recorder.log or log/sync.log in the data folder. Empty: none.',
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
  'log.queue_lines': count(
    {
      role: 'both',
      default: 10_000,
      min: 100,
      max: 1_000_000,
      description:
        'Lines that wait to be written, in memory, while the disk is slow or refuses (16 MiB of them at most). ' +
        'New ones are dropped and counted when it is full; at 80 % the alert log_queue is raised.',
    },
    'lines',
  ),
} as const;

/** Rows of the parameter table about watching and controlling, in the order of the docs. */
export const monitorParameters = {
  'web.enabled': toggle({
    role,
    flag: 'web',
    default: true,
    description:
      'Serves the dashboard, the HTTP API and /metrics. If no port is free, the process logs a warning and continues.',
  }),
  'web.host': text(
    {
      role,
      default: '127.0.0.1',
      placeholder: 'address',
      description: 'Address to listen on. An address other than loopback needs web.token_file.',
    },
    'an IP address or a host name',
    isAddress,
  ),
  'web.port': count({
    role,
    default: 8_088,
    ...portRow,
    description: 'First port to try. 0: any free port. The log and /status give the port in use.',
  }),
  'web.port_tries': count(
    {
      role,
      default: 20,
      min: 1,
      max: 1_000,
      description:
        'Number of ports to try, one after the other, so that each of several robots on one host gets one.',
    },
    'ports',
  ),
  'web.token_file': text({
    role,
    default: '',
    placeholder: 'file',
    description:
      'File of access tokens, one "operator TOKEN" or "viewer TOKEN" per line. Empty: no token is required, which is possible on loopback only.',
  }),
  'web.allowed_hosts': text(
    {
      role,
      default: '',
      placeholder: 'names',
      description:
        'Further host names of the page, separated by commas, for example behind a proxy. Requests to any other name are refused.',
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
      description: 'Maximum number of pages that watch at the same time. Further pages are refused.',
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
      description:
        'Number of topics with metrics of their own. The topics with the most bytes get them; the others share one sum.',
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
        'Address to listen on. Foxglove sends no token: on an address other than loopback, everyone who reaches the port sees all topics.',
    },
    'an IP address or a host name',
    isAddress,
  ),
  'foxglove.port': count({
    role,
    default: 8_765,
    ...portRow,
    description: 'First port to try. 0: any free port. Ports of foxglove: sources are skipped.',
  }),
  'foxglove.port_tries': count(
    { role, default: 20, min: 1, max: 1_000, description: 'Number of ports to try, one after the other.' },
    'ports',
  ),
  'foxglove.max_clients': count(
    {
      role,
      default: 8,
      min: 1,
      max: 100,
      description: 'Maximum number of connections. Further connections are refused.',
    },
    'clients',
  ),
  'foxglove.client_max_bytes': bytes({
    role,
    default: 16 * 2 ** 20,
    min: 64 * 2 ** 10,
    max: 2 ** 30,
    description:
      'Maximum number of unsent bytes per client. Above it, messages to this client are dropped, and finally its connection.',
  }),
  'foxglove.allowed_origins': text(
    {
      role,
      default: '',
      placeholder: 'origins',
      description:
        'Further web origins that may connect, separated by commas, such as https://viewer.example. Foxglove itself and programs without an origin may always connect.',
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
    description:
      'Raises an alert if the disk will be full within this time at the present rate. 0: no such alert.',
  }),
  'alerts.sync_stalled_ms': duration({
    role,
    default: 600_000,
    min: 0,
    max: 30 * 86_400_000,
    description:
      'Raises an alert after this time without progress while the link is up and segments wait. 0: no such alert.',
  }),
  'alerts.link_down_ms': duration({
    role,
    default: 1_800_000,
    min: 0,
    max: 30 * 86_400_000,
    description: 'Raises an alert if the store is out of reach for this time. 0: no such alert.',
  }),
  'alerts.webhook': text(
    {
      role,
      secret: true,
      default: '',
      placeholder: 'url',
      description:
        'Address to which every change of an alert is posted as JSON. It may contain a secret and is never logged. Set it in the file rather than as a flag. Empty: none.',
    },
    'an http:// or https:// address',
    (value) => value === '' || (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)),
  ),
} as const;
