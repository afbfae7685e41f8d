"""
Records one robot: starts the node holdfast_recorder, holdfast_sync if a store is given, and an aggregator of their
diagnostics if the package diagnostic_aggregator is installed.

    ros2 launch holdfast record.launch.py data:=/data/holdfast store:=dir:/mnt/nas/recordings
    ros2 launch holdfast record.launch.py topics:='/imu /odom' qos_profile_overrides_path:=qos.yaml

If an argument is missing, the value of the params file applies, and then the default of the node. An argument
with the name of a `ros2 bag record` option has the same meaning (docs/ros-package.md has the table).
"""

import os
import re
from typing import List
from urllib.parse import quote

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

# Name, default, description, and the allowed values if there are few.
FLAG = ['', 'true', 'false']
ARGUMENTS = [
    # The processes and their folders.
    ('namespace', '', 'Namespace of both nodes; empty: none', None),
    ('record', 'true', 'Start the recorder', ['true', 'false']),
    ('sync', 'auto', 'Start sync; auto: if a store is given', ['auto', 'true', 'false']),
    (
        'aggregator',
        'auto',
        'Start diagnostic_aggregator, which makes the tree of rqt\'s robot monitor; auto: if it is installed',
        ['auto', 'true', 'false'],
    ),
    ('analyzers_file', '', 'Params file of diagnostic_aggregator; empty: config/diagnostics/analyzers.yaml', None),
    ('params_file', '', 'Params file of both nodes (config/holdfast.yaml is one); empty: none', None),
    ('data', '', 'Data folder, on a local disk; both nodes of a robot share it', None),
    ('store', '', 'Store for the sealed segments: dir:PATH or s3://BUCKET/PREFIX', None),
    ('robot', '', 'Name of the robot; empty: the last part of the namespace, or the host name', None),
    ('robots', '', 'Several robots in one graph: auto, or namespaces such as /robot_1,/robot_2', None),
    ('domains', '', 'ROS domains to record: 3,4 or robot_a:3,robot_b:4; empty: ROS_DOMAIN_ID', None),
    # The recorded topics. The names are those of ros2 bag record.
    ('all', 'false', 'Every topic; the next six arguments are ignored', ['true', 'false']),
    ('topics', '', 'Only these topics, separated by spaces', None),
    ('regex', '', 'Only topics that match this regular expression, in addition to those of "topics"', None),
    ('topic_types', '', 'Only these types (sensor_msgs/msg/Imu), separated by spaces', None),
    ('exclude_topics', '', 'None of these topics, separated by spaces', None),
    ('exclude_regex', '', 'No topics that match this regular expression', None),
    ('exclude_topic_types', '', 'None of these types, separated by spaces', None),
    ('include_hidden_topics', '', 'Also topics with a name part that begins with an underscore', FLAG),
    ('all_services', '', 'Also service events', FLAG),
    ('all_actions', '', 'Also the feedback and status of actions', FLAG),
    ('qos_profile_overrides_path', '', 'YAML file with QoS per topic, in the format of rosbag2', None),
    ('static_topics_path', '', 'YAML file with topics to subscribe to before they are published', None),
    ('polling_interval', '', 'Interval between two reads of the ROS graph, milliseconds', None),
    ('max_bag_size', '', 'Size at which a segment is sealed and a new one starts, bytes', None),
    ('max_bag_duration', '', 'Age at which a segment is sealed and a new one starts, seconds', None),
    ('max_cache_size', '', 'Maximum size of the messages that wait for the disk, bytes', None),
    ('use_sim_time', '', 'Use the time of /clock; recording starts with its first message', FLAG),
    # The nodes as processes.
    ('managed', '', 'The recorder is a lifecycle node', FLAG),
    ('autostart', '', 'A managed recorder configures and activates itself', FLAG),
    ('log_level', 'info', 'Lowest level that is logged', ['debug', 'info', 'warn', 'error', 'fatal']),
    ('respawn', 'true', 'Restart a node that ends unexpectedly', ['true', 'false']),
    ('respawn_delay', '2.0', 'Delay before a restart, seconds', None),
    ('shutdown_timeout', '60', 'Time to drain and seal after Ctrl-C, before SIGTERM, seconds', None),
]


def generate_launch_description():
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=f'{text}.', choices=choices)
        for name, default, text, choices in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])


def start(context):
    values = {name: context.launch_configurations[name] for name, *_ in ARGUMENTS}
    for name in ('params_file', 'analyzers_file', 'qos_profile_overrides_path', 'static_topics_path'):
        if values[name] != '' and not os.path.isfile(values[name]):
            raise RuntimeError(f'{name}:={values[name]}: no such file')
    with_sync = values['sync'] == 'true' or (values['sync'] == 'auto' and values['store'] != '')
    nodes = []
    if values['record'] == 'true':
        nodes.append(node('recorder', values, recorder_parameters(values)))
    if with_sync:
        nodes.append(node('sync', values, text_parameters(values, **{'data': 'data', 'store.uri': 'store'})))
    if not nodes:
        raise RuntimeError('record:=false and no sync: nothing is left to start (give store:=... or sync:=true)')
    return [*nodes, *aggregator(values)]


