import { nodeFlags, smallEnvironment, smallNodeFlags } from '../../core/node-flags.js';

/** What the units of a machine differ in. */
export interface ServicePlan {
  /** `cli`: one unit that runs `holdfast up`. `ros`: one unit for each node. */
  readonly kind: 'cli' | 'ros';
  /** Name of the unit without a suffix; the nodes append `-recorder` and `-sync`. */
  readonly name: string;
  /** User and group of the processes. */
  readonly user: string;
  /** Absolute path of the data folder. */
  readonly data: string;
  /** Absolute path of the parameter file. */
  readonly config: string;
  /** Absolute paths of Node.js and of the command line. */
  readonly node: string;
  readonly main: string;
  /** With `profile: small`: less memory. */
  readonly small: boolean;
  /** Setup file of the colcon workspace (`ros` only). */
  readonly setup: string;
  /** Seconds without a sign of life after which systemd restarts the service (`cli` only). */
  readonly watchdogS: number;
  /** Starts within ten minutes after which systemd gives up; 0: never. */
  readonly startsMax: number;
}

/** A unit file: its name and its text. */
export interface Unit {
  readonly name: string;
  readonly text: string;
}

/** The units, in the order in which they start. */
export function renderUnits(plan: ServicePlan): readonly Unit[] {
  if (plan.kind === 'cli') return [renderCli(plan)];
  return [renderNode(plan, 'recorder', 120), renderNode(plan, 'sync', 60)];
}

function renderCli(plan: ServicePlan): Unit {
  const command = [
    plan.node,
    ...nodeFlags,
    ...(plan.small ? smallNodeFlags : []),
    plan.main,
    'up',
    `--config=${plan.config}`,
    `--data=${plan.data}`,
    ...(plan.small ? ['--profile=small'] : []),
  ];
  const type = [
    'Type=notify',
    '# systemd-notify, a child of the main process, sends the messages.',
    'NotifyAccess=all',
    `WatchdogSec=${plan.watchdogS}`,
    `ExecStart=${command.map(argument).join(' ')}`,
  ];
  return {
    name: `${plan.name}.service`,
    text: render(plan, 'Holdfast: record this robot and upload its recordings', type, 120),
  };
}

function renderNode(plan: ServicePlan, node: 'recorder' | 'sync', stopS: number): Unit {
  // systemd makes one $ of two.
  const script =
    'source "$${HOLDFAST_SETUP}" && exec "$$(ros2 pkg prefix holdfast)/lib/holdfast/' +
    `${node}" --ros-args --params-file "$$0" -p data:="$$1"`;
  const type = [
    'Type=exec',
    'EnvironmentFile=-/etc/holdfast/ros.env',
    `Environment=${quote(`HOLDFAST_SETUP=${plan.setup}`)}`,
    'Environment=ROS_LOG_DIR=/var/log/holdfast',
    '# The executable itself, not "ros2 run", which would not hand a signal on.',
    `ExecStart=/bin/bash -c '${script}${plan.small ? ' -p profile:=small' : ''}' ${argument(plan.config)} ${argument(plan.data)}`,
  ];
  return {
    name: `${plan.name}-${node}.service`,
    text: render(plan, `Holdfast: the node holdfast_${node}`, type, stopS),
  };
}

function render(plan: ServicePlan, about: string, type: readonly string[], stopS: number): string {
  return `# Written by holdfast install-service, which also removes it (--uninstall). Changes belong into a drop-in.
[Unit]
Description=${about}
# The clock is set, the network is up if the machine waits for it, and the disk of the data is mounted.
Wants=network-online.target
After=time-sync.target network-online.target local-fs.target remote-fs.target
RequiresMountsFor=${quote(plan.data)} ${quote(plan.config)}
${limits(plan.startsMax)}

[Service]
${[...type, ...(plan.small ? memoryLines() : [])].join('\n')}
User=${plan.user}
Group=${plan.user}
# The first signal commits and seals; a second one ends the process at once. So only the main process gets one.
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec=${stopS}
Restart=always
RestartSec=2
# Ended by a signal on request; and a fault in the configuration does not go away by trying again.
SuccessExitStatus=130 143
RestartPreventExitStatus=2
StandardOutput=journal
StandardError=journal
SyslogIdentifier=${plan.name}
Nice=5
OOMScoreAdjust=200
LimitNOFILE=65536
${hardening(plan.data)}

[Install]
WantedBy=multi-user.target
`;
}

/** Profile small: what glibc reads at the start. */
function memoryLines(): readonly string[] {
  return Object.entries(smallEnvironment).map(([name, value]) => `Environment=${name}=${value}`);
}

function limits(startsMax: number): string {
  if (startsMax === 0) {
    return '# Never give up: a robot in the field has nobody to start it again.\nStartLimitIntervalSec=0';
  }
  return `StartLimitIntervalSec=600\nStartLimitBurst=${startsMax}`;
}

/**
 * Not MemoryDenyWriteExecute: V8 compiles JavaScript to machine code. Not PrivateTmp: `holdfast status` finds the
 * control socket in the temporary folder. AF_NETLINK: a middleware lists the interfaces.
 */
function hardening(data: string): string {
  return `StateDirectory=holdfast
LogsDirectory=holdfast
UMask=0027
ReadWritePaths=${quote(`-${data}`)} /tmp
ProtectSystem=strict
ProtectHome=read-only
PrivateDevices=true
ProtectKernelTunables=true
ProtectKernelModules=true
ProtectKernelLogs=true
ProtectControlGroups=true
ProtectClock=true
ProtectHostname=true
NoNewPrivileges=true
CapabilityBoundingSet=
RestrictSUIDSGID=true
RestrictNamespaces=true
RestrictRealtime=true
LockPersonality=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service`;
}

/** An argument of a command line: `$` stands for itself. */
function argument(value: string): string {
  return quote(value).replaceAll('$', '$$$$');
}

/** A value of a unit file: `%` stands for itself, and spaces need quotes. */
function quote(value: string): string {
  const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%');
  return /[\s"'\\;]/.test(value) ? `"${escaped}"` : escaped;
}
