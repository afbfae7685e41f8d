import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '../../core/errors.js';
import { configInvalid } from '../../settings/fault.js';
import { packageRoot } from '../../host/version.js';
import type { CheckRule } from './check-rule.js';
import { parseRules } from './parse-rules.js';

const DEFAULT_FILE = join(packageRoot, 'config', 'check-rules.yaml');

/** The text of the bundled rules. */
export function defaultRulesText(): Promise<string> {
  return readFile(DEFAULT_FILE, 'utf8');
}

/** The rules of a file, or the bundled ones. Throws `CONFIG_INVALID` with all faults. */
export async function loadRules(path?: string): Promise<readonly CheckRule[]> {
  const base = parseRules(await defaultRulesText(), DEFAULT_FILE);
  if (path === undefined || base.faults.length > 0) {
    if (base.faults.length > 0) throw configInvalid(base.faults);
    return base.rules;
  }
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw configInvalid([
      {
        where: '--rules',
        path: 'rules',
        value: path,
        allowed: `a file that can be read: ${describeError(error)}`,
      },
    ]);
  }
  const { rules, faults } = parseRules(text, path, base.rules);
  if (faults.length > 0) throw configInvalid(faults);
  return rules;
}
