"""
Recorder and sync on different machines that share a folder: the recorder writes to its local disk, as always,
and that folder is exported (NFS, SMB) to the machine that has the link to the store.

    robot:  ros2 launch holdfast split.launch.py role:=recorder data:=/data/holdfast
    base:   ros2 launch holdfast split.launch.py role:=sync data:=/mnt/robot_1/holdfast store:=s3://fleet/recordings

The further arguments are those of record.launch.py.
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
                'role', choices=['recorder', 'sync'], description='Which half runs on this machine.'
            ),
            DeclareLaunchArgument('data', description='The data folder as this machine sees it.'),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(path),
                launch_arguments={'record': is_role('recorder'), 'sync': is_role('sync')}.items(),
            ),
        ]
    )


def is_role(name):
    return PythonExpression(["'true' if '", LaunchConfiguration('role'), f"' == '{name}' else 'false'"])
