import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { createBucket, type S3Server } from './s3-server.js';

/** A running OpenStack Swift with its S3 interface, on loopback. */
export interface Swift extends S3Server {
  stop(): Promise<void>;
}

const REGION = 'us-east-1';
/** Small pages, so that a dozen parts need several. */
const PAGE_SIZE = 5;
const START_TIMEOUT_MS = 90_000;
/** The distribution's own interpreter: another one does not see its packages. */
const PYTHON = '/usr/bin/python3';

let running: Promise<Swift> | undefined;

/**
 * Starts Swift once per process; every caller shares it, and it ends with the process at the latest. Only
 * the library package `python3-swift` is needed (installed by apt where it is missing), not the packages
 * that would start services. Rejects where it cannot be had; the message says why.
 */
export function startSwift(): Promise<Swift> {
  running ??= start();
  return running;
}

async function start(): Promise<Swift> {
  installIfMissing();
  const folder = makeFolder();
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()];
  const child = spawn(PYTHON, ['-c', LAUNCHER, folder, userInfo().username, ...ports.map(String)], {
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
  });
  const kill = (): void => {
    // Its four servers die with it.
    if (child.pid !== undefined) killGroup(child.pid);
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', kill);
  const endpoint = `http://127.0.0.1:${ports[0]}`;
  const credentials = { accessKeyId: 'test:tester', secretAccessKey: 'testing' };
  try {
    await waitUntilReady(child, ports);
  } catch (error) {
    kill();
    throw error;
  }
  child.unref();
  (child.stderr as unknown as { unref(): void }).unref();
  (child.stdin as unknown as { unref(): void }).unref();
  const server = { endpoint, ...credentials };
  return {
    ...server,
    createBucket: (name) => createBucket(server, name, REGION),
    stop: () => {
      running = undefined;
      process.off('exit', kill);
      kill();
      return Promise.resolve();
    },
  };
}

/** In memory where there is such a place: Swift syncs every object, which a test has no use for. */
function makeFolder(): string {
  try {
    return mkdtempSync('/dev/shm/holdfast-swift-');
  } catch {
    return mkdtempSync(join(tmpdir(), 'holdfast-swift-'));
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Already gone.
  }
}

function installIfMissing(): void {
  try {
    execFileSync(PYTHON, ['-c', 'import swift'], { stdio: 'ignore' });
    return;
  } catch {
    // Not there yet.
  }
  // Another file of tests may install at the same time.
  const apt = ['install', '-y', '-o', 'DPkg::Lock::Timeout=120', '--no-install-recommends', 'python3-swift'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    execFileSync('apt-get', apt, { stdio: 'ignore', timeout: 240_000, env });
  } catch {
    execFileSync('apt-get', ['update'], { stdio: 'ignore', timeout: 120_000, env });
    execFileSync('apt-get', apt, { stdio: 'ignore', timeout: 240_000, env });
  }
}

async function waitUntilReady(child: ChildProcess, ports: readonly number[]): Promise<void> {
  let said = '';
  child.stderr?.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-4000);
  });
  const until = Date.now() + START_TIMEOUT_MS;
  for (const port of ports) {
    for (;;) {
      const status = await fetch(`http://127.0.0.1:${port}/healthcheck`).then(
        (response) => response.status,
        () => 0,
      );
      if (status === 200) break;
      if (child.exitCode !== null || Date.now() > until) {
        throw new Error(`Swift did not start (exit code ${child.exitCode}): ${said}`);
      }
      await sleep(50);
    }
  }
}

/**
 * Builds three rings of one device, writes the configurations, forks the four servers. A dictionary stands
 * in for memcached, of which the proxy is the only user. Ends when its standard input does: a test run that
 * was killed leaves nothing behind.
 */
