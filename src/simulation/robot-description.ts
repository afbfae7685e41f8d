const links = [
  ['imu', '0.02 0.02 0.01', '0 0 0.1'],
  ['laser', '0.05 0.05 0.05', '0.1 0 0.3'],
  ['lidar', '0.1 0.1 0.08', '0 0 0.6'],
  ['camera', '0.03 0.08 0.03', '0.25 0 0.5'],
  ['gps', '0.04 0.04 0.02', '-0.1 0 0.4'],
] as const;

/** The URDF of one vehicle. */
export function describeRobot(name: string): string {
  const parts = links.map(
    ([link, size, origin]) => `  <link name="${name}/${link}">
    <visual><geometry><box size="${size}"/></geometry></visual>
  </link>
  <joint name="${name}/${link}_joint" type="fixed">
    <parent link="${name}/base_link"/>
    <child link="${name}/${link}"/>
    <origin xyz="${origin}" rpy="0 0 0"/>
  </joint>`,
  );
  return `<?xml version="1.0"?>
<robot name="${name}">
  <link name="${name}/base_link">
    <visual>
      <origin xyz="0 0 0.15"/>
      <geometry><cylinder radius="0.3" length="0.3"/></geometry>
    </visual>
    <inertial>
      <mass value="25"/>
      <inertia ixx="0.75" ixy="0" ixz="0" iyy="0.75" iyz="0" izz="1.1"/>
    </inertial>
  </link>
${parts.join('\n')}
</robot>
`;
}
