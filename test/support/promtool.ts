import { spawnSync } from 'node:child_process';

const PROMTOOL = 'promtool';

/** Why Prometheus' own checker of rules is not here, or `undefined`. */
export function noPromtoolBecause(): string | undefined {
  const { status } = spawnSync(PROMTOOL, ['--version'], { stdio: 'ignore' });
  return status === 0 ? undefined : `${PROMTOOL} is not there (apt-get install prometheus)`;
}

/** Empty: Prometheus reads the rules of the file. Otherwise what it says. */
export function faultsOfRules(file: string): string {
  const { status, stdout, stderr } = spawnSync(PROMTOOL, ['check', 'rules', file], { encoding: 'utf8' });
  return status === 0 ? '' : `${stdout}${stderr}`;
}
