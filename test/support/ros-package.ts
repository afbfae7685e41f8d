import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { startRos, type RosInstall } from './ros.js';

/** The package {@link buildTestPackage} builds: one message, `holdfast_test_msgs/msg/Late`. */
const files: Readonly<Record<string, string>> = {
  'msg/Late.msg': '# Comes late.\ngeometry_msgs/Point[] points\nint32 number\n',
  'package.xml': `<?xml version="1.0"?>
<package format="3">
  <name>holdfast_test_msgs</name>
  <version>0.0.0</version>
  <description>Built by a test</description>
  <maintainer email="none@example.org">none</maintainer>
  <license>Apache-2.0</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <build_depend>rosidl_default_generators</build_depend>
  <depend>geometry_msgs</depend>
  <exec_depend>rosidl_default_runtime</exec_depend>
  <member_of_group>rosidl_interface_packages</member_of_group>
  <export><build_type>ament_cmake</build_type></export>
</package>
`,
  'CMakeLists.txt': `cmake_minimum_required(VERSION 3.8)
project(holdfast_test_msgs)
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
find_package(geometry_msgs REQUIRED)
rosidl_generate_interfaces(\${PROJECT_NAME} "msg/Late.msg" DEPENDENCIES geometry_msgs)
ament_package()
`,
};

/** Builds a small message package with colcon below the folder; gives its install prefix. Takes half a minute. */
export async function buildTestPackage(ros: RosInstall, folder: string): Promise<string> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, 'src', name);
    await fs.mkdir(join(path, '..'), { recursive: true });
    await fs.writeFile(path, text);
  }
  const prefix = join(folder, 'built');
  const args = ['build', '--merge-install', '--install-base', prefix, '--base-paths', 'src'];
  const child = startRos(ros, 'colcon', args, { domainId: 0, cwd: folder, env: { MAKEFLAGS: '-j2' } });
  const code = await child.ended;
  if (code !== 0) throw new Error(`colcon build ended with ${code}:\n${child.output().slice(-4_000)}`);
  return prefix;
}
