import { spawnSync } from 'node:child_process';
import { installDebianPackages } from './debian-packages.js';

const PYTHON = '/usr/bin/python3';
const PACKAGE = 'python3-prometheus-client';

function isThere(): boolean {
  return spawnSync(PYTHON, ['-c', 'import prometheus_client'], { stdio: 'ignore' }).status === 0;
}

/** Prometheus' own client library for Python, whose parser reads what we serve. */
export function installForTests(): void {
  if (!isThere()) installDebianPackages([PACKAGE]);
}

/** Why there is no parser here, or `undefined`. */
export function noParserBecause(): string | undefined {
  return isThere() ? undefined : `${PACKAGE} is not installed (apt-get install ${PACKAGE})`;
}

const PROGRAM = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
families = [
    {"name": f.name, "type": f.type, "help": f.documentation,
     "samples": [[s.name, dict(s.labels), s.value] for s in f.samples]}
    for f in text_string_to_metric_families(sys.stdin.read())
]
json.dump(families, sys.stdout)
`;

export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly (readonly [
    name: string,
    labels: Readonly<Record<string, string>>,
    value: number,
  ])[];
}

/** What Prometheus' parser makes of a text. Throws what it says where it does not understand. */
export function parseWithPrometheus(text: string): ParsedFamily[] {
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', PROGRAM], {
    encoding: 'utf8',
    input: text,
    maxBuffer: 64 * 2 ** 20,
    // A shell that sourced ROS points Python elsewhere.
    env: { PATH: process.env['PATH'] ?? '' },
  });
  if (status !== 0) throw new Error(`the parser failed: ${stderr}`);
  return JSON.parse(stdout) as ParsedFamily[];
}
