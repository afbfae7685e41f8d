import { bytes, duration, fieldRules, text, toggle } from './parameter.js';

const role = 'recorder';

/** Rows of the parameter table about the uplink to a ground service, in the order of the docs. */
export const groundParameters = {
  'ground.url': text(
    {
      role,
      default: '',
      placeholder: 'url',
      description:
        'Ground service that receives live telemetry (holdfast ground). Recording never waits for it. Empty: none.',
    },
    'a ws://, wss://, nats:// or natss:// address without a user name',
    isGroundUrl,
  ),
  'ground.token_file': text({
    role,
    default: '',
    placeholder: 'path',
    description:
      'File with the tokens that holdfast ground enrol printed, one per line. Telemetry is sent for the robots of these tokens.',
  }),
  'ground.creds_file': text({
    role,
    default: '',
    placeholder: 'path',
    description:
      'Credentials of the recorder for NATS (.creds), if ground.url is a nats:// or natss:// address and the server needs them. The file is read again at every connection.',
  }),
  'ground.certificate_file': text({
    role,
    default: '',
    placeholder: 'path',
    description:
      'Certificates (PEM) that the recorder trusts at a wss:// or natss:// address, instead of those of the system: the own certificate of the server, whose names are then not compared, or that of the authority that signed it. The file is read again at every connection. Empty: what the system trusts.',
  }),
  'ground.fields': fieldRules({
    role: 'both',
    flag: 'ground-field',
    description:
      'Numbers to send to the ground, and with sync to a sink influx:, with their thresholds, before those of ground.default_fields. For each path of a topic the first matching rule counts.',
  }),
  'ground.default_fields': toggle({
    role: 'both',
    default: true,
    description: 'Also sends the usual fields of well-known message types (docs/uplink.md).',
  }),
  'ground.commands': toggle({
    role,
    default: true,
    description:
      'Operators at the ground may mark events, split, start sync, pause, resume and set live parameters. If false, this robot refuses every command of the ground.',
  }),
  'ground.outbox_max_bytes': bytes({
    role,
    default: 64 * 1024 ** 2,
    min: 0,
    max: 1024 ** 4,
    description:
      'Samples that the ground has not confirmed are kept in the data folder, up to this size for each robot. At the limit the oldest are removed and counted, and the ground fills them in from uploaded segments. 0: none are kept.',
  }),
  'ground.outbox_pace_ms': duration({
    role,
    default: 100,
    min: 10,
    max: 60_000,
    description: 'After an outage, one batch of kept samples is sent in this time, beside the live stream.',
  }),
} as const;

function isGroundUrl(value: string): boolean {
  if (value === '') return true;
  if (!URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return /^(wss?|natss?):$/.test(protocol) && username === '' && password === '';
}