def aggregator(values):
    """The node that makes /diagnostics_agg of /diagnostics; one is enough for a graph, so it has no namespace."""
    wanted = values['aggregator']
    if wanted == 'false':
        return []
    try:
        get_package_prefix('diagnostic_aggregator')
    except PackageNotFoundError:
        missing = 'diagnostic_aggregator is not installed: nothing publishes /diagnostics_agg for the robot monitor'
        if wanted == 'true':
            raise RuntimeError(f'aggregator:=true: {missing}') from None
        return [LogInfo(msg=f'holdfast: {missing}')]
    own = os.path.join(get_package_share_directory('holdfast'), 'config', 'diagnostics', 'analyzers.yaml')
    return [
        Node(
            package='diagnostic_aggregator',
            executable='aggregator_node',
            parameters=[values['analyzers_file'] or own],
            # It logs each status that it sees for the first time.
            arguments=['--ros-args', '--log-level', 'warn'],
            output='screen',
            respawn=values['respawn'] == 'true',
            respawn_delay=number('respawn_delay', values['respawn_delay']),
        )
    ]


def node(role, values, parameters):
    level = values['log_level']
    return Node(
        package='holdfast',
        executable=role,
        name=f'holdfast_{role}',
        namespace=values['namespace'],
        parameters=[*([values['params_file']] if values['params_file'] else []), *([parameters] if parameters else [])],
        arguments=['--ros-args', '--log-level', level],
        output='screen',
        respawn=values['respawn'] == 'true',
        respawn_delay=number('respawn_delay', values['respawn_delay']),
        # A second signal means "at once". By default, launch sends one after 5 s.
        sigterm_timeout=values['shutdown_timeout'],
        sigkill_timeout='10',
    )


def recorder_parameters(values):
    parameters = text_parameters(values, data='data', robot='robot')
    for name in ('use_sim_time', 'managed', 'autostart'):
        if values[name] != '':
            parameters[name] = values[name] == 'true'
    for name, parameter, unit in (
        ('max_bag_size', 'segment.max_bytes', 'B'),
        ('max_cache_size', 'queue.total_max_bytes', 'B'),
        ('max_bag_duration', 'segment.max_age_ms', 's'),
    ):
        if values[name] != '':
            parameters[parameter] = text(values[name] + unit)
    for parameter, expressions in filters(values).items():
        if expressions:
            parameters[parameter] = ParameterValue(expressions, value_type=List[str])
    source = source_uri(values)
    if source != '':
        parameters['sources'] = ParameterValue([source], value_type=List[str])
    return parameters


def filters(values):
    if values['all'] == 'true':
        return {}
    regex, exclude_regex = values['regex'], values['exclude_regex']
    return {
        'topics.include': [*exactly(absolute(values['topics'])), *([regex] if regex else [])],
        'topics.exclude': [*exactly(absolute(values['exclude_topics'])), *([exclude_regex] if exclude_regex else [])],
        'types.include': exactly(values['topic_types']),
        'types.exclude': exactly(values['exclude_topic_types']),
    }


def absolute(topics):
    return ' '.join(f'/{topic.lstrip("/")}' for topic in topics.split())


def exactly(names):
    """One regular expression that matches these full names; empty for no names."""
    escaped = [re.sub(r'([.*+?^${}()|\[\]\\])', r'\\\1', name) for name in names.split()]
    return [f'^(?:{"|".join(escaped)})$'] if escaped else []


def source_uri(values):
    """The source URI with the options of the ROS graph; empty if no option is given."""
    polling = values['polling_interval']
    options = {
        'robots': values['robots'],
        'domains': values['domains'],
        'hidden': values['include_hidden_topics'],
        'services': values['all_services'],
        'actions': values['all_actions'],
        'qos': values['qos_profile_overrides_path'],
        'static_topics': values['static_topics_path'],
        'poll': f'{polling}ms' if polling else '',
    }
    query = '&'.join(f'{name}={quote(value, safe="/:,")}' for name, value in options.items() if value != '')
    return f'ros:?{query}' if query else ''


def text_parameters(values, **names):
    """The parameters whose arguments are given."""
    return {name: text(values[argument]) for name, argument in names.items() if values[argument] != ''}


def text(value):
    """Keeps text as text. Otherwise launch turns robot:=7 into a number."""
    return ParameterValue(value, value_type=str)


def number(name, value):
    try:
        return float(value)
    except ValueError:
        raise RuntimeError(f'{name}:={value}: must be a number of seconds') from None
