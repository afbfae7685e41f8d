import { join } from 'node:path';
import { readStateIfReadable } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import type { Fact } from '../core/send-policy/facts.js';
import {
  CONDITION_VALUES_FILE,
  conditionValueFiles,
  type TopicValue,
} from '../core/send-policy/topic-values.js';

/** What the recorder says about the fields of topics. Rejects only if the disk fails. */
export async function readConditionValues(
  fs: FileSystem,
  root: string,
): Promise<Fact<readonly TopicValue[]>> {
  const bytes = await readStateIfReadable(fs, join(root, CONDITION_VALUES_FILE));
  if (bytes === undefined) return { unknown: 'no recorder has written values of topics' };
  const file = conditionValueFiles.parseIfValid(bytes.toString('utf8'));
  return file ? { value: file.values } : { unknown: `${CONDITION_VALUES_FILE} is damaged` };
}
