// Builds the add-on of the native receiver where ROS 2 is sourced. Without ROS it builds nothing and says so.
//
//   node native/build.mjs [--prebuilt] [node-gyp options]
//
// With --prebuilt it also copies the add-on to prebuilds/, under the name of what it was built for. An npm package
// takes those along; src/sources/ros/prebuilt-add-on.ts chooses one.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

/** Packages whose headers rcl includes, in layouts of one folder per package. */
const PACKAGES = [
  'rcl',
  'rcl_yaml_param_parser',
  'rcl_logging_interface',
  'rcutils',
  'rmw',
  'rosidl_runtime_c',
  'rosidl_typesupport_interface',
  'rosidl_dynamic_typesupport',
  'type_description_interfaces',
  'service_msgs',
  'builtin_interfaces',
  'rosidl_runtime_cpp',
  'tracetools',
];

/**
 * The ROS installation to build for.
 *
 * @returns undefined where none is sourced.
 */
function findRos(env) {
  const prefixes = (env.AMENT_PREFIX_PATH ?? '').split(':').filter((prefix) => prefix !== '');
  const prefix = prefixes.find((one) => existsSync(join(one, 'share', 'rcl', 'package.xml')));
  if (!env.ROS_DISTRO || prefix === undefined) return undefined;
  const manifest = readFileSync(join(prefix, 'share', 'rcl', 'package.xml'), 'utf8');
  const version = /<version>([^<]+)<\/version>/.exec(manifest)?.[1]?.trim() ?? 'unknown';
  const roots = prefixes.map((one) => join(one, 'include')).filter((one) => existsSync(one));
  const includes = roots.flatMap((root) => {
    const names = new Set(readdirSync(root));
    return PACKAGES.filter((name) => names.has(name)).map((name) => join(root, name));
  });
  return { prefix, version, includes: [...includes, ...roots] };
}

/** Node.js' own headers, where they lie beside it; node-gyp downloads others. */
function headers(env) {
  const prefix = dirname(dirname(process.execPath));
  const isThere = existsSync(join(prefix, 'include', 'node', 'node_api.h'));
  return isThere && !env.npm_config_nodedir ? { npm_config_nodedir: prefix } : {};
}

const isPrebuilt = process.argv.includes('--prebuilt');
const options = process.argv.slice(2).filter((option) => option !== '--prebuilt');

function main() {
  const ros = findRos(process.env);
  if (ros === undefined) {
    console.log('holdfast: ROS 2 is not sourced, so the native receiver is not built');
    return 0;
  }
  const { version } = JSON.parse(readFileSync(join(folder, '..', 'package.json'), 'utf8'));
  const { status } = spawnSync(
    process.execPath,
    [require.resolve('node-gyp/bin/node-gyp.js'), 'rebuild', '--loglevel=error', ...options],
    {
      cwd: folder,
      stdio: 'inherit',
      env: {
        ...process.env,
        ...headers(process.env),
        HOLDFAST_VERSION: version,
        HOLDFAST_RCL_VERSION: ros.version,
        HOLDFAST_ROS_PREFIX: ros.prefix,
        HOLDFAST_ROS_INCLUDES: ros.includes.join(' '),
      },
    },
  );
  if (status === 0 && isPrebuilt) keep();
  return status ?? 1;
}

/** Copies what was built to prebuilds/. */
function keep() {
  const codename = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]?.trim();
  const target = join(folder, 'prebuilds', `linux-${process.arch}`);
  const name = `${process.env.ROS_DISTRO}-${codename}-${process.arch}-holdfast_receiver.node`;
  mkdirSync(target, { recursive: true });
  copyFileSync(join(folder, 'build', 'Release', 'holdfast_receiver.node'), join(target, name));
  console.log(`holdfast: kept as ${join('native', 'prebuilds', `linux-${process.arch}`, name)}`);
}

process.exitCode = main();
