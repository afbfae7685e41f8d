import type { AgeingStep } from '../../../deletion/age-store.js';
import type { AgeingRule } from '../../../deletion/ageing-rule.js';
import { describeError, HoldfastError } from '../../../core/errors.js';
import { STORE_FORMS } from '../../../core/store-uri.js';
import type { Store } from '../../../core/store.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanBytes, humanCount, printable } from '../../../host/human.js';
import { parseBytes } from '../../../settings/units.js';
import { configInvalid } from '../../../settings/fault.js';
import { openConfiguredStore } from '../../setup/open-configured-store.js';
import type { CommandDefinition, Invocation } from '../command-definition.js';
import { collectFaults, placeParameters, runBy, type AddFault } from '../deletion-arguments.js';

export const ageCommand: CommandDefinition = {
  name: 'age',
  summary: 'delete old segments of a store, or move them to another store, by rules',
  description:
    'Applies rules by age, class and robot to the segments of a store (docs/deletion.md). The first rule that fits a ' +
    'segment decides: keep, delete, or move to another store. Without --yes it changes nothing and says what would ' +
    'happen. Each segment that goes leaves a tombstone, and a moved one goes only when the other store has it, ' +
    'verified. A legal hold beats every rule. One run does at most what --max-segments and --max-bytes allow; ' +
    'run it again, such as from a timer, to continue.',
  examples: [
    ['holdfast age s3://rec/fleet --rule "delete after=30d class=low"', 'what would go'],
    [
      'holdfast age s3://rec/fleet --yes --rule "keep robot=r1" --rule "move after=90d to=s3://rec-cold/fleet?storage_class=GLACIER_IR"',
      'move what is older than 90 days, but not of r1',
    ],
    ['holdfast age dir:/mnt/nas --rules ageing.txt --yes', 'rules of a file, one a line; # begins a comment'],
  ],
  parameters: placeParameters,
  configure(command) {
    command
      .argument('<store>', STORE_FORMS)
      .option('--rule <rule...>', 'keep, delete or move, with after=, class=, robot= (name or VIN) and to=')
      .option('--rules <file>', 'file of rules, one a line, before those of --rule')
      .option('--yes', 'do it')
      .option('--max-segments <n>', 'segments that one run deletes or moves', '1000')
      .option('--max-bytes <size>', 'bytes that one run deletes or moves', '1TiB')
      .option('--by <name>', 'who, for tombstones (default: this user at this host)');
  },
  async run(invocation) {
    const { args, options, ports, stop, terminal } = invocation;
    const { add, check } = collectFaults();
    const rules = await readRules(invocation, add);
    const limits = parseLimits(options, add);
    check();
    const resolved = invocation.resolve('sync');
    if (resolved.faults.length > 0) throw configInvalid(resolved.faults);
    const { ageStore } = await import('../../../deletion/age-store.js');
    const isReal = options['yes'] === true;
    await using store = await openConfiguredStore(args[0] ?? '', resolved, ports);
    await using opened = new OpenTargets();
    const { targets } = opened;
    for (const { to } of rules) {
      if (to !== undefined && !targets.has(to))
        targets.set(to, await openConfiguredStore(to, resolved, ports));
    }
    const { clock, random } = ports;
    const tell = ({ kind, key, bytes, why }: AgeingStep): void =>
      terminal.note(
        `${isReal ? '' : 'would be '}${kind}: ${printable(key)} (${humanBytes(bytes)}): ${printable(why)}\n`,
      );
    const report = await ageStore({
      ...{ store, rules, targets, limits, isReal, by: runBy(invocation), clock, random },
      ...{ signal: stop.signal, onStep: tell },
    });
    const { deleted, moved, kept, failed, bytes, more } = report;
    await invocation.say(
      `${isReal ? '' : 'would: '}${humanCount(deleted)} deleted, ${humanCount(moved)} moved ` +
        `(${humanBytes(bytes)}), ${humanCount(kept)} kept by legal holds, ${humanCount(failed)} failed` +
        (more ? '; the limits of one run are reached, run it again for the rest' : ''),
    );
    const ok = failed === 0;
    return { exitCode: ok ? exitCodes.ok : exitCodes.findings, json: { ok, isReal, ...report } };
  },
};

/** The stores of the rules, by their URIs. */
class OpenTargets implements AsyncDisposable {
  readonly targets = new Map<string, Store>();

  async [Symbol.asyncDispose](): Promise<void> {
    for (const store of this.targets.values()) await store[Symbol.asyncDispose]();
  }
}

async function readRules({ options, ports }: Invocation, add: AddFault): Promise<readonly AgeingRule[]> {
  const { AGEING_RULE_FORM, parseAgeingRule } = await import('../../../deletion/ageing-rule.js');
  const path = options['rules'];
  const lines = typeof path === 'string' ? await readLines(path, ports.fs) : [];
  const rules: AgeingRule[] = [];
  const texts = [...lines, ...((options['rule'] as readonly string[] | undefined) ?? [])];
  if (texts.length === 0) add('rule', undefined, `give at least one: ${AGEING_RULE_FORM}`);
  for (const text of texts) {
    const rule = parseAgeingRule(text);
    if (rule === undefined) add('rule', text, `allowed: ${AGEING_RULE_FORM}`);
    else rules.push(rule);
  }
  return rules;
}

async function readLines(path: string, fs: Invocation['ports']['fs']): Promise<readonly string[]> {
  try {
    const text = await fs.readFile(path, 'utf8');
    return text
      .split(/\r?\n/)
      .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
      .filter((line) => line !== '');
  } catch (cause) {
    throw new HoldfastError('REQUEST_INVALID', `the rules ${path} cannot be read: ${describeError(cause)}`, {
      cause,
      facts: { path },
    });
  }
}

function parseLimits(
  options: Invocation['options'],
  add: AddFault,
): { readonly segments: number; readonly bytes: number } {
  const segments = Number(options['maxSegments']);
  const bytes = parseBytes(String(options['maxBytes']));
  if (!Number.isSafeInteger(segments) || segments < 1) {
    add('max-segments', options['maxSegments'], 'allowed: a whole number, 1 or more');
  }
  if (bytes === undefined || bytes === 0)
    add('max-bytes', options['maxBytes'], 'allowed: a size, such as 100GiB');
  return { segments, bytes: bytes ?? 0 };
}
