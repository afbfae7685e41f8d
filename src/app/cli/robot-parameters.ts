import { HoldfastError } from '../../core/errors.js';
import type { LiveParameter, ParameterValue } from '../../core/monitoring.js';
import { exitCodes } from '../../host/exit-code.js';
import type { CommandResult, Invocation } from './command-definition.js';
import { groundClient } from './ground-client.js';

/** The robot answers the ground within 30 s. */
const TIMEOUT_MS = 35_000;

/**
 * Shows what can be set on a robot while it records, or sets one of it, through a running ground. Throws
 * `REQUEST_INVALID` for a parameter that the robot does not have, and the errors of {@link groundClient}.
 */
export async function robotParameters(
  robot: string,
  [name, ...words]: readonly string[],
  invocation: Invocation,
): Promise<CommandResult> {
  const { ask } = await groundClient(invocation, {
    ...{ url: 'url', tokenFile: 'tokenFile', timeoutMs: TIMEOUT_MS },
  });
  const path = `api/robots/${encodeURIComponent(robot)}`;
  const { parameters } = (await ask('GET', `${path}/parameters`)) as { parameters: readonly LiveParameter[] };
  if (name === undefined) {
    for (const one of parameters)
      await invocation.say(`${one.name} = ${textOf(one.value)}${unitOf(one)}  (${one.allowed})`);
    return { exitCode: exitCodes.ok, json: { ok: true, robot, parameters } };
  }
  const parameter = parameters.find((one) => one.name === name);
  if (parameter === undefined) {
    const allowed = parameters.map((one) => one.name).join(', ');
    throw new HoldfastError(
      'REQUEST_INVALID',
      `${robot} has no live parameter ${name}, allowed: ${allowed}`,
      {
        facts: { robot, name },
      },
    );
  }
  if (words.length === 0) {
    await invocation.say(`${name} = ${textOf(parameter.value)}${unitOf(parameter)}  (${parameter.allowed})`);
    return { exitCode: exitCodes.ok, json: { ok: true, robot, parameters: [parameter] } };
  }
  const value = valueOf(parameter, words);
  await ask('POST', `${path}/control/set_parameter`, { parameter: name, value });
  await invocation.say(
    `${robot}: ${name} = ${textOf(value)}${unitOf(parameter)}, until its recorder starts again`,
  );
  return { exitCode: exitCodes.ok, json: { ok: true, robot, parameter: name, value } };
}

/** As a configuration file has it; the robot refuses what is not allowed. */
function valueOf({ name, kind }: LiveParameter, words: readonly string[]): ParameterValue {
  if (kind === 'texts') return words;
  const [word = '', ...more] = words;
  if (more.length > 0) {
    throw new HoldfastError('REQUEST_INVALID', `${name} is "${words.join(' ')}", allowed: one value`, {
      facts: { name, words },
    });
  }
  if (kind === 'boolean' && (word === 'true' || word === 'false')) return word === 'true';
  const isNumber =
    (kind === 'integer' || kind === 'real') && word.trim() !== '' && Number.isFinite(Number(word));
  return isNumber ? Number(word) : word;
}

function textOf(value: ParameterValue): string {
  return typeof value === 'object' ? value.join(' ') : String(value);
}

function unitOf({ unit }: LiveParameter): string {
  return unit === '' ? '' : ` ${unit}`;
}
