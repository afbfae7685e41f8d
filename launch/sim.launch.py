"""
Runs everything on one machine, with a simulated fleet that publishes real topics. Use it to try Holdfast and its
settings without a robot.

    ros2 launch holdfast sim.launch.py
    ros2 launch holdfast sim.launch.py fleet_size:=10 camera_kb:=30 data:=/tmp/sim store:=dir:/tmp/sim-store
    ros2 topic list

All arguments of record.launch.py also work.
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

# Argument, default, the fleet's parameter, description.
FLEET = [
    ('fleet_size', '3', 'robots', 'Simulated robots, 1 to 200'),
    ('seed', '1', 'seed', 'Seed of the simulation; the same seed gives the same drives'),
    ('imu_hz', '200', 'imu_hz', 'Rate of each IMU, per second'),
    ('camera_kb', '90', 'camera_kb', 'Size of a camera image, kilobytes'),
    ('rate_scale', '1', 'scale', 'Multiplies every rate'),
    ('sim_topics', '', 'topics', 'Kinds of topics, separated by commas (docs/simulator.md); empty: all'),
    ('sim_duration', '', 'duration', 'How long the fleet drives, such as 60s; empty: until shutdown'),
    ('sim_ledger', '', 'ledger', 'File for the number of published messages per topic; empty: none'),
]


def generate_launch_description():
    declared = [
        DeclareLaunchArgument(name, default_value=value, description=f'{text}.') for name, value, _, text in FLEET
    ]
    path = os.path.join(get_package_share_directory('holdfast'), 'launch', 'record.launch.py')
    return LaunchDescription(
        [
            *declared,
            DeclareLaunchArgument('robots', default_value='auto', description='As in record.launch.py.'),
            DeclareLaunchArgument('data', default_value='sim-data', description='Data folder.'),
            DeclareLaunchArgument('store', default_value='dir:sim-store', description='Store for sealed segments.'),
            OpaqueFunction(function=start_fleet),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(path)),
        ]
    )


def start_fleet(context):
    values = context.launch_configurations
    given = {parameter: values[name] for name, _, parameter, _ in FLEET if values[name] != ''}
    fleet = Node(
        package='holdfast',
        executable='sim_fleet',
        name='sim_fleet',
        parameters=[{name: ParameterValue(value, value_type=str) for name, value in given.items()}],
        output='screen',
    )
    return [fleet]
