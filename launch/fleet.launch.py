"""
Records a fleet in which each robot has a namespace. Every robot gets its own nodes, data folder and store prefix.
The nodes run in the namespace of the robot.

    ros2 launch holdfast fleet.launch.py robots:='robot_1 robot_2' data:=/data/fleet store:=dir:/mnt/nas/fleet

All arguments of record.launch.py also work, and apply to every robot. To use one recorder for the whole graph
instead: ros2 launch holdfast record.launch.py robots:=auto
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource

# The topics without a namespace that concern every robot.
SHARED = '^/(?:tf|tf_static|clock|diagnostics|rosout|parameter_events)$'


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument('robots', description='Namespaces of the robots, separated by spaces.'),
            DeclareLaunchArgument('data', default_value='data', description='Folder with one data folder per robot.'),
            DeclareLaunchArgument(
                'shared_regex',
                default_value=SHARED,
                description='Topics outside the namespaces that every robot records.',
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context):
    arguments = context.launch_configurations
    names = [name.strip('/') for name in arguments['robots'].replace(',', ' ').split()]
    if not names:
        raise RuntimeError("robots:='': name at least one namespace, such as robots:='robot_1 robot_2'")
    # One aggregator serves the whole graph.
    return [robot(name, arguments, {} if name == names[0] else {'aggregator': 'false'}) for name in names]


def robot(name, arguments, others):
    # By default, the robot's own topics. A choice of the user replaces them.
    chosen = any(arguments.get(key) for key in ('topics', 'regex')) or arguments.get('all') == 'true'
    path = os.path.join(get_package_share_directory('holdfast'), 'launch', 'record.launch.py')
    own = {} if chosen else {'regex': f'^/{name}/|{arguments["shared_regex"]}'}
    return GroupAction(
        [
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(path),
                launch_arguments={
                    'namespace': f'/{name}',
                    'robot': name.replace('/', '_'),
                    'data': os.path.join(arguments['data'], *name.split('/')),
                    **own,
                    **others,
                    # The namespace is the robot, so the recorder does not look for others.
                    'robots': '',
                }.items(),
            )
        ],
        # The arguments of one robot do not apply to the next. Those of the user apply to all.
        scoped=True,
        forwarding=True,
    )
