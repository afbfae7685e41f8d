"""
Records a fleet whose robots have a namespace each: every robot gets nodes, a data folder and a store prefix of
its own, in its namespace.

    ros2 launch holdfast fleet.launch.py robots:='robot_1 robot_2' data:=/data/fleet store:=dir:/mnt/nas/fleet

All arguments of record.launch.py work too and count for every robot. One recorder for the whole graph is the
other way: ros2 launch holdfast record.launch.py robots:=auto
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource

# What concerns every robot, without a namespace.
SHARED = '^/(?:tf|tf_static|clock|diagnostics|rosout|parameter_events)$'


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument('robots', description='Namespaces of the robots, separated by spaces.'),
            DeclareLaunchArgument('data', default_value='data', description='Folder for a data folder per robot.'),
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
    return [robot(name, arguments) for name in names]


def robot(name, arguments):
    # The robot's own topics, unless the user chose among them.
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
                    # The namespace is the robot; others are not looked for.
                    'robots': '',
                }.items(),
            )
        ],
        # What one robot is given is not the next one's, but what the user gave counts for all.
        scoped=True,
        forwarding=True,
    )
