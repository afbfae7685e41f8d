import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { present } from '../../../src/core/present.js';
import { packageRoot } from '../../../src/host/version.js';
import type { RosInstall } from '../../support/ros.js';

const run = promisify(execFile);

/** The messages alone: without the npm package and its native part, this takes less than a minute. */
const CMAKE = `cmake_minimum_required(VERSION 3.16)
project(holdfast)
find_package(ament_cmake REQUIRED)
find_package(builtin_interfaces REQUIRED)
find_package(geometry_msgs REQUIRED)
find_package(std_msgs REQUIRED)
find_package(rosidl_default_generators REQUIRED)
file(GLOB interfaces RELATIVE \${CMAKE_CURRENT_SOURCE_DIR} msg/*.msg srv/*.srv)
rosidl_generate_interfaces(\${PROJECT_NAME} \${interfaces}
  DEPENDENCIES builtin_interfaces geometry_msgs std_msgs)
ament_export_dependencies(rosidl_default_runtime)
ament_package()
`;

/**
 * The environment additions under which ROS knows this package's messages. They are built once per content of
 * msg/ and srv/ and machine, and kept in the temporary folder for the next run.
 */
export async function holdfastMessages(ros: RosInstall): Promise<NodeJS.ProcessEnv> {
  const hash = createHash('sha256').update(CMAKE).update(ros.distro);
  for (const folder of ['msg', 'srv']) {
    for (const name of readdirSync(join(packageRoot, folder)).sort()) {
      hash.update(name).update(readFileSync(join(packageRoot, folder, name)));
    }
  }
  const root = join(tmpdir(), `holdfast-test-messages-${userInfo().uid}`);
  const install = join(root, hash.digest('hex').slice(0, 16));
  if (!existsSync(install)) await build(ros, root, install);
  const sourced = ros.environment(0);
  const prepend = (name: string, path: string): NodeJS.ProcessEnv => ({
    [name]: [path, sourced[name]].filter(Boolean).join(':'),
  });
  return {
    ...prepend('AMENT_PREFIX_PATH', install),
    ...prepend('LD_LIBRARY_PATH', join(install, 'lib')),
    ...prepend('PYTHONPATH', pythonPackages(install)),
  };
}

/** Where CMake put the Python modules. On Debian and Ubuntu, Humble takes the places of Python's scheme `posix_local`. */
function pythonPackages(install: string): string {
  const found = [
    ['lib', 'site-packages'],
    ['local/lib', 'dist-packages'],
  ].flatMap(([lib = '', packages = '']) => {
    const folder = join(install, lib);
    const names = existsSync(folder) ? readdirSync(folder) : [];
    return names.filter((name) => name.startsWith('python')).map((name) => join(folder, name, packages));
  });
  return present(found[0]);
}

async function build(ros: RosInstall, root: string, install: string): Promise<void> {
  mkdirSync(root, { recursive: true });
  const work = mkdtempSync(join(root, 'build-'));
  try {
    const source = join(work, 'src');
    for (const name of ['msg', 'srv', 'package.xml']) {
      cpSync(join(packageRoot, name), join(source, name), { recursive: true });
    }
    writeFileSync(join(source, 'CMakeLists.txt'), CMAKE);
    const staged = join(work, 'install');
    const env = ros.environment(0);
    const options = { env, maxBuffer: 64 * 1024 * 1024 };
    const configure = ['-S', source, '-B', join(work, 'build'), `-DCMAKE_INSTALL_PREFIX=${staged}`];
    await run('cmake', [...configure, '-DBUILD_TESTING=OFF', '-DCMAKE_BUILD_TYPE=Debug'], options);
    await run('nice', ['cmake', '--build', join(work, 'build'), '--target', 'install', '-j2'], options);
    // Another process that built it meanwhile built the same.
    if (!existsSync(install)) renameSync(staged, install);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
