import { parseAlternative, WHEN_FORM, type Alternative } from '../core/send-policy/condition.js';
import { passClasses, type PassClass } from '../core/send-policy/send-class.js';
import { uploadPolicies, type UploadPolicy } from '../core/sink.js';
import { parseBytes } from './units.js';

/** What, when and how much a sink sends, if it differs from the parameters of the process. */
export interface SinkPolicy {
  /** Absent: `sync.upload`. */
  readonly upload?: UploadPolicy;
  /** Absent: `sync.when`. Empty: at any time. */
  readonly when?: readonly Alternative[];
  /** Absent: `sync.budget`. 0: any number of bytes. */
  readonly budgetBytesPerDay?: number;
  /** Absent: `sync.pass`. */
  readonly pass?: readonly PassClass[];
}

export const sinkPolicyOptions = ['when', 'budget', 'pass'] as const;

/** Reads the options `upload`, `when` (alternatives with `|` between them, or `always`), `budget` and `pass` (or `none`). */
export function parseSinkPolicy(
  given: ReadonlyMap<string, string>,
  fault: (name: 'upload' | (typeof sinkPolicyOptions)[number], allowed: string) => void,
): SinkPolicy {
  const uploadText = given.get('upload');
  const upload = uploadPolicies.find((one) => one === uploadText);
  if (uploadText !== undefined && upload === undefined) fault('upload', uploadPolicies.join(', '));
  const [whenText, budgetText, passText] = sinkPolicyOptions.map((name) => given.get(name));
  const when = whenText === 'always' ? [] : whenText?.split('|').map(parseAlternative);
  if (when?.includes(undefined)) fault('when', `always, or ${WHEN_FORM}; | between alternatives`);
  const budget = budgetText === undefined ? undefined : parseBytes(budgetText);
  if (budgetText !== undefined && budget === undefined) fault('budget', 'bytes per day, such as 2GB; 0: any');
  const pass =
    passText === 'none' ? [] : passText?.split(',').map((text) => passClasses.find((one) => one === text));
  if (pass?.includes(undefined)) fault('pass', `none, or ${passClasses.join(', ')} with commas between them`);
  return {
    ...(upload && { upload }),
    ...(when && { when: when.filter((one) => one !== undefined) }),
    ...(budget !== undefined && { budgetBytesPerDay: budget }),
    ...(pass && { pass: pass.filter((one) => one !== undefined) }),
  };
}