const LAUNCHER = String.raw`
import ctypes, os, signal, sys, time

folder, user = sys.argv[1], sys.argv[2]
ports = dict(zip(('proxy', 'account', 'container', 'object'), sys.argv[3:7]))

import swift.common.utils as utils
conf = os.path.join(folder, 'swift.conf')
with open(conf, 'w') as out:
    out.write('[swift-hash]\nswift_hash_path_suffix = test\nswift_hash_path_prefix = test\n')
    out.write('[storage-policy:0]\nname = gold\ndefault = yes\n')
utils.SWIFT_CONF_FILE = conf
utils.HASH_PATH_PREFIX = b'test'
utils.HASH_PATH_SUFFIX = b'test'

# Loaded once, before the servers fork off: this is most of what their start costs.
import paste.deploy, pkg_resources
import swift.account.server, swift.container.server, swift.obj.server, swift.proxy.server
import swift.common.middleware.s3api.s3api
from swift.common.ring import RingBuilder
from swift.common.wsgi import run_wsgi

class Memory(object):
    def __init__(self):
        self.values = {}
    def get(self, key, **kw):
        value, until = self.values.get(key, (None, 0))
        return value if until == 0 or until > time.time() else None
    def set(self, key, value, time=0, **kw):
        self.values[key] = (value, time and time + now())
    def incr(self, key, delta=1, time=0, **kw):
        value = int(self.get(key) or 0) + delta
        self.set(key, value, time=time)
        return value
    def decr(self, key, delta=1, time=0, **kw):
        return self.incr(key, -delta, time)
    def delete(self, key, **kw):
        self.values.pop(key, None)
    def set_multi(self, mapping, server_key=None, time=0, **kw):
        for key, value in mapping.items():
            self.set(key, value, time=time)
    def get_multi(self, keys, server_key=None, **kw):
        return [self.get(key) for key in keys]

now = time.time

def memory_factory(global_conf, **local_conf):
    memory = Memory()
    def wrap(app):
        def handle(env, start_response):
            env['swift.cache'] = memory
            return app(env, start_response)
        return handle
    return wrap

import types
module = types.ModuleType('holdfast_memory')
module.memory_factory = memory_factory
sys.modules['holdfast_memory'] = module

for kind in ('account', 'container', 'object'):
    builder = RingBuilder(4, 1, 0)
    builder.add_dev({'id': 0, 'region': 1, 'zone': 1, 'weight': 1.0, 'device': 'd1', 'meta': '',
                     'ip': '127.0.0.1', 'port': int(ports[kind]),
                     'replication_ip': '127.0.0.1', 'replication_port': int(ports[kind])})
    builder.rebalance()
    builder.get_ring().save(os.path.join(folder, kind + '.ring.gz'))
os.makedirs(os.path.join(folder, 'devices', 'd1'))

common = '''[DEFAULT]
bind_ip = 127.0.0.1
bind_port = %(port)s
user = %(user)s
swift_dir = %(folder)s
devices = %(folder)s/devices
mount_check = false
workers = 0
log_level = CRITICAL
log_address = /dev/null
fallocate_reserve = 0
disable_fallocate = true
'''
proxy = '''
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck memory listing_formats s3api tempauth bulk slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:memory]
paste.filter_factory = holdfast_memory:memory_factory
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = ${REGION}
min_segment_size = 1
max_parts_listing = ${PAGE_SIZE}
max_bucket_listing = ${PAGE_SIZE}
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
'''
backend = '''
[pipeline:main]
pipeline = healthcheck %(kind)s-server
[app:%(kind)s-server]
use = egg:swift#%(kind)s
[filter:healthcheck]
use = egg:swift#healthcheck
'''
for kind, port in ports.items():
    values = {'port': port, 'user': user, 'folder': folder, 'kind': kind}
    text = common % values + (proxy if kind == 'proxy' else backend % values)
    with open(os.path.join(folder, kind + '-server.conf'), 'w') as out:
        out.write(text)

for kind in ports:
    pid = os.fork()
    if pid == 0:
        # PR_SET_PDEATHSIG: the servers start sessions of their own, out of reach of a group's signal.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        sys.exit(run_wsgi(os.path.join(folder, kind + '-server.conf'), kind + '-server'))

while os.read(0, 1):
    pass
`;
import { sleep } from '../../src/testing/waiting.js';
