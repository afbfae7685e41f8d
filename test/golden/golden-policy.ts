import {
  SEND_POLICY_FILE,
  sendPolicyFiles,
  type SendPolicyFile,
} from '../../src/core/send-policy/policy-record.js';
import {
  CONDITION_VALUES_FILE,
  conditionValueFiles,
  type ConditionValues,
} from '../../src/core/send-policy/topic-values.js';
import { textDocument, type GoldenDocument } from './golden-document.js';

/** The policies of two sinks, as they are in a manifest too. */
export const policy = [
  {
    ...{ name: 'store', upload: 'events', when: ['topic=/docked==true metered=no', 'hours=20:00-06:00'] },
    ...{
      budgetBytesPerDay: 2 ** 41,
      pass: ['events', 'requested'],
      recipients: [`hfpub1_${'A'.repeat(48)}`],
    },
  },
  { name: 'mcap', upload: 'all', when: [], budgetBytesPerDay: 0, pass: [], recipients: [] },
];

const sendPolicy: SendPolicyFile = { version: 1, topicMaxAgeMs: 60_000, sinks: policy };
const dock = { topic: '/état', field: 'status.docked', robot: 'squid', at: '1700000000000000000' };
/** With the rules of `sync.transform`. */
const transformPolicy: SendPolicyFile = {
  ...sendPolicy,
  sinks: policy.map((sink, place) =>
    place === 0 ? { ...sink, transform: ['/état/fix round=latitude+longitude:100m', '/driver drop'] } : sink,
  ),
};
const conditionValues: ConditionValues = {
  version: 1,
  values: [
    { ...dock, value: true },
    { ...dock, robot: 'crab', value: -0.5 },
    { ...dock, robot: 'eel', value: 'Größe' },
    { ...dock, robot: 'cod', problem: 'no field status.docked' },
  ],
};

const encode = (file: unknown): string => `${JSON.stringify(file, null, 1)}\n`;

/** What sync and the recorder tell each other in the data folder. */
export const goldenPolicy: readonly GoldenDocument[] = [
  textDocument('send-policy', SEND_POLICY_FILE, sendPolicy, encode, (text, name) =>
    sendPolicyFiles.parse(text, name),
  ),
  textDocument('send-policy-transform', SEND_POLICY_FILE, transformPolicy, encode, (text, name) =>
    sendPolicyFiles.parse(text, name),
  ),
  textDocument('condition-values', CONDITION_VALUES_FILE, conditionValues, encode, (text, name) =>
    conditionValueFiles.parse(text, name),
  ),
];
