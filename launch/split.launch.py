"""
Runs recorder and sync on different machines that share a folder. The recorder always writes to its local disk. The
robot exports that folder (NFS, SMB) to the machine that has the link to the store.

    robot:  ros2 launch holdfast split.launch.py role:=recorder data:=/data/holdfast
    base:   ros2 launch holdfast split.launch.py role:=sync data:=/mnt/robot_1/holdfast store:=s3://fleet/recordings

All arguments of record.launch.py also work.
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PythonExpression


def generate_launch_description():
    path = os.path.join(get_package_share_directory('holdfast'), 'launch', 'record.launch.py')
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'role', choices=['recorder', 'sync'], description='The node that runs on this machine.'
            ),
            DeclareLaunchArgument('data', description='Path of the data folder on this machine.'),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(path),
                launch_arguments={
                    'record': is_role('recorder'),
                    'sync': is_role('sync'),
                    # Two in one graph would publish the same tree twice.
                    'aggregator': if_auto('aggregator', is_role('recorder')),
                }.items(),
            ),
        ]
    )


def is_role(name):
    return PythonExpression(["'true' if '", LaunchConfiguration('role'), f"' == '{name}' else 'false'"])


def if_auto(name, value):
    """What was given for the argument; for auto, auto or false as the value says."""
    given = LaunchConfiguration(name, default='auto')
    return PythonExpression(["'", given, "' if '", given, "' != 'auto' or '", value, "' == 'true' else 'false'"])
