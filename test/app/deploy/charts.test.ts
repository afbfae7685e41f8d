import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { buildProgram } from '../../../src/app/cli/program.js';
import { packageRoot } from '../../../src/host/version.js';
import { lacking } from '../../../src/testing/lacking.js';
import { pythonWith } from '../../support/python-packages.js';

interface Container {
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext: { readonly readOnlyRootFilesystem: boolean };
}

interface KubernetesObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: {
    readonly replicas?: number;
    readonly template?: {
      readonly spec: {
        readonly containers: readonly Container[];
        readonly securityContext: { readonly runAsNonRoot: boolean };
      };
    };
    readonly endpoints?: readonly Readonly<Record<string, unknown>>[];
  };
}

interface Rendered {
  /** Why nothing was rendered. */
  readonly error?: string;
  readonly lint: readonly unknown[];
  /** What the schemas of Kubernetes refuse. */
  readonly faults: readonly string[];
  readonly objects: readonly KubernetesObject[];
}

const DISTRIBUTIONS = ['helm-python-sdk==0.2.2', 'kubernetes-validate==1.37.0', 'PyYAML'];
const OLDEST = '1.28';
const NEWEST = '1.37';
const external = { database: { host: 'postgresql.example' } };
const everything = {
  autoscaling: { enabled: true },
  bus: { credentialsSecret: { name: 'bus', key: 'ground.creds' } },
  ingress: { enabled: true, className: 'nginx', tlsSecretName: 'ground-tls' },
  nats: { enabled: true },
  postgresql: { enabled: true },
  serviceMonitor: { enabled: true },
  stores: ['s3://recordings/fleet-a'],
  tls: { secretName: 'ground-tls' },
};
const cases = [
  { chart: 'holdfast-ground', version: OLDEST, values: { ...external, persistence: { enabled: true } } },
  { chart: 'holdfast-ground', version: NEWEST, values: everything },
  { chart: 'holdfast-recorders', version: OLDEST, values: {} },
  {
    ...{ chart: 'holdfast-recorders', version: NEWEST },
    values: { store: 's3://recordings/simulators', ground: { url: 'ws://ground:8090' } },
  },
  { chart: 'holdfast-ground', version: NEWEST, values: { ...external, replicas: 2 } },
  { chart: 'holdfast-ground', version: NEWEST, values: { ...external, replica: 2 } },
] as const;

describe('charts for Kubernetes', function () {
  // PyPI's packages have 100 MB.
  this.timeout(300_000);
  let rendered: readonly Rendered[];

  before(function () {
    if (process.arch !== 'x64')
      lacking(this, 'helm', `PyPI has the library of Helm for x64, not ${process.arch}`);
    const python = pythonWith(['helm_python', 'kubernetes_validate', 'yaml'], DISTRIBUTIONS);
    if ('missing' in python) return lacking(this, 'helm', python.missing);
    const script = join(packageRoot, 'test', 'app', 'deploy', 'render-charts.py');
    const ran = spawnSync(python.path, [script, join(packageRoot, 'deploy', 'helm')], {
      input: JSON.stringify(cases),
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '' },
    });
    assert.equal(ran.status, 0, ran.stderr);
    rendered = JSON.parse(ran.stdout) as readonly Rendered[];
  });

  function workloads(): [KubernetesObject, Container][] {
    return rendered
      .slice(0, 4)
      .flatMap(({ objects }) => objects)
      .flatMap((one) =>
        (one.spec?.template?.spec.containers ?? []).map((each): [KubernetesObject, Container] => [one, each]),
      );
  }

  it('pass the linter of Helm, and the schemas of the oldest and the newest Kubernetes', () => {
    for (const [at, { error, lint, faults }] of rendered.slice(0, 4).entries())
      assert.deepEqual([error, lint, faults], [undefined, [], []], JSON.stringify(cases[at]));
    const kinds = new Set(rendered[1]!.objects.map(({ kind }) => kind));
    for (const kind of [
      'Deployment',
      'HorizontalPodAutoscaler',
      'PodDisruptionBudget',
      'Job',
      'NetworkPolicy',
    ])
      assert.ok(kinds.has(kind), kind);
    const monitor = rendered[1]!.objects.find(({ kind }) => kind === 'ServiceMonitor');
    assert.deepEqual(monitor?.spec?.endpoints?.[0]?.['authorization'], {
      type: 'Bearer',
      credentials: { name: 'holdfast-viewer', key: 'token' },
    });
  });

  it('run everything without root, on a root file system that is read-only', () => {
    assert.ok(workloads().length > 5);
    for (const [{ kind, metadata, spec }, { securityContext }] of workloads()) {
      assert.ok(spec?.template?.spec.securityContext.runAsNonRoot, `${kind} ${metadata.name}`);
      assert.ok(securityContext.readOnlyRootFilesystem, `${kind} ${metadata.name}`);
    }
  });

  it('give no secret by its value', () => {
    const passwords = workloads().flatMap(([, { env = [] }]) =>
      env.filter(({ name }) => /PASSWORD/.test(name)),
    );
    assert.ok(passwords.length >= 4);
    for (const one of passwords) assert.equal(one.value, undefined);
    assert.ok(rendered.slice(0, 4).every(({ objects }) => objects.every(({ kind }) => kind !== 'Secret')));
  });

  it('pass only options that the commands have', () => {
    const program = buildProgram(() => Promise.resolve());
    for (const [{ kind, metadata }, { args = [] }] of workloads()) {
      const command = program.commands.find((one) => one.name() === args[0]);
      if (command === undefined) continue;
      const known = command.options.map(({ long }) => long);
      for (const flag of args.filter((one) => one.startsWith('--')).map((one) => one.split('=')[0]!))
        assert.ok(known.includes(flag), `${kind} ${metadata.name}: ${flag}`);
    }
  });

  it('change the schema before an install, or after it if the chart brings the database', () => {
    const hooks = rendered.slice(0, 2).map(({ objects }) => {
      const job = objects.find(({ kind }) => kind === 'Job');
      return job?.metadata.annotations?.['helm.sh/hook'];
    });
    assert.deepEqual(hooks, ['pre-install,pre-upgrade', 'post-install,pre-upgrade']);
  });

  it('refuse several processes without a bus, and values that they do not know', () => {
    assert.match(rendered[4]!.error ?? '', /replicas above 1 and autoscaling need bus\.url or nats\.enabled/);
    assert.match(rendered[5]!.error ?? '', /replica/);
  });
});
