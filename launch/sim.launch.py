"""
Everything on one machine, with a simulated fleet published as real topics: something to look at and to try
settings on before a robot is there.

    ros2 launch holdfast sim.launch.py
    ros2 launch holdfast sim.launch.py fleet_size:=10 camera_kb:=30 data:=/tmp/sim store:=dir:/tmp/sim-store
    ros2 topic list

The further arguments are those of record.launch.py.
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
    ('seed', '1', 'seed', 'The same seed gives the same drives'),
    ('imu_hz', '200', 'imu_hz', 'Rate of each IMU, per second'),
    ('camera_kb', '90', 'camera_kb', 'Size of a camera picture, kilobytes'),
    ('rate_scale', '1', 'scale', 'Multiplies every rate'),
    ('sim_topics', '', 'topics', 'Kinds of topics, separated by commas (docs/simulator.md); empty: all'),
    ('sim_duration', '', 'duration', 'How long the fleet drives, such as 60s; empty: until the end'),
    ('sim_ledger', '', 'ledger', 'File for the count of what was published by topic; empty: none'),
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
            DeclareLaunchArgument('store', default_value='dir:sim-store', description='Where sync brings segments.'),
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
