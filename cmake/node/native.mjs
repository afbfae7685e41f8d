// rclnodejs' native addon: one per rclnodejs version, ROS distribution, Node.js ABI and processor.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './run.mjs';

/** Generated classes every node needs; rclnodejs' generator reports its errors in its output only. */
const NEEDED = ['builtin_interfaces', 'rcl_interfaces', 'rosgraph_msgs', 'std_srvs'];

/** What rclnodejs needs and the first releases of Jazzy lack. */
const COMPAT = fileURLToPath(new URL('../rcl-compat.hpp', import.meta.url));

/**
 * Puts the addon into the copy's rclnodejs: from the cache, from the binaries rclnodejs ships for Ubuntu, or
 * compiled. Then nothing is left that could compile it again at a start.
 */
export function buildNative({ tree, environment, cache, jobs, env }) {
  const rclnodejs = join(tree, 'node_modules', 'rclnodejs');
  const manifestPath = join(rclnodejs, 'package.json');
  const manifest = JSON.parse(readFileSync(manifestPath, 'utf8'));
  const { rosDistro, nodeAbi, platform, arch } = environment;
  const key = `rclnodejs-${manifest.version}-${rosDistro}-node${nodeAbi}-${platform}-${arch}`;
  const addon = join(rclnodejs, 'build', 'Release', 'rclnodejs.node');
  const cached = join(cache, key, 'rclnodejs.node');
  mkdirSync(dirname(addon), { recursive: true });
  const origin = existsSync(cached) ? 'cache' : provide({ rclnodejs, addon, jobs, env, environment });
  if (origin === 'cache') copyFileSync(cached, addon);
  else store(addon, cached);
  console.log(
    `holdfast: native addon of rclnodejs: ${{ cache: `taken from ${cached}`, shipped: 'as shipped', compiled: 'compiled' }[origin]}`,
  );

  generateMessages(rclnodejs, env);
  // The loader tries whatever fits ROS_DISTRO, then compiles: neither may happen at a start.
  rmSync(join(rclnodejs, 'prebuilds'), { recursive: true, force: true });
  delete manifest.scripts;
  writeFileSync(manifestPath, `${JSON.stringify(manifest, undefined, 2)}\n`);
  writeFileSync(
    join(tree, 'native-build.json'),
    `${JSON.stringify({ ...environment, rclnodejs: manifest.version, origin }, undefined, 2)}\n`,
  );
}

function provide({ rclnodejs, addon, jobs, env, environment }) {
  const shipped = shippedAddon(rclnodejs, environment);
  if (shipped !== undefined) {
    copyFileSync(shipped, addon);
    return 'shipped';
  }
  // As rclnodejs' own install script, but with as many compilers as there are cores instead of 16.
  const nodeGyp = createRequire(join(rclnodejs, 'package.json')).resolve('node-gyp/bin/node-gyp.js');
  run(process.execPath, [nodeGyp, 'rebuild', `-j${jobs}`, '--loglevel=error'], {
    cwd: rclnodejs,
    env: { ...env, CXXFLAGS: `${env.CXXFLAGS ?? ''} -include "${COMPAT}"` },
  });
  if (!existsSync(addon)) throw new Error(`node-gyp succeeded, but ${addon} is not there`);
  return 'compiled';
}

/** The binary rclnodejs ships for exactly this distribution, Ubuntu release and processor. */
function shippedAddon(rclnodejs, { rosDistro, platform, arch }) {
  if (platform !== 'linux' || !existsSync('/etc/os-release')) return undefined;
  const release = readFileSync('/etc/os-release', 'utf8');
  const codename = /^UBUNTU_CODENAME=["']?(\w+)/m.exec(release)?.[1];
  const path = join(
    rclnodejs,
    'prebuilds',
    `linux-${arch}`,
    `${rosDistro}-${codename}-${arch}-node-rclnodejs.node`,
  );
  return existsSync(path) ? path : undefined;
}

/** Into a cache that others may read at the same moment. */
function store(addon, cached) {
  mkdirSync(dirname(cached), { recursive: true });
  const temporary = `${cached}.${process.pid}`;
  copyFileSync(addon, temporary);
  renameSync(temporary, cached);
}

function generateMessages(rclnodejs, env) {
  run(process.execPath, ['scripts/generate_messages.cjs'], { cwd: rclnodejs, env });
  const missing = NEEDED.filter((name) => !existsSync(join(rclnodejs, 'generated', name)));
  if (missing.length > 0) {
    throw new Error(
      `rclnodejs generated no classes for ${missing.join(', ')}: are these packages installed and sourced?`,
    );
  }
}
